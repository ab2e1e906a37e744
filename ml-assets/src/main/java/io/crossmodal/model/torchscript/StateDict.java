/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.Precision;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Tensors by dotted path, such as {@code text.layer0.attention.query.weight}.
 *
 * <p>Looked up by full path and shape, never by position: two projections of one shape exchanged in
 * a positional file would load without a word.
 */
public final class StateDict {
  private final Map<String, ScriptTensor> tensors;

  public StateDict(Map<String, ScriptTensor> tensors) {
    this.tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  /** Every tensor below {@code root}, in the order of the tree. */
  public static StateDict of(ScriptModule root) {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
    root.forEachTensor(tensors::put);
    return new StateDict(tensors);
  }

  /** The same with copies of all values in the heap. */
  public StateDict inHeap() {
    Map<String, ScriptTensor> copies = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) ->
            copies.put(
                name,
                tensor.trainable()
                    ? ScriptTensor.parameter(tensor.values().clone(), tensor.shape())
                    : ScriptTensor.buffer(tensor.values().clone(), tensor.shape())));
    return new StateDict(copies);
  }

  /**
   * Returns the same with matrices and convolutions of values that bfloat16 has, still as 32-bit
   * floats: half of their bits are zero and take no space in a zip. Vectors, such as biases and
   * statistics, stay as they are.
   */
  public StateDict roundedToHalf() {
    StateDict rounded = inHeap();
    for (ScriptTensor tensor : rounded.tensors.values()) {
      float[] values = tensor.values();
      for (int i = 0; i < values.length && tensor.shape().length > 1; i++) {
        values[i] = Float.intBitsToFloat(ScriptArchiveWriter.toBfloat16(values[i]) << 16);
      }
    }
    return rounded;
  }

  /**
   * Returns the same with the values that {@link ScriptArchiveWriter#writeStored} keeps: matrices
   * and convolutions in the narrower type, vectors as they are. Nothing is read here.
   *
   * @param precision FP32 leaves all as it is, else FP16 or BF16
   */
  public StateDict stored(Precision precision) {
    if (precision == Precision.FP32) {
      return this;
    }
    Map<String, ScriptTensor> rounded = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) ->
            rounded.put(name, tensor.shape().length > 1 ? tensor.rounded(precision) : tensor));
    return new StateDict(rounded);
  }

  public Set<String> names() {
    return tensors.keySet();
  }

  public Map<String, ScriptTensor> tensors() {
    return tensors;
  }

  /**
   * The tensor of that name and shape.
   *
   * @throws IllegalArgumentException when there is no such tensor or its shape is another, naming
   *     both
   */
  public ScriptTensor get(String name, long... shape) {
    ScriptTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException("the weights lack " + name);
    }
    if (!Arrays.equals(tensor.shape(), shape)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s must be %s, got %s",
              name,
              Arrays.toString(shape),
              Arrays.toString(tensor.shape())));
    }
    return tensor;
  }

  /** The tensors below {@code prefix + "."}, with that prefix removed. */
  public StateDict below(String prefix) {
    Map<String, ScriptTensor> below = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) -> {
          if (name.startsWith(prefix + ".")) {
            below.put(name.substring(prefix.length() + 1), tensor);
          }
        });
    return new StateDict(below);
  }
}
