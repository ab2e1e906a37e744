/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A run folder and the training that fills it: {@code options.json}, {@code vocab.txt}, {@code
 * data.sha256}, {@code checkpoint.safetensors}, {@code metrics.jsonl}, {@code best.zip}, and at the
 * end {@code model.zip}.
 *
 * <p>A run that was killed continues at its last checkpoint and takes the same steps as one that
 * was not: what a step does depends on the seed and its number alone.
 */
public final class TrainingRun {
  private static final String VOCABULARY = "vocab.txt";

  /** Pictures that a validation takes in at most; their encodings are held in memory. */
  private static final int MOST_VALIDATED = 1000;

  private final RunFolder folder;
  private final TrainingOptions options;

  /** Null where a run starts from random weights. */
  private final InitialModel initial;

  /** Where features of frozen parts lie; null for the run folder. */
  private Path cache;

  private TrainingRun(RunFolder folder, TrainingOptions options, InitialModel initial) {
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
    RunFolder run = RunFolder.open(folder, options);
    if (!run.resumes()) {
      // Nothing to resume, so what an attempt left that never took off must not stand in the way.
      Files.deleteIfExists(folder.resolve(VOCABULARY));
    }
    return new TrainingRun(run, options, initial);
  }

  /** Keeps features of frozen parts in a folder that other runs over the same data share. */
  public void cacheIn(Path shared) {
    cache = shared;
  }

  /** Listens to a training on captions. */
  @FunctionalInterface
  public interface Progress extends TrainingLoop.Progress {
    /** Is told once, where the bi-encoder is trained alone first: the model when others join. */
    default void biEncoderTrained(ModelBundle biEncoder) throws IOException, BundleException {}
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
            ? options
                .tokens()
                .applyTo(options.preset().config().withVocabularySize(vocabulary.size()))
            : initial.config();
    requireGrid(config.image());
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(vocabulary, config.text().maxTokens());
    SensorConfig sensor = config.sensors().get(0);
    try (DecodedImages<RgbImage> decoded =
            DecodedImages.decodeToChange(
                split,
                sensor,
                options.regularisation().augmentation(),
                dataset.problemsLeft(),
                folder.path());
        DecodedImages<RgbImage> held = held(dataset, decoded, sensor)) {
      progress.skipped(Stream.of(decoded, held).flatMap(d -> d.problems().stream()).toList());
      String data = folder.requireSameData(digest(decoded), "images or captions");
      return train(dataset, id, progress, decoded, held, data, config, tokenizer);
    }
  }

  /**
   * Trains on decoded pictures, which stay the caller's.
   *
   * @param data the digest of images and captions
   */
  private ModelBundle train(
      CaptionedDataset dataset,
      String id,
      Progress progress,
      DecodedImages<RgbImage> decoded,
      DecodedImages<RgbImage> held,
      String data,
      ModelConfig config,
      WordPieceTokenizer tokenizer)
      throws IOException, TrainingException, BundleException {
    long pairs = decoded.images().stream().mapToLong(image -> image.captions().size()).sum();
    SensorConfig sensor = config.sensors().get(0);
    CaptionSet set = new CaptionSet(options, decoded, tokenizer, sensor);
    Weights start =
        initial == null ? Weights.random(options.seed()) : initial.start(options.seed());
    try (FeatureCache features =
            features(config, start, sensor, decoded.pictures(), data, progress);
        TrainingModule<CaptionSet.Batch> module =
            new TrainingModule<>(
                new CaptionTask(options, config, start, folder.path()), folder.path())) {
      if (start instanceof InitialModel.Start imported) {
        imported.requireAllTaken();
      }
      set.use(features);
      Supplier<ModelBundle> bundle =
          () -> bundle(module, id, dataset.name(), config, tokenizer.words(), pairs);
      int each = options.accumulate();
      Validation validation =
          new Validation(
              folder,
              options.validation(),
              options.steps(),
              (double) pairs / (options.batch() * each),
              options.judgedFrom(),
              bundle,
              goldenTexts(dataset),
              held.images().isEmpty() ? null : model -> measure(model, held));
      new TrainingLoop(folder, options.steps(), options.checkpointEvery(), options.batch() * each)
          .run(
              module,
              step -> IntStream.range(each * step, each * (step + 1)).mapToObj(set::batch).toList(),
              progress,
              validation,
              taken -> {
                if (taken == options.joining()) {
                  progress.biEncoderTrained(bundle.get());
                }
              });
      return validation.shipped();
    }
  }

  /** Returns what the frozen part of the tower makes of the pictures; null where it is not kept. */
  private FeatureCache features(
      ModelConfig config,
      Weights start,
      SensorConfig sensor,
      List<RgbImage> pictures,
      String data,
      Progress progress)
      throws IOException {
    int views = options.parts().featureViews();
    if (views == 0) {
      return null;
    }
    if (!FrozenTowers.cuts(config.image())) {
      throw new IllegalArgumentException(
          "feature_views keeps features of image towers of kind EFFICIENTNET_LITE, this one is "
              + config.image().kind()
              + "; give feature_views 0");
    }
    try (FrozenTowers towers =
        new FrozenTowers(
            config, start.below("model"), sensor, options.precision(), folder.path())) {
      return new FeatureViews(pictures, sensor, options.regularisation().augmentation(), views)
          .through(towers, cache == null ? folder.path() : cache, data, progress);
    }
  }

  /** Returns the pictures to validate on. */
  private DecodedImages<RgbImage> held(
      CaptionedDataset dataset, DecodedImages<RgbImage> decoded, SensorConfig sensor) {
    return DecodedImages.decode(
        options.tasks().itc() == 0
            ? List.of()
            : options.validation().pictures(dataset, MOST_VALIDATED),
        new ImagePreprocessor(sensor),
        Math.max(0, dataset.problemsLeft() - decoded.problems().size()),
        folder.path());
  }

  private static Map<String, Double> measure(FusionModel model, DecodedImages<RgbImage> held) {
    EvaluationTable.Row row = new Evaluator(model, EncodedSplit.encode(model, held)).biEncoder();
    Map<String, Double> figures = new LinkedHashMap<>();
    figures.put("mr", row.meanRecall());
    figures.put("mr_aware", row.meanRecallAware());
    return figures;
  }

  /** Returns the first captions of a data set: known words, several lengths. */
  public static List<String> goldenTexts(CaptionedDataset dataset) {
    return dataset.images().stream()
        .flatMap(image -> image.captions().stream())
        .distinct()
        .limit(3)
        .toList();
  }

  private ModelBundle bundle(
      TrainingModule<?> module,
      String id,
      String dataSet,
      ModelConfig config,
      List<String> vocabulary,
      long pairs) {
    double epochs = (double) module.steps() * options.batch() * options.accumulate() / pairs;
    return ModelBundle.of(
        id,
        config,
        vocabulary,
        module.averaged().below("model"),
        // Without ITC the bi-encoder is as random as it started, and must have no say in the
        // ranking.
        options.tasks().itc() > 0 ? Calibration.NONE : new Calibration(0, 1, 0),
        trained(dataSet, options.seed(), epochs),
        List.of());
  }

  /** Returns what a manifest says of a training with this code. */
  public static ModelManifest.Training trained(String dataSet, long seed, double epochs) {
    String version = TrainingRun.class.getPackage().getImplementationVersion();
    return new ModelManifest.Training(
        dataSet, seed, epochs, version == null ? "development" : version);
  }

  private void requireGrid(ImageTowerConfig tower) {
    if (options.stages().smallImages() == 0) {
      return;
    }
    if (tower.kind() == ImageTowerConfig.Kind.VISION_TRANSFORMER) {
      throw new IllegalArgumentException(
          "small_images needs a convolutional image tower, this one takes images of one size");
    }
    tower.gridSide(options.stages().smallSide());
  }

  /** Returns a digest of images and captions. */
  public static MessageDigest digest(DecodedImages<RgbImage> decoded) {
    MessageDigest digest = Sha256.digest();
    for (CaptionedImage image : decoded.images()) {
      String line = image.filename() + "\n" + String.join("\n", image.captions()) + "\n";
      digest.update(line.getBytes(StandardCharsets.UTF_8));
    }
    decoded.pictures().forEach(picture -> digest.update(picture.rgb()));
    return digest;
  }

  private List<String> vocabulary(List<CaptionedImage> split) throws IOException {
    Path file = folder.path().resolve(VOCABULARY);
    if (!Files.exists(file)) {
      Files.write(
          file,
          initial == null
              ? CaptionSet.vocabulary(split, options.minWordCount())
              : initial.vocabulary());
    }
    return Files.readAllLines(file);
  }

  /**
   * Returns the options that a run folder was made with.
   *
   * @throws IOException when the folder holds no run
   */
  public static TrainingOptions options(Path folder) throws IOException {
    return RunFolder.options(folder, TrainingOptions.class);
  }
}
