/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Layout of an image of a TIFF, from its header: how large it is, what its samples are, how they
 * are packed and where its strips or tiles lie. Whatever is not read, and whatever cannot be, is
 * refused here, before a sample is read.
 *
 * <p>Read are strips and tiles, band by band or interleaved; uncompressed, or packed by Deflate,
 * LZW, PackBits, Zstandard or baseline JPEG; unsigned numbers of 1 to 32 bits, signed ones of 8, 16
 * or 32, floating-point ones of 16, 32 or 64.
 */
final class TiffLayout {
  static final int WHITE_IS_ZERO = 0;
  static final int BLACK_IS_ZERO = 1;
  static final int RGB = 2;
  static final int PALETTE = 3;
  static final int CMYK = 5;
  static final int YCC = 6;

  static final int SUBFILE = 254;
  static final int EXTRA_SAMPLES = 338;

  static final int UNPACKED = 1;
  static final int LZW = 5;
  static final int JPEG = 7;
  static final int PACK_BITS = 32773;
  static final int ZSTANDARD = 50000;

  /** Of a scene; what is decoded whole is bounded by those who decode it. */
  private static final int MAX_SIDE = 1 << 20;

  private static final int MAX_PIECE_BYTES = 128 << 20;

  private static final int WIDTH = 256;
  private static final int HEIGHT = 257;
  private static final int BITS = 258;
  private static final int COMPRESSION = 259;
  private static final int PHOTOMETRIC = 262;
  private static final int FILL_ORDER = 266;
  private static final int STRIP_OFFSETS = 273;
  private static final int SAMPLES = 277;
  private static final int ROWS_PER_STRIP = 278;
  private static final int STRIP_BYTE_COUNTS = 279;
  private static final int PLANAR = 284;
  private static final int PREDICTOR = 317;
  private static final int SAMPLE_FORMAT = 339;
  private static final int TILE_WIDTH = 322;
  private static final int TILE_HEIGHT = 323;
  private static final int TILE_OFFSETS = 324;
  private static final int TILE_BYTE_COUNTS = 325;
  private static final int YCC_COEFFICIENTS = 529;
  private static final int REFERENCE_BLACK_WHITE = 532;

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
          Map.entry(50001, "WebP"),
          Map.entry(50002, "JPEG XL"));

  enum Kind {
    UNSIGNED,
    SIGNED,
    FLOAT
  }

  final TiffSource source;
  final TiffDirectory directory;
  final ByteOrder order;
  final int width;
  final int height;
  final int samples;
  final int bits;
  final Kind kind;
  final int compression;
  final int predictor;
  final int pieceWidth;
  final int pieceHeight;

  /** Band by band: a strip or tile has one of the bands. */
  private final boolean planar;

  private final boolean tiled;

  /** What GDAL says of the samples. */
  final BandMeanings meanings;

  /** Where each strip or tile begins. */
  final long[] offsets;

  /** Bytes of each strip or tile; none where an uncompressed file leaves them out. */
  private final long[] counts;

  /**
   * Reads the header of the first image of a file in memory.
   *
   * @param file kept, not copied
   * @throws ImageFormatException when it is damaged, or a kind of TIFF that is not read
   */
  TiffLayout(byte[] file) {
    this(TiffSource.of(file), new TiffDirectory(file));
  }

  /**
   * Reads the header of an image.
   *
   * @param directory of the image, in the source
   * @throws ImageFormatException when it is damaged, or a kind of TIFF that is not read
   */
  TiffLayout(TiffSource source, TiffDirectory directory) {
    this(source, directory, BandMeanings.of(directory));
  }

  /** Does the same; what samples mean, a file may say once for all of its images. */
  TiffLayout(TiffSource source, TiffDirectory directory, BandMeanings meanings) {
    this.source = source;
    this.directory = directory;
    this.meanings = meanings;
    order = directory.order();
    width = side(WIDTH, 0);
    height = side(HEIGHT, 0);
    samples = side(SAMPLES, 1);
    bits = (int) same(BITS, 1);
    compression = (int) directory.number(COMPRESSION, 1);
    kind = kind((int) same(SAMPLE_FORMAT, 1));
    checkDepth();
    if (!Arrays.asList(UNPACKED, LZW, JPEG, 8, 32946, PACK_BITS, ZSTANDARD).contains(compression)) {
      throw FileKind.TIFF.refused(
          "compression %d%s; read are none, Deflate, LZW, PackBits, Zstandard and baseline JPEG:"
              + " gdal_translate -co COMPRESS=DEFLATE makes one (of scenes, encode --reader auto or"
              + " gdal has GDAL read it as it is)",
          compression, PACKINGS.containsKey(compression) ? ", " + PACKINGS.get(compression) : "");
    }
    predictor = (int) directory.number(PREDICTOR, 1);
    if (predictor < 1
        || predictor > 3
        || (predictor == 2 && !hasWholeSamples())
        || (predictor == 3 && kind != Kind.FLOAT)) {
      throw FileKind.TIFF.refused(
          "predictor %d on samples of %d bits: gdal_translate -co PREDICTOR=1 makes one without",
          predictor, bits);
    }
    if (directory.number(FILL_ORDER, 1) != 1) {
      throw FileKind.TIFF.refused(
          "its bits from the lowest on, fill order 2: gdal_translate or tiffcp -f msb2lsb makes"
              + " one with fill order 1");
    }
    checkLuma();
    planar = samples > 1 && directory.number(PLANAR, 1) == 2;
    tiled = directory.has(TILE_WIDTH);
    pieceWidth = tiled ? side(TILE_WIDTH, 0) : width;
    pieceHeight = tiled ? side(TILE_HEIGHT, 0) : Math.min(height, side(ROWS_PER_STRIP, height));
    if (pieceBytes() > MAX_PIECE_BYTES) {
      throw FileKind.TIFF.refused(
          "strips or tiles of %d x %d pixels with %d samples of %d bits; read are up to %d"
              + " bytes each: gdal_translate -co TILED=YES makes smaller ones",
          pieceWidth, pieceHeight, planar ? 1 : samples, bits, MAX_PIECE_BYTES);
    }
    long pieces = (long) across() * Math.ceilDiv(height, pieceHeight) * (planar ? samples : 1);
    // Counted before they are read: a damaged file may say anything.
    if (directory.count(tiled ? TILE_OFFSETS : STRIP_OFFSETS) < pieces) {
      throw FileKind.TIFF.damaged("it names fewer than its %d strips or tiles", pieces);
    }
    offsets = directory.numbers(tiled ? TILE_OFFSETS : STRIP_OFFSETS);
    counts = directory.numbers(tiled ? TILE_BYTE_COUNTS : STRIP_BYTE_COUNTS);
    if (counts.length < pieces && !(counts.length == 0 && compression == UNPACKED)) {
      throw FileKind.TIFF.damaged(
          "it names the lengths of fewer than its %d strips or tiles", pieces);
    }
    checkPlaces((int) pieces);
  }

  private int side(int tag, int absent) {
    long side = directory.number(tag, absent);
    if (tag == ROWS_PER_STRIP) {
      return Math.clamp(side, 1, Integer.MAX_VALUE);
    }
    int most = tag == WIDTH || tag == HEIGHT ? MAX_SIDE : Short.MAX_VALUE;
    if (side < 1 || side > most) {
      throw FileKind.TIFF.refused(
          "%d for field %d, its size or number of samples; read are 1 to %d", side, tag, most);
    }
    return (int) side;
  }

  /** A field with a value for each sample, which must be the same. */
  private long same(int tag, long absent) {
    long[] values = directory.numbers(tag);
    if (Arrays.stream(values).distinct().count() > 1) {
      throw FileKind.TIFF.refused(
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
          throw FileKind.TIFF.refused(
              "%s; read are whole and floating-point numbers: of complex ones, gdal_calc or"
                  + " SNAP makes amplitude or power",
              format == 5 || format == 6 ? "complex numbers" : "sample format " + format);
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
      throw FileKind.TIFF.refused(
          "%s samples of %d bits; read are unsigned ones of 1 to 32 bits, signed ones of 8, 16"
              + " or 32 and floating-point ones of 16, 32 or 64: gdal_translate -ot Float32"
              + " makes one, for NBITS below 16 -co NBITS=16",
          kind.name().toLowerCase(Locale.ROOT), bits);
    }
    if (compression == JPEG && (bits != Byte.SIZE || kind != Kind.UNSIGNED)) {
      throw FileKind.TIFF.refused("JPEG with samples of %d bits; read are those of 8", bits);
    }
  }

  /** Refuses luma and chroma other than JFIF's, of Rec. 709 or with headroom. */
  private void checkLuma() {
    boolean ycc = directory.number(PHOTOMETRIC, 0) == YCC;
    if (ycc
        && (!isNear(directory.decimals(YCC_COEFFICIENTS), 0.299, 0.587, 0.114)
            || !isNear(directory.decimals(REFERENCE_BLACK_WHITE), 0, 255, 128, 255, 128, 255))) {
      throw FileKind.TIFF.refused(
          "luma and chroma (YCbCr) other than JFIF's, by its coefficients or black and white:"
              + " gdal_translate -co PHOTOMETRIC=RGB makes one with colours");
    }
  }

  /** Returns whether values are these, or are missing. */
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
      if (offsets[piece] < 8 || length < 1 || offsets[piece] > source.size() - length) {
        throw FileKind.TIFF.damaged(
            "cut short, or a strip or tile of %d bytes at %d lies outside of the %d bytes of"
                + " the file",
            length, offsets[piece], source.size());
      }
      // The same bytes for several tiles are how some programs save space.
      if (before >= 0
          && offsets[piece] != offsets[before]
          && offsets[piece] < offsets[before] + length(before)) {
        throw FileKind.TIFF.damaged("strips or tiles overlap at %d", offsets[piece]);
      }
      before = piece;
    }
  }

  /** Returns whether samples are unsigned whole numbers. */
  boolean isUnsigned() {
    return kind == Kind.UNSIGNED;
  }

  /** Returns whether each sample has one, two, four or eight bytes of its own. */
  boolean hasWholeSamples() {
    return bits % Byte.SIZE == 0 && bits != 24;
  }

  /** JPEG's luma and chroma, which {@link TiffRaster} gives as red, green and blue. */
  boolean isYccInJpeg() {
    return compression == JPEG && directory.number(PHOTOMETRIC, 0) == YCC && samplesOfPiece() == 3;
  }

  /** Returns what the samples stand for, {@code PhotometricInterpretation} of TIFF 6.0. */
  int photometric() {
    return isYccInJpeg()
        ? RGB
        : (int) directory.number(PHOTOMETRIC, samples >= 3 ? RGB : BLACK_IS_ZERO);
  }

  /** Returns the sample that is opacity; -1 where there is none. */
  int opacity() {
    long[] extra = directory.numbers(EXTRA_SAMPLES);
    for (int i = 0; i < extra.length && extra.length < samples; i++) {
      int sample = samples - extra.length + i;
      if ((extra[i] == 1 || extra[i] == 2) && meanings.isOpacity(sample)) {
        return sample;
      }
    }
    return meanings.opacity(samples);
  }

  /** Returns whether colours were multiplied by their opacity. */
  boolean isMultiplied() {
    long[] extra = directory.numbers(EXTRA_SAMPLES);
    int place = opacity() - samples + extra.length;
    return opacity() >= 0 && place >= 0 && extra[place] == 1;
  }

  /** Returns the samples that are red, green and blue; none where the file does not say. */
  List<Integer> rgb() {
    boolean usual = photometric() == RGB && samples - (opacity() < 0 ? 0 : 1) >= 3;
    return meanings.rgb(samples, usual ? List.of(0, 1, 2) : List.of());
  }

  /** Returns all of the image. */
  Window whole() {
    return new Window(0, 0, width, height);
  }

  /** Returns how many samples of a pixel lie in a strip or tile: all of them, or one. */
  int samplesOfPiece() {
    return planar ? 1 : samples;
  }

  /** Returns how many strips or tiles lie side by side. */
  int across() {
    return Math.ceilDiv(width, pieceWidth);
  }

  /** Returns how many strips or tiles make the picture, or one of its bands. */
  int piecesOfBand() {
    return across() * Math.ceilDiv(height, pieceHeight);
  }

  /** Returns how many strips or tiles there are, band after band. */
  int pieces() {
    return piecesOfBand() * (planar ? samples : 1);
  }

  /** Returns how many strips and tiles the file leaves out. */
  int missing() {
    return (int) IntStream.range(0, pieces()).filter(this::isMissing).count();
  }

  /** As GDAL leaves out, in sparse files, what has no data. */
  boolean isMissing(int piece) {
    return offsets[piece] == 0 && (counts.length == 0 || counts[piece] == 0);
  }

  /** Bytes that a strip or tile has in the file. */
  long length(int piece) {
    return counts.length == 0 ? (long) rows(piece) * rowBytes() : counts[piece];
  }

  /** Rows of a strip or tile that the file has: the last strip may be short, no tile is. */
  int rows(int piece) {
    int first = piece % piecesOfBand() / across() * pieceHeight;
    return tiled ? pieceHeight : Math.min(pieceHeight, height - first);
  }

  /** Bytes of an unpacked row of a strip or tile. */
  int rowBytes() {
    return (int) Math.min(Integer.MAX_VALUE, ((long) pieceWidth * samplesOfPiece() * bits + 7) / 8);
  }

  /** Bytes of an unpacked strip or tile. */
  long pieceBytes() {
    return (long) rowBytes() * pieceHeight;
  }
}
