/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.torchscript.FixedTime;
import io.crossmodal.model.torchscript.StateDict;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.Deflater;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * A model with all that is needed to serve it: a zip of {@code manifest.json}, {@code vocab.txt} or
 * the files of CLIP's byte pairs, and {@code model.pt}, in this order; without a tokenizer where
 * the model has no text.
 *
 * <p>Reading checks the format version, that nothing is missing or too much, both SHA-256s, that
 * the weights are exactly those that the config calls for, and the three fingerprints. Whoever
 * loads it re-scores the golden inputs. The weights stay in the zip. Immutable.
 */
public final class ModelBundle {
  private final ModelManifest manifest;

  private final TokenizerEntries files;

  /** Null where the model has no text. */
  private final Tokenizer tokenizer;

  private final ModelArchive archive;

  /** Gives the bytes of a whole bundle, as often as they are needed. */
  @FunctionalInterface
  public interface Content {
    /** Opens them; the caller closes. */
    InputStream open() throws IOException;
  }

  ModelBundle(
      ModelManifest manifest, TokenizerEntries files, Tokenizer tokenizer, ModelArchive archive) {
    this.manifest = manifest;
    this.files = files;
    this.tokenizer = tokenizer;
    this.archive = archive;
  }

  /**
   * Makes a bundle of word pieces in memory, without golden outputs.
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
    return of(
        id,
        config,
        config.hasText() ? TokenizerEntries.wordPieces(vocabulary) : TokenizerEntries.NONE,
        state,
        Precision.FP32,
        calibration,
        training,
        metrics);
  }

  /**
   * Makes a bundle without golden outputs.
   *
   * @param tokenizer of the model's texts
   * @param state exactly the weights that {@code config} calls for; read several times, piece by
   *     piece where they are not in the heap
   * @param stored precision that matrices are kept in: FP32, or FP16 or BF16, to which they are
   *     rounded here
   * @throws IllegalArgumentException when weights or tokenizer are none of that config
   */
  public static ModelBundle of(
      String id,
      ModelConfig config,
      TokenizerEntries tokenizer,
      StateDict state,
      Precision stored,
      Calibration calibration,
      ModelManifest.Training training,
      List<ModelManifest.Metric> metrics) {
    StateDict kept = state.stored(stored);
    ModelArchive archive;
    Fingerprints fingerprints;
    try {
      archive = ModelArchive.of(config, kept, stored);
      fingerprints = Fingerprints.of(config, tokenizer.identity(), kept);
    } catch (IOException e) {
      throw new UncheckedIOException("reading the weights", e);
    }
    ModelManifest manifest =
        new ModelManifest(
            ModelManifest.FORMAT_VERSION,
            id,
            config,
            tokenizer.wordsSha256(),
            tokenizer.bytePairs(),
            null,
            archive.sha256(),
            stored,
            fingerprints,
            calibration,
            List.of(),
            null,
            training,
            metrics,
            null);
    return new ModelBundle(manifest, tokenizer, tokenizer.tokenizer(config), archive);
  }

  /** The bundle {@code scenes-tiny} that this library ships: text and generated scenes. */
  public static ModelBundle demo() {
    return shipped("scenes-tiny.zip");
  }

  /**
   * The bundle {@code sentinel-pairs} that this library ships: Sentinel-1 (VV) and Sentinel-2 in
   * false colours, without text.
   */
  public static ModelBundle sentinelPairs() {
    return shipped("sentinel-pairs.zip");
  }

  private static ModelBundle shipped(String name) {
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
    return BundleReader.read(content, scratch, most);
  }

  /**
   * Writes the bundle's zip; equal bundles give equal bytes.
   *
   * @param out where it goes; closed
   * @throws IllegalStateException when it has no golden outputs
   */
  public void writeTo(OutputStream out) throws IOException {
    write(out, Deflater.DEFAULT_COMPRESSION);
  }

  /**
   * Writes the bundle's zip as {@link #writeTo} does, thirty times as fast: weights hardly become
   * smaller, and what only goes to another process need not.
   *
   * @param out where it goes; closed
   * @throws IllegalStateException when it has no golden outputs
   */
  public void writeUncompressedTo(OutputStream out) throws IOException {
    write(out, Deflater.NO_COMPRESSION);
  }

  private void write(OutputStream out, int level) throws IOException {
    if (manifest.golden() == null) {
      throw new IllegalStateException("a bundle is written with golden outputs, got none");
    }
    try (ZipOutputStream zip = new ZipOutputStream(out)) {
      zip.setLevel(level);
      startEntry(zip, BundleReader.MANIFEST);
      zip.write(manifest.toJson());
      for (Map.Entry<String, byte[]> file : files.content().entrySet()) {
        startEntry(zip, file.getKey());
        zip.write(file.getValue());
      }
      startEntry(zip, BundleReader.MODEL);
      archive.copyTo(zip);
    }
  }

  /** Begins an entry, which ends the one before. */
  private static void startEntry(ZipOutputStream zip, String name) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setTimeLocal(FixedTime.EPOCH);
    zip.putNextEntry(entry);
  }

  /** The same model with what it computes for golden inputs, ready to be written. */
  public ModelBundle withGolden(Golden golden) {
    return new ModelBundle(manifest.withGolden(golden), files, tokenizer, archive);
  }

  /**
   * Returns the same model, whose archive's own code is loaded in fp32 where it is {@linkplain
   * #hasForeignCode foreign}. It runs with the rights of whoever loads it: for makers who are
   * trusted as those of a program are.
   */
  public ModelBundle allowingForeignCode() {
    return new ModelBundle(manifest, files, tokenizer, archive.allowingForeignCode());
  }

  /**
   * The same model, which puts query texts into templates. Documents and their spaces are as
   * before.
   *
   * @param prompts each with {@link ModelManifest#PLACE} once; none: texts stay as they are
   */
  public ModelBundle withPrompts(List<String> prompts) {
    return new ModelBundle(manifest.withPrompts(prompts), files, tokenizer, archive);
  }

  /** The same model under another name. */
  public ModelBundle withId(String id) {
    return new ModelBundle(manifest.withId(id), files, tokenizer, archive);
  }

  /**
   * The same model with probabilities for its sensor pairs, and without golden outputs.
   *
   * @param cosines from cosines of embeddings
   * @param maxSims from MaxSim of patches; empty where that tells nothing
   */
  public ModelBundle withSensorCalibrations(
      List<SensorCalibration> cosines, List<SensorCalibration> maxSims) {
    return new ModelBundle(
        manifest.withSensorCalibrations(cosines, maxSims), files, tokenizer, archive);
  }

  public ModelManifest manifest() {
    return manifest;
  }

  /**
   * The tokenizer of the model's texts.
   *
   * @throws IllegalStateException when the model has no text tower
   */
  public Tokenizer tokenizer() {
    manifest.config().requireText("a tokenizer");
    return tokenizer;
  }

  /** Returns what the tokenizer is made of, for another bundle of the same texts. */
  public TokenizerEntries tokenizerEntries() {
    return files;
  }

  /**
   * Returns the word pieces in the order of their ids.
   *
   * @throws IllegalStateException when the model has no text tower, or one of byte pairs
   */
  public List<String> words() {
    manifest.config().requireText("a vocabulary");
    if (manifest.bytePairs() != null) {
      throw new IllegalStateException(
          "model " + manifest.id() + " reads texts by CLIP's byte pairs, it has no word pieces");
    }
    return files.words();
  }

  /**
   * Returns how pictures of a sensor become tensors.
   *
   * @throws IllegalArgumentException when the model has no such sensor or its pictures are not read
   *     from picture files
   */
  public ImagePreprocessor preprocessor(String sensor) {
    return new ImagePreprocessor(manifest.config().sensor(sensor));
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
    return archive.write(file, precision);
  }

  /**
   * Returns whether the archive's code is another than this library writes for the config, be it an
   * earlier version's text for the same. It is not loaded; the golden outputs tell whether the
   * model is what this library's code computes.
   */
  public boolean hasForeignCode() {
    return archive.hasForeignCode();
  }

  /** Returns whether what is loaded in this precision is the archive's own, foreign code. */
  public boolean runsForeignCode(Precision precision) {
    return archive.runsForeignCode(precision);
  }

  /** Memory that the loaded weights take in fp32. */
  public long weightBytes() {
    return ModelArchive.weightBytes(manifest.config());
  }

  /** The weights by name, in the heap. */
  public StateDict weights() throws IOException {
    try {
      return archive.withWeights(temporaryFolder(), StateDict::inHeap);
    } catch (BundleException e) {
      throw new IOException("the bundle is another one since it was opened: " + e.getMessage(), e);
    }
  }
}
