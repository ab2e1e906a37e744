/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import java.util.Locale;

/** Reads and writes stored token blocks; the layout is specified in this package's package-info. */
public final class TokenBlockFormat {
  /** The only version so far. */
  public static final int VERSION = 1;

  private static final int MAGIC = 0x4b544d43; // "CMTK"
  private static final int FINGERPRINT_BYTES = 8;
  private static final int HEADER_BYTES = 4 + 1 + 1 + 2 + 2 + FINGERPRINT_BYTES;
  private static final int MAX_EXTENT = 0xffff;

  /**
   * What a block says of itself.
   *
   * @param encoding how the values are written
   * @param count tokens
   * @param hidden H
   * @param fingerprint first 16 hexadecimal digits of the token space's fingerprint
   */
  public record Header(TokenEncoding encoding, int count, int hidden, String fingerprint) {
    /** Whether the block's tokens come from this token space. */
    public boolean matches(String tokenSpace) {
      return tokenSpace.startsWith(fingerprint);
    }

    private long length() {
      long values = (long) count * hidden;
      return HEADER_BYTES
          + (encoding == TokenEncoding.INT8
              ? values + (long) count * Float.BYTES
              : values * Short.BYTES);
    }
  }

  private TokenBlockFormat() {}

  /**
   * Writes a block.
   *
   * @param tokenSpace fingerprint of the token space, hexadecimal, at least 16 digits
   * @throws IllegalArgumentException when a value is not finite, or beyond what FP16 holds
   */
  public static byte[] write(TokenBlock block, TokenEncoding encoding, String tokenSpace) {
    if (block.count() > MAX_EXTENT || block.hidden() > MAX_EXTENT) {
      throw new IllegalArgumentException(block + " exceeds " + MAX_EXTENT + " in one direction");
    }
    String fingerprint = tokenSpace.substring(0, 2 * FINGERPRINT_BYTES);
    Header header = new Header(encoding, block.count(), block.hidden(), fingerprint);
    ByteBuffer out =
        ByteBuffer.allocate(Math.toIntExact(header.length())).order(ByteOrder.LITTLE_ENDIAN);
    out.putInt(MAGIC)
        .put((byte) VERSION)
        .put((byte) encoding.code())
        .putShort((short) block.count())
        .putShort((short) block.hidden())
        .put(HexFormat.of().parseHex(fingerprint));
    if (encoding == TokenEncoding.INT8) {
      writeInt8(block, out);
    } else {
      for (float value : block.values()) {
        out.putShort(half(value));
      }
    }
    return out.array();
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

  private static short half(float value) {
    short half = Float.floatToFloat16(finite(value));
    if (Float.isInfinite(Float.float16ToFloat(half))) {
      throw new IllegalArgumentException(
          value + " does not fit FP16, whose largest value is 65504; store the block as INT8");
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
    if (version != VERSION) {
      throw new IllegalArgumentException(
          "token block has format version " + version + ", this code reads " + VERSION);
    }
    TokenEncoding encoding = TokenEncoding.of(in.get());
    int count = Short.toUnsignedInt(in.getShort());
    int hidden = Short.toUnsignedInt(in.getShort());
    byte[] fingerprint = new byte[FINGERPRINT_BYTES];
    in.get(fingerprint);
    Header header = new Header(encoding, count, hidden, HexFormat.of().formatHex(fingerprint));
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
    Header header = header(bytes, offset, length);
    return read(header, header.count(), bytes, offset, length);
  }

  /**
   * Reads [CLS] alone, a block of one token.
   *
   * @throws IllegalArgumentException as {@link #read}
   */
  public static TokenBlock readClassToken(byte[] bytes, int offset, int length) {
    return read(header(bytes, offset, length), 1, bytes, offset, length);
  }

  private static TokenBlock read(Header header, int count, byte[] bytes, int offset, int length) {
    int h = header.hidden();
    float[] values = new float[count * h];
    ByteBuffer in =
        ByteBuffer.wrap(bytes, offset + HEADER_BYTES, length - HEADER_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    if (header.encoding() == TokenEncoding.INT8) {
      int at = offset + HEADER_BYTES + header.count() * Float.BYTES;
      for (int t = 0; t < count; t++) {
        float scale = finite(in.getFloat());
        for (int i = t * h; i < (t + 1) * h; i++) {
          values[i] = bytes[at + i] * scale;
        }
      }
    } else {
      for (int i = 0; i < values.length; i++) {
        values[i] = finite(Float.float16ToFloat(in.getShort()));
      }
    }
    return new TokenBlock(count, h, values);
  }
}
