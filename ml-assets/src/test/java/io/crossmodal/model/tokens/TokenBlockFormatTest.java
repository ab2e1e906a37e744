/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenBlockFormatTest {
  private static final String SPACE = "0123456789abcdef".repeat(4);

  private static final long SEED = Seeds.next();

  private final SplittableRandom random = new SplittableRandom(SEED);

  private TokenBlock block(int count, int hidden, double scale) {
    float[] values = new float[count * hidden];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    return new TokenBlock(count, hidden, values);
  }

  private static TokenBlock roundTrip(TokenBlock block, TokenEncoding encoding) {
    byte[] bytes = TokenBlockFormat.write(block, encoding, SPACE);
    return TokenBlockFormat.read(bytes, 0, bytes.length);
  }

  private static void assertRefused(Executable action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 1e-3, 1e30, 1e-30, 1e-38, 1e-41})
  void int8IsWithinHalfAScaleOfEachToken(double size) {
    TokenBlock block = block(random.nextInt(1, 20), random.nextInt(1, 40), size);
    TokenBlock read = roundTrip(block, TokenEncoding.INT8);
    assertEquals(block.count(), read.count());
    assertEquals(block.hidden(), read.hidden());
    int h = block.hidden();
    for (int t = 0; t < block.count(); t++) {
      float max = 0;
      for (int i = t * h; i < (t + 1) * h; i++) {
        max = Math.max(max, Math.abs(block.values()[i]));
      }
      // Below the smallest normal float the scale itself is rounded, to a step of MIN_VALUE.
      double bound = max / 127.0 / 2 * 1.0001 + 127 * (double) Float.MIN_VALUE;
      for (int i = t * h; i < (t + 1) * h; i++) {
        assertEquals(block.values()[i], read.values()[i], bound);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(TokenEncoding.class)
  void theClassTokenIsThatOfTheWholeBlock(TokenEncoding encoding) {
    byte[] bytes =
        TokenBlockFormat.write(
            block(random.nextInt(1, 20), random.nextInt(1, 40), 1), encoding, SPACE);
    byte[] inside = new byte[bytes.length + 2];
    System.arraycopy(bytes, 0, inside, 1, bytes.length);
    assertEquals(
        TokenBlockFormat.read(bytes, 0, bytes.length).classToken(),
        StoredTokens.of(inside, 1, bytes.length).classToken());
  }

  /** Against the layout, byte by byte: each 32 values of a token share a scale. */
  @ParameterizedTest
  @ValueSource(doubles = {1, 1e-2, 1e4, 1e-9})
  void int4IsWithinHalfAScaleOfEachGroup(double size) {
    TokenBlock block = block(random.nextInt(1, 20), random.nextInt(1, 100), size);
    byte[] bytes = TokenBlockFormat.write(block, TokenEncoding.INT4, SPACE);
    float[] read = TokenBlockFormat.read(bytes, 0, bytes.length).values();
    ByteBuffer in = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int h = block.hidden();
    int groups = (h + 31) / 32;
    for (int t = 0; t < block.count(); t++) {
      for (int i = 0; i < h; i++) {
        float max = 0;
        for (int j = i / 32 * 32; j < Math.min(h, i / 32 * 32 + 32); j++) {
          max = Math.max(max, Math.abs(block.values()[t * h + j]));
        }
        // A half has eleven bits, and steps of 2^-24 below its normal values.
        double bound = max / 7.0 / 2 * 1.01 + 7 * 0x1p-24;
        assertEquals(block.values()[t * h + i], read[t * h + i], bound);
        float scale = Float.float16ToFloat(in.getShort(18 + 2 * (t * groups + i / 32)));
        int both = bytes[18 + 2 * block.count() * groups + t * ((h + 1) / 2) + i / 2];
        int nibble = i % 2 == 0 ? both & 15 : both >> 4 & 15;
        assertTrue(nibble >= 1, "-8 is never written");
        assertEquals((nibble - 8) * scale, read[t * h + i]);
      }
    }
  }

  @Test
  void int4RefusesWhatItsScaleCannotHold() {
    TokenBlock largest = new TokenBlock(1, 3, new float[] {458_500, 0, -458_500});
    assertEquals(458_500, roundTrip(largest, TokenEncoding.INT4).values()[0], 50);
    TokenBlock large = new TokenBlock(1, 2, new float[] {1, 460_000});
    assertRefused(() -> TokenBlockFormat.write(large, TokenEncoding.INT4, SPACE), "460000", "INT8");
  }

  @Test
  void int8KeepsZerosAndTheLargestValue() {
    TokenBlock block = new TokenBlock(2, 3, new float[] {0, 0, 0, -127, 1, 127});
    assertArrayEquals(block.values(), roundTrip(block, TokenEncoding.INT8).values());
    float[] read =
        roundTrip(new TokenBlock(1, 2, new float[] {3.4e38f, -3.4e38f}), TokenEncoding.INT8)
            .values();
    assertEquals(3.4e38f, read[0], 1e32);
    assertEquals(-3.4e38f, read[1], 1e32);
  }

  @Test
  void fp16IsWithinHalfAnUlpOfTheValue() {
    TokenBlock block = block(7, 33, 10);
    float[] read = roundTrip(block, TokenEncoding.FP16).values();
    for (int i = 0; i < read.length; i++) {
      float value = block.values()[i];
      assertEquals(value, read[i], Math.abs(value) / 2048 + 3e-8);
    }
    TokenBlock limits = new TokenBlock(1, 2, new float[] {65504, -65504});
    assertArrayEquals(limits.values(), roundTrip(limits, TokenEncoding.FP16).values());
  }

  @Test
  void fp16RefusesWhatItCannotHold() {
    TokenBlock large = new TokenBlock(1, 2, new float[] {1, 65520});
    assertRefused(() -> TokenBlockFormat.write(large, TokenEncoding.FP16, SPACE), "65520", "65504");
  }

  @ParameterizedTest
  @EnumSource
  void refusesToWriteWhatIsNotFinite(TokenEncoding encoding) {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
      TokenBlock block = new TokenBlock(1, 3, new float[] {0, bad, 0});
      assertRefused(
          () -> TokenBlockFormat.write(block, encoding, SPACE), "finite", String.valueOf(bad));
    }
  }

  @Test
  void refusesToReadWhatIsNotFinite() {
    byte[] int8 = TokenBlockFormat.write(block(2, 3, 1), TokenEncoding.INT8, SPACE);
    // The second token's scale, little-endian.
    int8[18 + 4 + 3] = 0x7f;
    int8[18 + 4 + 2] = (byte) 0xc0;
    assertRefused(() -> TokenBlockFormat.read(int8, 0, int8.length), "finite");
    // 3e38 is finite, and 127 times as much is not.
    ByteBuffer.wrap(int8).order(ByteOrder.LITTLE_ENDIAN).putFloat(18 + 4, 3e38f);
    assertRefused(() -> TokenBlockFormat.read(int8, 0, int8.length), "finite");
    byte[] fp16 = TokenBlockFormat.write(block(2, 3, 1), TokenEncoding.FP16, SPACE);
    fp16[18 + 5] = 0x7c;
    assertRefused(() -> TokenBlockFormat.read(fp16, 0, fp16.length), "finite");
    byte[] int4 = TokenBlockFormat.write(block(2, 40, 1), TokenEncoding.INT4, SPACE);
    int4[18 + 7] = 0x7e;
    assertRefused(() -> TokenBlockFormat.read(int4, 0, int4.length), "finite");
  }

  @ParameterizedTest
  @EnumSource
  void readsInsideALargerArray(TokenEncoding encoding) {
    TokenBlock block = block(3, 5, 1);
    byte[] bytes = TokenBlockFormat.write(block, encoding, SPACE);
    byte[] larger = new byte[bytes.length + 30];
    Arrays.fill(larger, (byte) 0x55);
    System.arraycopy(bytes, 0, larger, 17, bytes.length);
    assertEquals(
        TokenBlockFormat.read(bytes, 0, bytes.length),
        TokenBlockFormat.read(larger, 17, bytes.length));
  }

  @ParameterizedTest
  @EnumSource
  void theHeaderSaysWhatTheBlockIs(TokenEncoding encoding) {
    byte[] bytes = TokenBlockFormat.write(block(3, 5, 1), encoding, SPACE);
    int values =
        switch (encoding) {
          case INT8 -> 3 * 4 + 15;
          case FP16 -> 30;
          case INT4 -> 3 * 2 + 3 * 3;
        };
    assertEquals(18 + values, bytes.length);
    TokenBlockFormat.Header header = TokenBlockFormat.header(bytes, 0, bytes.length);
    assertEquals(new TokenBlockFormat.Header(encoding, 3, 5, SPACE.substring(0, 16), 1), header);
    assertTrue(header.matches(SPACE));
    assertFalse(header.matches("1" + SPACE.substring(1)));
    assertFalse(header.matches(SPACE.substring(0, 15) + "0" + SPACE.substring(16)));
  }

  @Test
  void saysWhatIsWrongWithAHeader() {
    byte[] good = TokenBlockFormat.write(block(2, 3, 1), TokenEncoding.INT8, SPACE);
    assertRefused(() -> TokenBlockFormat.read(new byte[0], 0, 0), "0 bytes", "18");
    assertRefused(() -> TokenBlockFormat.read(good, 0, 17), "17 bytes", "18");
    assertRefused(() -> read(changed(good, 0, 'X')), "CMTK");
    assertRefused(() -> read(changed(good, 4, 3)), "version 3", "reads 1 and 2");
    assertRefused(() -> read(changed(good, 5, 9)), "encoding 9");
    assertRefused(() -> read(changed(good, 5, 2)), "FP16");
    assertRefused(() -> read(changed(good, 6, 0)), "0 x 3");
    assertRefused(() -> read(changed(good, 8, 0)), "2 x 0");
    assertRefused(() -> read(changed(good, 9, 0xff)), "2 x 65283");
    assertRefused(() -> read(Arrays.copyOf(good, good.length - 1)), "32 bytes, got 31");
    assertRefused(() -> read(Arrays.copyOf(good, good.length + 1)), "32 bytes, got 33");
  }

  private static TokenBlock read(byte[] bytes) {
    return TokenBlockFormat.read(bytes, 0, bytes.length);
  }

  private static byte[] changed(byte[] bytes, int at, int value) {
    byte[] changed = bytes.clone();
    changed[at] = (byte) value;
    return changed;
  }

  @Test
  void takesExtentsUpToTheLimit() {
    TokenBlock longest = new TokenBlock(65535, 1, new float[65535]);
    assertEquals(longest, roundTrip(longest, TokenEncoding.FP16));
    TokenBlock widest = new TokenBlock(1, 65535, new float[65535]);
    assertEquals(widest, roundTrip(widest, TokenEncoding.INT8));
    TokenBlock over = new TokenBlock(65536, 1, new float[65536]);
    assertRefused(() -> TokenBlockFormat.write(over, TokenEncoding.FP16, SPACE), "65536", "65535");
  }

  @Test
  void extentsMustDescribeTheValues() {
    assertRefused(() -> new TokenBlock(2, 3, new float[5]), "(2, 3)", "5");
    assertRefused(() -> new TokenBlock(0, 3, new float[0]), "(0, 3)");
    // 2^16 x 2^16 is 0 in 32 bits.
    assertRefused(() -> new TokenBlock(1 << 16, 1 << 16, new float[0]), "(65536, 65536)");
  }
}
