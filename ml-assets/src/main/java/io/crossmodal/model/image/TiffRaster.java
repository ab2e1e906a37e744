/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import io.crossmodal.model.image.TiffLayout.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Reads the samples of a TIFF's image, at their true values, one strip or tile at a time.
 * Thread-safe.
 *
 * <p>Read here and not by the JDK's reader, which rescales what has not 8, 16 or 32 bits, by tables
 * of up to 2^31 numbers, and takes the file's first bytes for strips that are not there.
 */
final class TiffRaster {
  private static final int JPEG_TABLES = 347;

  /** Of a packed strip or tile: what it may have beyond twice its samples. */
  private static final int MAX_OVERHEAD = 1 << 20;

  /** What one strip or tile takes beside itself: tables of LZW, zlib's window. */
  private static final int UNPACKING_BYTES = 128 << 10;

  private final TiffLayout layout;

  /** Null where each strip or tile is used once. */
  private final PieceCache cache;

  private final int bits;
  private final Kind kind;
  private final int rowBytes;

  /** Of a strip or tile. */
  private final int samples;

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

  /** Of an image that is read once. */
  TiffRaster(TiffLayout layout) {
    this(layout, null);
  }

  /**
   * Of an image that is read in windows.
   *
   * @param cache of its strips and tiles
   */
  TiffRaster(TiffLayout layout, PieceCache cache) {
    this.layout = layout;
    this.cache = cache;
    this.bits = layout.bits;
    this.kind = layout.kind;
    this.rowBytes = layout.rowBytes();
    this.samples = layout.samplesOfPiece();
  }

  /** Heap that reading takes at most, beside what the rows are gathered in. */
  static long bytes(TiffLayout layout) {
    long places = Long.BYTES * 4L * layout.offsets.length;
    // Of a JPEG, the decoder's raster and its copy of the strip or tile.
    long decoding =
        layout.compression == TiffLayout.JPEG ? 2 * layout.pieceBytes() + layout.source.size() : 0;
    long row = 3L * Float.BYTES * layout.pieceWidth * layout.samplesOfPiece();
    return layout.pieceBytes() + decoding + row + places + UNPACKING_BYTES;
  }

  /**
   * Reads every {@code stepX}th column and every {@code stepY}th row of a window, from its first
   * on.
   *
   * @param window within the image; the image that is made begins at its corner
   * @throws ImageFormatException when a strip or tile is damaged
   */
  void read(Window window, int stepX, int stepY, Rows rows) {
    byte[] buffer =
        cache != null || layout.compression == TiffLayout.UNPACKED
            ? null
            : new byte[(int) layout.pieceBytes()];
    float[] values = new float[Math.ceilDiv(layout.pieceWidth, stepX) * samples];
    int lastColumn = (window.x() + window.width() - 1) / layout.pieceWidth;
    int lastRow = (window.y() + window.height() - 1) / layout.pieceHeight;
    for (int band = 0; band < layout.pieces() / layout.piecesOfBand(); band++) {
      for (int row = window.y() / layout.pieceHeight; row <= lastRow; row++) {
        for (int column = window.x() / layout.pieceWidth; column <= lastColumn; column++) {
          int piece = band * layout.piecesOfBand() + row * layout.across() + column;
          read(new Part(piece, band, window, stepX, stepY), buffer, values, rows);
        }
      }
    }
  }

  /** What a window wants of a strip or tile. */
  private record Part(int piece, int band, Window window, int stepX, int stepY) {}

  private void read(Part part, byte[] buffer, float[] values, Rows rows) {
    Window window = part.window;
    int place = part.piece % layout.piecesOfBand();
    int left = place % layout.across() * layout.pieceWidth;
    int top = place / layout.across() * layout.pieceHeight;
    // In pixels of the image that is made.
    int firstX = Math.max(0, Math.ceilDiv(left - window.x(), part.stepX));
    int right = Math.min(window.x() + window.width(), left + layout.pieceWidth);
    int pixels = Math.ceilDiv(right - window.x(), part.stepX) - firstX;
    int firstY = Math.max(0, Math.ceilDiv(top - window.y(), part.stepY));
    int bottom = Math.min(window.y() + window.height(), top + layout.pieceHeight);
    int lastY = Math.ceilDiv(bottom - window.y(), part.stepY);
    if (pixels < 1 || firstY >= lastY) {
      return;
    }
    if (layout.isMissing(part.piece)) {
      Arrays.fill(values, Float.NaN);
      for (int y = firstY; y < lastY; y++) {
        rows.row(firstX, y, part.band, values, pixels);
      }
      return;
    }
    TiffSource.Slice unpacked =
        cache == null
            ? unpack(part.piece, buffer)
            : cache.get(part.piece, piece -> unpack(piece, new byte[(int) layout.pieceBytes()]));
    int firstColumn = window.x() + firstX * part.stepX - left;
    for (int y = firstY; y < lastY; y++) {
      int row = unpacked.from() + (window.y() + y * part.stepY - top) * rowBytes;
      values(unpacked.bytes(), row, firstColumn, part.stepX, pixels, values);
      rows.row(firstX, y, part.band, values, pixels);
    }
  }

  /**
   * A strip or tile as plain rows: the file itself where it has it so.
   *
   * @param out takes the rows of one that is packed
   */
  private TiffSource.Slice unpack(int piece, byte[] out) {
    int need = layout.rows(piece) * rowBytes;
    boolean plain = layout.compression == TiffLayout.UNPACKED;
    if (plain && layout.length(piece) < need) {
      throw FileKind.TIFF.damaged(
          "a strip or tile has %d bytes where it must have %d", layout.length(piece), need);
    }
    // A header that lies must not cost more than what it says is unpacked.
    int length = (int) Math.min(layout.length(piece), plain ? need : 2L * need + MAX_OVERHEAD);
    TiffSource.Slice packed = layout.source.slice(layout.offsets[piece], length);
    byte[] file = packed.bytes();
    int offset = packed.from();
    byte[] rows = out;
    switch (layout.compression) {
      case TiffLayout.UNPACKED -> {
        if (layout.predictor == 1) {
          return packed;
        }
        rows = Arrays.copyOfRange(file, offset, offset + need);
      }
      case TiffLayout.LZW -> TiffPacking.lzw(file, offset, length, rows, need);
      case TiffLayout.JPEG -> {
        byte[] values =
            JpegFile.inTiff(layout.directory.bytes(JPEG_TABLES), file, offset, length)
                .samples(layout.pieceWidth, layout.rows(piece), layout.pieceHeight, samples);
        if (layout.isYccInJpeg()) {
          Colours.fromYcc(values, 3);
        }
        System.arraycopy(values, 0, rows, 0, need);
      }
      case TiffLayout.PACK_BITS -> TiffPacking.packBits(file, offset, length, rows, need);
      case TiffLayout.ZSTANDARD -> TiffPacking.zstandard(file, offset, length, rows, need);
      default -> TiffPacking.inflate(file, offset, length, rows, need);
    }
    boolean little = layout.order == ByteOrder.LITTLE_ENDIAN;
    for (int row = 0; layout.predictor > 1 && row < layout.rows(piece); row++) {
      int from = row * rowBytes;
      if (layout.predictor == 2) {
        TiffPacking.sum(rows, from, layout.pieceWidth, samples, bits / 8, little);
      } else {
        TiffPacking.sumFloats(rows, from, layout.pieceWidth, samples, bits / 8, little);
      }
    }
    return new TiffSource.Slice(rows, 0);
  }

  /** Samples of every so many pixels of a row, as floats. */
  private void values(byte[] bytes, int row, int first, int step, int pixels, float[] values) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(layout.order);
    int size = bits / Byte.SIZE;
    if (bits == Byte.SIZE && kind == Kind.UNSIGNED && step == 1) {
      // Most pictures: a loop that the compiler turns into vector code.
      int from = row + first * samples;
      for (int i = 0; i < pixels * samples; i++) {
        values[i] = bytes[from + i] & 0xff;
      }
      return;
    }
    boolean whole = layout.hasWholeSamples();
    for (int pixel = 0, i = 0; pixel < pixels; pixel++) {
      int sample = (first + pixel * step) * samples;
      for (int end = i + samples; i < end; i++, sample++) {
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
      int low = layout.order == ByteOrder.LITTLE_ENDIAN ? at + 2 : at;
      int high = layout.order == ByteOrder.LITTLE_ENDIAN ? at : at + 2;
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
}
