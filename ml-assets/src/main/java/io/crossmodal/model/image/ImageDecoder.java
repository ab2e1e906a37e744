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
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReadParam;
import javax.imageio.ImageReader;
import javax.imageio.plugins.tiff.TIFFDirectory;

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

  /** As the reader makes it, of up to 16 samples, as red, green and blue, and as whole numbers. */
  private static final int PIXEL_BYTES = MAX_SAMPLES + 3 + Integer.BYTES;

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
    return withReader(bytes, reader -> read(reader, bytes, side));
  }

  /**
   * Memory that decoding takes at most: heap, and what a progressive JPEG takes beside it.
   *
   * @param more bytes a pixel that the caller makes of the picture before he resizes it
   * @throws ImageFormatException as {@link #decode}, as far as the header shows it
   */
  static long bytes(byte[] bytes, int side, int more) {
    return withReader(
        bytes,
        reader -> {
          long besides = check(reader, bytes);
          long width = subsampled(reader.getWidth(0), side);
          long height = subsampled(reader.getHeight(0), side);
          return besides + width * height * (PIXEL_BYTES + more);
        });
  }

  /** What is asked of a reader of the file. */
  private interface Question<T> {
    T ask(ImageReader reader) throws IOException;
  }

  private static <T> T withReader(byte[] bytes, Question<T> question) {
    try (FileInMemory in = new FileInMemory(bytes)) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      while (readers.hasNext()) {
        ImageReader reader = readers.next();
        try {
          if (FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
            reader.setInput(in, true, true);
            return question.ask(reader);
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

  /** Every so many columns, or rows, are read: the picture will be a square, whatever it is now. */
  private static int subsampling(int length, int side) {
    return Math.max(1, length / (4 * side));
  }

  private static int subsampled(int length, int side) {
    return Math.ceilDiv(length, subsampling(length, side));
  }

  /**
   * Refuses what would cost too much.
   *
   * @return bytes that the reader takes beside the picture that it makes
   */
  private static long check(ImageReader reader, byte[] bytes) throws IOException {
    int width = reader.getWidth(0);
    int height = reader.getHeight(0);
    if (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE) {
      throw new ImageFormatException(
          String.format(Locale.ROOT, "the image has %d x %d pixels; %s", width, height, ACCEPTED));
    }
    if (reader.getFormatName().startsWith("tif")) {
      TiffHeader header =
          TiffHeader.of(TIFFDirectory.createFromMetadata(reader.getImageMetadata(0)));
      check(header);
      return header.readingBytes();
    }
    if (reader.getFormatName().startsWith("JPEG")) {
      JpegScans scans = JpegScans.of(bytes);
      scans.check(width, height);
      return scans.bytes(width, height);
    }
    return 0;
  }

  private static RgbImage read(ImageReader reader, byte[] bytes, int side) throws IOException {
    long unused = check(reader, bytes);
    ImageReadParam param = reader.getDefaultReadParam();
    param.setSourceSubsampling(
        subsampling(reader.getWidth(0), side), subsampling(reader.getHeight(0), side), 0, 0);
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

  private static void check(TiffHeader header) {
    if (header.bits() > Byte.SIZE) {
      // Of reflectances, 0 to 3000 say, the whole range of 16 bits would make black pictures.
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has samples of %d bits, those of a picture have 8: gdal_translate -ot Byte"
                  + " -scale LOW HIGH makes one, where LOW is to be black and HIGH white; %s",
              header.bits(),
              ACCEPTED));
    }
    if (header.samples() > MAX_SAMPLES
        || header.longestSide() > MAX_SIDE
        || header.pieceBytes() > MAX_TILE_BYTES) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "the TIFF has strips or tiles of %d x %d pixels with %d samples; at most %d samples"
                  + " in strips or tiles of %d bytes are read; %s",
              header.pieceWidth(),
              header.pieceHeight(),
              header.samples(),
              MAX_SAMPLES,
              MAX_TILE_BYTES,
              ACCEPTED));
    }
  }
}
