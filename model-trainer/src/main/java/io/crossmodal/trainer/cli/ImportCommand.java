/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.trainer.checkpoint.CheckpointImport;
import io.crossmodal.trainer.checkpoint.InitialModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code import}: from published checkpoints to the folder that {@code train --init} takes. */
@Command(
    name = "import",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Makes starting weights: BERT's layers in text tower and fusion encoder, an"
            + " EfficientNet-Lite0, ResNet-50 (or deeper), ViT or DeiT in the image tower. Reads"
            + " safetensors, what torch.save writes (and wrote before 2020), and ONNX.")
final class ImportCommand implements Callable<Integer> {
  /** The presets that BERT's weights fit. */
  private enum Shape {
    AERIAL(ModelConfig.Preset.AERIAL),
    BASE(ModelConfig.Preset.BASE);

    private final ModelConfig.Preset preset;

    Shape(ModelConfig.Preset preset) {
      this.preset = preset;
    }
  }

  @Option(
      names = "--image",
      required = true,
      description =
          "the image tower, told by its names: torchvision's, timm's, Hugging Face's or lukemelas'")
  private Path image;

  @Option(
      names = "--text",
      required = true,
      description = "an uncased BERT of any width and depth, by Hugging Face's names")
  private Path text;

  @Option(
      names = "--fusion",
      description = "another BERT of that width for the fusion encoder (default: that of --text)")
  private Path fusion;

  @Option(
      names = "--vocab",
      required = true,
      description = "vocab.txt or tokenizer.json of the BERT of --text")
  private Path vocab;

  @Option(
      names = "--preset",
      defaultValue = "AERIAL",
      description =
          "what no checkpoint says: AERIAL (text tower of 6 layers whose [CLS] is the mean of the"
              + " words, 3 fusion layers, 64 word pieces) or BASE (the paper's 6 and 6, 512)")
  private Shape preset;

  @Option(
      names = "--text-layers",
      description = "how many of the first layers start the text tower (default: the preset's)")
  private Integer textLayers;

  @Option(
      names = "--fusion-layers",
      split = ",",
      description =
          "what layers start the fusion encoder, counted from 0, such as 6,8,10 (default: as many"
              + " as the preset has, behind those of the text tower)")
  private List<Integer> fusionLayers;

  @Option(
      names = "--heads",
      description =
          "attention heads (default: those of published BERTs of that width; 12 where it is 384)")
  private Integer heads;

  @Option(
      names = "--pixels",
      description =
          "how the image tower's pixels were normalised: IMAGENET, HALF (mean and deviation 0.5:"
              + " Google's ViT) or EFFICIENTNET_LITE (default: EFFICIENTNET_LITE for one, else"
              + " IMAGENET)")
  private CheckpointImport.PixelNormalisation pixels;

  @Option(names = "--out", required = true, description = "the folder to write")
  private Path out;

  @Override
  public Integer call() throws Exception {
    CheckpointImport.Choices choices =
        new CheckpointImport.Choices(textLayers, fusionLayers, heads, pixels);
    InitialModel model =
        new CheckpointImport(preset.preset.config(), choices)
            .run(new CheckpointImport.Parts(image, text, fusion, vocab), out);
    System.out.print(model.origin());
    System.out.print(shape(model.config()));
    System.out.println("wrote " + out);
    return 0;
  }

  /** Says where each part of the shape is from. */
  private String shape(ModelConfig config) {
    SensorConfig sensor = config.sensors().get(0);
    return String.format(
        Locale.ROOT,
        "from the checkpoints: width %d, feed-forward %d, %d word pieces, image tower %s%n"
            + "from --preset %s and options: %d heads, %d text layers (%s, at most %d word"
            + " pieces), %d fusion layers, embeddings of %d%n"
            + "pictures of %d pixels, mean %s, deviation %s; epsilon of the image tower's layer"
            + " norms %s%n",
        config.hidden(),
        config.feedForward(),
        config.text().vocabularySize(),
        config.image().kind(),
        preset,
        config.heads(),
        config.text().layers(),
        config.text().kind() == TextConfig.Kind.BERT_MEAN ? "[CLS] is the mean" : "[CLS] is BERT's",
        config.text().maxTokens(),
        config.fusionLayers(),
        config.embeddingDimension(),
        sensor.imageSize(),
        sensor.mean(),
        sensor.std(),
        config.imageLayerNormEpsilon());
  }
}
