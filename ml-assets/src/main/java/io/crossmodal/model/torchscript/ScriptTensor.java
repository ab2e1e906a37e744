/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.Precision;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * A float32 tensor of an archive: row-major values with their shape. The values lie in the heap, or
 * in a file, from which they are read piece by piece.
 *
 * <p>A final class rather than a record, because a record of arrays would compare identities.
 */
public final class ScriptTensor {
  /** Values of a piece: 256 kB. */
  private static final int PIECE = 1 << 16;

  /** What a Java array can hold. */
  private static final long MAX_SIZE = Integer.MAX_VALUE - 8L;

  private final long[] shape;
  private final int size;
  private final Source source;
  private final boolean trainable;

  /** Null where they lie in a file. */
  private final float[] values;

  /** Source of values that are not in the heap. */
  @FunctionalInterface
  public interface Source {
    /**
     * Fills a buffer.
     *
     * @param from index of the first value
     */
    void read(int from, FloatBuffer into) throws IOException;
  }

  /** Takes a tensor's values in their order. */
  @FunctionalInterface
  public interface Pieces {
    /**
     * Takes the next values.
     *
     * @param piece of use for as long as the call lasts
     */
    void accept(FloatBuffer piece) throws IOException;
  }

  private ScriptTensor(float[] values, Source source, boolean trainable, long[] shape) {
    this.shape = shape.clone();
    this.source = source;
    this.trainable = trainable;
    this.values = values;
    long count = 1;
    for (long extent : shape) {
      count = Math.multiplyExact(count, extent);
    }
    if (count < 0 || count > MAX_SIZE) {
      throw new IllegalArgumentException(
          "shape "
              + Arrays.toString(shape)
              + " needs "
              + count
              + " values, a tensor has at most "
              + MAX_SIZE);
    }
    if (values != null && count != values.length) {
      throw new IllegalArgumentException(
          "shape " + Arrays.toString(shape) + " needs " + count + " values, got " + values.length);
    }
    this.size = (int) count;
  }

  /** A tensor that gradients flow into; {@code values} is kept, not copied. */
  public static ScriptTensor parameter(float[] values, long... shape) {
    return new ScriptTensor(Objects.requireNonNull(values, "values"), null, true, shape);
  }

  /** A tensor without gradient, such as a running mean; {@code values} is kept, not copied. */
  public static ScriptTensor buffer(float[] values, long... shape) {
    return new ScriptTensor(Objects.requireNonNull(values, "values"), null, false, shape);
  }

  /**
   * A tensor whose values stay where they are.
   *
   * @param trainable whether gradients flow into it
   */
  public static ScriptTensor of(Source source, boolean trainable, long... shape) {
    return new ScriptTensor(null, Objects.requireNonNull(source, "source"), trainable, shape);
  }

  /** The extents, outermost first; a copy. */
  public long[] shape() {
    return shape.clone();
  }

  /** Returns how many values there are: the product of the extents. */
  public int size() {
    return size;
  }

  /**
   * Returns the values in row-major order: the live ones, so that whoever changes them changes the
   * tensor, or a copy where they lie in a file.
   *
   * @throws UncheckedIOException when the file cannot be read
   */
  public float[] values() {
    if (values != null) {
      return values;
    }
    float[] copy = new float[size];
    FloatBuffer all = FloatBuffer.wrap(copy);
    try {
      forEachPiece(all::put);
    } catch (IOException e) {
      throw new UncheckedIOException("reading " + this, e);
    }
    return copy;
  }

  /** Gives the values in their order, in pieces of at most 256 kB where they lie in a file. */
  public void forEachPiece(Pieces visitor) throws IOException {
    if (values != null) {
      visitor.accept(FloatBuffer.wrap(values).asReadOnlyBuffer());
      return;
    }
    FloatBuffer piece = FloatBuffer.allocate(Math.min(PIECE, size));
    for (int from = 0; from < size; from += PIECE) {
      piece.clear().limit(Math.min(PIECE, size - from));
      source.read(from, piece);
      visitor.accept(piece.flip());
    }
  }

  /**
   * Returns the same tensor whose values are such as a narrower type has, still 32 bits each.
   *
   * @param precision FP16, whose values beyond 65504 become infinite, or BF16
   */
  ScriptTensor rounded(Precision precision) {
    Source exact =
        source == null ? (from, into) -> into.put(values, from, into.remaining()) : source;
    return of(
        (from, into) -> {
          int start = into.position();
          exact.read(from, into);
          for (int i = start; i < into.position(); i++) {
            float value = into.get(i);
            into.put(
                i,
                precision == Precision.FP16
                    ? Float.float16ToFloat(Float.floatToFloat16(value))
                    : Float.intBitsToFloat(ScriptArchiveWriter.toBfloat16(value) << 16));
          }
        },
        trainable,
        shape);
  }

  public boolean trainable() {
    return trainable;
  }

  @Override
  public String toString() {
    return (trainable ? "parameter" : "buffer") + Arrays.toString(shape);
  }
}
