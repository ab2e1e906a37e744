/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.FixedTime;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ReducedArchive;
import io.crossmodal.model.torchscript.ScriptArchiveReader;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptSources;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * A model with all that is needed to serve it: a zip of {@code manifest.json}, {@code model.pt} and
 * {@code vocab.txt}; without the last where the model has no text.
 *
 * <p>Reading checks the format version, that nothing is missing or too much, both SHA-256s, that
 * the weights are exactly those that the config calls for, and the three fingerprints. {@link
 * FusionModel#load} then re-scores the golden inputs. Immutable.
 */
public final class ModelBundle {
  private static final String MANIFEST = "manifest.json";
  private static final String MODEL = "model.pt";
  private static final String VOCABULARY = "vocab.txt";
  private static final Set<String> ENTRIES = Set.of(MANIFEST, MODEL, VOCABULARY);
  private static final Set<String> WITHOUT_TEXT = Set.of(MANIFEST, MODEL);

  /** What an entry may unpack to; a zip of less than a megabyte could claim a terabyte. */
  private static final Map<String, Integer> MAX_BYTES =
      Map.of(MANIFEST, 16 << 20, VOCABULARY, 16 << 20, MODEL, Integer.MAX_VALUE - 8);

  private final ModelManifest manifest;

  /** Null where the model has no text. */
  private final WordPieceTokenizer tokenizer;

  private final Archive archive;
  private final long weightBytes;

  /** Where {@code model.pt} is read from, as often as it is needed. */
  @FunctionalInterface
  private interface Archive {
    InputStream open() throws IOException;
  }

  private ModelBundle(ModelManifest manifest, List<String> vocabulary, byte[] archive) {
    this(
        manifest,
        manifest.config().hasText()
            ? new WordPieceTokenizer(vocabulary, manifest.config().text().maxTokens())
            : null,
        () -> new ByteArrayInputStream(archive),
        archive.length);
  }

  private ModelBundle(
      ModelManifest manifest, WordPieceTokenizer tokenizer, Archive archive, long weightBytes) {
    this.manifest = manifest;
    this.tokenizer = tokenizer;
    this.archive = archive;
    this.weightBytes = weightBytes;
  }

  /**
   * A bundle in memory, without golden outputs until it is {@linkplain #write written}.
   *
   * @param vocabulary word pieces in the order of their ids; empty for a model without text
   * @param state exactly the weights that {@code config} calls for
   */
  public static ModelBundle of(
      String id,
      ModelConfig config,
      List<String> vocabulary,
      StateDict state,
      Calibration calibration,
      ModelManifest.Training training,
      List<ModelManifest.Metric> metrics) {
    ScriptModule root =
        Weights.buildExactly(state, weights -> MtgfeArchitecture.build(config, weights));
    ByteArrayOutputStream archive = new ByteArrayOutputStream();
    try {
      ScriptArchiveWriter.write(archive, root, MtgfeArchitecture.sources(config));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    ModelManifest manifest =
        new ModelManifest(
            ModelManifest.FORMAT_VERSION,
            id,
            config,
            config.hasText() ? Sha256.hex(text(vocabulary)) : null,
            Sha256.hex(archive.toByteArray()),
            Fingerprints.of(config, vocabulary, state),
            calibration,
            List.of(),
            null,
            training,
            metrics,
            null);
    return new ModelBundle(manifest, vocabulary, archive.toByteArray());
  }

  /**
   * A model of random weights over a vocabulary of letters, for tests.
   *
   * @param config its vocabulary size is replaced by that of the letters; it may have no text
   */
  public static ModelBundle random(String id, ModelConfig config, long seed) {
    if (!config.hasText()) {
      return random(id, config, List.of(), seed);
    }
    List<String> vocabulary = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    for (char letter = 'a'; letter <= 'z'; letter++) {
      vocabulary.add(String.valueOf(letter));
      vocabulary.add("##" + letter);
    }
    return random(id, config.withVocabularySize(vocabulary.size()), vocabulary, seed);
  }

  private static ModelBundle random(
      String id, ModelConfig config, List<String> vocabulary, long seed) {
    return of(
        id,
        config,
        vocabulary,
        StateDict.of(MtgfeArchitecture.build(config, Weights.random(seed))),
        Calibration.NONE,
        new ModelManifest.Training("none", seed, 0, "none"),
        List.of());
  }

  /** The bundle {@code scenes-tiny} that this library ships. */
  public static ModelBundle demo() {
    String name = "scenes-tiny.zip";
    try (InputStream in = ModelBundle.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException("this build of ml-assets lacks " + name);
      }
      return read(in);
    } catch (IOException | BundleException e) {
      throw new IllegalStateException("the shipped " + name + " is damaged", e);
    }
  }

  /**
   * Reads a bundle from a file.
   *
   * @throws BundleException when the file is no bundle that may be served
   */
  public static ModelBundle read(Path file) throws IOException, BundleException {
    try (InputStream in = Files.newInputStream(file)) {
      return read(in);
    } catch (BundleException e) {
      throw new BundleException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Reads and checks a bundle as {@link #read(Path)} does, but leaves the weights where they are:
   * for a node, whose heap has better uses between one load of the model and the next.
   *
   * @param file must stay as it is for as long as the bundle is used
   */
  public static ModelBundle open(Path file) throws IOException, BundleException {
    ModelBundle read = read(file);
    return new ModelBundle(read.manifest, read.tokenizer, () -> openEntry(file), read.weightBytes);
  }

  private static InputStream openEntry(Path file) throws IOException {
    ZipInputStream zip = new ZipInputStream(Files.newInputStream(file));
    for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
      if (entry.getName().equals(MODEL)) {
        return zip;
      }
    }
    zip.close();
    throw new IOException(file + " lost its " + MODEL + " since it was opened");
  }

  /**
   * Reads a bundle from a stream.
   *
   * @param in a whole bundle; read to its end, not closed
   * @throws BundleException when it is no bundle that may be served
   */
  public static ModelBundle read(InputStream in) throws IOException, BundleException {
    Map<String, byte[]> entries = entries(in);
    ModelManifest manifest =
        entries.containsKey(MANIFEST) ? ModelManifest.fromJson(entries.get(MANIFEST)) : null;
    Set<String> expected = manifest == null || manifest.config().hasText() ? ENTRIES : WITHOUT_TEXT;
    if (!entries.keySet().equals(expected)) {
      throw new BundleException("a bundle holds " + expected + ", found " + entries.keySet());
    }
    if (manifest.golden() == null) {
      throw new BundleException(MANIFEST + " lacks golden outputs");
    }
    byte[] archive = entries.get(MODEL);
    checkHash(MODEL, manifest.weightsSha256(), archive);
    List<String> vocabulary =
        manifest.config().hasText() ? vocabulary(manifest, entries.get(VOCABULARY)) : List.of();
    ModelBundle bundle;
    try {
      bundle = new ModelBundle(manifest, vocabulary, archive);
    } catch (IllegalArgumentException e) {
      throw new BundleException(VOCABULARY + ": " + e.getMessage(), e);
    }
    try {
      StateDict state = ScriptArchiveReader.read(new ByteArrayInputStream(archive));
      Weights.buildExactly(state, w -> MtgfeArchitecture.build(manifest.config(), w));
      Fingerprints found = Fingerprints.of(manifest.config(), vocabulary, state);
      if (!found.equals(manifest.fingerprints())) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "fingerprints: expected %s, found %s",
                manifest.fingerprints(),
                found));
      }
      return bundle;
    } catch (IOException | IllegalArgumentException e) {
      throw new BundleException(MODEL + " does not fit the manifest: " + e.getMessage(), e);
    }
  }

  private static List<String> vocabulary(ModelManifest manifest, byte[] entry)
      throws BundleException {
    checkHash(VOCABULARY, manifest.vocabularySha256(), entry);
    List<String> vocabulary = new String(entry, StandardCharsets.UTF_8).lines().toList();
    if (vocabulary.size() != manifest.config().text().vocabularySize()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "the config names %d word pieces, vocab.txt has %d",
              manifest.config().text().vocabularySize(),
              vocabulary.size()));
    }
    return vocabulary;
  }

  private static Map<String, byte[]> entries(InputStream in) throws IOException, BundleException {
    Map<String, byte[]> entries = new HashMap<>();
    try {
      ZipInputStream zip = new ZipInputStream(in);
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        if (!ENTRIES.contains(entry.getName())) {
          throw new BundleException(
              String.format(
                  Locale.ROOT, "a bundle holds %s, found [%s]", ENTRIES, entry.getName()));
        }
        if (entries.containsKey(entry.getName())) {
          throw new BundleException("a bundle holds one " + entry.getName() + ", found several");
        }
        // The weights are held twice while they are checked, beside all else that the heap holds.
        long most = Math.min(MAX_BYTES.get(entry.getName()), Runtime.getRuntime().maxMemory() / 4);
        byte[] content = zip.readNBytes((int) most);
        if (zip.read() >= 0) {
          throw new BundleException(
              String.format(
                  Locale.ROOT,
                  "%s may unpack to at most %d bytes in this heap, found more",
                  entry.getName(),
                  most));
        }
        entries.put(entry.getName(), content);
      }
    } catch (ZipException e) {
      throw new BundleException("damaged zip: " + e.getMessage(), e);
    } catch (EOFException e) {
      throw new BundleException("the zip ends early, perhaps cut short", e);
    }
    if (entries.isEmpty()) {
      throw new BundleException("these bytes are no zip");
    }
    return entries;
  }

  private static void checkHash(String entry, String expected, byte[] content)
      throws BundleException {
    String found = Sha256.hex(content);
    if (!found.equals(expected)) {
      throw new BundleException(
          String.format(Locale.ROOT, "%s: expected SHA-256 %s, found %s", entry, expected, found));
    }
  }

  private static byte[] text(List<String> vocabulary) {
    return (String.join("\n", vocabulary) + "\n").getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Adds golden outputs, computed here and now, and writes the zip; whole or not at all.
   *
   * @param file replaced where it exists
   * @param goldenTexts inputs of the golden outputs, at least one; none for a model without text
   * @return the bundle as it was written
   * @throws IllegalArgumentException when there is no golden text, or a blank one
   */
  public ModelBundle write(Path file, List<String> goldenTexts)
      throws IOException, BundleException {
    Path folder = file.toAbsolutePath().getParent();
    Files.createDirectories(folder);
    ModelManifest complete;
    try (FusionModel model = FusionModel.load(this, folder)) {
      complete = manifest.withGolden(Golden.of(model, goldenTexts));
    }
    // Not createTempFile: only its owner could read the bundle, and a node is another user.
    Path temporary = folder.resolve(file.getFileName() + ".tmp");
    try {
      try (ZipOutputStream zip =
          new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(temporary)))) {
        entry(zip, MANIFEST, complete.toJson());
        if (tokenizer != null) {
          entry(zip, VOCABULARY, text(tokenizer.words()));
        }
        try (InputStream in = archive.open()) {
          in.transferTo(startEntry(zip, MODEL));
        }
        zip.closeEntry();
      }
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
    return new ModelBundle(complete, tokenizer, archive, weightBytes);
  }

  private static void entry(ZipOutputStream zip, String name, byte[] content) throws IOException {
    startEntry(zip, name).write(content);
    zip.closeEntry();
  }

  private static ZipOutputStream startEntry(ZipOutputStream zip, String name) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setTimeLocal(FixedTime.EPOCH);
    zip.putNextEntry(entry);
    return zip;
  }

  /** The same model under another name. */
  public ModelBundle withId(String id) {
    return new ModelBundle(manifest.withId(id), tokenizer, archive, weightBytes);
  }

  /**
   * The same model with probabilities for its sensor pairs; to be {@linkplain #write written}.
   *
   * @param cosines from cosines of embeddings
   * @param maxSims from MaxSim of patches; empty where that tells nothing
   */
  public ModelBundle withSensorCalibrations(
      List<SensorCalibration> cosines, List<SensorCalibration> maxSims) {
    return new ModelBundle(
        manifest.withSensorCalibrations(cosines, maxSims), tokenizer, archive, weightBytes);
  }

  public ModelManifest manifest() {
    return manifest;
  }

  /**
   * The tokenizer of the model's texts.
   *
   * @throws IllegalStateException when the model has no text tower
   */
  public WordPieceTokenizer tokenizer() {
    manifest.config().requireText("a tokenizer");
    return tokenizer;
  }

  /**
   * How pictures of a sensor become tensors.
   *
   * @throws IllegalArgumentException when the model has no such sensor or its pictures are not read
   *     from picture files
   */
  public ImagePreprocessor preprocessor(String sensor) {
    SensorConfig config = manifest.config().sensor(sensor);
    return new ImagePreprocessor(config);
  }

  /** The archive {@code model.pt}; the caller closes it. */
  public InputStream openModel() throws IOException {
    return archive.open();
  }

  /**
   * Writes an archive to be loaded.
   *
   * @param file replaced where it exists
   * @return bytes that its weights take when it is loaded
   * @throws BundleException for another precision than fp32, where the archive has other code than
   *     this library would write anew
   */
  public long writeModel(Path file, Precision precision) throws IOException, BundleException {
    if (precision == Precision.FP32) {
      try (InputStream in = openModel()) {
        Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      }
      return weightBytes;
    }
    Optional<String> foreign = foreignCode();
    if (foreign.isPresent()) {
      throw new BundleException(
          precision + " is for archives of this library's own code: " + foreign.get());
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      return ReducedArchive.write(out, manifest.config(), weights(), precision);
    }
  }

  /**
   * How the archive's code differs from what this library writes for the config; comments do not
   * count.
   *
   * @return empty where it does not
   */
  public Optional<String> foreignCode() throws IOException {
    try (InputStream in = openModel()) {
      return ScriptSources.difference(
          MtgfeArchitecture.sources(manifest.config()), ScriptArchiveReader.sources(in));
    }
  }

  /**
   * Insists that the archive is, but for comments in its code, what this library writes for the
   * config and the weights: TorchScript is code that would run in whoever loads it.
   *
   * @throws BundleException saying where it is not
   */
  public void checkOwnCode() throws IOException, BundleException {
    Optional<String> foreign = foreignCode();
    if (foreign.isPresent()) {
      throw new BundleException(MODEL + " holds foreign code: " + foreign.get());
    }
    Map<String, String> sources;
    try (InputStream in = openModel()) {
      sources = ScriptArchiveReader.sources(in);
    }
    // In the order in which they are written; of the text itself nothing is left to differ.
    Map<String, String> ordered = MtgfeArchitecture.sources(manifest.config());
    ordered.replaceAll((name, own) -> sources.get(name));
    MessageDigest digest = Sha256.digest();
    ScriptArchiveWriter.write(
        new DigestOutputStream(OutputStream.nullOutputStream(), digest),
        MtgfeArchitecture.build(manifest.config(), Weights.of(weights())),
        ordered);
    if (!HexFormat.of().formatHex(digest.digest()).equals(manifest.weightsSha256())) {
      throw new BundleException(
          MODEL + " differs from what this library writes for its config and weights");
    }
  }

  /** Memory that the loaded weights take: the archive holds them as they are. */
  public long weightBytes() {
    return weightBytes;
  }

  /** The weights by name, read from the archive. */
  public StateDict weights() throws IOException {
    try (InputStream in = openModel()) {
      return ScriptArchiveReader.read(in);
    }
  }

  /**
   * Re-scores the golden inputs; nothing to do for a bundle that was never written.
   *
   * @throws BundleException naming the first output that differs
   */
  public void verifyGolden(FusionModel model) throws BundleException {
    if (manifest.golden() == null) {
      return;
    }
    if (model.precision() == Precision.FP32) {
      manifest.golden().verify(model);
      return;
    }
    Golden.Deviation deviation = manifest.golden().deviation(model);
    if (!deviation.withinTolerance()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "%s is too coarse for this model: golden embeddings are off by %.4f (accepted %.2f),"
                  + " logits by %.4f of their size (accepted %.2f)",
              model.precision(),
              deviation.embedding(),
              Golden.Deviation.EMBEDDING,
              deviation.logit(),
              Golden.Deviation.LOGIT));
    }
  }
}
