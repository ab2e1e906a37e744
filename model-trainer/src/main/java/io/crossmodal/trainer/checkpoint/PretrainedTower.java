/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/** The weights of a published image tower, which towers of any sensors may start from. */
public final class PretrainedTower {
  private final Checkpoint checkpoint;
  private final String sha256;

  private PretrainedTower(Checkpoint checkpoint, String sha256) {
    this.checkpoint = checkpoint;
    this.sha256 = sha256;
  }

  /**
   * Opens a checkpoint.
   *
   * @param file of an EfficientNet-Lite, by lukemelas' or timm's names
   * @throws CheckpointException when it is no such checkpoint
   */
  public static PretrainedTower open(Path file) throws IOException {
    PretrainedTower tower = new PretrainedTower(Checkpoint.open(file), hash(file));
    if (!EfficientNetMapping.knows(tower.consumer())) {
      tower.consumer().requireKind(EfficientNetMapping.ROLE, "_conv_stem.weight");
    }
    return tower;
  }

  private static String hash(Path file) throws IOException {
    MessageDigest digest = Sha256.digest();
    try (InputStream in = new DigestInputStream(Files.newInputStream(file), digest)) {
      in.transferTo(OutputStream.nullOutputStream());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Returns the hash of the file, in hexadecimal digits. */
  public String sha256() {
    return sha256;
  }

  private TensorConsumer consumer() {
    return new TensorConsumer(checkpoint);
  }

  /**
   * Returns the values for the tower of each sensor by their names, which begin with {@code
   * model.image_}; the first convolution is adapted to the sensor's channels.
   *
   * @throws CheckpointException listing what of the checkpoint does not fit the towers
   */
  public Map<String, float[]> values(ModelConfig config) throws IOException {
    Map<String, float[]> values = new HashMap<>();
    for (SensorConfig sensor : config.sensors()) {
      TensorConsumer tensors = consumer();
      EfficientNetMapping.map(config, sensor, tensors);
      for (Map.Entry<String, LazyTensor> taken : tensors.taken().entrySet()) {
        values.put(taken.getKey(), taken.getValue().values());
      }
    }
    return values;
  }

  /**
   * Returns weights with given values.
   *
   * @param values by name, as {@link #values} gives them
   * @param fresh gives all else
   */
  public static Weights start(Map<String, float[]> values, Weights fresh) {
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
