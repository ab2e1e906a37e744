/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A tensor by type and shape, whose values are read when they are asked for: a model of a gigabyte
 * passes through the heap one tensor at a time.
 */
public final class LazyTensor {
  /** Reads the values, row-major. */
  @FunctionalInterface
  public interface Loader {
    /** Returns all values. */
    float[] load() throws IOException;
  }

  private final ElementType type;
  private final List<Long> shape;
  private final Loader loader;

  LazyTensor(ElementType type, List<Long> shape, Loader loader) {
    this.type = type;
    this.shape = List.copyOf(shape);
    this.loader = loader;
  }

  /** Returns a tensor that is computed, in float32. */
  public static LazyTensor computed(List<Long> shape, Loader loader) {
    return new LazyTensor(ElementType.F32, shape, loader);
  }

  /** Returns a tensor whose values are little-endian bytes from a place in a file on. */
  static LazyTensor mapped(
      Path file, String name, ElementType type, List<Long> shape, long position) {
    return new LazyTensor(type, shape, () -> values(file, name, type, size(shape), position));
  }

  private static float[] values(Path file, String name, ElementType type, long size, long position)
      throws IOException {
    if (!type.readable() || size > Integer.MAX_VALUE / type.bytes()) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s is %s with %d elements; F32, F16 and BF16 below 2 GB are read",
              file,
              name,
              type,
              size));
    }
    float[] values = new float[(int) size];
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer bytes =
          channel
              .map(FileChannel.MapMode.READ_ONLY, position, size * type.bytes())
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < values.length; i++) {
        values[i] = type.get(bytes, i);
      }
    }
    return values;
  }

  ElementType type() {
    return type;
  }

  /** Returns the extents, outermost first. */
  public List<Long> shape() {
    return shape;
  }

  /**
   * Returns the number of elements.
   *
   * @throws ArithmeticException when that is more than a long holds
   */
  long size() {
    return size(shape);
  }

  static long size(List<Long> shape) {
    return shape.stream().reduce(1L, Math::multiplyExact);
  }

  /** Returns the values in row-major order, read anew at each call. */
  public float[] values() throws IOException {
    return loader.load();
  }

  /**
   * Element type of a checkpoint's tensors, by safetensors' names.
   *
   * <p>Integers are known, so that a file may hold them (old BERTs hold {@code position_ids}); only
   * floating point can be read.
   */
  enum ElementType {
    F64("DoubleStorage", 8),
    F32("FloatStorage", 4),
    F16("HalfStorage", 2),
    BF16("BFloat16Storage", 2),
    I64("LongStorage", 8),
    I32("IntStorage", 4),
    I16("ShortStorage", 2),
    I8("CharStorage", 1),
    U8("ByteStorage", 1),
    BOOL("BoolStorage", 1);

    private final String torchStorage;
    private final int bytes;

    ElementType(String torchStorage, int bytes) {
      this.torchStorage = torchStorage;
      this.bytes = bytes;
    }

    /** Returns the type that safetensors calls by that name. */
    static Optional<ElementType> of(String name) {
      return Arrays.stream(values()).filter(type -> type.name().equals(name)).findFirst();
    }

    /** Returns the type of the elements of {@code torch.<storage>}. */
    static Optional<ElementType> ofTorchStorage(String storage) {
      return Arrays.stream(values()).filter(type -> type.torchStorage.equals(storage)).findFirst();
    }

    /** Returns the bytes of an element. */
    int bytes() {
      return bytes;
    }

    /** Returns whether {@link #get} can give its elements without losing more than float32 must. */
    boolean readable() {
      return this == F32 || this == F16 || this == BF16;
    }

    /** Returns the element at an index of little-endian bytes. */
    float get(ByteBuffer bytes, int index) {
      return switch (this) {
        case F32 -> bytes.getFloat(4 * index);
        case F16 -> Float.float16ToFloat(bytes.getShort(2 * index));
        // bfloat16 is the upper half of a float32.
        case BF16 -> Float.intBitsToFloat(bytes.getShort(2 * index) << 16);
        default -> throw new IllegalStateException(this + " is not read as float");
      };
    }
  }
}
