/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * Turns a {@link ModelConfig} into the object tree and the sources of an archive.
 *
 * <p>Every tensor is asked for by its dotted path and shape from a {@link Weights}: a seeded
 * initialisation, or a {@link StateDict} that must hold exactly these tensors.
 */
public final class MtgfeArchitecture {
  private static final List<String> MODULES = List.of("nn", "text", "image", "fusion", "mtgfe");
  private static final List<String> WITHOUT_TEXT = List.of("nn", "image", "sensors");

  private final ModelConfig config;
  private final Weights weights;

  private MtgfeArchitecture(ModelConfig config, Weights weights) {
    this.config = config;
    this.weights = weights;
  }

  /**
   * The root of an inference archive, of TorchScript class {@code mtgfe.Mtgfe}; of {@code
   * sensors.Sensors} where the model has no text.
   */
  public static ScriptModule build(ModelConfig config, Weights weights) {
    MtgfeArchitecture architecture = new MtgfeArchitecture(config, weights);
    return config.hasText() ? architecture.mtgfe() : architecture.sensors();
  }

  /** The sources of an inference archive by module name. */
  public static Map<String, String> sources(ModelConfig config) {
    return modelSources(config, ranges(config, 0, Precision.FP32));
  }

  private static Map<String, String> modelSources(
      ModelConfig config, Map<String, List<String>> ranges) {
    Map<String, String> sources = new LinkedHashMap<>();
    String tower =
        config.image().kind() == ImageTowerConfig.Kind.VISION_TRANSFORMER
            ? "VisionTransformer"
            : "ConvolutionalTower";
    for (String module : config.hasText() ? MODULES : WITHOUT_TEXT) {
      String source = ScriptSources.resource(MtgfeArchitecture.class, module);
      sources.put(
          module,
          ScriptSources.unroll(source, ranges)
              .replace("IMAGE_TOWER", tower)
              .replace("layer_last", "layer" + (config.fusionLayers() - 1))
              .replace("layer_drawn", "layer" + (config.fusionLayers() - 2)));
    }
    return sources;
  }

  /**
   * The sources of an archive that wraps the model, such as the trainer's: the model's own and the
   * {@code names} that lie beside {@code anchor}, in which the same repeated lines may stand.
   */
  public static Map<String, String> sources(ModelConfig config, Class<?> anchor, String... names) {
    return sources(config, 0, Precision.FP32, anchor, names);
  }

  /**
   * The same for training.
   *
   * @param dropout share of the embedded inputs of text and vision transformer, and of the channels
   *     that leave a convolutional tower, which every call drops
   * @param precision BF16 for mixed precision (Micikevicius et al. 2018): linear layers, and
   *     convolutional towers up to their tokens, in bfloat16, whose range needs no scaling of the
   *     loss; weights, statistics, the rest and gradients of the weights in fp32
   */
  public static Map<String, String> sources(
      ModelConfig config, double dropout, Precision precision, Class<?> anchor, String... names) {
    Map<String, List<String>> ranges = ranges(config, dropout, precision);
    Map<String, String> sources = modelSources(config, ranges);
    for (String name : names) {
      sources.put(name, ScriptSources.unroll(ScriptSources.resource(anchor, name), ranges));
    }
    return sources;
  }

  /** {@code mtgfe.FilterMlp}, section 3.4: consistent with the ITM head, H wide inside. */
  public static ScriptModule filterMlp(ModelConfig config, Weights weights, String path) {
    int h = config.hidden();
    return new ScriptModule("mtgfe.FilterMlp")
        .with("fc1", Layers.linear(weights, path + ".fc1", 2 * h, h))
        .with("norm1", Layers.batchNorm(weights, path + ".norm1", h))
        .with("fc2", Layers.linear(weights, path + ".fc2", h, h))
        .with("norm2", Layers.batchNorm(weights, path + ".norm2", h))
        .with("fc3", Layers.linear(weights, path + ".fc3", h, 2));
  }

  /** {@code mtgfe.Filter}: the two projections and the temperature. */
  public static ScriptModule filter(ModelConfig config, Weights weights, String path) {
    int d = config.filterDimension();
    return new ScriptModule("mtgfe.Filter")
        .with("text", Layers.linear(weights, path + ".text", config.hidden(), d))
        .with("image", Layers.linear(weights, path + ".image", config.hidden(), d))
        // CLIP's temperature of 0.07 at the start.
        .with("log_scale", weights.get(path + ".log_scale", Init.constant(Math.log(1 / 0.07)), 1));
  }

  private static Map<String, List<String>> ranges(
      ModelConfig config, double dropout, Precision precision) {
    ImageTowerConfig image = config.image();
    List<String> sensors = config.sensors().stream().map(SensorConfig::name).toList();
    List<String> drops = dropout > 0 ? List.of(Double.toString(dropout)) : List.of();
    List<String> stages = upTo(image.stages().size());
    boolean resnet = image.kind() == ImageTowerConfig.Kind.RESNET;
    List<String> blocks = image.hasShortcuts() ? stages : List.of();
    List<String> bottlenecks = resnet ? stages : List.of();
    Map<String, List<String>> ranges = new HashMap<>();
    ranges.put("IMAGE_LAYERS", upTo(image.layers()));
    ranges.put("IMAGE_STEMS", upTo(image.stems().size()));
    ranges.put("IMAGE_STAGES", stages);
    ranges.put("STRIDED_STAGES", image.hasShortcuts() || resnet ? List.of() : stages);
    ranges.put("RESIDUAL_STAGES", projecting(image, blocks, false));
    ranges.put("REDUCING_STAGES", projecting(image, blocks, true));
    ranges.put("BOTTLENECKS", projecting(image, bottlenecks, false));
    ranges.put("REDUCING_BOTTLENECKS", projecting(image, bottlenecks, true));
    ranges.put("RESNET", once(resnet));
    ranges.put("MEAN_POOLING", once(!image.hasCells()));
    ranges.put("GRID_POOLING", once(image.hasCells()));
    ranges.put("SHORTCUTS", once(image.hasShortcuts()));
    ranges.put("DROPOUT", drops);
    ranges.put("WHOLE", once(precision == Precision.FP32));
    ranges.put("MIXED", once(precision == Precision.BF16));
    ranges.put("SENSORS", sensors);
    if (config.hasText()) {
      ranges.put("TEXT_LAYERS", upTo(config.text().layers()));
      ranges.put("BERT", once(!config.text().isMean()));
      ranges.put("MEAN", once(config.text().isMean()));
      int fusion = config.fusionLayers();
      ranges.put("FUSION_LAYERS", upTo(fusion));
      ranges.put("FUSION_LAYERS_BETWEEN", upTo(fusion - 1).subList(1, fusion - 1));
      ranges.put("FUSION_LAYERS_BUT_TWO", upTo(fusion - 2));
      ranges.put("FILTER_MLP", once(config.filterMlp()));
    }
    return ranges;
  }

  private static List<String> projecting(
      ImageTowerConfig image, List<String> stages, boolean projects) {
    return stages.stream()
        .filter(stage -> image.projects(Integer.parseInt(stage)) == projects)
        .toList();
  }

  /** For a block of lines that is there or not. */
  private static List<String> once(boolean present) {
    return present ? List.of("x") : List.of();
  }

  private static List<String> upTo(int count) {
    return IntStream.range(0, count).mapToObj(Integer::toString).toList();
  }

  private ScriptModule mtgfe() {
    ScriptModule root = new ScriptModule("mtgfe.Mtgfe").with("text", textTower("text"));
    imageTowers(root);
    root.with("fusion", fusion("fusion"))
        .with("itm", linear("itm", config.hidden(), 2))
        .with("filter", filter(config, weights, "filter"));
    return config.filterMlp() ? root.with("mlp", filterMlp(config, weights, "mlp")) : root;
  }

  /** Tensors have the names that they have in {@link #mtgfe}. */
  private ScriptModule sensors() {
    ScriptModule root = new ScriptModule("sensors.Sensors");
    imageTowers(root);
    return root.with(
        "filter",
        new ScriptModule("sensors.Projection")
            .with("image", linear("filter.image", config.hidden(), config.filterDimension())));
  }

  private void imageTowers(ScriptModule root) {
    for (SensorConfig sensor : config.sensors()) {
      String name = "image_" + sensor.name();
      root.with(name, imageTower(name, sensor));
    }
  }

  private ScriptModule textTower(String path) {
    int h = config.hidden();
    boolean mean = config.text().isMean();
    // Layers that start near the identity: the mean of the words is what training starts from.
    double residual = mean ? 1 / Math.sqrt(6.0 * config.text().layers()) : 0;
    Init word = Init.normal(mean ? 0.05 : 0.02);
    ScriptModule tower =
        new ScriptModule("text.TextTower")
            .with("word", weights.get(path + ".word", word, config.text().vocabularySize(), h))
            .with(
                "position",
                weights.get(path + ".position", Init.normal(0.02), config.text().maxTokens(), h))
            .with("norm", layerNorm(path + ".norm"));
    layers(
        tower,
        path,
        config.text().layers(),
        layer ->
            new ScriptModule("text.TextLayer")
                .with("attention", attention(layer + ".attention", residual))
                .with("norm1", layerNorm(layer + ".norm1"))
                .with("feed_forward", feedForward(layer + ".feed_forward", residual))
                .with("norm2", layerNorm(layer + ".norm2")));
    return mean ? tower.with("last", layerNorm(path + ".last")) : tower;
  }

  private ScriptModule imageTower(String path, SensorConfig sensor) {
    return config.image().kind() == ImageTowerConfig.Kind.VISION_TRANSFORMER
        ? visionTransformer(path, sensor)
        : convolutionalTower(path, sensor);
  }

  private ScriptModule visionTransformer(String path, SensorConfig sensor) {
    int h = config.hidden();
    int p = config.image().patch();
    ScriptModule tower =
        new ScriptModule("image.VisionTransformer")
            .with("patch", p)
            .with(
                "patch_weight",
                weights.get(path + ".patch_weight", Init.normal(0.02), h, sensor.channels(), p, p))
            .with("patch_bias", weights.get(path + ".patch_bias", Init.constant(0), h))
            .with("cls", weights.get(path + ".cls", Init.normal(0.02), 1, 1, h))
            .with(
                "position",
                weights.get(
                    path + ".position", Init.normal(0.02), 1, config.imageTokens(sensor), h));
    layers(
        tower,
        path,
        config.image().layers(),
        layer ->
            new ScriptModule("image.VisionLayer")
                .with("norm1", imageLayerNorm(layer + ".norm1"))
                .with("attention", attention(layer + ".attention"))
                .with("norm2", imageLayerNorm(layer + ".norm2"))
                .with("feed_forward", feedForward(layer + ".feed_forward")));
    return tower.with("norm", imageLayerNorm(path + ".norm"));
  }

  private ScriptModule convolutionalTower(String path, SensorConfig sensor) {
    ImageTowerConfig image = config.image();
    ScriptModule tower = new ScriptModule("image.ConvolutionalTower");
    int width = sensor.channels();
    int kernel = image.kind() == ImageTowerConfig.Kind.RESNET ? 7 : 3;
    List<Integer> stems = image.stems();
    for (int i = 0; i < stems.size(); i++) {
      tower.with("stem" + i, convolution(path + ".stem" + i, width, stems.get(i), 2, kernel, 1));
      width = stems.get(i);
    }
    List<ImageTowerConfig.Stage> stages = image.stages();
    for (int i = 0; i < stages.size(); i++) {
      tower.with("stage" + i, stage(path + ".stage" + i, width, i));
      width = stages.get(i).width();
    }
    int grid = config.imageTokens(sensor) - 1;
    int cells = image.cells(sensor.imageSize());
    if (image.hasCells()) {
      tower.with("cells", cells);
    }
    return tower
        .with("project", linear(path + ".project", width, config.hidden()))
        .with("pool", linear(path + ".pool", width * cells * cells, config.hidden()))
        .with(
            "position",
            weights.get(path + ".position", Init.normal(0.02), 1, grid, config.hidden()))
        .with("norm", imageLayerNorm(path + ".norm"));
  }

  private ScriptModule stage(String path, int in, int number) {
    ImageTowerConfig image = config.image();
    ImageTowerConfig.Stage stage = image.stages().get(number);
    if (image.kind() == ImageTowerConfig.Kind.RESNET) {
      return bottleneck(path, in, stage, image.projects(number));
    }
    return image.hasShortcuts()
        ? block(path, in, stage, image.projects(number))
        : stage(path, in, stage);
  }

  private ScriptModule stage(String path, int in, ImageTowerConfig.Stage stage) {
    int out = stage.width();
    return new ScriptModule("image.Stage")
        .with("reduce", convolution(path + ".reduce", in, out, stage.stride(), 3, 1))
        .with(
            "block",
            new ScriptModule("image.ResidualBlock")
                .with("first", convolution(path + ".block.first", out, out, 1, 3, 1))
                .with("second", convolution(path + ".block.second", out, out, 1, 3, 1)));
  }

  private ScriptModule block(String path, int in, ImageTowerConfig.Stage stage, boolean projects) {
    int out = stage.width();
    // Each block starts as its shortcut alone (Goyal et al. 2017, section 5.1).
    ScriptModule block =
        new ScriptModule(projects ? "image.ReducingBlock" : "image.ResidualBlock")
            .with("first", convolution(path + ".first", in, out, stage.stride(), 3, 1))
            .with("second", convolution(path + ".second", out, out, 1, 3, 0));
    return projects
        ? block.with("shortcut", convolution(path + ".shortcut", in, out, 1, 1, 1))
        : block;
  }

  private ScriptModule bottleneck(
      String path, int in, ImageTowerConfig.Stage stage, boolean projects) {
    int out = stage.width();
    int inner = out / 4;
    ScriptModule block =
        new ScriptModule(projects ? "image.ReducingBottleneck" : "image.Bottleneck")
            .with("first", convolution(path + ".first", in, inner, 1, 1, 1))
            .with("second", convolution(path + ".second", inner, inner, stage.stride(), 3, 1))
            .with("third", convolution(path + ".third", inner, out, 1, 1, 0));
    return projects
        ? block.with("shortcut", convolution(path + ".shortcut", in, out, stage.stride(), 1, 1))
        : block;
  }

  /** A square convolution and its batch norm, whose gain starts at {@code gain}. */
  private ScriptModule convolution(
      String path, int in, int out, int stride, int kernel, double gain) {
    // He et al. 2015, fan out: keeps the variance of the gradient through ReLU.
    Init init = Init.normal(Math.sqrt(2.0 / ((double) kernel * kernel * out)));
    return new ScriptModule("image.Convolution")
        .with("weight", weights.get(path + ".weight", init, out, in, kernel, kernel))
        .with("stride", stride)
        .with("norm", Layers.batchNorm(weights, path + ".norm", out, gain));
  }

  private ScriptModule fusion(String path) {
    return layers(
        new ScriptModule("fusion.FusionEncoder"),
        path,
        config.fusionLayers(),
        layer ->
            new ScriptModule("fusion.FusionLayer")
                .with("self_attention", attention(layer + ".self_attention"))
                .with("norm1", layerNorm(layer + ".norm1"))
                .with("cross_attention", attention(layer + ".cross_attention"))
                .with("norm2", layerNorm(layer + ".norm2"))
                .with("feed_forward", feedForward(layer + ".feed_forward"))
                .with("norm3", layerNorm(layer + ".norm3")));
  }

  private static ScriptModule layers(
      ScriptModule parent, String path, int count, Function<String, ScriptModule> layer) {
    for (int i = 0; i < count; i++) {
      parent.with("layer" + i, layer.apply(path + ".layer" + i));
    }
    return parent;
  }

  private ScriptModule attention(String path) {
    return attention(path, 0);
  }

  private ScriptModule attention(String path, double residual) {
    int h = config.hidden();
    return new ScriptModule("nn.MultiHeadAttention")
        .with("heads", config.heads())
        .with("query", linear(path + ".query", h, h))
        .with("key", linear(path + ".key", h, h))
        .with("value", linear(path + ".value", h, h))
        .with("output", output(path + ".output", h, residual));
  }

  private ScriptModule feedForward(String path) {
    return feedForward(path, 0);
  }

  private ScriptModule feedForward(String path, double residual) {
    return new ScriptModule("nn.FeedForward")
        .with("inner", linear(path + ".inner", config.hidden(), config.feedForward()))
        .with("outer", output(path + ".outer", config.feedForward(), residual));
  }

  /**
   * What a layer adds to its input.
   *
   * @param residual deviation of its weights times the root of {@code in}; 0: as {@link #linear}
   */
  private ScriptModule output(String path, int in, double residual) {
    return residual == 0
        ? linear(path, in, config.hidden())
        : Layers.linear(weights, path, in, config.hidden(), Init.normal(residual / Math.sqrt(in)));
  }

  private ScriptModule layerNorm(String path) {
    return Layers.layerNorm(weights, path, config.hidden(), config.layerNormEpsilon());
  }

  private ScriptModule imageLayerNorm(String path) {
    return Layers.layerNorm(weights, path, config.hidden(), config.imageLayerNormEpsilon());
  }

  private ScriptModule linear(String path, int in, int out) {
    return Layers.linear(weights, path, in, out);
  }
}
