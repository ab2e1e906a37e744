/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.fixtures.AllocatedBytes;
import io.crossmodal.model.fixtures.Seeds;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Damaged token blocks are read or refused; {@code -Dcrossmodal.fuzz.seconds=N} for so long. */
class TokenBlockFuzzTest {
  private static final String SPACE = "0123456789abcdef0123456789abcdef";
  private static final long OVERHEAD = 64 << 10;

  private final long seed = Seeds.next();
  private final SplittableRandom random = new SplittableRandom(seed);
  private final AllocatedBytes allocatedBytes = new AllocatedBytes();

  private byte[] block() {
    int count = random.nextInt(1, 40);
    int hidden = random.nextInt(1, 40);
    float[] values = new float[count * hidden];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextDouble(-2, 2);
    }
    TokenEncoding[] encodings = TokenEncoding.values();
    return TokenBlockFormat.write(
        new TokenBlock(count, hidden, values),
        encodings[random.nextInt(encodings.length)],
        SPACE,
        random.nextInt(1, TokenPooling.MAX_SIDE + 1));
  }

  private byte[] damaged() {
    byte[] block = block();
    for (int hits = random.nextInt(1, 4); hits > 0; hits--) {
      int at = random.nextInt(random.nextBoolean() ? Math.min(20, block.length) : block.length);
      switch (random.nextInt(5)) {
        case 0 -> block = Arrays.copyOf(block, Math.max(1, random.nextInt(block.length + 40)));
        case 1 -> block[at] ^= (byte) (1 << random.nextInt(8));
        case 2 -> {
          // Extents whose product is right for the length, or wraps around.
          ByteBuffer header = ByteBuffer.wrap(block).order(ByteOrder.LITTLE_ENDIAN);
          if (block.length >= 10) {
            header.putShort(6, (short) random.nextInt()).putShort(8, (short) random.nextInt());
          }
        }
        default -> block[at] = (byte) random.nextInt();
      }
    }
    return block;
  }

  @Test
  void damagedBlocksAreReadOrRefused() {
    long end =
        System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.getLong("crossmodal.fuzz.seconds", 1));
    int read = 0;
    int refused = 0;
    while (System.nanoTime() < end) {
      byte[] block = damaged();
      // As it lies in a larger array.
      int offset = random.nextInt(3);
      byte[] around = new byte[offset + block.length + random.nextInt(3)];
      System.arraycopy(block, 0, around, offset, block.length);
      long before = allocatedBytes.ofThisThread();
      try {
        TokenBlock found = TokenBlockFormat.read(around, offset, block.length);
        assertTrue(found.count() > 0 && found.hidden() > 0);
        read++;
      } catch (IllegalArgumentException e) {
        refused++;
      } catch (Throwable e) {
        throw new AssertionError("seed " + seed + ": " + HexFormat.of().formatHex(block), e);
      }
      long allocated = allocatedBytes.ofThisThread() - before;
      assertTrue(allocated < 8L * block.length + OVERHEAD, allocated + " of " + block.length);
    }
    System.out.printf(
        Locale.ROOT, "fuzzed token blocks, seed %d: %d read, %d refused%n", seed, read, refused);
    assertTrue(read > 0 && refused > 0);
  }
}
