/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.Tokenizer;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.Depths;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.train.CaptionSimilarity;
import io.crossmodal.trainer.train.CaptionStates;
import io.crossmodal.trainer.train.FeatureCache;
import io.crossmodal.trainer.train.FeatureViews;
import io.crossmodal.trainer.train.FrozenTowers;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainingException;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingModule;
import io.crossmodal.trainer.train.TrainingRun;
import io.crossmodal.trainer.train.Validation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A run folder and the training of a fusion encoder that fills it. */
public final class FusionTraining {
  /** Pictures whose features are read at once. */
  private static final int PICTURES = 16;

  /** Pictures that a validation takes in at most. */
  private static final int MOST_VALIDATED = 250;

  /** Candidates that a validation re-ranks for each query. */
  private static final int VALIDATED_CANDIDATES = 16;

  private final RunFolder folder;
  private final FusionOptions options;
  private final ModelBundle bundle;

  /** Of the model that is trained. */
  private final ModelConfig config;

  private final SensorConfig sensor;

  /** Views of a picture, and what makes them; a single one is the picture as it is served. */
  private final int views;

  private final Augmentation augmentation;
  private final Path cache;

  private FusionTraining(
      RunFolder folder, FusionOptions options, ModelBundle bundle, ModelConfig config, Path cache) {
    this.folder = folder;
    this.options = options;
    this.bundle = bundle;
    this.config = config;
    this.sensor = config.sensors().get(0);
    this.views = options.views(FrozenTowers.cuts(config.image()));
    this.augmentation = views == 1 ? Augmentation.NONE : options.augmentation();
    this.cache = cache;
  }

  /**
   * Opens a run folder, or makes it.
   *
   * @param bundle the model with the towers: of texts and pictures, with or without a fusion
   *     encoder
   * @param cache where features of its towers are kept; null for the run folder
   * @throws IllegalArgumentException when the bundle has no such towers, the options do not go with
   *     it, or the folder holds a run of other options
   */
  public static FusionTraining open(
      Path folder, FusionOptions options, ModelBundle bundle, Path cache) throws IOException {
    ModelConfig towers = bundle.manifest().config();
    if (!towers.hasText()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "train-fusion needs a bundle with towers of texts and pictures, and model %s is of"
                  + " sensors alone, %s: train or import makes one with text",
              bundle.manifest().id(),
              towers.sensors().stream().map(SensorConfig::name).toList()));
    }
    ModelConfig config = FusionStart.config(options, towers);
    return new FusionTraining(
        RunFolder.open(folder, options), options, bundle, config, cache == null ? folder : cache);
  }

  /**
   * Trains to the last step and returns the model in memory, not calibrated.
   *
   * @param dataset its training split is used
   * @param id under which the model will be served
   * @throws io.crossmodal.trainer.data.InvalidDatasetException when more pictures cannot be decoded
   *     than the data set allows
   * @throws IllegalArgumentException when the folder holds a run over other data or another model
   * @throws TrainingException when the loss is no longer a number, memory or disk is full; the last
   *     checkpoint stays
   */
  public ModelBundle train(CaptionedDataset dataset, String id, TrainingLoop.Progress progress)
      throws IOException, TrainingException, BundleException {
    if (dataset.split(Split.TRAIN).isEmpty()) {
      throw new IllegalArgumentException(
          "data set " + dataset.name() + " has no training split, whose captions ask");
    }
    try (DecodedImages<RgbImage> decoded =
            DecodedImages.decodeToChange(
                dataset.split(Split.TRAIN),
                sensor,
                augmentation,
                dataset.problemsLeft(),
                folder.path());
        DecodedImages<RgbImage> held = held(dataset, decoded)) {
      progress.skipped(Stream.of(decoded, held).flatMap(d -> d.problems().stream()).toList());
      return train(dataset, id, progress, decoded, held);
    }
  }

  /** Trains on decoded pictures, which stay the caller's. */
  private ModelBundle train(
      CaptionedDataset dataset,
      String id,
      TrainingLoop.Progress progress,
      DecodedImages<RgbImage> decoded,
      DecodedImages<RgbImage> held)
      throws IOException, TrainingException, BundleException {
    MessageDigest data = TrainingRun.digest(decoded);
    String pictures = RunFolder.hash(data);
    data.update(bundle.manifest().weightsSha256().getBytes(StandardCharsets.UTF_8));
    folder.requireSameData(data, "images, captions or another model");
    StateDict weights = bundle.weights();
    try (Prepared prepared = prepare(weights, decoded, pictures, progress)) {
      FusionSet set = prepared.set();
      double stepsAnEpoch = (double) set.size() / options.queries();
      ModelConfig towers = bundle.manifest().config();
      ModelConfig teacher = FusionStart.isTaught(options, towers) ? towers : null;
      FusionTask task = new FusionTask(options, config, weights, prepared.fresh(), sensor, teacher);
      try (TrainingModule<FusionTask.Batch> module = new TrainingModule<>(task, folder.path())) {
        Validation validation =
            new Validation(
                folder,
                options.validation(),
                options.steps(),
                options.steps() / 10.0,
                options.steps() / 2,
                () -> bundle(weights, module, id, dataset.name(), stepsAnEpoch),
                TrainingRun.goldenTexts(dataset),
                held.images().isEmpty() ? null : model -> measure(model, held));
        new TrainingLoop(folder, options.steps(), options.checkpointEvery(), 2 * options.queries())
            .run(module, step -> List.of(set.batch(step)), progress, validation);
        return validation.shipped();
      }
    }
  }

  /**
   * What the towers have made, when they are gone; null what they had no time for.
   *
   * @param fresh the tensors that start anew
   */
  private record Prepared(
      FeatureCache features, CaptionStates captions, FusionSet set, Map<String, ScriptTensor> fresh)
      implements AutoCloseable {
    @Override
    public void close() throws IOException {
      try (features) {
        if (captions != null) {
          captions.close();
        }
      }
    }
  }

  /** Runs the towers, where no file has what they make, and finds what is hard for them. */
  private Prepared prepare(
      StateDict weights,
      DecodedImages<RgbImage> decoded,
      String pictures,
      TrainingLoop.Progress progress)
      throws IOException {
    ModelConfig shape = bundle.manifest().config();
    FeatureCache features = null;
    CaptionStates captions = null;
    Prepared prepared = null;
    try (FrozenTowers towers =
        new FrozenTowers(shape, Weights.of(weights), sensor, options.precision(), folder.path())) {
      features =
          new FeatureViews(decoded.pictures(), sensor, augmentation, views)
              .through(towers, cache, pictures, progress);
      Captions texts = captions(decoded.images());
      captions = CaptionStates.through(towers, texts.distinct(), cache, progress);
      FusionSet set = set(towers, features, captions, texts);
      prepared = new Prepared(features, captions, set, fresh(weights, towers, features, captions));
      return prepared;
    } finally {
      if (prepared == null) {
        new Prepared(features, captions, null, null).close();
      }
    }
  }

  /** Returns the pictures to validate on. */
  private DecodedImages<RgbImage> held(CaptionedDataset dataset, DecodedImages<RgbImage> decoded) {
    return DecodedImages.decode(
        options.validation().pictures(dataset, MOST_VALIDATED),
        new ImagePreprocessor(sensor),
        Math.max(0, dataset.problemsLeft() - decoded.problems().size()),
        folder.path());
  }

  /** Returns figures of the filter and fusion together; those that count duplicates decide. */
  private static Map<String, Double> measure(FusionModel model, DecodedImages<RgbImage> held) {
    Evaluator evaluator = new Evaluator(model, EncodedSplit.encode(model, held));
    List<EvaluationTable.Row> rows =
        evaluator.twoFold(new Depths(List.of(VALIDATED_CANDIDATES), false), done -> {});
    EvaluationTable.Row row = rows.get(rows.size() - 1);
    Map<String, Double> figures = new LinkedHashMap<>();
    figures.put("mr_aware", row.meanRecallAware());
    figures.put("mr", row.meanRecall());
    return figures;
  }

  /**
   * The captions of a training set.
   *
   * @param distinct by their numbers
   * @param of each picture the numbers of its captions
   */
  @SuppressWarnings("ArrayRecordComponent") // tables, never compared
  private record Captions(TokenizedText[] distinct, int[][] of) {}

  private Captions captions(List<CaptionedImage> images) {
    Tokenizer tokenizer = bundle.tokenizer();
    Map<String, Integer> numbers = new LinkedHashMap<>();
    Map<Integer, TokenizedText> texts = new LinkedHashMap<>();
    int[][] captionsOf =
        images.stream()
            .map(
                image ->
                    image.captions().stream()
                        .mapToInt(
                            caption -> {
                              String key = CaptionedDataset.captionKey(caption);
                              int number = numbers.computeIfAbsent(key, k -> numbers.size());
                              texts.computeIfAbsent(number, n -> tokenizer.tokenize(caption));
                              return number;
                            })
                        .distinct()
                        .toArray())
            .toArray(int[][]::new);
    return new Captions(texts.values().toArray(TokenizedText[]::new), captionsOf);
  }

  /** Embeds everything, and finds the bi-encoder's first wrong answers. */
  private FusionSet set(
      FrozenTowers towers, FeatureCache features, CaptionStates captions, Captions texts) {
    HardCandidates hard =
        HardCandidates.find(
            embedded(towers, features, texts.of().length),
            captions.embeddings(towers),
            texts.of(),
            CaptionSimilarity.of(
                texts.of(), (image, caption) -> texts.distinct()[texts.of()[image][caption]].ids()),
            options.similarCaptions(),
            options.pool());
    return new FusionSet(options, captions, texts.of(), hard, features, views);
  }

  private Map<String, ScriptTensor> fresh(
      StateDict weights, FrozenTowers towers, FeatureCache features, CaptionStates captions) {
    return FusionStart.weights(
        options,
        FusionStart.isNew(options, bundle.manifest().config()),
        config,
        weights,
        sensor,
        () -> PrincipalAxes.ofTokens(weights, features, captions, config.widthOfFusion()),
        () -> PrincipalAxes.ofImages(towers, features, config));
  }

  private float[][] embedded(FrozenTowers towers, FeatureCache features, int pictures) {
    float[][] rows = new float[pictures][];
    for (int from = 0; from < pictures; from += PICTURES) {
      int count = Math.min(PICTURES, pictures - from);
      float[] values = new float[count * features.values()];
      for (int i = 0; i < count; i++) {
        features.read(from + i, 0, values, i * features.values());
      }
      split(towers.imageEmbeddings(values), rows, IntStream.range(from, from + count).toArray());
    }
    return rows;
  }

  private static void split(float[] flat, float[][] rows, int[] at) {
    int d = flat.length / at.length;
    for (int i = 0; i < at.length; i++) {
      rows[at[i]] = Arrays.copyOfRange(flat, i * d, (i + 1) * d);
    }
  }

  private ModelBundle bundle(
      StateDict weights, TrainingModule<?> module, String id, String dataSet, double stepsAnEpoch) {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(weights.tensors());
    // A new fusion encoder may have fewer layers.
    tensors.keySet().removeIf(name -> name.startsWith("fusion.") || name.startsWith("itm."));
    tensors.putAll(module.averaged().below("model").tensors());
    String data = bundle.manifest().training().dataSet();
    return ModelBundle.of(
            id,
            config,
            bundle.tokenizerEntries(),
            new StateDict(tensors),
            bundle.manifest().storedPrecision(),
            Calibration.NONE,
            TrainingRun.trained(
                data.equals(dataSet) ? data : data + ", then " + dataSet,
                options.seed(),
                module.steps() / stepsAnEpoch),
            List.of())
        .withPrompts(bundle.manifest().prompts())
        .withSensorCalibrations(
            bundle.manifest().sensorCalibrations(),
            // Patches of a tower that is cut are others now, and so are projected ones.
            FrozenTowers.cuts(config.image()) || options.projects()
                ? List.of()
                : bundle.manifest().fittedMaxSims());
  }
}
