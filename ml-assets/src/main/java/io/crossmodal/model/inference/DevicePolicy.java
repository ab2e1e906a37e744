/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference;

import ai.djl.Device;
import java.util.List;
import java.util.stream.IntStream;

/** Choice of the devices on which a node computes. */
public enum DevicePolicy {
  /** On all GPUs that the engine finds, else on the CPU. */
  AUTO,
  /** On the CPU, whatever else there is. */
  CPU,
  /** On a GPU; a node without one serves no model and says so. */
  GPU;

  /**
   * Returns the devices that each hold a copy of a model.
   *
   * @param gpus that the engine has found
   * @throws InferenceException.ModelUnavailable when a GPU is required and there is none
   */
  public List<Device> choose(int gpus) {
    if (this == GPU && gpus == 0) {
      throw new InferenceException.ModelUnavailable(
          "[plugins.cross_modal.device] is gpu, but the PyTorch library of this node finds no GPU:"
              + " start the node with a CUDA build of it (PYTORCH_LIBRARY_PATH, PYTORCH_VERSION,"
              + " PYTORCH_FLAVOR), or set auto or cpu",
          null);
    }
    return this == CPU || gpus == 0
        ? List.of(Device.cpu())
        : IntStream.range(0, gpus).mapToObj(Device::gpu).toList();
  }
}
