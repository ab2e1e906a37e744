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
 * long as that takes, and reads that piece by piece. A model that was just trained has its weights
 * in the heap instead. Immutable.
 */
final class ModelArchive {
  /** Of the names of unpacked archives, so that what a killed process leaves can be found. */
  private static final String UNPACKED = "model-";

  private final ModelConfig config;

  /** Null where {@link #state} is not. */
  private final ModelBundle.Content zip;

  private final StateDict state;
  private final String sha256;

  /** Null where its code is this library's. */
  private final String foreignCode;

  private ModelArchive(
      ModelConfig config,
      ModelBundle.Content zip,
      StateDict state,
      String sha256,
      String foreignCode) {
    this.config = config;
    this.zip = zip;
    this.state = state;
    this.sha256 = sha256;
    this.foreignCode = foreignCode;
  }

  /**
   * Makes the archive that this library writes of weights in the heap.
   *
   * @throws IllegalArgumentException when they are not exactly those that {@code config} calls for
   */
  static ModelArchive of(ModelConfig config, StateDict state) throws IOException {
    MessageDigest digest = Sha256.digest();
    ScriptArchiveWriter.write(
        new DigestOutputStream(OutputStream.nullOutputStream(), digest),
        Weights.buildExactly(state, weights -> MtgfeArchitecture.build(config, weights)),
        MtgfeArchitecture.sources(config));
    return new ModelArchive(config, null, state, HexFormat.of().formatHex(digest.digest()), null);
  }

  /**
   * Makes the archive of a bundle that was checked.
   *
   * @param zip of the whole bundle
   * @param foreignCode how its code differs from this library's; null where it does not
   */
  static ModelArchive in(
      ModelBundle.Content zip, ModelConfig config, String sha256, String foreignCode) {
    return new ModelArchive(config, zip, null, sha256, foreignCode);
  }

  ModelArchive withOwnCode() {
    return new ModelArchive(config, zip, state, sha256, null);
  }

  String sha256() {
    return sha256;
  }

  String foreignCode() {
    return foreignCode;
  }

  /** Makes the file that an archive is unpacked to; the caller deletes it. */
  static Path createUnpacked(Path scratch) throws IOException {
    return Files.createTempFile(scratch, UNPACKED, ".tmp");
  }

  /** Opens an unpacked archive, which must hold exactly the weights that {@code config} names. */
  static ScriptArchive open(Path file, ModelConfig config) throws IOException, BundleException {
    try {
      return ScriptArchive.open(file, weights -> MtgfeArchitecture.build(config, weights));
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
      writeOwn(out, state);
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

  private void writeOwn(OutputStream out, StateDict weights) throws IOException {
    ScriptArchiveWriter.write(
        out,
        MtgfeArchitecture.build(config, Weights.of(weights)),
        MtgfeArchitecture.sources(config));
  }

  /** See {@link ModelBundle#writeModel}. */
  long write(Path file, Precision precision) throws IOException, BundleException {
    if (foreignCode != null && precision != Precision.FP32) {
      throw new BundleException(
          precision + " is for archives of this library's own code: " + foreignCode);
    }
    try (OutputStream out = Files.newOutputStream(file)) {
      if (foreignCode != null) {
        copyTo(out);
        return weightBytes(config);
      }
      return withWeights(
          file.toAbsolutePath().getParent(),
          weights -> {
            if (precision != Precision.FP32) {
              return ReducedArchive.write(out, config, weights, precision);
            }
            writeOwn(out, weights);
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
      try (ScriptArchive archive = open(unpacked, config)) {
        return use.apply(archive.weights());
      }
    } finally {
      Files.deleteIfExists(unpacked);
    }
  }
}
