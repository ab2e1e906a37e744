/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.protocol;

import io.crossmodal.model.Messages;
import io.crossmodal.model.tokens.Tokens;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * A named tensor, row-major and little-endian, as the protocol's binary data extension has it.
 *
 * @param data in one buffer or several, each from its position to its limit, so that what lies in
 *     an index is sent from where it lies
 */
@SuppressWarnings("ArrayRecordComponent") // read once, never compared
public record Tensor(String name, Type type, long[] shape, List<ByteBuffer> data) {
  /** The protocol's data types that our operations use. */
  public enum Type {
    UINT8(1),
    INT32(4),
    FP32(4);

    private final int bytes;

    Type(int bytes) {
      this.bytes = bytes;
    }

    /** Returns the bytes of a value. */
    public int bytes() {
      return bytes;
    }
  }

  public Tensor {
    data = List.copyOf(data);
  }

  /** Returns a tensor of floats. */
  public static Tensor of(String name, float[] values, long... shape) {
    ByteBuffer data = buffer(values.length * (long) Float.BYTES);
    data.asFloatBuffer().put(values);
    return new Tensor(name, Type.FP32, shape, List.of(data));
  }

  /** Returns a tensor of integers. */
  public static Tensor of(String name, int[] values, long... shape) {
    ByteBuffer data = buffer(values.length * (long) Integer.BYTES);
    data.asIntBuffer().put(values);
    return new Tensor(name, Type.INT32, shape, List.of(data));
  }

  /**
   * Returns a tensor (B, N, H) of tokens, zeros behind an item's end.
   *
   * @param n tokens of the longest, at least
   */
  static Tensor of(String name, List<? extends Tokens> blocks, int n) {
    int h = blocks.get(0).hidden();
    List<ByteBuffer> data = new ArrayList<>();
    for (Tokens block : blocks) {
      ByteBuffer one = Tensor.buffer(Float.BYTES * (long) n * h);
      block.writeTo(one.asFloatBuffer());
      data.add(one);
    }
    return new Tensor(name, Type.FP32, new long[] {blocks.size(), n, h}, data);
  }

  static ByteBuffer buffer(long bytes) {
    return ByteBuffer.allocate(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Returns how many bytes the data has. */
  public long length() {
    return data.stream().mapToLong(ByteBuffer::remaining).sum();
  }

  /**
   * Returns the extent of an axis.
   *
   * @throws IllegalArgumentException unless the tensor has that many axes
   */
  int extent(int axis, int axes) {
    if (shape.length != axes) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "tensor [%s] must have %d axes, got the shape %s",
              name,
              axes,
              Arrays.toString(shape)));
    }
    if (shape[axis] > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "tensor [" + name + "] is too large: " + Arrays.toString(shape));
    }
    return (int) shape[axis];
  }

  /**
   * Returns the values of floats.
   *
   * @throws IllegalArgumentException when it holds others
   */
  public float[] floats() {
    float[] values = new float[bytesOf(Type.FP32) / Float.BYTES];
    whole().asFloatBuffer().get(values);
    return values;
  }

  /**
   * Returns the values of integers.
   *
   * @throws IllegalArgumentException when it holds others
   */
  public int[] ints() {
    int[] values = new int[bytesOf(Type.INT32) / Integer.BYTES];
    whole().asIntBuffer().get(values);
    return values;
  }

  /** Returns the data in one buffer, which is the tensor's own where it has one. */
  ByteBuffer whole() {
    if (data.size() == 1) {
      return data.get(0).duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }
    ByteBuffer all = buffer(length());
    data.forEach(part -> all.put(part.duplicate()));
    return all.flip();
  }

  /**
   * Returns a type by its name.
   *
   * @throws IllegalArgumentException for one that no operation uses
   */
  static Type type(String tensor, String name) {
    for (Type type : Type.values()) {
      if (type.name().equals(name)) {
        return type;
      }
    }
    throw new IllegalArgumentException(
        "the datatype of tensor ["
            + Messages.excerpt(tensor)
            + "] must be one of "
            + Arrays.toString(Type.values())
            + ", got ["
            + Messages.excerpt(name)
            + "]");
  }

  private int bytesOf(Type wanted) {
    if (type != wanted) {
      throw new IllegalArgumentException(
          "tensor [" + name + "] must be of type " + wanted + ", got " + type);
    }
    return Math.toIntExact(length());
  }
}
