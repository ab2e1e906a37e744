/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.bundle.Sha256;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;

/** Derives ids from contents. All are hexadecimal. */
final class ContentId {
  /** 128 bits: no two of a billion pictures share one by chance. */
  private static final int DIGITS = 32;

  private ContentId() {}

  /**
   * Returns the digest of a picture and its sensor, as the plugin's {@code encoded_from} has it:
   * SHA-256 of "image", the sensor and the file, the first two ended by a zero byte.
   *
   * @param files one, or the bands that make a picture
   */
  static String digest(String sensor, List<byte[]> files) {
    MessageDigest digest = Sha256.digest();
    digest.update(("image\0" + sensor + "\0").getBytes(StandardCharsets.UTF_8));
    files.forEach(digest::update);
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Returns the digest of a part of a scene, by its place and not by its pixels.
   *
   * @param scene digest of its file
   * @param window as text
   * @param shown how its values became colours; empty for what is the same however they do
   */
  static String chip(String sensor, String scene, String window, String shown) {
    String text = String.join("\0", "chip", sensor, scene, window, shown);
    return Sha256.hex(text.getBytes(StandardCharsets.UTF_8));
  }

  /** Returns the id of the document that holds this content in this field. */
  static String document(String field, String digest) {
    return shortened(field + "\0" + digest);
  }

  /** Returns a name of 128 bits for a text. */
  static String shortened(String text) {
    return Sha256.hex(text.getBytes(StandardCharsets.UTF_8)).substring(0, DIGITS);
  }
}
