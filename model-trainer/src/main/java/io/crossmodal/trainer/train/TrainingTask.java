/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import io.crossmodal.model.torchscript.ScriptModule;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;

/**
 * Task of a training: a TorchScript module of a model and its losses, and the meaning of a batch.
 * {@link TrainingModule} takes its steps, {@link TrainingLoop} all of them.
 *
 * @param <B> a batch
 */
public interface TrainingTask<B> extends AutoCloseable {
  /** Returns the module with the weights to start from. */
  ScriptModule root();

  /** Returns the module's sources by name. */
  Map<String, String> sources();

  /**
   * Settings that do not depend on the batch.
   *
   * @param losses names of the losses, in the order in which the module gives them behind the total
   * @param seed of the run
   * @param optimiser what of it does not change from step to step
   * @param learningRate at a step, from 0
   */
  record Settings(
      List<String> losses, long seed, AdamW.Settings optimiser, IntToDoubleFunction learningRate) {}

  /** Returns what does not depend on the batch. */
  Settings settings();

  /**
   * Returns whether a loss trains this parameter; without a gradient its weights would only decay.
   */
  default boolean trains(String parameter) {
    return true;
  }

  /** Returns by what the learning rate is multiplied for a parameter that is trained. */
  default double rateFactor(String parameter) {
    return 1;
  }

  /**
   * Returns the parameters that have no gradient at first.
   *
   * @param trained names of all that are trained
   */
  default AdamW.Delayed delayed(List<String> trained) {
    return AdamW.Delayed.NONE;
  }

  /** Returns live tensors for the moving averages, by name; those that are absent are made. */
  default Map<String, NDArray> averages() {
    return Map.of();
  }

  /** Returns how many earlier features are kept, and their length, where a loss asks for them. */
  default QueueShape queue() {
    return QueueShape.NONE;
  }

  /**
   * The shape of a {@link FeatureQueue}.
   *
   * @param used whether there is one
   * @param capacity most pairs of features in it
   * @param dimension D, length of a feature
   */
  record QueueShape(boolean used, int capacity, int dimension) {
    /** No queue, for a model of features of length 1. */
    public static final QueueShape NONE = new QueueShape(false, 0, 1);
  }

  /**
   * A forward pass.
   *
   * @param method of the module; its first output begins with the loss
   * @param inputs its arguments
   */
  record Call(String method, NDList inputs) {}

  /**
   * Returns the forward pass of a batch.
   *
   * @param manager of its inputs
   * @param step from 0
   * @param queue of earlier features; empty where {@link #queue} says none
   */
  Call forward(NDManager manager, B batch, int step, FeatureQueue queue);

  /** Is told what the module gave for a batch, its losses first. */
  default void afterForward(NDManager manager, NDList outputs, FeatureQueue queue) {}

  /** Closes what the task owns in native memory. */
  @Override
  default void close() {}
}
