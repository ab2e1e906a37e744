/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256, which every Java platform has. */
public final class Sha256 {
  private Sha256() {}

  /** A digest to be filled. */
  public static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /** The digest of a content, in hexadecimal. */
  public static String hex(byte[] content) {
    return HexFormat.of().formatHex(digest().digest(content));
  }

  /** The digest of a file, which is not held in memory, in hexadecimal. */
  public static String hex(Path file) throws IOException {
    return hex(digest(), file);
  }

  /**
   * The digest of a file by another function, in hexadecimal.
   *
   * @param digest of that function, empty
   */
  public static String hex(MessageDigest digest, Path file) throws IOException {
    try (OutputStream digesting = new DigestOutputStream(OutputStream.nullOutputStream(), digest)) {
      Files.copy(file, digesting);
    }
    return HexFormat.of().formatHex(digest.digest());
  }
}
