/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.BufferedImage;
import java.util.Base64;

/**
 * Makes the small pictures that a search page shows.
 *
 * @param side the longest, in pixels; 0 for none
 */
public record Thumbnails(int side) {
  /** Of a document, about. */
  public static final int BYTES = 5 << 10;

  private static final int LEAST = 16;
  private static final int MOST = 1024;
  private static final float[] QUALITIES = {0.75f, 0.6f, 0.45f, 0.3f};

  public Thumbnails {
    if (side != 0 && (side < LEAST || side > MOST)) {
      throw new IllegalArgumentException(
          "a thumbnail has " + LEAST + " to " + MOST + " pixels, 0 is none; got " + side);
    }
  }

  public boolean wanted() {
    return side > 0;
  }

  /** Returns about how many bytes one takes in a document. */
  public int documentBytes() {
    return side * side / 6 * 4 / 3;
  }

  /** Returns a JPEG of a picture, in base64; nothing where none is wanted. */
  public String of(RgbImage picture) {
    if (!wanted()) {
      return "";
    }
    BufferedImage image = JpegWriter.buffered(picture.fit(side));
    // So many bytes at 192 pixels a side, and as many a pixel at another.
    long most = Math.max(1 << 10, (long) BYTES * side * side / (192 * 192));
    byte[] file = new byte[0];
    for (int i = 0; i < QUALITIES.length && (i == 0 || file.length > most); i++) {
      file = JpegWriter.write(image, QUALITIES[i]);
    }
    return Base64.getEncoder().encodeToString(file);
  }
}
