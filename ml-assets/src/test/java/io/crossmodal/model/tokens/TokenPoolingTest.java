/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.Seeds;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class TokenPoolingTest {
  private static final long SEED = Seeds.next();
  private static final String SPACE = "0123456789abcdef".repeat(4);

  private final SplittableRandom random = new SplittableRandom(SEED);

  private TokenBlock image(int grid, int hidden) {
    float[] values = new float[(1 + grid * grid) * hidden];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new TokenBlock(1 + grid * grid, hidden, values);
  }

  @ParameterizedTest
  @CsvSource({"145, 2, 37", "145, 3, 17", "37, 2, 10", "37, 3, 5", "197, 2, 50", "10, 2, 5"})
  void countsWhatIsLeft(int count, int side, int left) {
    assertEquals(left, TokenPooling.count(count, side));
    assertEquals(count, TokenPooling.count(count, 1));
  }

  @Test
  void eachTokenIsTheMeanOfItsPatches() {
    int grid = random.nextInt(2, 9);
    int side = random.nextInt(2, 5);
    TokenBlock image = image(grid, 3);
    TokenBlock pooled = TokenPooling.pool(image, side);
    int left = Math.ceilDiv(grid, side);
    assertEquals(1 + left * left, pooled.count());
    for (int i = 0; i < 3; i++) {
      assertEquals(image.values()[i], pooled.values()[i], "[CLS]");
      for (int y = 0; y < left; y++) {
        for (int x = 0; x < left; x++) {
          double sum = 0;
          int patches = 0;
          for (int v = y * side; v < Math.min(grid, (y + 1) * side); v++) {
            for (int u = x * side; u < Math.min(grid, (x + 1) * side); u++) {
              sum += image.values()[(1 + v * grid + u) * 3 + i];
              patches++;
            }
          }
          assertEquals(sum / patches, pooled.values()[(1 + y * left + x) * 3 + i], 1e-5);
        }
      }
    }
    assertSame(image, TokenPooling.pool(image, 1));
  }

  @ParameterizedTest
  @EnumSource
  void aBlockSaysHowItWasPooled(TokenEncoding encoding) {
    TokenBlock pooled = TokenPooling.pool(image(4, 5), 2);
    byte[] bytes = TokenBlockFormat.write(pooled, encoding, SPACE, 2);
    byte[] plain = TokenBlockFormat.write(pooled, encoding, SPACE);
    assertEquals(plain.length + 1, bytes.length);
    assertEquals(2, TokenBlockFormat.header(bytes, 0, bytes.length).pooling());
    assertEquals(1, TokenBlockFormat.header(plain, 0, plain.length).pooling());
    assertEquals(
        TokenBlockFormat.read(plain, 0, plain.length),
        TokenBlockFormat.read(bytes, 0, bytes.length));
    assertRefused(() -> TokenBlockFormat.header(bytes, 0, 18), "ends in its header");
    bytes[18] = 1;
    assertRefused(() -> TokenBlockFormat.header(bytes, 0, bytes.length), "pooled by 1");
  }

  @Test
  void refusesWhatIsNoGridAndOtherSides() {
    assertRefused(() -> TokenPooling.count(16, 2), "16 tokens");
    assertRefused(() -> TokenPooling.count(1, 2), "1 tokens");
    assertRefused(() -> TokenPooling.count(17, 0), "got 0");
    assertRefused(() -> TokenPooling.count(17, 17), "got 17");
    assertRefused(
        () -> TokenBlockFormat.write(image(2, 1), TokenEncoding.INT8, SPACE, 17), "got 17");
  }

  private static void assertRefused(Executable action, String part) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.contains(part), message);
  }
}
