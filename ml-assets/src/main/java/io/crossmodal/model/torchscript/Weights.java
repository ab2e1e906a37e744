/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/** Source of an architecture's tensors. */
@FunctionalInterface
public interface Weights {
  /**
   * Initial values of a tensor.
   *
   * @param mean mean of a normal distribution, or the constant
   * @param deviation standard deviation; 0 for a constant
   * @param trainable false for a buffer
   */
  record Init(double mean, double deviation, boolean trainable) {
    public static Init normal(double deviation) {
      return new Init(0, deviation, true);
    }

    public static Init constant(double value) {
      return new Init(value, 0, true);
    }

    public static Init buffer(double value) {
      return new Init(value, 0, false);
    }
  }

  /**
   * The tensor of a name.
   *
   * @param name dotted path
   * @param init how the tensor starts when it is made anew
   * @throws IllegalArgumentException when the tensor is missing or has another shape
   */
  ScriptTensor get(String name, Init init, long... shape);

  /** Returns these weights for a module that stands below {@code prefix} in a larger one. */
  default Weights below(String prefix) {
    return (name, init, shape) -> get(prefix + "." + name, init, shape);
  }

  /**
   * Fresh values. Each tensor's depend on the seed and its name alone, so adding a layer changes no
   * other tensor.
   */
  static Weights random(long seed) {
    return (name, init, shape) -> {
      long size = Arrays.stream(shape).reduce(1, Math::multiplyExact);
      float[] values = new float[Math.toIntExact(size)];
      RandomGenerator random = new SplittableRandom(seed * 0x9E3779B97F4A7C15L + name.hashCode());
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (init.mean() + init.deviation() * random.nextGaussian());
      }
      return init.trainable()
          ? ScriptTensor.parameter(values, shape)
          : ScriptTensor.buffer(values, shape);
    };
  }

  /** Names and shapes alone: whoever asks for values gets an {@link IllegalStateException}. */
  Weights SHAPES =
      (name, init, shape) ->
          ScriptTensor.of(
              (from, into) -> {
                throw new IllegalStateException(name + " has a shape and no values");
              },
              init.trainable(),
              shape);

  /** The tensors of {@code state}; a missing one or another shape is an error. */
  static Weights of(StateDict state) {
    return (name, init, shape) -> state.get(name, shape);
  }

  /**
   * Builds with the tensors of {@code state} and insists that none is left over.
   *
   * @throws IllegalArgumentException naming what is missing, of another shape, or left over
   */
  static ScriptModule buildExactly(StateDict state, Function<Weights, ScriptModule> architecture) {
    Set<String> left = new HashSet<>(state.names());
    Weights weights =
        (name, init, shape) -> {
          left.remove(name);
          return state.get(name, shape);
        };
    ScriptModule root = architecture.apply(weights);
    if (!left.isEmpty()) {
      throw new IllegalArgumentException("the weights hold tensors that the model lacks: " + left);
    }
    return root;
  }
}
