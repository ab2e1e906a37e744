/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes JPEG, PNG and TIFF to 8-bit RGB with the JDK's own readers. Stateless.
 *
 * <p>The size is read from the header and checked before a pixel is decoded, and a picture much
 * larger than needed is subsampled while it is read: a small file must not cost a large heap.
 */
final class ImageDecoder {
  static final int MIN_SIDE = 16;
  static final int MAX_SIDE = 10_000;
  private static final Set<String> FORMATS = Set.of("jpeg", "png", "tif", "tiff");
  private static final String ACCEPTED =
      "accepted are JPEG, PNG and TIFF with sides of " + MIN_SIDE + " to " + MAX_SIDE + " pixels";

  private ImageDecoder() {}

  /**
   * Decodes a picture file.
   *
   * @param side the side that the caller will resize to; decoding stops at no less than four times
   *     that, so that the resize still averages over enough pixels
   * @throws ImageFormatException saying what the bytes are and what is accepted
   */
  static RgbImage decode(byte[] bytes, int side) {
    // Memory-backed on purpose: ImageIO's default cache writes files, and its switch is static.
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      while (readers.hasNext()) {
        ImageReader reader = readers.next();
        try {
          if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
            reader.setInput(in, true, true);
            return read(reader, side);
          }
        } finally {
          reader.dispose();
        }
      }
    } catch (IIOException | IndexOutOfBoundsException | IllegalArgumentException e) {
      if (e instanceof ImageFormatException format) {
        throw format;
      }
      // The JDK's readers answer damaged headers with any of these.
      throw new ImageFormatException("damaged image: " + e.getMessage() + "; " + ACCEPTED, e);
    } catch (IOException e) {
      throw new ImageFormatException("unreadable image: " + e.getMessage() + "; " + ACCEPTED, e);
    }
    throw new ImageFormatException(bytes.length + " bytes that are no image; " + ACCEPTED);
  }

  private static RgbImage read(ImageReader reader, int side) throws IOException {
    int width = reader.getWidth(0);
    int height = reader.getHeight(0);
    if (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE) {
      throw new ImageFormatException(
          String.format(Locale.ROOT, "the image has %d x %d pixels; %s", width, height, ACCEPTED));
    }
    ImageReadParam param = reader.getDefaultReadParam();
    int step = Math.max(1, Math.min(width, height) / (4 * side));
    param.setSourceSubsampling(step, step, 0, 0);
    BufferedImage image = reader.read(0, param);
    int w = image.getWidth();
    int h = image.getHeight();
    int[] argb = image.getRGB(0, 0, w, h, null, 0, w);
    byte[] rgb = new byte[3 * w * h];
    for (int i = 0; i < argb.length; i++) {
      rgb[3 * i] = (byte) (argb[i] >> 16);
      rgb[3 * i + 1] = (byte) (argb[i] >> 8);
      rgb[3 * i + 2] = (byte) argb[i];
    }
    return new RgbImage(w, h, rgb);
  }
}
