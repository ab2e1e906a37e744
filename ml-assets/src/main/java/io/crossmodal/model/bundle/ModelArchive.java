/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ReducedArchive;
import io.crossmodal.model.torchscript.ScriptArchive;
import io.crossmodal.model.torchscript.ScriptArchiveWriter;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/**
 * The archive {@code model.pt} of a bundle: weights and code.
 *
 * <p>It stays in the bundle's zip: whoever needs the weights has them unpacked to a file for as
 * long as that takes, and reads that piece by piece. A model that was just made has its weights in
 * the heap instead, or where its maker reads them from. Immutable.
 */
final class ModelArchive {
  /** Of the names of unpacked archives, so that what a killed process leaves can be found. */
  private static final String UNPACKED = "model-";

  private final ModelConfig config;

  /** Null where {@link #state} is not. */
  private final ModelBundle.Content zip;

  private final StateDict state;
  private final String sha256;

  /** Of the matrices as they are kept. */
  private final Precision stored;

  private final boolean foreignCode;
  private final boolean runsForeignCode;

  private ModelArchive(
      ModelConfig config,
      ModelBundle.Content zip,
      StateDict state,
      String sha256,
      Precision stored,
      boolean foreignCode,
      boolean runsForeignCode) {
    this.config = config;
    this.zip = zip;
    this.state = state;
    this.sha256 = sha256;
    this.stored = stored;
    this.foreignCode = foreignCode;
    this.runsForeignCode = runsForeignCode;
  }

  /**
   * Makes the archive that this library writes of weights.
   *
   * @param state whose matrices have values that {@code stored} has
   * @throws IllegalArgumentException when they are not exactly those that {@code config} calls for
   */
  static ModelArchive of(ModelConfig config, StateDict state, Precision stored) throws IOException {
    MessageDigest digest = Sha256.digest();
    ScriptArchiveWriter.writeStored(
        new DigestOutputStream(OutputStream.nullOutputStream(), digest),
        Weights.buildExactly(state, weights -> MtgfeArchitecture.build(config, weights)),
        MtgfeArchitecture.sources(config),
        stored);
    return new ModelArchive(
        config, null, state, HexFormat.of().formatHex(digest.digest()), stored, false, false);
  }

  /**
   * Makes the archive of a bundle that was checked.
   *
   * @param zip of the whole bundle
   * @param manifest of the bundle
   * @param foreignCode whether it holds other code than this library writes
   */
  static ModelArchive in(ModelBundle.Content zip, ModelManifest manifest, boolean foreignCode) {
    return new ModelArchive(
        manifest.config(),
        zip,
        null,
        manifest.weightsSha256(),
        manifest.storedPrecision(),
        foreignCode,
        false);
  }

  /** See {@link ModelBundle#allowingForeignCode}. */
  ModelArchive allowingForeignCode() {
    return new ModelArchive(config, zip, state, sha256, stored, foreignCode, foreignCode);
  }

  String sha256() {
    return sha256;
  }

  boolean hasForeignCode() {
    return foreignCode;
  }

  /** See {@link ModelBundle#runsForeignCode}. */
  boolean runsForeignCode(Precision precision) {
    return runsForeignCode && precision == Precision.FP32;
  }

  /** Makes the file that an archive is unpacked to; the caller deletes it. */
  static Path createUnpacked(Path scratch) throws IOException {
    return Files.createTempFile(scratch, UNPACKED, ".tmp");
  }

  /** Opens an unpacked archive, which must hold exactly the weights that {@code config} names. */
  static ScriptArchive open(Path file, ModelConfig config, Precision stored)
      throws IOException, BundleException {
    try {
      return ScriptArchive.open(file, weights -> MtgfeArchitecture.build(config, weights), stored);
    } catch (ScriptArchive.FormatException | IllegalArgumentException e) {
      throw new BundleException(
          BundleReader.MODEL + " does not fit the manifest: " + e.getMessage(), e);
    }
  }

  /** Memory that the loaded weights take in fp32. */
  static long weightBytes(ModelConfig config) {
    long[] bytes = {0};
    MtgfeArchitecture.build(config, Weights.SHAPES)
        .forEachTensor((name, tensor) -> bytes[0] += (long) tensor.size() * Float.BYTES);
    return bytes[0];
  }

  /** Copies the archive as it is. */
  void copyTo(OutputStream out) throws IOException {
    if (state != null) {
      write(out, state, stored);
      return;
    }
    try (InputStream in = zip.open();
        ZipInputStream entries = new ZipInputStream(in)) {
      for (ZipEntry entry = entries.getNextEntry(); entry != null; entry = entries.getNextEntry()) {
        if (entry.getName().equals(BundleReader.MODEL)) {
          entries.transferTo(out);
          return;
        }
      }
    }
    throw new IOException("the bundle lost its " + BundleReader.MODEL + " since it was opened");
  }

  private void write(OutputStream out, StateDict weights, Precision kept) throws IOException {
    ScriptArchiveWriter.writeStored(
        out,
        MtgfeArchitecture.build(config, Weights.of(weights)),
        MtgfeArchitecture.sources(config),
        kept);
  }

  /** See {@link ModelBundle#writeModel}. */
  long write(Path file, Precision precision) throws IOException, BundleException {
    try (OutputStream out = Files.newOutputStream(file)) {
      if (runsForeignCode(precision)) {
        copyTo(out);
        return weightBytes(config);
      }
      return withWeights(
          file.toAbsolutePath().getParent(),
          weights -> {
            if (precision != Precision.FP32) {
              return ReducedArchive.write(out, config, weights, precision);
            }
            write(out, weights, Precision.FP32);
            return weightBytes(config);
          });
    }
  }

  /** Uses weights for as long as they can be read. */
  @FunctionalInterface
  interface WeightUse<T> {
    T apply(StateDict weights) throws IOException;
  }

  /**
   * Reads the weights.
   *
   * @param scratch an existing folder for the unpacked archive, which is gone when this returns
   * @throws BundleException when the bundle is another one since it was opened
   */
  <T> T withWeights(Path scratch, WeightUse<T> use) throws IOException, BundleException {
    if (state != null) {
      return use.apply(state);
    }
    Path unpacked = createUnpacked(scratch);
    try {
      MessageDigest digest = Sha256.digest();
      try (OutputStream out = new DigestOutputStream(Files.newOutputStream(unpacked), digest)) {
        copyTo(out);
      }
      // Since the bundle was checked its file may have been changed.
      BundleReader.checkHash(BundleReader.MODEL, sha256, HexFormat.of().formatHex(digest.digest()));
      try (ScriptArchive archive = open(unpacked, config, stored)) {
        return use.apply(archive.weights());
      }
    } finally {
      Files.deleteIfExists(unpacked);
    }
  }
}
