/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import java.util.Base64;
import java.util.List;
import java.util.Locale;

/** Reads what a source has under a key as the type that it must have, or says what it is. */
final class SourceKeys {
  private SourceKeys() {}

  /** Returns a string; null where there is none. */
  static String string(String key, Object value) {
    if (value != null && !(value instanceof String)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[%s] must be a string, got [%s]", key, Messages.excerpt(value)));
    }
    return (String) value;
  }

  /** Returns bytes, which are base64 in JSON. */
  static byte[] binary(String key, Object value) {
    if (value instanceof byte[] bytes) {
      return bytes;
    }
    String base64 = string(key, value);
    try {
      return Base64.getDecoder().decode(base64);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "[" + key + "] is no base64: " + Messages.excerpt(e.getMessage()), e);
    }
  }

  /**
   * Returns numbers: an array of them, or their bytes.
   *
   * @param dimension how many there must be
   */
  static float[] floats(String key, Object value, int dimension) {
    if (value instanceof byte[] || value instanceof String) {
      return Embeddings.ofBytes(key, binary(key, value), dimension);
    }
    if (!(value instanceof List<?> list)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] must be an array of %d numbers, or these as float32, little-endian, in base64"
                  + " or a byte string, got [%s]",
              key,
              dimension,
              Messages.excerpt(value)));
    }
    float[] floats = new float[list.size()];
    for (int i = 0; i < floats.length; i++) {
      if (!(list.get(i) instanceof Number number)) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[%s] must be an array of numbers, got [%s] at position %d",
                key,
                Messages.excerpt(list.get(i)),
                i));
      }
      floats[i] = number.floatValue();
    }
    return floats;
  }
}
