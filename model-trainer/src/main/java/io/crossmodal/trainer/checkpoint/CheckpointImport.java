/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.InitialModel.ImportReport;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * Makes a model's starting weights (sections 3.1 and 3.2 of the paper) from published checkpoints:
 * an image tower, and BERT's layers in text tower and fusion encoder.
 *
 * <p>Widths, word pieces, and the shape of a vision transformer or ResNet are the checkpoints' own;
 * depths, longest text, kind of text tower and the rest are the given shape's. Cross-attention with
 * its layer norm and the matching head are in no checkpoint; training initialises them anew. Where
 * embeddings are as wide as tokens, the bi-encoder's two projections start as the identity.
 */
public final class CheckpointImport {
  private final ModelConfig shape;
  private final Choices choices;

  /**
   * What may differ from the shape; null: as in it, or as the checkpoints have it.
   *
   * @param textLayers how many of the first layers start the text tower
   * @param fusionLayers what layers start the fusion encoder, from 0 on; null: as many as the shape
   *     has, behind those of the text tower
   * @param heads of every attention
   * @param pixels what the image tower was trained on
   */
  public record Choices(
      Integer textLayers, List<Integer> fusionLayers, Integer heads, PixelNormalisation pixels) {
    public static final Choices NONE = new Choices(null, null, null, null);

    public Choices {
      fusionLayers = fusionLayers == null ? null : List.copyOf(fusionLayers);
    }
  }

  /**
   * The files.
   *
   * @param image an EfficientNet-Lite, a ResNet or a vision transformer, told by its names
   * @param text a BERT, uncased, with or without its masked language head
   * @param fusion a BERT of the same width; null: {@code text}
   * @param vocabulary of {@code text}, {@code vocab.txt} or {@code tokenizer.json}
   */
  public record Parts(Path image, Path text, Path fusion, Path vocabulary) {}

  /** An import into a shape. */
  public CheckpointImport(ModelConfig shape, Choices choices) {
    this.shape = shape;
    this.choices = choices;
  }

  /**
   * Reads the checkpoints and writes a folder for {@code train --init}.
   *
   * @param out the folder, made where it is absent
   * @throws CheckpointException when the parts are of shapes that do not go together, or listing
   *     every tensor that is missing, unknown or of another shape
   */
  public InitialModel run(Parts parts, Path out) throws IOException {
    List<String> words = VocabularyFile.read(parts.vocabulary());
    TensorConsumer text = BertMapping.consumer(Checkpoint.open(parts.text()));
    TensorConsumer fusion =
        parts.fusion() == null ? text : BertMapping.consumer(Checkpoint.open(parts.fusion()));
    Image image = Image.of(Checkpoint.open(parts.image()));
    int textLayers = choices.textLayers() == null ? shape.text().layers() : choices.textLayers();
    List<Integer> fusionLayers =
        choices.fusionLayers() == null
            ? IntStream.range(textLayers, textLayers + shape.fusionLayers()).boxed().toList()
            : choices.fusionLayers();
    ModelConfig config = config(words.size(), textLayers, fusionLayers.size(), text, image);
    List<ImportReport.Source> sources =
        new ArrayList<>(BertMapping.map(config, text, fusion, fusionLayers));
    sources.add(image.kind().map(config, image.tensors()));
    Map<String, LazyTensor> taken = new LinkedHashMap<>(text.taken());
    taken.putAll(fusion.taken());
    taken.putAll(image.tensors().taken());
    List<String> identities = identities(config, taken);
    return InitialModel.write(
        out, config, words, taken, new ImportReport(sources, anew(config, taken), identities));
  }

  private ModelConfig config(
      int vocabulary, int textLayers, int fusionLayers, TensorConsumer text, Image image)
      throws CheckpointException {
    int hidden = text.extent(BertMapping.WORD, 1, shape.hidden());
    int heads = heads(hidden, text);
    image.kind().require(image.tensors(), hidden, heads, choices.heads() != null);
    SensorConfig sensor = shape.sensors().get(0);
    PixelNormalisation pixels = choices.pixels() == null ? image.kind().pixels() : choices.pixels();
    int side =
        image.kind() == Kind.VISION_TRANSFORMER
            ? VisionMapping.imageSize(image.tensors(), sensor.imageSize())
            : sensor.imageSize();
    TextConfig tokens = shape.text();
    try {
      ImageTowerConfig tower = image.kind().tower(image.tensors(), shape.layerNormEpsilon());
      return new ModelConfig(
              hidden,
              heads,
              BertMapping.feedForward(text, shape.feedForward()),
              shape.embeddingDimension() == shape.hidden() ? hidden : shape.embeddingDimension(),
              shape.layerNormEpsilon(),
              new TextConfig(vocabulary, tokens.maxTokens(), textLayers, tokens.kind()),
              tower,
              fusionLayers,
              List.of(pixels.of(sensor.withImageSize(side))))
          .withPreRanker(shape.preRanker());
    } catch (IllegalArgumentException e) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s and %s make no model: %s",
              text.file(),
              image.tensors().file(),
              e.getMessage()),
          e);
    }
  }

  /** Returns how many heads there are, which no checkpoint says. */
  private int heads(int hidden, TensorConsumer text) throws CheckpointException {
    if (choices.heads() != null) {
      return choices.heads();
    }
    if (hidden == shape.hidden()) {
      return shape.heads();
    }
    Integer published = BertMapping.HEADS.get(hidden);
    if (published == null) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is a BERT %d wide, and its file does not say how many heads it has; name them"
                  + " with --heads (num_attention_heads of its config.json)",
              text.file(),
              hidden));
    }
    return published;
  }

  /** Adds the bi-encoder's projections where they can pass tokens on unchanged. */
  static List<String> identities(ModelConfig config, Map<String, LazyTensor> taken) {
    int h = config.hidden();
    if (config.embeddingDimension() != h) {
      return List.of();
    }
    // The mean of a sentence encoder's tokens lies in a narrow cone: its projection learns anew.
    List<String> layers =
        config.text().kind() == TextConfig.Kind.BERT_MEAN
            ? List.of("model.filter.image")
            : List.of("model.filter.image", "model.filter.text");
    for (String layer : layers) {
      taken.put(
          layer + ".weight",
          LazyTensor.computed(
              List.of((long) h, (long) h),
              () -> {
                float[] weight = new float[h * h];
                for (int i = 0; i < h; i++) {
                  weight[i * (h + 1)] = 1;
                }
                return weight;
              }));
      taken.put(layer + ".bias", LazyTensor.computed(List.of((long) h), () -> new float[h]));
    }
    return layers;
  }

  /**
   * Returns the model's tensors that are not taken; a taken one that the model lacks is our own
   * mistake.
   */
  static List<String> anew(ModelConfig config, Map<String, LazyTensor> taken) {
    Map<String, List<Long>> expected = new LinkedHashMap<>();
    Weights nothing =
        (name, init, extents) -> {
          expected.put("model." + name, Arrays.stream(extents).boxed().toList());
          return ScriptTensor.parameter(new float[0], 0);
        };
    StateDict.of(MtgfeArchitecture.build(config, nothing));
    List<String> anew = new ArrayList<>();
    expected.forEach(
        (name, extents) -> {
          LazyTensor tensor = taken.get(name);
          if (tensor == null) {
            anew.add(name);
          } else if (!tensor.shape().equals(extents)) {
            throw new IllegalStateException(name + " is " + tensor.shape() + ", not " + extents);
          }
        });
    for (String name : taken.keySet()) {
      if (name.startsWith("model.") && !expected.containsKey(name)) {
        throw new IllegalStateException("the model has no " + name);
      }
    }
    if (!taken.containsKey("mlm.bias")) {
      anew.add("mlm");
    }
    return anew;
  }

  /** A checkpoint of an image tower. */
  private record Image(Kind kind, TensorConsumer tensors) {
    static Image of(Checkpoint checkpoint) throws CheckpointException {
      String[] markers =
          Arrays.stream(Kind.values())
              .flatMap(kind -> kind.markers().stream())
              .toArray(String[]::new);
      TensorConsumer tensors = TensorConsumer.around(checkpoint, markers);
      for (Kind kind : Kind.values()) {
        if (kind.markers().stream().anyMatch(tensors::has)) {
          return new Image(kind, tensors);
        }
      }
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s is no image tower whose names are known: it must have one of %s, of"
                  + " EfficientNet-Lite, ResNet or a vision transformer; its first names are %s",
              checkpoint.file(),
              Arrays.toString(markers),
              tensors.firstNames()));
    }
  }

  /** The kinds of image towers, told by the names of their tensors. */
  private enum Kind {
    EFFICIENTNET_LITE,
    RESNET,
    VISION_TRANSFORMER;

    /** Returns names of which each checkpoint of this kind has one. */
    List<String> markers() {
      return switch (this) {
        case EFFICIENTNET_LITE -> List.of("_conv_stem.weight", "conv_stem.weight");
        case RESNET -> List.of(ResNetMapping.FIRST_BLOCK);
        case VISION_TRANSFORMER ->
            List.of(
                VisionMapping.TIMM_PATCH + ".weight", VisionMapping.HUGGING_FACE_PATCH + ".weight");
      };
    }

    /** Returns what most published towers of this kind were trained on. */
    PixelNormalisation pixels() {
      return this == EFFICIENTNET_LITE
          ? PixelNormalisation.EFFICIENTNET_LITE
          : PixelNormalisation.IMAGENET;
    }

    ImageTowerConfig tower(TensorConsumer tensors, double epsilon) throws CheckpointException {
      return switch (this) {
        case EFFICIENTNET_LITE -> ImageTowerConfig.efficientNetLite0();
        case RESNET -> ResNetMapping.tower(tensors);
        case VISION_TRANSFORMER -> VisionMapping.tower(tensors, epsilon);
      };
    }

    /** Checks that a transformer has the text's width and heads; the others adapt to any. */
    void require(TensorConsumer tensors, int hidden, int heads, boolean asked)
        throws CheckpointException {
      if (this != VISION_TRANSFORMER) {
        return;
      }
      int width = VisionMapping.width(tensors);
      int own = VisionMapping.HEADS.getOrDefault(width, heads);
      if (width != hidden || (own != heads && !asked)) {
        throw new CheckpointException(
            String.format(
                Locale.ROOT,
                "%s is a vision transformer %d wide with %d heads, the BERT is %d wide with %d;"
                    + " both towers share one shape: take one like the other (bert-base goes with"
                    + " ViT-B and DeiT-B), or an EfficientNet-Lite or ResNet, which fit any",
                tensors.file(),
                width,
                own,
                hidden,
                heads));
      }
    }

    ImportReport.Source map(ModelConfig config, TensorConsumer tensors) throws CheckpointException {
      return switch (this) {
        case EFFICIENTNET_LITE -> EfficientNetMapping.map(config, config.sensors().get(0), tensors);
        case RESNET -> ResNetMapping.map(config, tensors);
        case VISION_TRANSFORMER -> VisionMapping.map(config, tensors);
      };
    }
  }

  /** Which pixels an image tower was trained on; its checkpoint does not say. */
  public enum PixelNormalisation {
    /** ImageNet's means and deviations: ResNet, DeiT, DINO, most of timm. */
    IMAGENET,
    /** Mean and deviation 0.5: Google's ViT, and timm's {@code augreg} weights made from it. */
    HALF,
    /** (x - 127) / 128 of bytes: EfficientNet-Lite. */
    EFFICIENTNET_LITE;

    /** Returns that sensor with these means and deviations. */
    SensorConfig of(SensorConfig sensor) {
      SensorConfig rgb = SensorConfig.rgb(sensor.imageSize());
      return switch (this) {
        case IMAGENET -> new SensorConfig(sensor.name(), sensor.imageSize(), rgb.mean(), rgb.std());
        case HALF -> with(sensor, 0.5, 0.5);
        case EFFICIENTNET_LITE -> with(sensor, 127 / 255.0, 128 / 255.0);
      };
    }

    private static SensorConfig with(SensorConfig sensor, double mean, double std) {
      return new SensorConfig(
          sensor.name(),
          sensor.imageSize(),
          Collections.nCopies(3, mean),
          Collections.nCopies(3, std));
    }
  }
}
