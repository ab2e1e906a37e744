/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The weights of a published image tower, which towers of any sensors may start from. */
public final class PretrainedTower {
  private final Checkpoint checkpoint;

  private PretrainedTower(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
  }

  /**
   * Opens a checkpoint.
   *
   * @param file of an EfficientNet-Lite, by lukemelas' or timm's names
   * @throws CheckpointException when it is no such checkpoint
   */
  public static PretrainedTower open(Path file) throws IOException {
    PretrainedTower tower = new PretrainedTower(Checkpoint.open(file));
    if (!EfficientNetMapping.knows(tower.consumer())) {
      tower.consumer().requireKind(EfficientNetMapping.ROLE, "_conv_stem.weight");
    }
    return tower;
  }

  private TensorConsumer consumer() {
    return new TensorConsumer(checkpoint);
  }

  /**
   * Returns weights in which the tower of each sensor is the checkpoint's, its first convolution
   * adapted to the sensor's channels.
   *
   * @param fresh gives all else
   * @throws CheckpointException listing what of the checkpoint does not fit the towers
   */
  public Weights start(ModelConfig config, Weights fresh) throws IOException {
    Map<String, float[]> values = new HashMap<>();
    for (SensorConfig sensor : config.sensors()) {
      TensorConsumer tensors = consumer();
      EfficientNetMapping.map(config, sensor, tensors);
      for (Map.Entry<String, LazyTensor> taken : tensors.taken().entrySet()) {
        values.put(taken.getKey(), taken.getValue().values());
      }
    }
    return (name, init, shape) -> {
      float[] found = values.get(name);
      if (found == null) {
        return fresh.get(name, init, shape);
      }
      if (found.length != Arrays.stream(shape).reduce(1, Math::multiplyExact)) {
        throw new IllegalStateException(name + " has another shape than it was mapped to");
      }
      return init.trainable()
          ? ScriptTensor.parameter(found, shape)
          : ScriptTensor.buffer(found, shape);
    };
  }
}
