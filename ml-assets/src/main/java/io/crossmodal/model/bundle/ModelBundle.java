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
import io.crossmodal.model.torchscript.ScriptArchive;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.BufferedOutputStream;
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
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * A model with all that is needed to serve it: a zip of {@code manifest.json}, {@code vocab.txt}
 * and {@code model.pt}, in this order; without a vocabulary where the model has no text.
 *
 * <p>Reading checks the format version, that nothing is missing or too much, both SHA-256s, that
 * the weights are exactly those that the config calls for, and the three fingerprints. {@link
 * FusionModel#load} then re-scores the golden inputs. The weights stay in the zip: whoever needs
 * them has them unpacked to a file for as long as that takes, and reads that piece by piece.
 * Immutable.
 */
public final class ModelBundle {
  /** Of the names of unpacked archives, so that what a killed process leaves can be found. */
  private static final String UNPACKED = "model-";

  private final ModelManifest manifest;

  /** Null where the model has no text. */
  private final WordPieceTokenizer tokenizer;

  private final Source source;

  /** Gives the bytes of a whole bundle, as often as they are needed. */
  @FunctionalInterface
  public interface Content {
    /** Opens them; the caller closes. */
    InputStream open() throws IOException;
  }

  /**
   * Where the weights come from: a bundle's zip, or the heap of whoever trains.
   *
   * @param foreignCode whether the archive in the zip holds other code than this library writes
   * @param runsIt whether that code is loaded
   */
  private record Source(Content zip, StateDict state, boolean foreignCode, boolean runsIt) {}

  private ModelBundle(ModelManifest manifest, WordPieceTokenizer tokenizer, Source source) {
    this.manifest = manifest;
    this.tokenizer = tokenizer;
    this.source = source;
  }

  private static WordPieceTokenizer tokenizer(ModelConfig config, List<String> vocabulary) {
    return config.hasText() ? new WordPieceTokenizer(vocabulary, config.text().maxTokens()) : null;
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
    MessageDigest archive = Sha256.digest();
    Fingerprints fingerprints;
    try {
      OutputStream digesting = new DigestOutputStream(OutputStream.nullOutputStream(), archive);
      ScriptArchiveWriter.write(digesting, root, MtgfeArchitecture.sources(config));
      fingerprints = Fingerprints.of(config, vocabulary, state);
    } catch (IOException e) {
      throw new UncheckedIOException("reading the weights", e);
    }
    ModelManifest manifest =
        new ModelManifest(
            ModelManifest.FORMAT_VERSION,
            id,
            config,
            config.hasText() ? Sha256.hex(text(vocabulary)) : null,
            HexFormat.of().formatHex(archive.digest()),
            fingerprints,
            calibration,
            List.of(),
            null,
            training,
            metrics,
            null);
    return new ModelBundle(
        manifest, tokenizer(config, vocabulary), new Source(null, state, false, false));
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
    Content content =
        () -> {
          InputStream in = ModelBundle.class.getResourceAsStream(name);
          if (in == null) {
            throw new IOException("this build of ml-assets lacks " + name);
          }
          return in;
        };
    try {
      return open(content, temporaryFolder(), Long.MAX_VALUE);
    } catch (IOException | BundleException e) {
      throw new IllegalStateException("the shipped " + name + " is damaged", e);
    }
  }

  private static Path temporaryFolder() {
    return Path.of(System.getProperty("java.io.tmpdir"));
  }

  /**
   * Opens a bundle's file; its weights are unpacked to the folder for temporary files when they are
   * needed.
   *
   * @param file must stay as it is for as long as the bundle is used
   * @throws BundleException when the file is no bundle that may be served
   */
  public static ModelBundle read(Path file) throws IOException, BundleException {
    try {
      return open(() -> Files.newInputStream(file), temporaryFolder(), Long.MAX_VALUE);
    } catch (BundleException e) {
      throw new BundleException(file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Opens and checks a bundle.
   *
   * @param content must be the same for as long as the bundle is used
   * @param scratch an existing folder for the unpacked archive, which is gone when this returns
   * @param most bytes that {@code model.pt} may unpack to
   * @throws BundleException when it is no bundle that may be served
   */
  public static ModelBundle open(Content content, Path scratch, long most)
      throws IOException, BundleException {
    Path unpacked = Files.createTempFile(scratch, UNPACKED, ".tmp");
    try (InputStream in = content.open()) {
      return check(content, BundleReader.unpack(in, unpacked, most), unpacked);
    } finally {
      Files.deleteIfExists(unpacked);
    }
  }

  private static ModelBundle check(Content content, BundleReader.Unpacked entries, Path unpacked)
      throws IOException, BundleException {
    ModelManifest manifest = entries.manifest;
    if (manifest.golden() == null) {
      throw new BundleException(BundleReader.MANIFEST + " lacks golden outputs");
    }
    BundleReader.checkHash(BundleReader.MODEL, manifest.weightsSha256(), entries.modelSha256);
    ModelConfig config = manifest.config();
    List<String> vocabulary =
        config.hasText() ? BundleReader.vocabulary(manifest, entries.vocabulary) : List.of();
    WordPieceTokenizer tokenizer;
    try {
      tokenizer = tokenizer(config, vocabulary);
    } catch (IllegalArgumentException e) {
      throw new BundleException(BundleReader.VOCABULARY + ": " + e.getMessage(), e);
    }
    try (ScriptArchive archive = archive(unpacked, config)) {
      Fingerprints found = Fingerprints.of(config, vocabulary, archive.weights());
      if (!found.equals(manifest.fingerprints())) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "fingerprints: expected %s, found %s",
                manifest.fingerprints(),
                found));
      }
      boolean foreign = !archive.sources().equals(MtgfeArchitecture.sources(config));
      return new ModelBundle(manifest, tokenizer, new Source(content, null, foreign, false));
    }
  }

  private static ScriptArchive archive(Path file, ModelConfig config)
      throws IOException, BundleException {
    try {
      return ScriptArchive.open(file, weights -> MtgfeArchitecture.build(config, weights));
    } catch (ScriptArchive.FormatException | IllegalArgumentException e) {
      throw new BundleException(
          BundleReader.MODEL + " does not fit the manifest: " + e.getMessage(), e);
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
        entry(zip, BundleReader.MANIFEST, complete.toJson());
        if (tokenizer != null) {
          entry(zip, BundleReader.VOCABULARY, text(tokenizer.words()));
        }
        copyModel(startEntry(zip, BundleReader.MODEL));
        zip.closeEntry();
      }
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
    return new ModelBundle(complete, tokenizer, source);
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

  /**
   * Returns the same model, whose archive's own code is loaded in fp32 where it is {@linkplain
   * #hasForeignCode foreign}. It runs with the rights of whoever loads it: for makers who are
   * trusted as those of a program are.
   */
  public ModelBundle allowingForeignCode() {
    return new ModelBundle(
        manifest,
        tokenizer,
        new Source(source.zip(), source.state(), source.foreignCode(), source.foreignCode()));
  }

  /** The same model under another name. */
  public ModelBundle withId(String id) {
    return new ModelBundle(manifest.withId(id), tokenizer, source);
  }

  /**
   * The same model with probabilities for its sensor pairs; to be {@linkplain #write written}.
   *
   * @param cosines from cosines of embeddings
   * @param maxSims from MaxSim of patches; empty where that tells nothing
   */
  public ModelBundle withSensorCalibrations(
      List<SensorCalibration> cosines, List<SensorCalibration> maxSims) {
    return new ModelBundle(manifest.withSensorCalibrations(cosines, maxSims), tokenizer, source);
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

  /** Copies the archive {@code model.pt} as it is. */
  private void copyModel(OutputStream out) throws IOException {
    if (source.state() != null) {
      writeOwn(out, source.state());
      return;
    }
    try (ZipInputStream zip = new ZipInputStream(source.zip().open())) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        if (entry.getName().equals(BundleReader.MODEL)) {
          zip.transferTo(out);
          return;
        }
      }
    }
    throw new IOException("the bundle lost its " + BundleReader.MODEL + " since it was opened");
  }

  private void writeOwn(OutputStream out, StateDict state) throws IOException {
    ModelConfig config = manifest.config();
    ScriptArchiveWriter.write(
        out, MtgfeArchitecture.build(config, Weights.of(state)), MtgfeArchitecture.sources(config));
  }

  /**
   * Writes an archive to be loaded. Unless {@linkplain #allowingForeignCode foreign code is
   * allowed}, that is what this library writes for the config and the weights: nothing else of what
   * came in a bundle's archive reaches the engine. Nor does it in another precision than fp32.
   *
   * @param file replaced where it exists; the bundle's own archive is unpacked beside it meanwhile
   * @return bytes that its weights take when it is loaded
   */
  public long writeModel(Path file, Precision precision) throws IOException, BundleException {
    try (OutputStream out = Files.newOutputStream(file)) {
      if (runsForeignCode(precision)) {
        copyModel(out);
        return weightBytes();
      }
      return withWeights(
          file.toAbsolutePath().getParent(),
          state -> {
            if (precision != Precision.FP32) {
              return ReducedArchive.write(out, manifest.config(), state, precision);
            }
            writeOwn(out, state);
            return weightBytes();
          });
    }
  }

  /**
   * Whether the archive's code is another than this library writes for the config, be it an earlier
   * version's text for the same. It is not loaded; the golden outputs tell whether the model is
   * what this library's code computes.
   */
  public boolean hasForeignCode() {
    return source.foreignCode();
  }

  /** Whether what is loaded in this precision is the archive's own, foreign code. */
  public boolean runsForeignCode(Precision precision) {
    return source.runsIt() && precision == Precision.FP32;
  }

  /** Memory that the loaded weights take in fp32. */
  public long weightBytes() {
    return weightBytes(manifest.config());
  }

  static long weightBytes(ModelConfig config) {
    long[] bytes = {0};
    MtgfeArchitecture.build(config, Weights.SHAPES)
        .forEachTensor((name, tensor) -> bytes[0] += (long) tensor.size() * Float.BYTES);
    return bytes[0];
  }

  /** The weights by name, in the heap. */
  public StateDict weights() throws IOException {
    if (source.state() != null) {
      return source.state();
    }
    try {
      return withWeights(temporaryFolder(), StateDict::inHeap);
    } catch (BundleException e) {
      throw new IOException("the bundle is another one since it was opened: " + e.getMessage(), e);
    }
  }

  /** Uses weights for as long as they can be read. */
  @FunctionalInterface
  private interface WeightUse<T> {
    T apply(StateDict state) throws IOException;
  }

  private <T> T withWeights(Path scratch, WeightUse<T> use) throws IOException, BundleException {
    if (source.state() != null) {
      return use.apply(source.state());
    }
    Path unpacked = Files.createTempFile(scratch, UNPACKED, ".tmp");
    try {
      MessageDigest digest = Sha256.digest();
      try (OutputStream out = new DigestOutputStream(Files.newOutputStream(unpacked), digest)) {
        copyModel(out);
      }
      // Since the bundle was checked its file may have been changed.
      BundleReader.checkHash(
          BundleReader.MODEL, manifest.weightsSha256(), HexFormat.of().formatHex(digest.digest()));
      try (ScriptArchive archive = archive(unpacked, manifest.config())) {
        return use.apply(archive.weights());
      }
    } finally {
      Files.deleteIfExists(unpacked);
    }
  }

  /**
   * Re-scores the golden inputs; nothing to do for a bundle that was never written.
   *
   * @throws BundleException naming the first output that differs
   */
  public void verifyGolden(FusionModel model) throws BundleException {
    try {
      compareGolden(model);
    } catch (BundleException e) {
      if (!hasForeignCode() || runsForeignCode(model.precision())) {
        throw e;
      }
      throw new BundleException(
          e.getMessage()
              + "; computed with this version's code: "
              + BundleReader.MODEL
              + " holds other code, which is not run",
          e);
    }
  }

  private void compareGolden(FusionModel model) throws BundleException {
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
