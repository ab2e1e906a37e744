/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.RgbImage;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Base64;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.MemoryCacheImageOutputStream;

/**
 * Makes the small pictures that a search page shows.
 *
 * @param side the longest, in pixels; 0 for none
 */
record Thumbnails(int side) {
  /** Of a document, about. */
  static final int BYTES = 5 << 10;

  private static final int LEAST = 16;
  private static final int MOST = 1024;
  private static final float[] QUALITIES = {0.75f, 0.6f, 0.45f, 0.3f};

  Thumbnails {
    if (side != 0 && (side < LEAST || side > MOST)) {
      throw new IllegalArgumentException(
          "a thumbnail has " + LEAST + " to " + MOST + " pixels, 0 is none; got " + side);
    }
  }

  boolean wanted() {
    return side > 0;
  }

  /** Returns about how many bytes one takes in a document. */
  int documentBytes() {
    return side * side / 6 * 4 / 3;
  }

  /** Returns a JPEG of a picture, in base64; nothing where none is wanted. */
  String of(RgbImage picture) {
    if (!wanted()) {
      return "";
    }
    RgbImage small = picture.fit(side);
    BufferedImage image =
        new BufferedImage(small.width(), small.height(), BufferedImage.TYPE_INT_RGB);
    byte[] rgb = small.rgb();
    for (int i = 0; i < rgb.length / 3; i++) {
      int colour =
          ((rgb[3 * i] & 0xff) << 16) | ((rgb[3 * i + 1] & 0xff) << 8) | (rgb[3 * i + 2] & 0xff);
      image.setRGB(i % small.width(), i / small.width(), colour);
    }
    // So many bytes at 192 pixels a side, and as many a pixel at another.
    long most = Math.max(1 << 10, (long) BYTES * side * side / (192 * 192));
    byte[] file = new byte[0];
    for (int i = 0; i < QUALITIES.length && (i == 0 || file.length > most); i++) {
      file = jpeg(image, QUALITIES[i]);
    }
    return Base64.getEncoder().encodeToString(file);
  }

  private static byte[] jpeg(BufferedImage image, float quality) {
    ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
    ByteArrayOutputStream file = new ByteArrayOutputStream();
    try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(file)) {
      ImageWriteParam param = writer.getDefaultWriteParam();
      param.setCompressionMode(ImageWriteParam.MODE_EXPLICIT);
      param.setCompressionQuality(quality);
      writer.setOutput(out);
      writer.write(null, new IIOImage(image, null, null), param);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    } finally {
      writer.dispose();
    }
    return file.toByteArray();
  }
}
