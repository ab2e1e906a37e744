/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ImageTowerConfig.Stage;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/**
 * A ResNet of bottleneck blocks (He et al. 2016, section 4.1) by the names that torchvision and
 * timm share. Its stride lies in the 3x3 convolution of a block, as theirs does.
 */
final class ResNetMapping {
  static final String ROLE = "ResNet";

  /** A network's first block; the first convolution has a name that every block has too. */
  static final String FIRST_BLOCK = "layer1.0.conv1.weight";

  private static final Pattern IGNORABLE = Pattern.compile("fc\\..*|.*\\.num_batches_tracked");

  private final ModelConfig config;
  private final SensorConfig sensor;
  private final TensorConsumer tensors;
  private final String tower;

  private ResNetMapping(ModelConfig config, TensorConsumer tensors) {
    this.config = config;
    this.sensor = config.sensors().get(0);
    this.tensors = tensors;
    this.tower = "model.image_" + sensor.name();
  }

  /** Returns the names of the blocks in order. */
  private static List<String> blocks(TensorConsumer tensors) {
    List<String> blocks = new ArrayList<>();
    for (int layer = 1; layer < tensors.layers("layer"); layer++) {
      for (int i = 0; i < tensors.layers("layer" + layer + "."); i++) {
        blocks.add("layer" + layer + "." + i);
      }
    }
    return blocks;
  }

  /**
   * Returns the shape of a network.
   *
   * @throws CheckpointException when its blocks are no bottlenecks
   */
  static ImageTowerConfig tower(TensorConsumer tensors) throws CheckpointException {
    if (!tensors.has("layer1.0.conv3.weight")) {
      throw new CheckpointException(
          tensors.file()
              + " is a ResNet of basic blocks, such as ResNet-18 and 34; it must be one of"
              + " bottleneck blocks: take ResNet-50, 101 or 152");
    }
    List<Stage> stages = new ArrayList<>();
    for (String block : blocks(tensors)) {
      boolean halves = block.endsWith(".0") && !block.startsWith("layer1.");
      stages.add(new Stage(tensors.extent(block + ".conv3.weight", 0, 4), halves ? 2 : 1));
    }
    return ImageTowerConfig.resnet(tensors.extent("conv1.weight", 0, 1), stages);
  }

  /**
   * Maps a whole checkpoint.
   *
   * @throws CheckpointException listing what is missing, of another shape or unknown
   */
  static InitialModel.ImportReport.Source map(ModelConfig config, TensorConsumer tensors)
      throws CheckpointException {
    new ResNetMapping(config, tensors).map();
    return tensors.finish(ROLE, name -> IGNORABLE.matcher(name).matches());
  }

  private void map() {
    ImageTowerConfig image = config.image();
    int width = image.stems().get(0);
    convolution("stem0", "conv1", "bn1", sensor.channels(), width, 7);
    List<String> blocks = blocks(tensors);
    for (int i = 0; i < image.stages().size(); i++) {
      String target = "stage" + i + ".";
      String block = blocks.get(i) + ".";
      int out = image.stages().get(i).width();
      int inner = out / 4;
      convolution(target + "first", block + "conv1", block + "bn1", width, inner, 1);
      convolution(target + "second", block + "conv2", block + "bn2", inner, inner, 3);
      convolution(target + "third", block + "conv3", block + "bn3", inner, out, 1);
      if (image.projects(i)) {
        String shortcut = block + "downsample.";
        convolution(target + "shortcut", shortcut + "0", shortcut + "1", width, out, 1);
      }
      width = out;
    }
  }

  private void convolution(String target, String source, String norm, int in, int out, int kernel) {
    String path = tower + "." + target;
    tensors.copy(path + ".weight", source + ".weight", out, in, kernel, kernel);
    for (String part : List.of("weight", "bias", "running_mean", "running_var")) {
      tensors.copy(path + ".norm." + part, norm + "." + part, out);
    }
  }
}
