/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.plugins.tiff.BaselineTIFFTagSet;
import javax.imageio.plugins.tiff.TIFFDirectory;
import javax.imageio.plugins.tiff.TIFFField;

/**
 * Decodes JPEG, PNG and TIFF to 8-bit RGB with the JDK's own readers. Stateless.
 *
 * <p>The size is read from the header and checked before a pixel is decoded, and a picture much
 * larger than needed is subsampled while it is read: a small file must not cost a large heap.
 */
final class ImageDecoder {
  static final int MIN_SIDE = 16;
  static final int MAX_SIDE = 10_000;
  private static final int MAX_SAMPLES = 16;
  private static final int MAX_TILE_BYTES = 128 << 20;
  private static final Set<String> FORMATS = Set.of("jpeg", "png", "tif", "tiff");
  static final String ACCEPTED =
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
    try (FileInMemory in = new FileInMemory(bytes)) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      while (readers.hasNext()) {
        ImageReader reader = readers.next();
        try {
          if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
            reader.setInput(in, true, true);
            return read(reader, bytes, side);
          }
        } finally {
          reader.dispose();
        }
      }
    } catch (ImageFormatException e) {
      throw e;
    } catch (IIOException | RuntimeException e) {
      // The JDK's readers answer damage with anything, the TIFF reader's NullPointerException too.
      throw new ImageFormatException("damaged image: " + e.getMessage() + "; " + ACCEPTED, e);
    } catch (IOException e) {
      throw new ImageFormatException("unreadable image: " + e.getMessage() + "; " + ACCEPTED, e);
    }
    throw new ImageFormatException(bytes.length + " bytes that are no image; " + ACCEPTED);
  }

  private static RgbImage read(ImageReader reader, byte[] bytes, int side) throws IOException {
    int width = reader.getWidth(0);
    int height = reader.getHeight(0);
    if (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE) {
      throw new ImageFormatException(
          String.format(Locale.ROOT, "the image has %d x %d pixels; %s", width, height, ACCEPTED));
    }
    if (reader.getFormatName().startsWith("tif")) {
      checkTiff(reader, width, height);
    } else if (reader.getFormatName().startsWith("JPEG")) {
      JpegScans.of(bytes).check(width, height);
    }
    ImageReadParam param = reader.getDefaultReadParam();
    // Each axis for itself: the picture will be a square, whatever it is now.
    param.setSourceSubsampling(
        Math.max(1, width / (4 * side)), Math.max(1, height / (4 * side)), 0, 0);
    BufferedImage image = reader.read(0, param);
    int w = image.getWidth();
    int h = image.getHeight();
    byte[] rgb = new byte[3 * w * h];
    ColorModel colours = image.getColorModel();
    int bits = colours.getComponentSize(0);
    if (colours.getColorSpace().getType() == ColorSpace.TYPE_GRAY && bits <= Short.SIZE) {
      // Java takes grey for linear light and getRGB brightens it: 7 would become 46.
      int[] grey = image.getRaster().getSamples(0, 0, w, h, 0, (int[]) null);
      int white = (1 << bits) - 1;
      for (int i = 0; i < rgb.length; i++) {
        rgb[i] = (byte) Math.round(grey[i / 3] * 255f / white);
      }
      return new RgbImage(w, h, rgb);
    }
    if (image.getType() == BufferedImage.TYPE_3BYTE_BGR && colours.getColorSpace().isCS_sRGB()) {
      // What getRGB would give, without going through the colours pixel by pixel.
      image.getRaster().getDataElements(0, 0, w, h, rgb);
      return new RgbImage(w, h, rgb);
    }
    int[] argb = image.getRGB(0, 0, w, h, null, 0, w);
    for (int i = 0; i < argb.length; i++) {
      rgb[3 * i] = (byte) (argb[i] >> 16);
      rgb[3 * i + 1] = (byte) (argb[i] >> 8);
      rgb[3 * i + 2] = (byte) argb[i];
    }
    return new RgbImage(w, h, rgb);
  }

  /** The JDK's reader allocates what these fields say before it has read a pixel. */
  private static void checkTiff(ImageReader reader, int width, int height) throws IOException {
    TIFFDirectory directory = TIFFDirectory.createFromMetadata(reader.getImageMetadata(0));
    long samples = field(directory, BaselineTIFFTagSet.TAG_SAMPLES_PER_PIXEL, 1);
    long bits = field(directory, BaselineTIFFTagSet.TAG_BITS_PER_SAMPLE, 1);
    long rows =
        Math.min(height, field(directory, BaselineTIFFTagSet.TAG_ROWS_PER_STRIP, Long.MAX_VALUE));
    long tileWidth = field(directory, BaselineTIFFTagSet.TAG_TILE_WIDTH, width);
    long tileHeight = field(directory, BaselineTIFFTagSet.TAG_TILE_LENGTH, rows);
    if (bits > Short.SIZE
        || samples > MAX_SAMPLES
        || Math.max(tileWidth, tileHeight) > MAX_SIDE
        || tileWidth * tileHeight * samples * bits / Byte.SIZE > MAX_TILE_BYTES) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has strips or tiles of %d x %d pixels with %d samples of %d bits; at most"
                  + " %d samples of 16 bits in strips or tiles of %d bytes are read; %s",
              tileWidth,
              tileHeight,
              samples,
              bits,
              MAX_SAMPLES,
              MAX_TILE_BYTES,
              ACCEPTED));
    }
  }

  /** The largest of a field's numbers. */
  static long field(TIFFDirectory directory, int tag, long absent) {
    TIFFField field = directory.getTIFFField(tag);
    return field == null
        ? absent
        : IntStream.range(0, field.getCount()).mapToLong(field::getAsLong).max().orElse(absent);
  }
}
