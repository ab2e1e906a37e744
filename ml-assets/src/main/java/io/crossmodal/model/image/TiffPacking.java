/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import com.github.luben.zstd.Zstd;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Unpacks strips and tiles of TIFF files and takes back their predictors. A packed strip or tile
 * that gives fewer bytes than it must is damaged; more are left unread.
 */
final class TiffPacking {
  private static final int CLEAR = 256;
  private static final int END = 257;
  private static final int CODES = 1 << 12;

  private TiffPacking() {}

  /**
   * Inflates a zlib stream.
   *
   * @param need bytes of out to fill
   * @throws ImageFormatException when it is damaged or gives fewer
   */
  static void inflate(byte[] in, int from, int length, byte[] out, int need) {
    Inflater inflater = new Inflater();
    try {
      inflater.setInput(in, from, length);
      int filled = 0;
      while (filled < need) {
        int some = inflater.inflate(out, filled, need - filled);
        if (some == 0) {
          throw tooShort("Deflate", filled, need);
        }
        filled += some;
      }
    } catch (DataFormatException e) {
      throw FileKind.TIFF.damaged(e, "Deflate, %s", e.getMessage());
    } finally {
      inflater.end();
    }
  }

  /** Unpacks a frame of Zstandard, RFC 8878; as {@link #inflate}. */
  static void zstandard(byte[] in, int from, int length, byte[] out, int need) {
    long filled;
    try {
      filled = Zstd.decompressByteArray(out, 0, out.length, in, from, length);
    } catch (LinkageError e) {
      // Native code: it needs a folder that it may be unpacked to, and run from.
      throw new ImageFormatException(
          "the TIFF has Zstandard compression, whose library cannot be loaded here, "
              + e
              + ": gdal_translate -co COMPRESS=DEFLATE makes one without",
          e);
    }
    if (Zstd.isError(filled)) {
      throw FileKind.TIFF.damaged("Zstandard, %s", Zstd.getErrorName(filled));
    }
    if (filled < need) {
      throw tooShort("Zstandard", (int) filled, need);
    }
  }

  /** Unpacks PackBits, section 9 of TIFF 6.0; as {@link #inflate}. */
  static void packBits(byte[] in, int from, int length, byte[] out, int need) {
    int at = from;
    int end = from + length;
    int filled = 0;
    while (filled < need && at < end) {
      int head = in[at++];
      if (head >= 0) {
        int copied = Math.min(Math.min(head + 1, need - filled), end - at);
        System.arraycopy(in, at, out, filled, copied);
        at += head + 1;
        filled += copied;
      } else if (head != Byte.MIN_VALUE && at < end) {
        int repeated = Math.min(1 - head, need - filled);
        Arrays.fill(out, filled, filled + repeated, in[at++]);
        filled += repeated;
      }
    }
    if (filled < need) {
      throw tooShort("PackBits", filled, need);
    }
  }

  /** Unpacks LZW, section 13 of TIFF 6.0; as {@link #inflate}. */
  static void lzw(byte[] in, int from, int length, byte[] out, int need) {
    if (length > 1 && in[from] == 0 && (in[from + 1] & 1) == 1) {
      throw FileKind.TIFF.refused(
          "LZW as before TIFF 6.0: gdal_translate -co COMPRESS=DEFLATE rewrites it");
    }
    // Where in the output a code's bytes were written first, and how many they are.
    int[] start = new int[CODES];
    int[] size = new int[CODES];
    int next = END + 1;
    int width = 9;
    int before = -1;
    int filled = 0;
    long bits = 0;
    int held = 0;
    int at = from;
    int end = from + length;
    while (filled < need) {
      while (held < width && at < end) {
        bits = (bits << Byte.SIZE) | (in[at++] & 0xff);
        held += Byte.SIZE;
      }
      if (held < width) {
        throw tooShort("LZW", filled, need);
      }
      held -= width;
      int code = (int) (bits >> held) & ((1 << width) - 1);
      if (code == END) {
        throw tooShort("LZW", filled, need);
      }
      if (code == CLEAR) {
        next = END + 1;
        width = 9;
        before = -1;
        continue;
      }
      boolean known = code < CLEAR || code < next;
      if (!known && (code > next || before < 0)) {
        throw FileKind.TIFF.damaged("LZW, code %d before it is known", code);
      }
      // The new code: the string before, which lies right before here, and one byte more.
      int beforeSize = before < 0 ? 0 : before < CLEAR ? 1 : size[before];
      if (before >= 0 && next < CODES) {
        start[next] = filled - beforeSize;
        size[next] = beforeSize + 1;
        next++;
      }
      if (code < CLEAR) {
        out[filled++] = (byte) code;
      } else {
        int copied = Math.min(size[code], need - filled);
        // Byte by byte: a code may overlap with what it writes.
        for (int i = 0; i < copied; i++, filled++) {
          out[filled] = out[start[code] + i];
        }
      }
      before = code;
      // A code's width changes one code early.
      width = next >= 2047 ? 12 : next >= 1023 ? 11 : next >= 511 ? 10 : 9;
    }
  }

  /**
   * Sums the differences of the horizontal predictor along a row, in place; section 14 of TIFF 6.0.
   *
   * @param samples of a pixel
   * @param sampleBytes 1, 2, 4 or 8
   * @param little whether a sample's lowest byte comes first
   */
  static void sum(
      byte[] bytes, int from, int pixels, int samples, int sampleBytes, boolean little) {
    int stride = samples * sampleBytes;
    for (int i = samples; i < pixels * samples; i++) {
      int carry = 0;
      for (int b = 0; b < sampleBytes; b++) {
        int at = from + i * sampleBytes + (little ? b : sampleBytes - 1 - b);
        carry += (bytes[at] & 0xff) + (bytes[at - stride] & 0xff);
        bytes[at] = (byte) carry;
        carry >>>= Byte.SIZE;
      }
    }
  }

  /**
   * Takes back the floating-point predictor along a row, in place: sums of bytes, which lie by
   * their place in the number, highest first; Adobe's TIFF technical note 3.
   */
  static void sumFloats(
      byte[] bytes, int from, int pixels, int samples, int sampleBytes, boolean little) {
    int numbers = pixels * samples;
    byte[] row = new byte[numbers * sampleBytes];
    System.arraycopy(bytes, from, row, 0, row.length);
    for (int i = samples; i < row.length; i++) {
      row[i] += row[i - samples];
    }
    for (int i = 0; i < numbers; i++) {
      for (int b = 0; b < sampleBytes; b++) {
        bytes[from + i * sampleBytes + (little ? sampleBytes - 1 - b : b)] = row[b * numbers + i];
      }
    }
  }

  private static ImageFormatException tooShort(String packing, int filled, int need) {
    return FileKind.TIFF.damaged(
        "a strip or tile gives %d bytes of %s where it must give %d", filled, packing, need);
  }
}
