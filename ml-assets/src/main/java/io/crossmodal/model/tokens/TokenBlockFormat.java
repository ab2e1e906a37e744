/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.HexFormat;
import java.util.Locale;

/** Reads and writes stored token blocks; the layout is specified in this package's package-info. */
public final class TokenBlockFormat {
  private static final int PLAIN = 1;
  private static final int POOLED = 2;

  private static final int MAGIC = 0x4b544d43; // "CMTK"
  private static final int FINGERPRINT_BYTES = 8;
  private static final int HEADER_BYTES = 4 + 1 + 1 + 2 + 2 + FINGERPRINT_BYTES;
  private static final int POOLED_HEADER_BYTES = HEADER_BYTES + 1;
  private static final int MAX_EXTENT = 0xffff;

  /** The largest value of a nibble, by its scale, and the nibble of 0. */
  private static final int MOST_INT4 = 7;

  private static final int ZERO_INT4 = 8;

  /** All ones in what is infinite or not a number. */
  private static final int HALF_EXPONENT = 0x7c00;

  /**
   * Header of a block.
   *
   * @param encoding how the values are written
   * @param count tokens
   * @param hidden H
   * @param fingerprint first 16 hexadecimal digits of the token space's fingerprint
   * @param pooling 1, or the side of the squares of patches that are one token here
   */
  public record Header(
      TokenEncoding encoding, int count, int hidden, String fingerprint, int pooling) {
    /** Returns whether the block's tokens come from this token space. */
    public boolean matches(String tokenSpace) {
      return tokenSpace.startsWith(fingerprint);
    }

    /** Bytes before the values. */
    private int size() {
      return pooling == 1 ? HEADER_BYTES : POOLED_HEADER_BYTES;
    }

    /** Bytes of the whole block, at most 2^33. */
    public long length() {
      return size() + encoding.bytes(count, hidden);
    }
  }

  private TokenBlockFormat() {}

  /**
   * Writes a block that is not pooled.
   *
   * @param tokenSpace fingerprint of the token space, hexadecimal, at least 16 digits
   * @throws IllegalArgumentException when a value is not finite, or beyond what FP16 holds
   */
  public static byte[] write(TokenBlock block, TokenEncoding encoding, String tokenSpace) {
    return write(block, encoding, tokenSpace, 1);
  }

  /**
   * Writes a block.
   *
   * @param tokenSpace fingerprint of the token space, hexadecimal, at least 16 digits
   * @param pooling how the block was made by {@link TokenPooling}; 1 where it was not
   * @throws IllegalArgumentException when a value is not finite, or beyond what FP16 holds
   */
  public static byte[] write(
      TokenBlock block, TokenEncoding encoding, String tokenSpace, int pooling) {
    if (pooling < 1 || pooling > TokenPooling.MAX_SIDE) {
      throw new IllegalArgumentException(
          "pooling must be from 1 to " + TokenPooling.MAX_SIDE + ", got " + pooling);
    }
    if (block.count() > MAX_EXTENT || block.hidden() > MAX_EXTENT) {
      throw new IllegalArgumentException(block + " exceeds " + MAX_EXTENT + " in one direction");
    }
    String fingerprint = tokenSpace.substring(0, 2 * FINGERPRINT_BYTES);
    Header header = new Header(encoding, block.count(), block.hidden(), fingerprint, pooling);
    ByteBuffer out =
        ByteBuffer.allocate(Math.toIntExact(header.length())).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(MAGIC)
        .put((byte) (pooling == 1 ? PLAIN : POOLED))
        .put((byte) encoding.code())
        .putShort((short) block.count())
        .putShort((short) block.hidden())
        .put(HexFormat.of().parseHex(fingerprint));
    if (pooling != 1) {
      out.put((byte) pooling);
    }
    switch (encoding) {
      case INT8 -> writeInt8(block, out);
      case INT4 -> writeInt4(block, out);
      case FP16 -> {
        for (float value : block.values()) {
          out.putShort(half(value, value));
        }
      }
    }
    return out.array();
  }

  private static void writeInt4(TokenBlock block, ByteBuffer out) {
    int h = block.hidden();
    float[] values = block.values();
    int groups = TokenEncoding.groups(h);
    float[] scales = new float[block.count() * groups];
    for (int g = 0; g < scales.length; g++) {
      int from = g / groups * h + g % groups * TokenEncoding.GROUP;
      int to = Math.min(from + TokenEncoding.GROUP, (g / groups + 1) * h);
      float max = 0;
      for (int i = from; i < to; i++) {
        max = Math.max(max, Math.abs(finite(values[i])));
      }
      short scale = half(max / MOST_INT4, max);
      scales[g] = Float.float16ToFloat(scale);
      out.putShort(scale);
    }
    for (int t = 0; t < block.count(); t++) {
      for (int i = 0; i < h; i += 2) {
        int low = nibble(values[t * h + i], scales[t * groups + i / TokenEncoding.GROUP]);
        int high =
            i + 1 < h
                ? nibble(values[t * h + i + 1], scales[t * groups + (i + 1) / TokenEncoding.GROUP])
                : ZERO_INT4;
        out.put((byte) (high << 4 | low));
      }
    }
  }

  private static int nibble(float value, float scale) {
    int q = scale == 0 ? 0 : Math.round(value / scale);
    return ZERO_INT4 + Math.max(-MOST_INT4, Math.min(MOST_INT4, q));
  }

  private static void writeInt8(TokenBlock block, ByteBuffer out) {
    int h = block.hidden();
    float[] values = block.values();
    float[] scales = new float[block.count()];
    for (int t = 0; t < scales.length; t++) {
      float max = 0;
      for (int i = t * h; i < (t + 1) * h; i++) {
        max = Math.max(max, Math.abs(finite(values[i])));
      }
      scales[t] = max / Byte.MAX_VALUE;
      out.putFloat(scales[t]);
    }
    for (int t = 0; t < scales.length; t++) {
      for (int i = t * h; i < (t + 1) * h; i++) {
        // Divided, because 1 / scale is infinite where the scale is denormal.
        int q = scales[t] == 0 ? 0 : Math.round(values[i] / scales[t]);
        out.put((byte) Math.max(-Byte.MAX_VALUE, Math.min(Byte.MAX_VALUE, q)));
      }
    }
  }

  /**
   * Returns a value or a scale as a half.
   *
   * @param of the token's value, for the message
   */
  private static short half(float value, float of) {
    short half = Float.floatToFloat16(finite(value));
    if (Float.isInfinite(Float.float16ToFloat(half))) {
      throw new IllegalArgumentException(
          of
              + " does not fit FP16, whose largest value is 65504, or INT4, whose scales are such;"
              + " store the block as INT8");
    }
    return half;
  }

  private static float finite(float value) {
    if (!Float.isFinite(value)) {
      throw new IllegalArgumentException("a token block must be finite, got " + value);
    }
    return value;
  }

  /**
   * Reads and checks the header alone.
   *
   * @throws IllegalArgumentException when the bytes are no block of a version we read, or their
   *     number is not what the header says
   */
  public static Header header(byte[] bytes, int offset, int length) {
    if (length < HEADER_BYTES) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token block has %d bytes, its header alone needs %d",
              length,
              HEADER_BYTES));
    }
    ByteBuffer in = ByteBuffer.wrap(bytes, offset, length).order(ByteOrder.LITTLE_ENDIAN);
    if (in.getInt() != MAGIC) {
      throw new IllegalArgumentException("these bytes are no token block: they do not start CMTK");
    }
    int version = in.get();
    if (version != PLAIN && version != POOLED) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token block has format version %d, this code reads %d and %d",
              version,
              PLAIN,
              POOLED));
    }
    if (version == POOLED && length < POOLED_HEADER_BYTES) {
      throw new IllegalArgumentException("token block of " + length + " bytes ends in its header");
    }
    TokenEncoding encoding = TokenEncoding.of(in.get());
    int count = Short.toUnsignedInt(in.getShort());
    int hidden = Short.toUnsignedInt(in.getShort());
    byte[] fingerprint = new byte[FINGERPRINT_BYTES];
    in.get(fingerprint);
    int pooling = version == POOLED ? in.get() : 1;
    if (version == POOLED && (pooling < 2 || pooling > TokenPooling.MAX_SIDE)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token block is pooled by %d, which must be from 2 to %d",
              pooling,
              TokenPooling.MAX_SIDE));
    }
    Header header =
        new Header(encoding, count, hidden, HexFormat.of().formatHex(fingerprint), pooling);
    if (count == 0 || hidden == 0 || header.length() != length) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "token block of %d x %d values as %s must have %d bytes, got %d",
              count,
              hidden,
              encoding,
              header.length(),
              length));
    }
    return header;
  }

  /**
   * Reads a block back to floats.
   *
   * @throws IllegalArgumentException as {@link #header}, and when a value is not finite
   */
  public static TokenBlock read(byte[] bytes, int offset, int length) {
    return StoredTokens.of(bytes, offset, length).block();
  }

  /**
   * Refuses values that are not finite. Of INT8 and INT4 the scales tell: the largest value must
   * be.
   *
   * @param header of this block
   * @throws IllegalArgumentException when there is one
   */
  static void checkFinite(Header header, byte[] bytes, int offset) {
    ByteBuffer in = values(header, bytes, offset);
    if (header.encoding() == TokenEncoding.INT8) {
      for (int t = 0; t < header.count(); t++) {
        finite(in.getFloat() * Byte.MAX_VALUE);
      }
    } else {
      int halves =
          header.encoding() == TokenEncoding.FP16
              ? header.hidden()
              : TokenEncoding.groups(header.hidden());
      for (int i = header.count() * halves; i > 0; i--) {
        short half = in.getShort();
        if ((half & HALF_EXPONENT) == HALF_EXPONENT) {
          finite(Float.float16ToFloat(half));
        }
      }
    }
  }

  /**
   * Reads the first tokens of a block.
   *
   * @param header of this block
   * @param tokens how many, at most those it has
   * @param out gets tokens x H values
   */
  static void decode(Header header, int tokens, byte[] bytes, int offset, FloatBuffer out) {
    int h = header.hidden();
    // A row at a time, because a loop over arrays is vectorised and one over buffers is not.
    float[] row = new float[h];
    ByteBuffer in = values(header, bytes, offset);
    int start = in.position();
    for (int t = 0; t < tokens; t++) {
      switch (header.encoding()) {
        case INT8 -> {
          int at = start + header.count() * Float.BYTES + t * h;
          float scale = in.getFloat();
          for (int i = 0; i < h; i++) {
            row[i] = bytes[at + i] * scale;
          }
        }
        case FP16 -> {
          for (int i = 0; i < h; i++) {
            row[i] = Float.float16ToFloat(in.getShort());
          }
        }
        case INT4 -> {
          int scales = header.count() * TokenEncoding.groups(h) * Short.BYTES;
          int at = start + scales + t * TokenEncoding.nibbles(h);
          for (int from = 0; from < h; from += TokenEncoding.GROUP) {
            float scale = Float.float16ToFloat(in.getShort());
            int to = Math.min(h, from + TokenEncoding.GROUP);
            for (int i = from; i < to; i++) {
              int nibble = bytes[at + i / 2] >> 4 * (i & 1) & 0xf;
              row[i] = (nibble - ZERO_INT4) * scale;
            }
          }
        }
      }
      out.put(row);
    }
  }

  private static ByteBuffer values(Header header, byte[] bytes, int offset) {
    // Not sliced: its position is the index into the array.
    return ByteBuffer.wrap(bytes).position(offset + header.size()).order(ByteOrder.LITTLE_ENDIAN);
  }
}
