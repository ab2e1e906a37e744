/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize.Fit;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.CheckpointImport;
import io.crossmodal.trainer.checkpoint.ClipImport;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.train.TrainingRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code import}: from published checkpoints to the folder that {@code train --init} takes, or from
 * a whole CLIP to a bundle.
 */
@Command(
    name = "import",
    mixinStandardHelpOptions = true,
    showDefaultValues = true,
    description =
        "Makes starting weights: BERT's layers in text tower and fusion encoder, an"
            + " EfficientNet-Lite0, ResNet-50 (or deeper), ViT or DeiT in the image tower. Or makes"
            + " a bundle that serves of a whole CLIP. Reads safetensors, what torch.save writes"
            + " (and wrote before 2020), and ONNX.")
final class ImportCommand implements Callable<Integer> {
  /** Texts of a CLIP's golden outputs, of letters, digits, marks and contractions. */
  private static final List<String> GOLDEN_TEXTS =
      List.of(
          "a satellite photo of an airport",
          "12 white storage tanks, 3 km from the harbour's pier",
          "Dense residential area; trees & a caf\u00e9");

  /** The presets that BERT's weights fit. */
  private enum Shape {
    AERIAL(ModelConfig.Preset.AERIAL),
    BASE(ModelConfig.Preset.BASE);

    private final ModelConfig.Preset preset;

    Shape(ModelConfig.Preset preset) {
      this.preset = preset;
    }
  }

  @ArgGroup(multiplicity = "1")
  private Source source;

  /** What is imported: one of the two. */
  private static final class Source {
    @ArgGroup(exclusive = false, heading = "Starting weights, from checkpoints of parts:%n")
    private Parts parts;

    @ArgGroup(exclusive = false, heading = "A whole CLIP, to a bundle that serves:%n")
    private WholeClip clip;
  }

  /** Checkpoints of parts, to the folder that training starts from. */
  private static final class Parts {
    @Option(
        names = "--image",
        required = true,
        description =
            "the image tower, told by its names: torchvision's, timm's, Hugging Face's or"
                + " lukemelas'")
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
        description =
            "what no checkpoint says: AERIAL (the default: text tower of 6 layers whose [CLS] is"
                + " the mean of the words, 3 fusion layers, 64 word pieces) or BASE (the paper's 6"
                + " and 6, 512)")
    private Shape preset = Shape.AERIAL;

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
  }

  /** A CLIP as somebody trained it, to a bundle. */
  private static final class WholeClip {
    @Option(
        names = "--clip",
        required = true,
        paramLabel = "FILE|FOLDER",
        description =
            "a CLIP of OpenCLIP or Hugging Face: its weights, or the folder with weights, config"
                + " and tokenizer")
    private Path source;

    @Option(names = "--id", required = true, description = "id under which it will be served")
    private String id;

    @Option(
        names = "--arch",
        paramLabel = "NAME|FILE",
        description =
            "OpenCLIP's name of the model, such as ViT-B-32 or ViT-B-32-quickgelu, or the file of a"
                + " config (default: the config beside the weights)")
    private String architecture;

    @Option(
        names = "--activation",
        description =
            "that the weights were trained with: ${COMPLETION-CANDIDATES}; no tensor tells"
                + " (default: what config or --arch say)")
    private Activation activation;

    @Option(
        names = "--tokenizer",
        paramLabel = "FILE",
        description =
            "bpe_simple_vocab_16e6.txt.gz, merges.txt or tokenizer.json (default: that beside the"
                + " weights)")
    private Path tokenizer;

    @Option(
        names = "--prompt",
        paramLabel = "TEMPLATE",
        description =
            "what query texts are put into, such as \"a satellite photo of {}\"; may be repeated,"
                + " then the mean is searched by")
    private List<String> prompts;

    @Option(
        names = "--fit",
        description =
            "of pictures that are not square: ${COMPLETION-CANDIDATES} (default: as the model was"
                + " trained, CROP for nearly every one)")
    private Fit fit;

    @Option(
        names = "--weights",
        description =
            "precision that matrices are kept in: FP16 (the default), BF16 or FP32; computed with"
                + " as the node is told")
    private Precision stored;

    @Option(
        names = "--heat-maps",
        description =
            "make the tokens of patches by the value path of the last layer (MaskCLIP): then heat"
                + " maps show where a text is in a picture; embeddings stay as they are")
    private boolean heatMaps;

    @Option(
        names = "--token-grid",
        paramLabel = "N",
        description =
            "average the tokens of patches to N x N a picture, of which fewer are stored (default:"
                + " one a patch, 7 x 7 for ViT-B-32, 16 x 16 for ViT-L-14)")
    private Integer tokenGrid;
  }

  @Option(
      names = "--out",
      required = true,
      description = "the folder to write; with --clip the bundle")
  private Path out;

  @Override
  public Integer call() throws Exception {
    if (source.clip != null) {
      return bundle(source.clip);
    }
    Parts parts = source.parts;
    CheckpointImport.Choices choices =
        new CheckpointImport.Choices(
            parts.textLayers, parts.fusionLayers, parts.heads, parts.pixels);
    InitialModel model =
        new CheckpointImport(parts.preset.preset.config(), choices)
            .run(
                new CheckpointImport.Parts(parts.image, parts.text, parts.fusion, parts.vocab),
                out);
    System.out.print(model.origin());
    System.out.print(shape(parts.preset, model.config()));
    System.out.println("wrote " + out);
    return 0;
  }

  private int bundle(WholeClip clip) throws Exception {
    ModelManifest.checkId(clip.id);
    if (Files.isDirectory(out)) {
      throw new IllegalArgumentException(
          out + " is a folder; with --clip, --out is the bundle's file, such as model.zip");
    }
    ClipImport.Imported imported =
        ClipImport.read(
            clip.source,
            clip.id,
            TrainingRun.trained("imported from " + clip.source.getFileName(), 0, 0),
            new ClipImport.Choices(
                clip.architecture,
                clip.activation,
                clip.tokenizer,
                clip.fit,
                clip.prompts,
                clip.stored,
                clip.heatMaps,
                clip.tokenGrid));
    imported.said().forEach(System.out::println);
    BundleWriter.write(imported.bundle(), out, GOLDEN_TEXTS);
    System.out.printf(
        Locale.ROOT,
        "wrote %s, %.1f MB; deploy --bundle sends it to a cluster, encode and evaluate read it%n",
        out,
        Files.size(out) / 1e6);
    return 0;
  }

  /** Says where each part of the shape is from. */
  private static String shape(Shape preset, ModelConfig config) {
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
