/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;

/** Checkpoints of EfficientNet-Lite0 with random values. */
final class EfficientNets {
  private EfficientNets() {}

  /** By lukemelas' names. */
  static Tensors lite0(long seed) {
    ImageTowerConfig net = ImageTowerConfig.efficientNetLite0();
    Tensors tensors = new Tensors(seed);
    int in = net.stems().get(0);
    convolution(tensors, "_conv_stem", "_bn0", in, 3, 3, 3);
    for (int i = 0; i < net.stages().size(); i++) {
      ImageTowerConfig.Stage block = net.stages().get(i);
      String path = "_blocks." + i + ".";
      int inner = in * block.expansion();
      if (block.expansion() > 1) {
        convolution(tensors, path + "_expand_conv", path + "_bn0", inner, in, 1, 1);
      }
      int k = block.kernel();
      convolution(tensors, path + "_depthwise_conv", path + "_bn1", inner, 1, k, k);
      convolution(tensors, path + "_project_conv", path + "_bn2", block.width(), inner, 1, 1);
      in = block.width();
    }
    convolution(tensors, "_conv_head", "_bn1", net.head(), in, 1, 1);
    return tensors;
  }

  /** A convolution and its batch norm, a ResNet's too. */
  static void convolution(Tensors tensors, String name, String norm, long... shape) {
    double fan = shape[1] * shape[2] * shape[3];
    tensors.add(name + ".weight", 0, Math.sqrt(2 / fan), shape);
    tensors.add(norm + ".weight", 1, 0.2, shape[0]);
    tensors.add(norm + ".bias", 0, 0.2, shape[0]);
    tensors.add(norm + ".running_mean", 0, 0.2, shape[0]);
    tensors.add(norm + ".running_var", 1, 0.1, shape[0]);
    tensors.add(norm + ".num_batches_tracked", 0, 0);
  }
}
