/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The samples of a TIFF's first image, at their true values. In strips or tiles, band by band or
 * interleaved; uncompressed, or packed by Deflate, LZW, PackBits or baseline JPEG; unsigned numbers
 * of 1 to 32 bits, signed ones of 8, 16 or 32, floating-point ones of 16, 32 or 64. One strip or
 * tile is unpacked at a time.
 *
 * <p>Read here and not by the JDK's reader, which rescales what has not 8, 16 or 32 bits, by tables
 * of up to 2^31 numbers, and takes the file's first bytes for strips that are not there.
 */
final class TiffRaster {
  static final int WHITE_IS_ZERO = 0;
  static final int BLACK_IS_ZERO = 1;
  static final int RGB = 2;
  static final int PALETTE = 3;
  static final int CMYK = 5;
  static final int YCC = 6;

  private static final int MAX_PIECE_BYTES = 128 << 20;

  private static final int WIDTH = 256;
  private static final int HEIGHT = 257;
  private static final int BITS = 258;
  private static final int COMPRESSION = 259;
  private static final int PHOTOMETRIC = 262;
  private static final int FILL_ORDER = 266;
  private static final int SAMPLES = 277;
  private static final int ROWS_PER_STRIP = 278;
  private static final int PLANAR = 284;
  private static final int PREDICTOR = 317;
  private static final int SAMPLE_FORMAT = 339;
  private static final int JPEG_TABLES = 347;
  private static final int YCC_COEFFICIENTS = 529;
  private static final int REFERENCE_BLACK_WHITE = 532;

  /** What one strip or tile takes beside itself: tables of LZW, zlib's window. */
  private static final int UNPACKING_BYTES = 128 << 10;

  private static final Map<Integer, String> PACKINGS =
      Map.ofEntries(
          Map.entry(2, "CCITT RLE"),
          Map.entry(3, "CCITT Group 3"),
          Map.entry(4, "CCITT Group 4"),
          Map.entry(6, "old JPEG"),
          Map.entry(34661, "JBIG"),
          Map.entry(34712, "JPEG 2000"),
          Map.entry(34887, "LERC"),
          Map.entry(34925, "LZMA"),
          Map.entry(50000, "Zstandard"),
          Map.entry(50001, "WebP"),
          Map.entry(50002, "JPEG XL"));

  private enum Kind {
    UNSIGNED,
    SIGNED,
    FLOAT
  }

  private final byte[] file;
  private final TiffDirectory directory;
  private final ByteOrder order;
  private final int width;
  private final int height;
  private final int samples;
  private final int bits;
  private final Kind kind;
  private final int compression;
  private final int predictor;
  private final int pieceWidth;
  private final int pieceHeight;

  /** Band by band: a strip or tile has one of the bands. */
  private final boolean planar;

  private final long[] offsets;

  /** Bytes of each strip or tile; none where an uncompressed file leaves them out. */
  private final long[] counts;

  /** Takes samples, a row of a strip or tile at a time. */
  @FunctionalInterface
  interface Rows {
    /**
     * Takes a part of a row.
     *
     * @param x of its first pixel, in the image that is made
     * @param y likewise
     * @param band of its first sample
     * @param values pixel by pixel, a sample of each band that lies in the strip or tile; NaN where
     *     the file has none; used again afterwards
     * @param pixels how many
     */
    void row(int x, int y, int band, float[] values, int pixels);
  }

  /**
   * Reads the header.
   *
   * @param file kept, not copied
   * @throws ImageFormatException when it is damaged, or a kind of TIFF that is not read
   */
  TiffRaster(byte[] file) {
    this.file = file;
    directory = new TiffDirectory(file);
    order = directory.order();
    width = side(WIDTH, 0);
    height = side(HEIGHT, 0);
    samples = side(SAMPLES, 1);
    bits = (int) same(BITS, 1);
    compression = (int) directory.number(COMPRESSION, 1);
    kind = kind((int) same(SAMPLE_FORMAT, 1));
    checkDepth();
    if (!Arrays.asList(1, 5, 7, 8, 32946, 32773).contains(compression)) {
      throw refused(
          String.format(
              Locale.ROOT,
              "compression %d%s; read are none, Deflate, LZW, PackBits and baseline JPEG:"
                  + " gdal_translate -co COMPRESS=DEFLATE makes one",
              compression,
              PACKINGS.containsKey(compression) ? ", " + PACKINGS.get(compression) : ""));
    }
    predictor = (int) directory.number(PREDICTOR, 1);
    boolean whole = bits % Byte.SIZE == 0 && bits != 24;
    if (predictor < 1
        || predictor > 3
        || (predictor == 2 && !whole)
        || (predictor == 3 && kind != Kind.FLOAT)) {
      throw refused(
          "predictor "
              + predictor
              + " on samples of "
              + bits
              + " bits: gdal_translate -co PREDICTOR=1 makes one without");
    }
    if (directory.number(FILL_ORDER, 1) != 1) {
      throw refused(
          "its bits from the lowest on, fill order 2: gdal_translate or tiffcp -f msb2lsb makes"
              + " one with fill order 1");
    }
    checkLuma();
    planar = samples > 1 && directory.number(PLANAR, 1) == 2;
    boolean tiled = directory.has(322);
    pieceWidth = tiled ? side(322, 0) : width;
    pieceHeight = tiled ? side(323, 0) : Math.min(height, side(ROWS_PER_STRIP, height));
    if (pieceBytes() > MAX_PIECE_BYTES) {
      throw refused(
          String.format(
              Locale.ROOT,
              "strips or tiles of %d x %d pixels with %d samples of %d bits; read are up to %d"
                  + " bytes each: gdal_translate -co TILED=YES makes smaller ones",
              pieceWidth,
              pieceHeight,
              planar ? 1 : samples,
              bits,
              MAX_PIECE_BYTES));
    }
    long pieces = (long) across() * down() * (planar ? samples : 1);
    // Counted before they are read: a damaged file may say anything.
    if (directory.count(tiled ? 324 : 273) < pieces) {
      throw damaged("it names fewer than its " + pieces + " strips or tiles");
    }
    offsets = directory.numbers(tiled ? 324 : 273);
    counts = directory.numbers(tiled ? 325 : 279);
    if (counts.length < pieces && !(counts.length == 0 && compression == 1)) {
      throw damaged("it names the lengths of fewer than its " + pieces + " strips or tiles");
    }
    checkPlaces((int) pieces);
  }

  private int side(int tag, int absent) {
    long side = directory.number(tag, absent);
    if (tag == ROWS_PER_STRIP) {
      return (int) Math.clamp(side, 1, Integer.MAX_VALUE);
    }
    if (side < 1 || side > Short.MAX_VALUE) {
      throw refused(
          String.format(
              Locale.ROOT,
              "%d for field %d, its size or number of samples; read are 1 to %d",
              side,
              tag,
              Short.MAX_VALUE));
    }
    return (int) side;
  }

  /** A field with a value for each sample, which must be the same. */
  private long same(int tag, long absent) {
    long[] values = directory.numbers(tag);
    if (Arrays.stream(values).distinct().count() > 1) {
      throw refused(
          "samples that differ in bits or kind: gdal_translate -ot makes one whose do not");
    }
    return values.length == 0 ? absent : values[0];
  }

  private Kind kind(int format) {
    return switch (format) {
      case 1, 4 -> Kind.UNSIGNED;
      case 2 -> Kind.SIGNED;
      case 3 -> Kind.FLOAT;
      default ->
          throw refused(
              (format == 5 || format == 6 ? "complex numbers" : "sample format " + format)
                  + "; read are whole and floating-point numbers: of complex ones, gdal_calc or"
                  + " SNAP makes amplitude or power");
    };
  }

  private void checkDepth() {
    boolean read =
        switch (kind) {
          case UNSIGNED -> bits >= 1 && bits <= 32;
          case SIGNED -> bits == 8 || bits == 16 || bits == 32;
          case FLOAT -> bits == 16 || bits == 32 || bits == 64;
        };
    if (!read) {
      throw refused(
          String.format(
              Locale.ROOT,
              "%s samples of %d bits; read are unsigned ones of 1 to 32 bits, signed ones of 8, 16"
                  + " or 32 and floating-point ones of 16, 32 or 64: gdal_translate -ot Float32"
                  + " makes one, for NBITS below 16 -co NBITS=16",
              kind.name().toLowerCase(Locale.ROOT),
              bits));
    }
    if (compression == 7 && (bits != Byte.SIZE || kind != Kind.UNSIGNED)) {
      throw refused("JPEG with samples of " + bits + " bits; read are those of 8");
    }
  }

  /** Refuses luma and chroma other than JFIF's, of Rec. 709 or with headroom. */
  private void checkLuma() {
    boolean ycc = directory.number(PHOTOMETRIC, 0) == YCC;
    if (ycc
        && (!isNear(directory.decimals(YCC_COEFFICIENTS), 0.299, 0.587, 0.114)
            || !isNear(directory.decimals(REFERENCE_BLACK_WHITE), 0, 255, 128, 255, 128, 255))) {
      throw refused(
          "luma and chroma (YCbCr) other than JFIF's, by its coefficients or black and white:"
              + " gdal_translate -co PHOTOMETRIC=RGB makes one with colours");
    }
  }

  /** Whether values are these, or are missing. */
  private static boolean isNear(double[] values, double... usual) {
    return values.length == 0
        || (values.length == usual.length
            && IntStream.range(0, usual.length)
                .allMatch(i -> Math.abs(values[i] - usual[i]) < 0.001));
  }

  /** Refuses strips and tiles that lie beyond the end, in the header or partly in one another. */
  private void checkPlaces(int pieces) {
    int[] byOffset =
        IntStream.range(0, pieces)
            .filter(piece -> !isMissing(piece))
            .boxed()
            .sorted(Comparator.comparingLong((Integer piece) -> offsets[piece]))
            .mapToInt(Integer::intValue)
            .toArray();
    int before = -1;
    for (int piece : byOffset) {
      long length = length(piece);
      if (offsets[piece] < 8 || length < 1 || offsets[piece] > file.length - length) {
        throw damaged(
            String.format(
                Locale.ROOT,
                "cut short, or a strip or tile of %d bytes at %d lies outside of the %d bytes of"
                    + " the file",
                length,
                offsets[piece],
                file.length));
      }
      // The same bytes for several tiles are how some programs save space.
      if (before >= 0
          && offsets[piece] != offsets[before]
          && offsets[piece] < offsets[before] + length(before)) {
        throw damaged("strips or tiles overlap at " + offsets[piece]);
      }
      before = piece;
    }
  }

  /** As GDAL leaves out, in sparse files, what has no data. */
  private boolean isMissing(int piece) {
    return offsets[piece] == 0 && (counts.length == 0 || counts[piece] == 0);
  }

  private long length(int piece) {
    return counts.length == 0 ? (long) rows(piece) * rowBytes() : counts[piece];
  }

  TiffDirectory directory() {
    return directory;
  }

  int width() {
    return width;
  }

  int height() {
    return height;
  }

  int samples() {
    return samples;
  }

  int bits() {
    return bits;
  }

  /** Whether samples are unsigned whole numbers. */
  boolean isUnsigned() {
    return kind == Kind.UNSIGNED;
  }

  private boolean isJpeg() {
    return compression == 7;
  }

  /** JPEG's luma and chroma, which {@link #read} gives as red, green and blue. */
  private boolean isYcc() {
    return isJpeg() && directory.number(PHOTOMETRIC, 0) == YCC && samplesOfPiece() == 3;
  }

  /** What the samples stand for, {@code PhotometricInterpretation} of TIFF 6.0. */
  int photometric() {
    return isYcc() ? RGB : (int) directory.number(PHOTOMETRIC, samples >= 3 ? RGB : BLACK_IS_ZERO);
  }

  private int across() {
    return Math.ceilDiv(width, pieceWidth);
  }

  private int down() {
    return Math.ceilDiv(height, pieceHeight);
  }

  /** How many samples of a pixel lie in a strip or tile: all of them, or one. */
  int samplesOfPiece() {
    return planar ? 1 : samples;
  }

  private int rowBytes() {
    return (int) Math.min(Integer.MAX_VALUE, ((long) pieceWidth * samplesOfPiece() * bits + 7) / 8);
  }

  private long pieceBytes() {
    return (long) rowBytes() * pieceHeight;
  }

  /** Heap that reading takes at most, beside what the rows are gathered in. */
  long readingBytes() {
    long places = Long.BYTES * 4L * offsets.length;
    // Of a JPEG, the decoder's raster and its copy of the strip or tile.
    long decoding = isJpeg() ? 2 * pieceBytes() + file.length : 0;
    long row = 3L * Float.BYTES * pieceWidth * samplesOfPiece();
    return pieceBytes() + decoding + row + places + UNPACKING_BYTES;
  }

  /** How many strips and tiles the file leaves out. */
  int missing() {
    return (int)
        IntStream.range(0, across() * down() * (planar ? samples : 1))
            .filter(this::isMissing)
            .count();
  }

  int pieces() {
    return across() * down() * (planar ? samples : 1);
  }

  /** Rows of a strip or tile that the file has: the last strip may be short, no tile is. */
  private int rows(int piece) {
    int first = piece % (across() * down()) / across() * pieceHeight;
    return directory.has(322) ? pieceHeight : Math.min(pieceHeight, height - first);
  }

  /**
   * Reads every {@code stepX}th column and every {@code stepY}th row, from the first on.
   *
   * @throws ImageFormatException when a strip or tile is damaged
   */
  void read(int stepX, int stepY, Rows rows) {
    byte[] unpacked = compression == 1 ? null : new byte[(int) pieceBytes()];
    float[] values = new float[Math.ceilDiv(pieceWidth, stepX) * samplesOfPiece()];
    for (int piece = 0; piece < pieces(); piece++) {
      int place = piece % (across() * down());
      int left = place % across() * pieceWidth;
      int top = place / across() * pieceHeight;
      int band = piece / (across() * down());
      int firstX = Math.ceilDiv(left, stepX);
      int pixels = Math.ceilDiv(Math.min(width, left + pieceWidth), stepX) - firstX;
      int firstY = Math.ceilDiv(top, stepY);
      int lastY = Math.ceilDiv(Math.min(height, top + pieceHeight), stepY);
      if (pixels < 1 || firstY == lastY) {
        continue;
      }
      if (isMissing(piece)) {
        Arrays.fill(values, Float.NaN);
        for (int y = firstY; y < lastY; y++) {
          rows.row(firstX, y, band, values, pixels);
        }
        continue;
      }
      byte[] bytes = unpack(piece, unpacked);
      int from = bytes == file ? (int) offsets[piece] : 0;
      for (int y = firstY; y < lastY; y++) {
        int row = from + (y * stepY - top) * rowBytes();
        values(bytes, row, firstX * stepX - left, stepX, pixels, values);
        rows.row(firstX, y, band, values, pixels);
      }
    }
  }

  /** A strip or tile as plain rows: the file itself where it has it so. */
  private byte[] unpack(int piece, byte[] unpacked) {
    int offset = (int) offsets[piece];
    int length = (int) length(piece);
    int need = rows(piece) * rowBytes();
    byte[] out = unpacked;
    switch (compression) {
      case 1 -> {
        if (length < need) {
          throw damaged("a strip or tile has " + length + " bytes where it must have " + need);
        }
        if (predictor == 1) {
          return file;
        }
        out = Arrays.copyOfRange(file, offset, offset + need);
      }
      case 5 -> TiffPacking.lzw(file, offset, length, out, need);
      case 7 -> {
        byte[] values =
            JpegFile.inTiff(directory.bytes(JPEG_TABLES), file, offset, length)
                .samples(pieceWidth, rows(piece), pieceHeight, samplesOfPiece());
        if (isYcc()) {
          Colours.fromYcc(values, 3);
        }
        System.arraycopy(values, 0, out, 0, need);
      }
      case 32773 -> TiffPacking.packBits(file, offset, length, out, need);
      default -> TiffPacking.inflate(file, offset, length, out, need);
    }
    boolean little = order == ByteOrder.LITTLE_ENDIAN;
    for (int row = 0; predictor > 1 && row < rows(piece); row++) {
      int from = row * rowBytes();
      if (predictor == 2) {
        TiffPacking.sum(out, from, pieceWidth, samplesOfPiece(), bits / 8, little);
      } else {
        TiffPacking.sumFloats(out, from, pieceWidth, samplesOfPiece(), bits / 8, little);
      }
    }
    return out;
  }

  /** Samples of every so many pixels of a row, as floats. */
  private void values(byte[] bytes, int row, int first, int step, int pixels, float[] values) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(order);
    int all = samplesOfPiece();
    int size = bits / Byte.SIZE;
    boolean whole = size > 0 && bits % Byte.SIZE == 0 && bits != 24;
    for (int pixel = 0, i = 0; pixel < pixels; pixel++) {
      int sample = (first + pixel * step) * all;
      for (int end = i + all; i < end; i++, sample++) {
        values[i] = whole ? value(buffer, row + sample * size) : odd(bytes, row, sample);
      }
    }
  }

  private float value(ByteBuffer buffer, int at) {
    return switch (bits) {
      case 8 -> kind == Kind.SIGNED ? buffer.get(at) : buffer.get(at) & 0xff;
      case 16 ->
          switch (kind) {
            case UNSIGNED -> Short.toUnsignedInt(buffer.getShort(at));
            case SIGNED -> buffer.getShort(at);
            case FLOAT -> Float.float16ToFloat(buffer.getShort(at));
          };
      case 32 ->
          switch (kind) {
            case UNSIGNED -> Integer.toUnsignedLong(buffer.getInt(at));
            case SIGNED -> buffer.getInt(at);
            case FLOAT -> buffer.getFloat(at);
          };
      default -> (float) buffer.getDouble(at);
    };
  }

  /**
   * Of 1 to 31 bits, highest first, across bytes; of 24 the three bytes are swapped, in big-endian
   * files only, as GDAL writes and reads them.
   */
  private float odd(byte[] bytes, int row, int sample) {
    long first = (long) sample * bits;
    if (bits == 24) {
      int at = row + (int) (first / Byte.SIZE);
      int low = order == ByteOrder.LITTLE_ENDIAN ? at + 2 : at;
      int high = order == ByteOrder.LITTLE_ENDIAN ? at : at + 2;
      return ((bytes[high] & 0xff) << 16) | ((bytes[at + 1] & 0xff) << 8) | (bytes[low] & 0xff);
    }
    long value = 0;
    int at = row + (int) (first / Byte.SIZE);
    int last = row + (int) ((first + bits - 1) / Byte.SIZE);
    for (int i = at; i <= last; i++) {
      value = (value << Byte.SIZE) | (bytes[i] & 0xff);
    }
    int behind = (last - row + 1) * Byte.SIZE - (int) (first + bits);
    return (value >> behind) & ((1L << bits) - 1);
  }

  private static ImageFormatException refused(String what) {
    return new ImageFormatException("the TIFF has " + what);
  }

  private static ImageFormatException damaged(String reason) {
    return new ImageFormatException("damaged TIFF: " + reason);
  }
}
