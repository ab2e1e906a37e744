/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.TokenizerEntries;
import io.crossmodal.model.text.BytePairTokenizer;
import io.crossmodal.model.text.TextCleaning;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.ClipMapping.Clip;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Makes a bundle that serves of a CLIP that somebody trained: weights, shape, pixels and tokenizer.
 * Its weights are read tensor by tensor whenever they are needed; the heap holds one of them.
 */
public final class ClipImport {
  private static final long MAX_TOKENIZER_BYTES = 64 << 20;

  /** Values of a vector that Lucene's kNN takes. */
  private static final int MAX_INDEXED = 1024;

  /** Largest value of half precision. */
  private static final double MOST_HALF = 65_504;

  private static final String SCALE = "filter.log_scale";

  /** Its exponential is a number in every precision. */
  private static final double MOST_SCALE = 11;

  private final Choices choices;
  private final List<String> said = new ArrayList<>();

  /**
   * What the user says beside the files; null where they say nothing.
   *
   * @param architecture a name that OpenCLIP has, or the path of a config
   * @param activation that the weights were trained with
   * @param tokenizer its file
   * @param fit of pictures that are not square
   * @param prompts templates for query texts
   * @param stored precision that matrices are kept in
   * @param heatMaps whether patches' tokens are made so that texts can be compared with them
   * @param tokenGrid tokens a side that those are averaged to; null: one a patch
   */
  public record Choices(
      String architecture,
      Activation activation,
      Path tokenizer,
      Resize.Fit fit,
      List<String> prompts,
      Precision stored,
      boolean heatMaps,
      Integer tokenGrid) {
    public Choices {
      prompts = prompts == null ? List.of() : List.copyOf(prompts);
    }
  }

  /**
   * A bundle in memory, without golden outputs, whose weights stay in the checkpoint.
   *
   * @param said where each part of it is from, a line each
   */
  public record Imported(ModelBundle bundle, List<String> said) {
    public Imported {
      said = List.copyOf(said);
    }
  }

  private ClipImport(Choices choices) {
    this.choices = choices;
  }

  /**
   * Reads a CLIP.
   *
   * @param source a file of weights, or a folder that holds them; what lies beside them is used
   * @param id under which the model will be served
   * @throws CheckpointException when it is no CLIP that is read, or something is missing, naming it
   * @throws IllegalArgumentException when tokenizer or prompts do not fit
   */
  public static Imported read(
      Path source, String id, ModelManifest.Training training, Choices choices) throws IOException {
    return new ClipImport(choices).bundle(ClipFiles.find(source), id, training);
  }

  private Imported bundle(ClipFiles files, String id, ModelManifest.Training training)
      throws IOException {
    ClipDetails details = details(files);
    Clip clip = ClipMapping.read(files.weights(), details);
    int side = clip.config().sensors().get(0).imageSize();
    if (details.pixels().side() != null && details.pixels().side() != side) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s takes pictures of %d pixels, by its positions, and what is said of its pixels"
                  + " makes them %d",
              files.weights().file(),
              side,
              details.pixels().side()));
    }
    said.add(
        0,
        String.format(
            Locale.ROOT,
            "weights: %s, %d tensors, %d parameters%s",
            files.weights().file(),
            clip.source().tensors(),
            clip.source().parameters(),
            clip.source().unused().isEmpty() ? "" : "; left out " + clip.source().unused()));
    clip.guesses().forEach(guess -> said.add("guessed: " + guess));
    try {
      clip = clip.withPatches(choices.heatMaps, choices.tokenGrid);
    } catch (IllegalArgumentException e) {
      throw new CheckpointException("--token-grid: " + e.getMessage(), e);
    }
    ModelConfig config = clip.config();
    TokenizerEntries tokenizer = tokenizer(files, config, details);
    describe(config);
    Precision stored = choices.stored == null ? Precision.FP16 : choices.stored;
    try {
      ModelBundle bundle =
          ModelBundle.of(
                  id,
                  config,
                  tokenizer,
                  state(clip, files.weights().file(), stored),
                  stored,
                  Calibration.NONE,
                  training,
                  List.of())
              .withPrompts(choices.prompts);
      said.add("query texts: " + (choices.prompts.isEmpty() ? "as they are" : choices.prompts));
      return new Imported(bundle, said);
    } catch (UncheckedIOException e) {
      // Of a tensor: its values are read when the bundle is made.
      throw e.getCause();
    }
  }

  /** Returns what is known beside the tensors, and says where it is from. */
  private ClipDetails details(ClipFiles files) throws IOException {
    ClipDetails details = ClipDetails.NONE;
    Path config = files.config();
    if (choices.architecture != null) {
      Path named = Path.of(choices.architecture);
      if (Files.isRegularFile(named)) {
        config = named;
      } else {
        details = ClipDetails.ofArchitecture(choices.architecture);
        config = null;
        said.add("shape, heads, activation: --arch " + choices.architecture + ", as in OpenCLIP");
      }
    }
    if (config != null) {
      details = ClipConfigs.read(config);
      said.add("shape, heads, activation: " + config);
    }
    if (details.pixels().equals(ClipPixels.NONE) && files.pixels() != null) {
      details = details.with(ClipPixels.huggingFace(files.pixels()));
      said.add("pixels: " + files.pixels());
    } else {
      boolean own = details.pixels().mean() != null;
      said.add("pixels: " + (own ? config : "no file says, OpenAI's are taken"));
    }
    if (choices.fit != null) {
      details = details.with(details.pixels().withFit(choices.fit));
    }
    if (choices.activation != null) {
      Activation before = details.image().activation();
      if (before != null && before != choices.activation) {
        said.add(
            "--activation "
                + name(choices.activation)
                + " instead of "
                + name(before)
                + ", which config or --arch say");
      }
      details = details.with(choices.activation);
    }
    return details;
  }

  private TokenizerEntries tokenizer(ClipFiles files, ModelConfig config, ClipDetails details)
      throws IOException {
    Path file = choices.tokenizer == null ? files.tokenizer() : choices.tokenizer;
    if (file == null) {
      throw new CheckpointException(
          files.folder()
              + " has no tokenizer beside the weights: name one with --tokenizer,"
              + " bpe_simple_vocab_16e6.txt.gz of OpenAI's or OpenCLIP's repository, or"
              + " tokenizer.json or merges.txt of a CLIP of Hugging Face's");
    }
    byte[] content = ClipFiles.read(file, MAX_TOKENIZER_BYTES);
    Path ids = file.resolveSibling(ClipFiles.IDS);
    boolean merges = file.getFileName().toString().equals("merges.txt");
    TextCleaning cleaning = BytePairTokenizer.cleaning(content);
    byte[] given =
        merges && Files.isRegularFile(ids) ? ClipFiles.read(ids, MAX_TOKENIZER_BYTES) : null;
    // Told by the file's own name here; the bundle has another.
    BytePairTokenizer read =
        BytePairTokenizer.of(file.toString(), content, given, cleaning, config.text().maxTokens())
            .forRows(config.text().vocabularySize());
    List<String> contradictions = details.contradictions(Map.of(ClipDetails.END, read.end()));
    if (!contradictions.isEmpty()) {
      throw new CheckpointException(
          file + " is not the tokenizer that the model was trained with:", contradictions);
    }
    said.add(
        String.format(
            Locale.ROOT,
            "tokenizer: %s, %d byte pairs' ids, texts cleaned as %s does, at most %d tokens",
            file,
            read.size(),
            cleaning == TextCleaning.OPEN_CLIP ? "OpenCLIP" : "Hugging Face's library",
            read.maxTokens()));
    return TokenizerEntries.bytePairs(file.toString(), content, given, cleaning);
  }

  private void describe(ModelConfig config) {
    SensorConfig sensor = config.sensors().get(0);
    said.add(
        String.format(
            Locale.ROOT,
            "image tower: %s, %d layers, patches of %d, %d tokens of %d%s",
            tower(config.image().transformer()),
            config.image().layers(),
            config.image().patch(),
            config.imageTokens(sensor),
            config.hidden(),
            config.image().hasValuePath() ? ", of patches by the value path, for heat maps" : ""));
    said.add(
        String.format(
            Locale.ROOT,
            "text tower: %s, %d layers",
            tower(config.text().transformer()),
            config.text().layers()));
    said.add(
        String.format(
            Locale.ROOT,
            "pictures: %d pixels, %s, %s, mean %s, deviation %s",
            sensor.imageSize(),
            sensor.resize().filter().name().toLowerCase(Locale.ROOT),
            sensor.resize().fit().name().toLowerCase(Locale.ROOT),
            sensor.mean(),
            sensor.std()));
    if (config.embeddingDimension() > MAX_INDEXED) {
      said.add(
          String.format(
              Locale.ROOT,
              "note: embeddings of %d are more than the %d that an index takes; evaluate measures"
                  + " the model, no field can have it",
              config.embeddingDimension(),
              MAX_INDEXED));
    }
  }

  private static String tower(TransformerConfig shape) {
    return String.format(
        Locale.ROOT,
        "%d wide, %d heads, %s",
        shape.width(),
        shape.heads(),
        name(shape.activation()));
  }

  private static String name(Activation activation) {
    return activation.name().toLowerCase(Locale.ROOT);
  }

  private static StateDict state(Clip clip, Path file, Precision stored) {
    LastRead last = new LastRead(file, stored);
    Map<String, ScriptTensor> all = new LinkedHashMap<>();
    MtgfeArchitecture.build(clip.config(), Weights.SHAPES)
        .forEachTensor(
            (name, shape) -> {
              LazyTensor tensor = clip.tensors().get("model." + name);
              all.put(
                  name,
                  ScriptTensor.of(
                      (from, into) -> into.put(last.values(name, tensor), from, into.remaining()),
                      true,
                      shape.shape()));
            });
    return new StateDict(all);
  }

  /** The tensor that was asked for last, whose pieces are asked for one by one. */
  private static final class LastRead {
    private final Path file;
    private final Precision stored;
    private String name = "";
    private float[] values;

    LastRead(Path file, Precision stored) {
      this.file = file;
      this.stored = stored;
    }

    /** Returns all values of a tensor: numbers, which the precision has. */
    float[] values(String wanted, LazyTensor tensor) throws IOException {
      if (!wanted.equals(name)) {
        values = null; // not two at a time
        name = wanted;
        values = tensor.values();
        for (float value : values) {
          boolean tooLarge = stored == Precision.FP16 && Math.abs(value) > MOST_HALF;
          if (wanted.equals(SCALE) && value > MOST_SCALE) {
            name = "";
            throw new CheckpointException(
                String.format(
                    Locale.ROOT,
                    "%s: logit_scale is %s; it is the logarithm of what cosines are multiplied by,"
                        + " 4.6 in most published CLIPs, and at most %s is taken",
                    file,
                    value,
                    MOST_SCALE));
          }
          if (!Float.isFinite(value) || tooLarge) {
            name = "";
            throw new CheckpointException(
                String.format(
                    Locale.ROOT,
                    "%s: %s holds %s, %s",
                    file,
                    wanted,
                    value,
                    tooLarge && Float.isFinite(value)
                        ? "more than half precision has: keep it whole with --weights FP32"
                        : "which is no weight: the file is damaged, or its training diverged"));
          }
        }
      }
      return values;
    }
  }
}
