/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.trainer.checkpoint.LazyTensor;
import java.io.IOException;

/**
 * Features of earlier batches, which contrastive losses compare a batch with too (MoCO, He et al.
 * 2020): (2, N, D), of both sides of the pairs, the newest first.
 */
public final class FeatureQueue {
  private final NDManager manager;
  private final int capacity;
  private NDArray features;

  /** Makes an empty queue of at most {@code capacity} pairs of features of length D. */
  FeatureQueue(NDManager manager, int capacity, int dimension) {
    this.manager = manager;
    this.capacity = capacity;
    this.features = manager.zeros(new Shape(2, 0, dimension));
  }

  /** Returns the features, which stay the queue's: (2, N, D). */
  public NDArray features() {
    return features;
  }

  /**
   * Puts a batch's features before the others; the oldest leave where there are too many.
   *
   * @param owner of the result
   * @param batch (2, B, D)
   * @return (2, B + N, D), all of them before any has left
   */
  public NDArray push(NDManager owner, NDArray batch) {
    // Also takes the batch out of inference mode, whose tensors no backward pass may keep.
    NDArray all = NDArrays.concat(new NDList(batch, features), 1);
    all.attach(owner);
    long length = Math.min(capacity, all.getShape().get(1));
    try (NDArray view = all.get(":, :" + length)) {
      replace(view.duplicate());
    }
    return all;
  }

  private void replace(NDArray newest) {
    newest.attach(manager);
    features.close();
    features = newest;
  }

  /** Returns the features as a checkpoint keeps them. */
  LazyTensor saved() {
    return LazyTensor.computed(AdamW.shape(features), features::toFloatArray);
  }

  /** Continues with what was {@link #saved}. */
  void restore(LazyTensor saved) throws IOException {
    long length = saved.shape().get(1);
    replace(manager.create(saved.values(), new Shape(2, length, features.getShape().get(2))));
  }
}
