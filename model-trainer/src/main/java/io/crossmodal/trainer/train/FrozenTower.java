/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** The part of a model's image tower that a training leaves as it is, in native memory. */
public final class FrozenTower implements AutoCloseable {
  private final TrainableScript script;
  private final ModelConfig config;
  private final SensorConfig sensor;

  /**
   * Loads a model.
   *
   * @param weights of the model
   * @param sensor whose tower it is
   * @param precision BF16 for bfloat16 where a training would compute in it
   * @param scratch an existing folder
   * @throws IllegalArgumentException when the tower is of a kind that cannot be cut
   */
  public FrozenTower(
      ModelConfig config, Weights weights, SensorConfig sensor, Precision precision, Path scratch)
      throws IOException {
    if (config.image().kind() != ImageTowerConfig.Kind.EFFICIENTNET_LITE) {
      throw new IllegalArgumentException(
          "features are kept of image towers of kind "
              + ImageTowerConfig.Kind.EFFICIENTNET_LITE
              + ", this one is "
              + config.image().kind()
              + "; give feature_views 0");
    }
    this.config = config;
    this.sensor = sensor;
    this.script =
        TrainableScript.evaluating(
            MtgfeArchitecture.build(config, weights),
            MtgfeArchitecture.sources(
                config, MtgfeArchitecture.Dropout.NONE, precision, FrozenTower.class),
            scratch);
    // Off the graph, which nobody needs.
    script.parameters().values().forEach(parameter -> parameter.setRequiresGradient(false));
  }

  /** Returns the shape of a picture's features, (2G, 2G, C). */
  public List<Integer> shape() {
    ImageTowerConfig tower = config.image();
    int side = 2 * tower.gridSide(sensor.imageSize());
    return List.of(side, side, tower.stages().get(tower.lastReduction() - 1).width());
  }

  /**
   * Returns the features of pictures, one behind the other.
   *
   * @param pixels of a picture by its number, (C, S, S)
   * @param count B
   * @return (B, 2G, 2G, C)
   */
  public float[] features(int count, IntFunction<float[]> pixels) {
    int c = sensor.channels();
    int side = sensor.imageSize();
    int each = c * side * side;
    float[] all = new float[count * each];
    IntStream.range(0, count)
        .parallel()
        .forEach(i -> System.arraycopy(pixels.apply(i), 0, all, i * each, each));
    try (NDManager manager = script.manager().newSubManager();
        NDArray batch = manager.create(all, new Shape(count, c, side, side));
        IValue input = IValue.from((PtNDArray) batch);
        IValue result =
            IValueUtils.runMethod(script.block(), "image_bottom_" + sensor.name(), input)) {
      return result.toTensor((PtNDManager) manager).toFloatArray();
    }
  }

  @Override
  public void close() {
    script.close();
  }
}
