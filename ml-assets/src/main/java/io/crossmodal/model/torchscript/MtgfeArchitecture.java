/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.torchscript.Weights.Init;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Turns a {@link ModelConfig} into the object tree and the sources of an archive.
 *
 * <p>Every tensor is asked for by its dotted path and shape from a {@link Weights}: a seeded
 * initialisation, or a {@link StateDict} that must hold exactly these tensors.
 */
public final class MtgfeArchitecture {
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

  /**
   * Shares that a training drops by chance.
   *
   * @param inputs of the embedded inputs of text and vision transformer, and of the channels that
   *     leave a convolutional tower
   * @param words whether the text's inputs take part
   * @param layers of what attention and feed-forward add in BERT's and the fusion encoder's layers,
   *     as in BERT
   * @param wholeTextLayers first layers of the text tower that drop nothing
   */
  public record Dropout(double inputs, boolean words, double layers, int wholeTextLayers) {
    /** Nothing is dropped. */
    public static final Dropout NONE = new Dropout(0, true, 0, 0);
  }

  /** The sources of an inference archive by module name. */
  public static Map<String, String> sources(ModelConfig config) {
    return modelSources(config, ranges(config, Dropout.NONE, Precision.FP32, Use.SERVED));
  }

  /** What an archive is for. */
  private enum Use {
    /** Scores; cross-attention takes the cheaper of its two ways. */
    SERVED,
    /** Scores; linear layers are packed, and their weights nobody else's. */
    PACKED,
    /** Is trained; pairs share what is made of their images. */
    TRAINED
  }

  /** The same for linear layers that are packed. */
  static Map<String, String> packedSources(ModelConfig config) {
    Map<String, String> sources =
        modelSources(config, ranges(config, Dropout.NONE, Precision.FP32, Use.PACKED));
    sources.remove("absorbed");
    return sources;
  }

  private static Map<String, String> modelSources(
      ModelConfig config, Map<String, List<String>> ranges) {
    Map<String, String> sources = new LinkedHashMap<>();
    for (String module : modules(config)) {
      String source =
          resources(config, module).stream()
              .map(name -> ScriptSources.resource(MtgfeArchitecture.class, name))
              .collect(Collectors.joining("\n"));
      sources.put(
          module,
          ScriptSources.unroll(source, ranges)
              .replace("IMAGE_TOWER", ImageTower.type(config.image().kind()))
              .replace("layer_last", "layer" + (config.fusionLayers() - 1))
              .replace("layer_drawn", "layer" + (config.fusionLayers() - 2)));
    }
    return sources;
  }

  private static List<String> modules(ModelConfig config) {
    List<String> modules = new ArrayList<>(List.of("nn"));
    if (ClipTower.in(config)) {
      modules.add("clip");
    }
    if (!config.hasText()) {
      modules.addAll(List.of("image", "sensors"));
      return modules;
    }
    modules.addAll(List.of("text", "image"));
    if (config.tokenProjection() != null) {
      modules.add("tokens");
    }
    if (config.hasFusion()) {
      modules.addAll(List.of("absorbed", "fusion"));
    }
    modules.add("mtgfe");
    return modules;
  }

  /** Returns the resources that make a module of an archive: towers are chosen by their kind. */
  private static List<String> resources(ModelConfig config, String module) {
    return switch (module) {
      case "text" ->
          List.of(config.text().isClip() ? "clip_text" : config.text().isMean() ? "mean" : "bert");
      case "mtgfe" -> List.of("filter", config.hasFusion() ? "mtgfe" : "two_towers");
      case "image" -> ImageTower.resources(config.image().kind());
      case "fusion" ->
          config.fusionWidth() == null ? List.of("fusion") : List.of("fusion_entry", "fusion");
      default -> List.of(module);
    };
  }

  /**
   * The sources of an archive that wraps the model, such as the trainer's: the model's own and the
   * {@code names} that lie beside {@code anchor}, in which the same repeated lines may stand.
   */
  public static Map<String, String> sources(ModelConfig config, Class<?> anchor, String... names) {
    return sources(config, ranges(config, Dropout.NONE, Precision.FP32, Use.SERVED), anchor, names);
  }

  /**
   * The same for training.
   *
   * @param dropout what every call drops
   * @param precision BF16 for mixed precision (Micikevicius et al. 2018): linear layers, and
   *     convolutional towers up to their tokens, in bfloat16, whose range needs no scaling of the
   *     loss; weights, statistics, the rest and gradients of the weights in fp32
   */
  public static Map<String, String> sources(
      ModelConfig config, Dropout dropout, Precision precision, Class<?> anchor, String... names) {
    return sources(config, ranges(config, dropout, precision, Use.TRAINED), anchor, names);
  }

  private static Map<String, String> sources(
      ModelConfig config, Map<String, List<String>> ranges, Class<?> anchor, String... names) {
    Map<String, String> sources = modelSources(config, ranges);
    for (String name : names) {
      sources.put(name, ScriptSources.unroll(ScriptSources.resource(anchor, name), ranges));
    }
    return sources;
  }

  /**
   * Returns whether a parameter makes the tokens of an image's patches and has no part in its
   * [CLS].
   *
   * @param name dotted path that ends as the model has it
   */
  public static boolean isOfPatchesAlone(ModelConfig config, String name) {
    return config.sensors().stream()
        .anyMatch(
            sensor ->
                ImageTower.ofPatchesAlone(config.image().kind(), "image_" + sensor.name(), name));
  }

  /** {@code mtgfe.FilterMlp}, section 3.4: consistent with the ITM head, H wide inside. */
  public static ScriptModule preRanker(ModelConfig config, Weights weights, String path) {
    int h = config.hidden();
    return new ScriptModule("mtgfe.FilterMlp")
        .with("fc1", Layers.linear(weights, path + ".fc1", 2 * h, h))
        .with("norm1", Layers.batchNorm(weights, path + ".norm1", h))
        .with("fc2", Layers.linear(weights, path + ".fc2", h, h))
        .with("norm2", Layers.batchNorm(weights, path + ".norm2", h))
        .with("fc3", Layers.linear(weights, path + ".fc3", h, 2));
  }

  /** {@code mtgfe.Filter}: the two projections and the temperature. */
  public static ScriptModule projections(ModelConfig config, Weights weights, String path) {
    int d = config.embeddingDimension();
    boolean encoder = config.hasText() && config.text().kind() == TextConfig.Kind.BERT_MEAN;
    return new ScriptModule("mtgfe.Filter")
        .with(
            "text",
            encoder
                ? Layers.readout(weights, path + ".text", config.hidden(), d)
                : Layers.linear(weights, path + ".text", config.hidden(), d))
        .with("image", Layers.linear(weights, path + ".image", config.hidden(), d))
        // CLIP's temperature of 0.07 at the start.
        .with("log_scale", weights.get(path + ".log_scale", Init.constant(Math.log(1 / 0.07)), 1));
  }

  private static Map<String, List<String>> ranges(
      ModelConfig config, Dropout dropout, Precision precision, Use use) {
    ImageTowerConfig image = config.image();
    List<String> sensors = config.sensors().stream().map(SensorConfig::name).toList();
    Map<String, List<String>> ranges = new HashMap<>(TokenModule.ranges(config));
    ranges.put("IMAGE_LAYERS", upTo(image.layers()));
    TransformerConfig clip = image.transformer();
    boolean pooled = clip != null && clip.tokenGrid() != null;
    ranges.put("TOKEN_GRID", pooled ? List.of(clip.tokenGrid().toString()) : List.of());
    ranges.put("TOKEN_A_PATCH", once(!pooled));
    int whole = image.hasValuePath() ? image.layers() - 1 : image.layers();
    ranges.put("IMAGE_LAYERS_WHOLE", upTo(whole));
    ranges.put("IMAGE_LAYERS_ALONE", upTo(image.layers()).subList(whole, image.layers()));
    ranges.put("IMAGE_STEMS", upTo(image.stems().size()));
    ranges.put("IMAGE_STAGES", upTo(image.stages().size()));
    ranges.put("STAGES", ImageTower.stages(image));
    boolean cut = image.kind() == ImageTowerConfig.Kind.EFFICIENTNET_LITE;
    int reduction = cut ? image.lastReduction() : 0;
    ranges.put("BOTTOM", upTo(reduction));
    ranges.put("TOP", upTo(image.stages().size()).subList(reduction, image.stages().size()));
    ranges.put("FINE", once(image.hasFineTokens()));
    ranges.put("CUT", once(cut));
    ranges.put("CUT_SENSORS", cut ? sensors : List.of());
    ranges.put("RESNET", once(image.kind() == ImageTowerConfig.Kind.RESNET));
    ranges.put("MEAN_POOLING", once(!image.hasCells()));
    ranges.put("GRID_POOLING", once(image.hasCells()));
    ranges.put("DROPOUT", share(dropout.inputs()));
    ranges.put("WORD_DROPOUT", dropout.words() ? share(dropout.inputs()) : List.of());
    ranges.put("LAYER_DROPOUT", share(dropout.layers()));
    ranges.put("WHOLE", once(precision == Precision.FP32));
    ranges.put("MIXED", once(precision == Precision.BF16));
    ranges.put("SENSORS", sensors);
    ranges.put("FUSION", once(config.hasFusion()));
    ranges.put("TOWERS_ALONE", once(!config.hasFusion()));
    boolean trained = use == Use.TRAINED;
    ranges.put("TRAINED", once(trained));
    if (config.hasText()) {
      ranges.put("MEAN_OF_TOKENS", once(config.text().kind() == TextConfig.Kind.BERT_MEAN));
      int layers = config.text().layers();
      int quiet = dropout.layers() > 0 ? Math.min(dropout.wholeTextLayers(), layers) : layers;
      ranges.put("TEXT_LAYERS", upTo(layers));
      ranges.put("TEXT_LAYERS_WHOLE", upTo(quiet));
      ranges.put("TEXT_LAYERS_DROPPING", upTo(layers).subList(quiet, layers));
      ranges.put(
          "STATES_DROPOUT", quiet > 0 && quiet < layers ? share(dropout.layers()) : List.of());
      ranges.put("FILTER_MLP", once(config.preRanker()));
    }
    if (config.hasFusion()) {
      ranges.put("FUSION_ENTRY", once(config.fusionWidth() != null));
      ranges.put("TRAINED_ENTRY", once(trained && config.fusionWidth() != null));
      ranges.put("FUSION_WHOLE", once(dropout.layers() == 0));
      ranges.put("ABSORBED", once(use == Use.SERVED));
      ranges.put("PROJECTED", once(use != Use.SERVED));
      ranges.put("TRAINED_WHOLE", once(trained && dropout.layers() == 0));
      ranges.put("FUSION_DROPOUT", share(dropout.layers()));
      ranges.put("FUSION_DROPPING", once(dropout.layers() > 0));
      int fusion = config.fusionLayers();
      ranges.put("FUSION_LAYERS", upTo(fusion));
      ranges.put("FUSION_LAYERS_TRAINED", upTo(trained ? fusion : 0));
      ranges.put(
          "FUSION_LAYERS_TRAINED_BETWEEN",
          trained ? upTo(fusion - 1).subList(1, fusion - 1) : List.of());
      ranges.put("FUSION_LAYERS_BETWEEN", upTo(fusion - 1).subList(1, fusion - 1));
      ranges.put("FUSION_LAYERS_BUT_TWO", upTo(fusion - 2));
    }
    return ranges;
  }

  /** For lines of dropout. */
  private static List<String> share(double dropped) {
    return dropped > 0 ? List.of(Double.toString(dropped)) : List.of();
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
    if (config.hasFusion()) {
      withFusion(root, config, weights);
    }
    root.with("filter", projections(config, weights, "filter"));
    if (config.preRanker()) {
      root.with("mlp", preRanker(config, weights, "mlp"));
    }
    return TokenModule.addTo(root, config, weights);
  }

  /** Tensors have the names that they have in {@link #mtgfe}. */
  private ScriptModule sensors() {
    ScriptModule root = new ScriptModule("sensors.Sensors");
    imageTowers(root);
    return root.with(
        "filter",
        new ScriptModule("sensors.Projection")
            .with("image", linear("filter.image", config.hidden(), config.embeddingDimension())));
  }

  private void imageTowers(ScriptModule root) {
    for (SensorConfig sensor : config.sensors()) {
      String name = "image_" + sensor.name();
      root.with(name, new ImageTower(config, weights).build(name, sensor));
    }
  }

  private ScriptModule textTower(String path) {
    if (config.text().isClip()) {
      return new ClipTower(config, weights).text(path);
    }
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
    Layers.repeat(
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

  /**
   * Adds the fusion encoder and the matching head to their parent, {@code fusion} and {@code itm}.
   */
  public static ScriptModule withFusion(ScriptModule parent, ModelConfig config, Weights weights) {
    int e = config.widthOfFusion();
    int a = config.heads();
    int read = TokenModule.readWidth(config);
    int f = config.feedForward();
    double epsilon = config.layerNormEpsilon();
    ScriptModule fusion = new ScriptModule("fusion.FusionEncoder");
    if (config.fusionWidth() != null) {
      for (String side : List.of("text", "image")) {
        String path = "fusion." + side;
        int in = side.equals("image") ? config.tokenWidth() : config.hidden();
        fusion.with(
            side,
            new ScriptModule("fusion.Entry")
                .with("project", Layers.linear(weights, path + ".project", in, e))
                .with("norm", Layers.layerNorm(weights, path + ".norm", e, epsilon)));
      }
    }
    Layers.repeat(
        fusion,
        "fusion",
        config.fusionLayers(),
        layer ->
            new ScriptModule("fusion.FusionLayer")
                .with(
                    "self_attention", Layers.attention(weights, layer + ".self_attention", e, a, 0))
                .with("norm1", Layers.layerNorm(weights, layer + ".norm1", e, epsilon))
                .with(
                    "cross_attention",
                    Layers.attention(weights, layer + ".cross_attention", e, read, a, 0))
                .with("norm2", Layers.layerNorm(weights, layer + ".norm2", e, epsilon))
                .with("feed_forward", Layers.feedForward(weights, layer + ".feed_forward", e, f, 0))
                .with("norm3", Layers.layerNorm(weights, layer + ".norm3", e, epsilon)));
    return parent.with("fusion", fusion).with("itm", Layers.linear(weights, "itm", e, 2));
  }

  private ScriptModule attention(String path, double residual) {
    return Layers.attention(weights, path, config, residual);
  }

  private ScriptModule feedForward(String path, double residual) {
    return Layers.feedForward(weights, path, config, residual);
  }

  private ScriptModule layerNorm(String path) {
    return Layers.layerNorm(weights, path, config.hidden(), config.layerNormEpsilon());
  }

  private ScriptModule linear(String path, int in, int out) {
    return Layers.linear(weights, path, in, out);
  }
}
