/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.image.Raster;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Set;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * A PNG file's chunks, each of which must be whole, and its pixels.
 *
 * @see <a href="https://www.w3.org/TR/png-3/">Portable Network Graphics, third edition</a>
 */
final class PngFile implements ImageDecoder.Picture {
  private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  private static final int MAX_PROFILE = 4 << 20;

  /** Of the critical chunks, those that there are. */
  private static final Set<String> PIXELS = Set.of("IHDR", "PLTE", "IDAT", "IEND");

  /** Primaries and white of sRGB, times 100,000: cHRM's order. */
  private static final int[] SRGB = {31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000};

  private static final int MAX_CHROMATICITY_OFF = 1000;

  /** Of 1 / 2.2, times 100,000; what is closer is taken for sRGB. */
  private static final int GAMMA = 45_455;

  private static final int MAX_GAMMA_OFF = 2_500;

  private static final int GREY = 0;
  private static final int RGB = 2;
  private static final int PALETTE = 3;
  private static final int GREY_ALPHA = 4;
  private static final int RGB_ALPHA = 6;

  private final byte[] file;

  /** Null where samples of 16 bits are a picture's. */
  private final Stretch stretch;

  private final ByteArrayOutputStream bare = new ByteArrayOutputStream();
  private int width;
  private int height;
  private int bits;
  private int type;
  private byte[] palette = new byte[0];
  private byte[] transparent = new byte[0];
  private byte[] profile = new byte[0];
  private boolean srgb;
  private int gamma;
  private boolean otherPrimaries;
  private Orientation orientation = Orientation.UPRIGHT;

  /**
   * Reads the chunks.
   *
   * @param stretch which samples of 16 bits are black and white; null: they are a picture's
   * @throws ImageFormatException when one is damaged or missing
   */
  PngFile(byte[] file, Stretch stretch) {
    this.file = file;
    this.stretch = stretch;
    bare.writeBytes(SIGNATURE);
    boolean ended = false;
    boolean pixels = false;
    for (int at = SIGNATURE.length; !ended; ) {
      if (at + 12 > file.length) {
        throw FileKind.PNG.damaged(
            "it is cut short: no end in %d bytes; fetch or save it anew", file.length);
      }
      int length = ByteBuffer.wrap(file).getInt(at);
      if (length < 0 || length > file.length - at - 12) {
        throw FileKind.PNG.damaged(
            "it is cut short: a chunk of %d bytes at %d; fetch or save it anew", length, at);
      }
      String name = new String(file, at + 4, 4, StandardCharsets.ISO_8859_1);
      if (at == SIGNATURE.length && !"IHDR".equals(name)) {
        throw FileKind.PNG.damaged("it does not begin with its header");
      }
      if (Character.isUpperCase(name.charAt(0))) {
        checkSum(at, length, name);
      }
      chunk(name, at + 8, length);
      if (PIXELS.contains(name)) {
        bare.write(file, at, length + 12);
      }
      pixels |= "IDAT".equals(name);
      ended = "IEND".equals(name);
      at += length + 12;
    }
    if (!pixels || (type == PALETTE && palette.length == 0)) {
      throw FileKind.PNG.damaged("it has no pixels, or no palette");
    }
  }

  static boolean isPng(byte[] file) {
    return file.length >= SIGNATURE.length
        && Arrays.equals(file, 0, SIGNATURE.length, SIGNATURE, 0, SIGNATURE.length);
  }

  private void checkSum(int at, int length, String name) {
    CRC32 sum = new CRC32();
    sum.update(file, at + 4, length + 4);
    if ((int) sum.getValue() != ByteBuffer.wrap(file).getInt(at + 8 + length)) {
      throw FileKind.PNG.damaged("the check sum of chunk %s at %d is wrong", name, at);
    }
    if (!PIXELS.contains(name)) {
      throw FileKind.PNG.damaged("it has a critical chunk %s, which PNG has not", name);
    }
  }

  private void chunk(String name, int from, int length) {
    ByteBuffer chunk = ByteBuffer.wrap(file, from, length).slice();
    switch (name) {
      case "IHDR" -> {
        if (length != 13 || bits != 0) {
          throw FileKind.PNG.damaged("its header is no PNG's, or there are two");
        }
        width = chunk.getInt(0);
        height = chunk.getInt(4);
        bits = chunk.get(8);
        type = chunk.get(9);
        boolean known =
            switch (type) {
              case GREY -> Set.of(1, 2, 4, 8, 16).contains(bits);
              case PALETTE -> Set.of(1, 2, 4, 8).contains(bits);
              case RGB, GREY_ALPHA, RGB_ALPHA -> bits == 8 || bits == 16;
              default -> false;
            };
        if (!known) {
          throw FileKind.PNG.damaged(
              "colours of type %d with %d bits, which PNG has not", type, bits);
        }
      }
      case "PLTE" -> palette = Arrays.copyOfRange(file, from, from + length);
      case "tRNS" -> transparent = Arrays.copyOfRange(file, from, from + length);
      case "iCCP" -> profile = profile(from, length);
      case "sRGB" -> srgb = true;
      case "gAMA" -> gamma = length == 4 ? chunk.getInt(0) : 0;
      case "cHRM" -> {
        for (int i = 0; length == 32 && i < SRGB.length; i++) {
          otherPrimaries |= Math.abs(chunk.getInt(4 * i) - SRGB[i]) > MAX_CHROMATICITY_OFF;
        }
      }
      case "eXIf" ->
          orientation = Orientation.ofExif(Arrays.copyOfRange(file, from, from + length));
      default -> {}
    }
  }

  /** A name that ends with zero, a zero for zlib, and the profile. */
  private byte[] profile(int from, int length) {
    int at = from;
    while (at < from + length && file[at] != 0) {
      at++;
    }
    Inflater inflater = new Inflater();
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    try {
      inflater.setInput(file, Math.min(at + 2, from + length), Math.max(0, from + length - at - 2));
      byte[] some = new byte[1 << 12];
      while (!inflater.finished()) {
        int read = inflater.inflate(some);
        whole.write(some, 0, read);
        if (read == 0 || whole.size() > MAX_PROFILE) {
          throw FileKind.PNG.damaged(
              "its ICC profile is cut short, or longer than %d bytes", MAX_PROFILE);
        }
      }
      return whole.toByteArray();
    } catch (DataFormatException e) {
      throw FileKind.PNG.damaged(e, "its ICC profile, %s", e.getMessage());
    } finally {
      inflater.end();
    }
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public Orientation orientation() {
    return orientation;
  }

  @Override
  public long bytes() {
    // Two rows of at most 4 samples of 16 bits, as bytes and as numbers.
    return bare.size() + 32L * width;
  }

  @Override
  public RgbImage read(int stepX, int stepY) {
    Raster raster = JdkReader.raster(FileKind.PNG, bare.toByteArray(), stepX, stepY);
    Samples samples = type == PALETTE ? looked(raster) : samples(raster);
    Samples.Meaning meaning =
        type == GREY || type == GREY_ALPHA ? Samples.Meaning.GREY : Samples.Meaning.RGB;
    if (profile.length == 0 && !srgb) {
      toSrgb(samples, meaning);
    }
    return Colours.rgb(samples, meaning, srgb ? new byte[0] : profile);
  }

  /** Colours of a palette, with opacity where it has some. */
  private Samples looked(Raster raster) {
    byte[] indices = JdkReader.bytes(raster);
    int channels = transparent.length > 0 ? 4 : 3;
    byte[] values = new byte[channels * indices.length];
    for (int i = 0; i < indices.length; i++) {
      int index = indices[i] & 0xff;
      if (3 * index + 2 >= palette.length) {
        throw FileKind.PNG.damaged(
            "a pixel has colour %d of a palette of %d colours", index, palette.length / 3);
      }
      System.arraycopy(palette, 3 * index, values, channels * i, 3);
      if (channels == 4) {
        values[4 * i + 3] = index < transparent.length ? transparent[index] : -1;
      }
    }
    return new Samples(raster.getWidth(), raster.getHeight(), channels, values);
  }

  private Samples samples(Raster raster) {
    int bands = raster.getNumBands();
    int expected = type == GREY ? 1 : type == RGB ? 3 : type == GREY_ALPHA ? 2 : 4;
    if (bands != expected) {
      throw FileKind.PNG.damaged("its decoder gives %d channels where it has %d", bands, expected);
    }
    int w = raster.getWidth();
    int h = raster.getHeight();
    // One colour may stand for transparent.
    boolean key = (type == GREY || type == RGB) && transparent.length == 2 * bands;
    int channels = bands + (key ? 1 : 0);
    int most = (1 << bits) - 1;
    if (bits == Byte.SIZE && !key) {
      return new Samples(w, h, channels, JdkReader.bytes(raster));
    }
    char[] values = new char[channels * w * h];
    int[] row = new int[bands * w];
    for (int y = 0, to = 0; y < h; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, w, 1, row);
      for (int x = 0; x < w; x++) {
        boolean opaque = !key;
        for (int c = 0; c < bands; c++) {
          int value = row[bands * x + c];
          opaque |= key && value != (ByteBuffer.wrap(transparent).getShort(2 * c) & 0xffff);
          values[to++] = (char) value;
        }
        if (key) {
          values[to++] = (char) (opaque ? most : 0);
        }
      }
    }
    int colours = type == RGB || type == RGB_ALPHA ? 3 : 1;
    return Samples.of(w, h, channels, values, bits, colours, FileKind.PNG, stretch);
  }

  /** By the chunks gAMA and cHRM, of which no file needs more than that it has sRGB's. */
  private void toSrgb(Samples samples, Samples.Meaning meaning) {
    if (otherPrimaries && meaning == Samples.Meaning.RGB) {
      throw FileKind.PNG.refused(
          "primaries other than sRGB's, in a chunk cHRM without ICC profile: convert"
              + " it to sRGB, or remove the chunk if it is wrong");
    }
    if (gamma == 0 || Math.abs(gamma - GAMMA) < MAX_GAMMA_OFF) {
      return;
    }
    if (gamma < 0) {
      throw FileKind.PNG.damaged("a gamma of %d / 100000", gamma);
    }
    byte[] table = new byte[256];
    for (int i = 0; i < table.length; i++) {
      double light = Math.pow(i / 255.0, 100_000.0 / gamma);
      double encoded =
          light <= 0.0031308 ? 12.92 * light : 1.055 * Math.pow(light, 1 / 2.4) - 0.055;
      table[i] = (byte) Math.round(255 * encoded);
    }
    byte[] values = samples.values();
    for (int i = 0; i < values.length; i++) {
      if (i % samples.channels() < meaning.channels()) {
        values[i] = table[values[i] & 0xff];
      }
    }
  }
}
