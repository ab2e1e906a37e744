/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.Messages;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.inference.protocol.Failure;
import io.netty.buffer.ByteBuf;
import java.io.EOFException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.security.DigestOutputStream;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Set;
import java.util.zip.ZipException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Bundles that nodes have sent, by their SHA-256, so that a restart needs them from nobody. */
final class BundleFiles {
  private static final Logger LOGGER = LoggerFactory.getLogger(BundleFiles.class);
  private static final String PART = "part-";
  private static final String ENDING = ".zip";

  /** For so long a bundle is kept that no model is loaded from: a node may be away for days. */
  private static final Duration KEPT = Duration.ofDays(7);

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
      part = Files.createTempFile(directory, PART, ENDING);
      out = new DigestOutputStream(Files.newOutputStream(part), Sha256.digest());
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
      // What the name promises must be there after a loss of power, too.
      try (FileChannel written = FileChannel.open(part, StandardOpenOption.WRITE)) {
        written.force(true);
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
    requireDigest(sha256);
    // First, so that nobody deletes it for its age while it is read.
    used(sha256);
    Path file = file(sha256);
    try {
      ModelBundle bundle = ModelBundle.read(file);
      return allowForeignCode ? bundle.allowingForeignCode() : bundle;
    } catch (NoSuchFileException e) {
      throw missing(sha256, e);
    } catch (BundleException | ZipException | EOFException e) {
      boolean damaged = isDamaged(file, sha256);
      Files.deleteIfExists(file);
      if (damaged) {
        // The disk is to blame, not the bundle: sent again, it can be served.
        LOGGER.warn("the kept bundle [{}] is damaged; it is deleted", file, e);
        throw missing(sha256, e);
      }
      throw e;
    }
  }

  /** Takes note that a bundle is of use now: a model of it is loaded, or let go. */
  void used(String sha256) {
    try {
      Files.setLastModifiedTime(file(sha256), FileTime.from(Instant.now()));
    } catch (IOException e) {
      // It is not here yet; or it is deleted sooner, and sent again.
      LOGGER.debug("cannot note the use of a bundle", e);
    }
  }

  /**
   * Deletes the bundles that have been of no use for {@link #KEPT}.
   *
   * @param inUse the digests of those that are loaded, which stay
   */
  void deleteUnused(Set<String> inUse) {
    FileTime before = FileTime.from(Instant.now().minus(KEPT));
    try (DirectoryStream<Path> bundles = Files.newDirectoryStream(directory, "*" + ENDING)) {
      for (Path bundle : bundles) {
        String name = bundle.getFileName().toString();
        if (!name.startsWith(PART)
            && !inUse.contains(name.substring(0, name.length() - ENDING.length()))
            && Files.getLastModifiedTime(bundle).compareTo(before) < 0) {
          Files.deleteIfExists(bundle);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      // It costs disk; the next model that is let go has it tried again.
      LOGGER.warn("cannot delete bundles that nobody uses", e);
    }
  }

  private static boolean isDamaged(Path file, String sha256) throws IOException {
    try {
      return !Sha256.hex(file).equals(sha256);
    } catch (NoSuchFileException e) {
      // Another load has found it damaged, too.
      return true;
    }
  }

  private static RequestException missing(String sha256, Exception cause) {
    RequestException missing =
        new RequestException(
            Failure.BUNDLE_MISSING,
            "this worker has no bundle of SHA-256 "
                + sha256
                + "; send it behind the JSON of the load request");
    missing.initCause(cause);
    return missing;
  }

  /**
   * Checks the form of a digest.
   *
   * @throws RequestException when there is none, or it is none
   */
  static void requireDigest(String sha256) {
    if (sha256.isEmpty()) {
      throw new RequestException(
          Failure.BAD_REQUEST,
          "parameter [sha256] is missing: a load names its bundle by it, as nodes do, with the"
              + " bundle's bytes behind the JSON where this worker does not have it yet");
    }
    if (!sha256.matches("[0-9a-f]{64}")) {
      throw new RequestException(
          Failure.BAD_REQUEST,
          "[sha256] must be 64 hexadecimal digits, got [" + Messages.excerpt(sha256) + "]");
    }
  }

  private Path file(String sha256) {
    return directory.resolve(sha256 + ENDING);
  }
}
