/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.Messages;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.protocol.Failure;
import io.netty.buffer.ByteBuf;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Bundles that nodes have sent, by their SHA-256, so that a restart needs them from nobody. */
final class BundleFiles {
  private static final String PART = "part-";

  private final Path directory;
  private final boolean allowForeignCode;
  private final long longest;

  /**
   * @param longest bytes of a bundle at most
   * @param directory of this process alone; made where there is none, and cleared of what a killed
   *     process left half received
   */
  BundleFiles(Path directory, boolean allowForeignCode, long longest) throws IOException {
    this.directory = Files.createDirectories(directory);
    this.allowForeignCode = allowForeignCode;
    this.longest = longest;
    try (DirectoryStream<Path> parts = Files.newDirectoryStream(directory, PART + "*")) {
      for (Path part : parts) {
        Files.deleteIfExists(part);
      }
    }
  }

  /** A bundle on its way. */
  final class Arriving implements AutoCloseable {
    private final Path part;
    private final DigestOutputStream out;
    private long received;

    private Arriving() throws IOException {
      part = Files.createTempFile(directory, PART, ".zip");
      out = new DigestOutputStream(Files.newOutputStream(part), sha256());
    }

    /**
     * Takes bytes.
     *
     * @throws RequestException when it becomes too large
     */
    void take(ByteBuf content) throws IOException {
      received += content.readableBytes();
      if (received > longest) {
        throw new RequestException(
            Failure.MEMORY_EXCEEDED,
            "a bundle has at most " + longest + " bytes, the larger of --memory and 1 GiB");
      }
      content.readBytes(out, content.readableBytes());
    }

    /**
     * Keeps it, once it is whole.
     *
     * @throws RequestException when it is another than was announced
     */
    void keep(String sha256) throws IOException {
      out.close();
      String got = HexFormat.of().formatHex(out.getMessageDigest().digest());
      if (!got.equals(sha256)) {
        throw new RequestException(
            Failure.BAD_REQUEST, "the bundle's SHA-256 is " + got + ", not [" + sha256 + "]");
      }
      Files.move(part, file(sha256), StandardCopyOption.ATOMIC_MOVE);
    }

    @Override
    public void close() throws IOException {
      out.close();
      Files.deleteIfExists(part);
    }
  }

  /** Begins to receive a bundle; the caller closes. */
  Arriving receive() throws IOException {
    return new Arriving();
  }

  /**
   * Opens a bundle.
   *
   * @throws RequestException when it is not here, or its name is no digest
   * @throws BundleException when it is none that may be served
   */
  ModelBundle open(String sha256) throws IOException, BundleException {
    if (!sha256.matches("[0-9a-f]{64}")) {
      throw new RequestException(
          Failure.BAD_REQUEST,
          "[sha256] must be 64 hexadecimal digits, got [" + Messages.excerpt(sha256) + "]");
    }
    if (!Files.exists(file(sha256))) {
      throw new RequestException(
          Failure.BUNDLE_MISSING,
          "this worker has no bundle of SHA-256 "
              + sha256
              + "; send it behind the JSON of the load request");
    }
    try {
      ModelBundle bundle = ModelBundle.read(file(sha256));
      return allowForeignCode ? bundle.allowingForeignCode() : bundle;
    } catch (BundleException e) {
      Files.deleteIfExists(file(sha256));
      throw e;
    }
  }

  private Path file(String sha256) {
    return directory.resolve(sha256 + ".zip");
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
