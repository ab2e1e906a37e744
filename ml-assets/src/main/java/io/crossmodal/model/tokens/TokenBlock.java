/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.tokens;

import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Locale;

/** Tokens as floats: (N, H), row-major; row 0 is [CLS]. */
public final class TokenBlock implements Tokens {
  private final int count;
  private final int hidden;
  private final float[] values;

  /**
   * A block of the given extents.
   *
   * @param values count x hidden; kept, not copied
   */
  public TokenBlock(int count, int hidden, float[] values) {
    if (count < 1 || hidden < 1 || values.length != (long) count * hidden) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "(%d, %d) does not describe %d values", count, hidden, values.length));
    }
    this.count = count;
    this.hidden = hidden;
    this.values = values;
  }

  @Override
  public int count() {
    return count;
  }

  @Override
  public int hidden() {
    return hidden;
  }

  /** The live values. */
  public float[] values() {
    return values;
  }

  @Override
  public void writeTo(FloatBuffer out) {
    out.put(values);
  }

  @Override
  public TokenBlock classToken() {
    return new TokenBlock(1, hidden, Arrays.copyOf(values, hidden));
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TokenBlock block
        && count == block.count
        && hidden == block.hidden
        && Arrays.equals(values, block.values);
  }

  @Override
  public int hashCode() {
    return 31 * count + Arrays.hashCode(values);
  }

  @Override
  public String toString() {
    return "TokenBlock(" + count + ", " + hidden + ")";
  }
}
