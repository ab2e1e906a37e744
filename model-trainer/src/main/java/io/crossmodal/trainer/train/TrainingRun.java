/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.engine.EngineException;
import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.CheckpointException;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * A run folder and the training that fills it: {@code options.json}, {@code vocab.txt}, {@code
 * data.sha256}, {@code checkpoint.safetensors}, {@code metrics.jsonl}, and at the end {@code
 * model.zip}.
 *
 * <p>A run that was killed continues at its last checkpoint and takes the same steps as one that
 * was not: what a step does depends on the seed and its number alone.
 */
public final class TrainingRun {
  private static final String CHECKPOINT = "checkpoint.safetensors";
  private static final String DATA = "data.sha256";
  private static final String METRICS = "metrics.jsonl";
  private static final String VOCABULARY = "vocab.txt";
  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .create();

  private final Path folder;
  private final TrainingOptions options;

  /** Null where a run starts from random weights. */
  private final InitialModel initial;

  private TrainingRun(Path folder, TrainingOptions options, InitialModel initial) {
    this.folder = folder;
    this.options = options;
    this.initial = initial;
  }

  /**
   * Opens a run folder, or makes it, for a run from random weights.
   *
   * @throws IllegalArgumentException when the folder holds a run of other options
   */
  public static TrainingRun open(Path folder, TrainingOptions options) throws IOException {
    return open(folder, options, null);
  }

  /**
   * Opens a run folder, or makes it, for a run from starting weights.
   *
   * @param options their preset is replaced by the shape of {@code initial}
   * @throws IllegalArgumentException when the folder holds a run of other options or weights
   */
  public static TrainingRun openFrom(InitialModel initial, Path folder, TrainingOptions options)
      throws IOException {
    return open(folder, options.withInitial(initial.sha256()), initial);
  }

  private static TrainingRun open(Path folder, TrainingOptions options, InitialModel initial)
      throws IOException {
    Files.createDirectories(folder);
    Path file = folder.resolve("options.json");
    String json = GSON.toJson(options);
    String before = Files.exists(file) ? Files.readString(file) : json;
    if (!Files.exists(folder.resolve(CHECKPOINT))) {
      // Nothing to resume, so what an attempt left that never took off must not stand in the way.
      Files.deleteIfExists(folder.resolve(VOCABULARY));
    } else if (!before.equals(json)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s holds a run of other options; resume with those, or name another folder.%n  there: %s%n  given: %s",
              folder,
              before,
              json));
    }
    Files.writeString(file, json);
    return new TrainingRun(folder, options, initial);
  }

  /** What a training tells its caller: after each step, how many were taken. */
  @FunctionalInterface
  public interface Progress extends IntConsumer {
    /** Told once, before the first step: the pictures that were left out, a line each, or none. */
    default void skipped(List<String> problems) {}

    /** Told once, where the filter is trained alone first: the model when the other tasks join. */
    default void filterTrained(ModelBundle filter) throws IOException, BundleException {}
  }

  /**
   * Trains to the last step and returns the model in memory.
   *
   * @param dataset its training split is used
   * @param id under which the model will be served
   * @throws io.crossmodal.trainer.data.InvalidDatasetException when more pictures cannot be decoded
   *     than the data set allows
   * @throws IllegalArgumentException when the folder holds a run over other images or captions
   * @throws TrainingException when the loss is no longer a number, memory or disk is full; the last
   *     checkpoint stays
   */
  public ModelBundle train(CaptionedDataset dataset, String id, Progress progress)
      throws IOException, TrainingException, BundleException {
    List<CaptionedImage> split = dataset.split(Split.TRAIN);
    List<String> vocabulary = vocabulary(split);
    ModelConfig config =
        initial == null
            ? options.preset().config().withVocabularySize(vocabulary.size())
            : initial.config();
    requireGrid(config.image());
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(vocabulary, config.text().maxTokens());
    SensorConfig sensor = config.sensors().get(0);
    int kept = options.regularisation().augmentation().sourceSide(sensor.imageSize());
    DecodedImages decoded =
        DecodedImages.decode(
            split, new ImagePreprocessor(sensor.withImageSize(kept)), dataset.problemsLeft());
    progress.skipped(decoded.problems());
    requireSameData(decoded.images());
    TrainingSet set = new TrainingSet(options, decoded, tokenizer, sensor);
    Weights start =
        initial == null ? Weights.random(options.seed()) : initial.start(options.seed());
    try (TrainingModule module = new TrainingModule(options, config, start, folder)) {
      if (start instanceof InitialModel.Start imported) {
        imported.requireAllTaken();
      }
      Path checkpoint = folder.resolve(CHECKPOINT);
      if (Files.exists(checkpoint)) {
        module.restore(checkpoint);
      }
      Supplier<ModelBundle> bundle =
          () -> bundle(module, id, dataset.name(), config, vocabulary, set.size());
      run(module, set, checkpoint, progress, bundle);
      return bundle.get();
    }
  }

  private ModelBundle bundle(
      TrainingModule module,
      String id,
      String dataSet,
      ModelConfig config,
      List<String> vocabulary,
      int images) {
    double epochs = (double) module.steps() * options.batch() * options.accumulate() / images;
    String version = TrainingRun.class.getPackage().getImplementationVersion();
    return ModelBundle.of(
        id,
        config,
        vocabulary,
        module.averagedModel(),
        Calibration.NONE,
        new ModelManifest.Training(
            dataSet, options.seed(), epochs, version == null ? "development" : version),
        List.of());
  }

  private void requireGrid(ImageTowerConfig tower) {
    if (options.stages().smallImages() == 0) {
      return;
    }
    if (tower.kind() != ImageTowerConfig.Kind.CONVOLUTIONAL) {
      throw new IllegalArgumentException(
          "small_images needs a convolutional image tower, this one takes images of one size");
    }
    tower.gridSide(options.stages().smallSide());
  }

  /** Other images would resume without a word where the vocabulary happens to be as large. */
  private void requireSameData(List<CaptionedImage> images) throws IOException {
    MessageDigest digest = Sha256.digest();
    for (CaptionedImage image : images) {
      String line = image.filename() + "\n" + String.join("\n", image.captions()) + "\n";
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    String hash = HexFormat.of().formatHex(digest.digest());
    Path file = folder.resolve(DATA);
    if (Files.exists(folder.resolve(CHECKPOINT))
        && Files.exists(file)
        && !Files.readString(file).strip().equals(hash)) {
      throw new IllegalArgumentException(
          folder
              + " holds a run over other images or captions; resume with those, or name another"
              + " folder");
    }
    Files.writeString(file, hash + "\n");
  }

  private List<String> vocabulary(List<CaptionedImage> split) throws IOException {
    Path file = folder.resolve(VOCABULARY);
    if (!Files.exists(file)) {
      Files.write(
          file,
          initial == null
              ? VocabularyBuilder.build(split, options.minWordCount())
              : initial.vocabulary());
    }
    return Files.readAllLines(file);
  }

  private void run(
      TrainingModule module,
      TrainingSet set,
      Path checkpoint,
      Progress progress,
      Supplier<ModelBundle> bundle)
      throws IOException, TrainingException, BundleException {
    dropHalfLine();
    ExecutorService loader = Executors.newSingleThreadExecutor(r -> new Thread(r, "batches"));
    try {
      CompletableFuture<List<Batch>> next = batches(loader, set, module.steps());
      Losses sum = Losses.NONE;
      int counted = 0;
      long since = System.nanoTime();
      while (module.steps() < options.steps()) {
        List<Batch> batches = await(next);
        next = batches(loader, set, module.steps() + 1);
        Losses losses = module.step(batches);
        if (!losses.finite()) {
          throw ended(
              module,
              String.format(
                  Locale.ROOT,
                  "loss or gradient is no finite number (%s). Try a lower learning rate or clip",
                  losses),
              null);
        }
        sum = sum.plus(losses);
        counted++;
        progress.accept(module.steps());
        if (module.steps() % 50 == 0 || module.steps() == options.steps()) {
          double seconds = (System.nanoTime() - since) / 1e9;
          log(new LogLine(module.steps(), sum.times(1.0 / counted), counted / seconds));
          sum = Losses.NONE;
          counted = 0;
          since = System.nanoTime();
        }
        if (module.steps() == options.joining()) {
          progress.filterTrained(bundle.get());
        }
        if (module.steps() % options.checkpointEvery() == 0 || module.steps() == options.steps()) {
          module.save(checkpoint);
        }
      }
    } catch (OutOfMemoryError e) {
      throw ended(module, e + ". Give Java more by -Xmx, or take a smaller batch", e);
    } catch (EngineException e) {
      throw ended(
          module, e.getMessage() + ". If it is memory that is short, take a smaller batch", e);
    } catch (CheckpointException e) {
      throw ended(module, e.getMessage() + ". Try a lower learning rate or clip", e);
    } catch (IOException e) {
      throw ended(
          module,
          String.format(
              Locale.ROOT, "cannot write to %s (%s). Make room there, run again", folder, e),
          e);
    } finally {
      loader.shutdownNow();
    }
  }

  /** Says where the run ended, why, and what is left of it. */
  private TrainingException ended(TrainingModule module, String why, Throwable cause) {
    Path checkpoint = folder.resolve(CHECKPOINT);
    String left =
        Files.exists(checkpoint)
            ? "The last checkpoint is whole, in " + checkpoint
            : "There is no checkpoint yet in " + checkpoint;
    return new TrainingException(
        String.format(Locale.ROOT, "ended at step %d: %s. %s.", module.steps(), why, left), cause);
  }

  private static List<Batch> await(CompletableFuture<List<Batch>> batches) {
    try {
      return batches.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw e;
    }
  }

  /** A run that was killed, or a full disk, may have left the start of a line. */
  private void dropHalfLine() throws IOException {
    Path metrics = folder.resolve(METRICS);
    if (!Files.exists(metrics)) {
      return;
    }
    String text = Files.readString(metrics);
    int end = text.lastIndexOf('\n') + 1;
    if (end < text.length()) {
      Files.writeString(metrics, text.substring(0, end));
    }
  }

  private CompletableFuture<List<Batch>> batches(
      ExecutorService loader, TrainingSet set, int step) {
    int each = options.accumulate();
    return CompletableFuture.supplyAsync(
        () -> IntStream.range(each * step, each * (step + 1)).mapToObj(set::batch).toList(),
        loader);
  }

  /** A line of {@code metrics.jsonl}: means over the steps since the line before. */
  private record LogLine(int step, Losses losses, double stepsPerSecond) {}

  private void log(LogLine line) throws IOException {
    Files.writeString(
        folder.resolve(METRICS),
        GSON.toJson(line) + "\n",
        StandardCharsets.UTF_8,
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  /**
   * The options that a run folder was made with.
   *
   * @throws IOException when the folder holds no run
   */
  public static TrainingOptions options(Path folder) throws IOException {
    try {
      return GSON.fromJson(Files.readString(folder.resolve("options.json")), TrainingOptions.class);
    } catch (JsonParseException e) {
      throw new IOException(folder + " holds no run: " + e.getMessage(), e);
    }
  }
}
