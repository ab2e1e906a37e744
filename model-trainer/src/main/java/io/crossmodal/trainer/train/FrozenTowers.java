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
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Towers that a training leaves as they are, in native memory: what they make of pictures and texts
 * is computed before the first step.
 *
 * <p>Of an EfficientNet-Lite the first part, up to its last reduction, makes a picture's features,
 * which is what stays the same when its last blocks learn; of other kinds the whole tower does, and
 * features are the tokens.
 */
public final class FrozenTowers implements AutoCloseable {
  private final TrainableScript script;
  private final ModelConfig config;
  private final SensorConfig sensor;
  private final Precision precision;
  private final StateDict weights;

  /**
   * Loads a model with text.
   *
   * @param weights of the model
   * @param sensor whose tower it is
   * @param precision BF16 for bfloat16 where a training would compute in it
   * @param scratch an existing folder
   */
  public FrozenTowers(
      ModelConfig config, Weights weights, SensorConfig sensor, Precision precision, Path scratch)
      throws IOException {
    this.config = config;
    this.sensor = sensor;
    this.precision = precision;
    ScriptModule model = MtgfeArchitecture.build(config, weights);
    this.weights = StateDict.of(model);
    this.script =
        TrainableScript.evaluating(
            model,
            MtgfeArchitecture.sources(
                config, MtgfeArchitecture.Dropout.NONE, precision, FrozenTowers.class),
            scratch);
    script.freeze(name -> true);
  }

  /** Returns whether features are those of a tower's first part. */
  public static boolean cuts(ImageTowerConfig tower) {
    return tower.kind() == ImageTowerConfig.Kind.EFFICIENTNET_LITE;
  }

  /** Returns a digest of all that a text's tokens depend on but its ids, in hexadecimal. */
  String textDigest() {
    return digest(config.text() + " " + precision, List.of("text."));
  }

  /** Returns H, the width of tokens. */
  int hidden() {
    return config.hidden();
  }

  /** Returns the shape of a picture's features: (2G, 2G, C), or (M, H). */
  List<Integer> shape() {
    ImageTowerConfig tower = config.image();
    if (!cuts(tower)) {
      return List.of(config.towerTokens(sensor), config.hidden());
    }
    int side = 2 * tower.gridSide(sensor.imageSize());
    return List.of(side, side, tower.stages().get(tower.lastReduction() - 1).width());
  }

  /** Returns a digest of all that features depend on but the pictures, in hexadecimal. */
  String digest() {
    String tower = "image_" + sensor.name() + ".";
    List<String> makers =
        cuts(config.image())
            ? Stream.concat(
                    Stream.of("stem."),
                    IntStream.range(0, config.image().lastReduction())
                        .mapToObj(i -> "stage" + i + "."))
                .map(tower::concat)
                .toList()
            : List.of(tower);
    return digest(sensor + " " + precision, makers);
  }

  private String digest(String inputs, List<String> makers) {
    MessageDigest digest = Sha256.digest();
    digest.update(inputs.getBytes(StandardCharsets.UTF_8));
    weights
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (makers.stream().anyMatch(name::startsWith)) {
                float[] values = tensor.values();
                ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * values.length);
                bytes.asFloatBuffer().put(values);
                digest.update(name.getBytes(StandardCharsets.UTF_8));
                digest.update(bytes);
              }
            });
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Returns the features of pictures, one behind the other.
   *
   * @param count B
   * @param pixels of a picture by its number, (C, S, S)
   */
  float[] features(int count, IntFunction<float[]> pixels) {
    int c = sensor.channels();
    int side = sensor.imageSize();
    int each = c * side * side;
    float[] all = new float[count * each];
    IntStream.range(0, count)
        .parallel()
        .forEach(i -> System.arraycopy(pixels.apply(i), 0, all, i * each, each));
    try (NDManager manager = script.manager().newSubManager()) {
      NDArray batch = manager.create(all, new Shape(count, c, side, side));
      String method = cuts(config.image()) ? "image_bottom_" : "encode_image_";
      return run(manager, method + sensor.name(), batch).toFloatArray();
    }
  }

  /**
   * Returns the bi-encoder's embeddings of pictures.
   *
   * @param features of B pictures, one behind the other
   * @return (B, D)
   */
  public float[] imageEmbeddings(float[] features) {
    try (NDManager manager = script.manager().newSubManager()) {
      return run(manager, "filter_image", tokens(manager, features).get(":, 0")).toFloatArray();
    }
  }

  /**
   * Returns the tokens of pictures.
   *
   * @param features of B pictures, one behind the other
   * @return (B, M, H)
   */
  public float[] tokens(float[] features) {
    try (NDManager manager = script.manager().newSubManager()) {
      return tokens(manager, features).toFloatArray();
    }
  }

  private NDArray tokens(NDManager manager, float[] features) {
    int[] shape = shape().stream().mapToInt(Integer::intValue).toArray();
    int count = features.length / Arrays.stream(shape).reduce(1, Math::multiplyExact);
    long[] all =
        IntStream.concat(IntStream.of(count), Arrays.stream(shape)).asLongStream().toArray();
    NDArray given = manager.create(features, new Shape(all));
    return cuts(config.image()) ? run(manager, "encode_image_from_" + sensor.name(), given) : given;
  }

  /**
   * Returns the tokens of texts.
   *
   * @param ids (B, N), row by row
   * @param mask (B, N), 1 for a token
   * @param count B
   * @return (B, N, H)
   */
  float[] textTokens(long[] ids, float[] mask, int count) {
    Shape shape = new Shape(count, ids.length / count);
    try (NDManager manager = script.manager().newSubManager()) {
      return run(manager, "encode_text", manager.create(ids, shape), manager.create(mask, shape))
          .toFloatArray();
    }
  }

  /**
   * Returns the bi-encoder's embeddings of texts.
   *
   * @param classTokens (B, H), row by row
   * @return (B, D)
   */
  float[] textEmbeddings(float[] classTokens) {
    int h = config.hidden();
    try (NDManager manager = script.manager().newSubManager()) {
      NDArray rows = manager.create(classTokens, new Shape(classTokens.length / h, h));
      return run(manager, "filter_text", rows).toFloatArray();
    }
  }

  private NDArray run(NDManager manager, String method, NDArray... inputs) {
    IValue[] arguments =
        Arrays.stream(inputs).map(input -> IValue.from((PtNDArray) input)).toArray(IValue[]::new);
    try (IValue result = IValueUtils.runMethod(script.block(), method, arguments)) {
      return result.toTensor((PtNDManager) manager);
    } finally {
      Arrays.stream(arguments).forEach(IValue::close);
    }
  }

  @Override
  public void close() {
    script.close();
  }
}
