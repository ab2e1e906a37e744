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
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.EncodedSplit;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import io.crossmodal.trainer.evaluate.Evaluator;
import io.crossmodal.trainer.train.CaptionSimilarity;
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
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** A run folder and the training of a fusion encoder that fills it. */
public final class FusionTraining {
  /** Texts of one call of the tower. */
  private static final int TEXTS = 64;

  /** Pictures whose features are read at once. */
  private static final int PICTURES = 16;

  /** Pictures that a validation takes in at most. */
  private static final int MOST_VALIDATED = 250;

  /** Candidates that a validation re-ranks for each query. */
  private static final int VALIDATED_CANDIDATES = 16;

  private final RunFolder folder;
  private final FusionOptions options;
  private final ModelBundle bundle;
  private final SensorConfig sensor;
  private final Path cache;

  private FusionTraining(RunFolder folder, FusionOptions options, ModelBundle bundle, Path cache) {
    this.folder = folder;
    this.options = options;
    this.bundle = bundle;
    this.sensor = bundle.manifest().config().sensors().get(0);
    this.cache = cache;
  }

  /**
   * Opens a run folder, or makes it.
   *
   * @param bundle the model with the towers, and with text
   * @param cache where features of its towers are kept; null for the run folder
   * @throws IllegalArgumentException when the folder holds a run of other options
   */
  public static FusionTraining open(
      Path folder, FusionOptions options, ModelBundle bundle, Path cache) throws IOException {
    bundle.manifest().config().requireText("train-fusion");
    if (!bundle.manifest().config().hasFusion()) {
      throw new IllegalArgumentException(
          "train-fusion trains the fusion encoder of a bundle on, and model "
              + bundle.manifest().id()
              + " has towers alone");
    }
    return new FusionTraining(
        RunFolder.open(folder, options), options, bundle, cache == null ? folder : cache);
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
    try (DecodedImages<RgbImage> decoded =
            DecodedImages.decodeToChange(
                dataset.split(Split.TRAIN),
                sensor,
                options.augmentation(),
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
    ModelConfig config = bundle.manifest().config();
    MessageDigest data = TrainingRun.digest(decoded);
    String pictures = RunFolder.hash(data);
    data.update(bundle.manifest().weightsSha256().getBytes(StandardCharsets.UTF_8));
    folder.requireSameData(data, "images, captions or another model");
    StateDict weights = bundle.weights();
    try (FrozenTowers towers =
            new FrozenTowers(
                config, Weights.of(weights), sensor, options.precision(), folder.path());
        FeatureCache features =
            new FeatureViews(
                    decoded.pictures(), sensor, options.augmentation(), options.featureViews())
                .through(towers, cache, pictures, progress)) {
      FusionSet set = set(towers, features, decoded.images());
      double stepsAnEpoch = (double) set.size() / options.queries();
      try (TrainingModule<FusionTask.Batch> module =
          new TrainingModule<>(new FusionTask(options, config, weights, sensor), folder.path())) {
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
        evaluator.twoFold(new Evaluator.Depths(List.of(VALIDATED_CANDIDATES), false), done -> {});
    EvaluationTable.Row row = rows.get(rows.size() - 1);
    Map<String, Double> figures = new LinkedHashMap<>();
    figures.put("mr_aware", row.meanRecallAware());
    figures.put("mr", row.meanRecall());
    return figures;
  }

  /** Embeds everything, and finds the bi-encoder's first wrong answers. */
  private FusionSet set(FrozenTowers towers, FeatureCache features, List<CaptionedImage> images) {
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
    TokenizedText[] captions = texts.values().toArray(TokenizedText[]::new);
    HardCandidates hard =
        HardCandidates.find(
            embedded(towers, features, images.size()),
            embedded(towers, captions),
            captionsOf,
            CaptionSimilarity.of(
                captionsOf, (image, caption) -> captions[captionsOf[image][caption]].ids()),
            options.similarCaptions(),
            options.pool());
    return new FusionSet(options, captions, captionsOf, hard, features);
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

  private static float[][] embedded(FrozenTowers towers, TokenizedText[] texts) {
    float[][] rows = new float[texts.length][];
    int[] byLength =
        IntStream.range(0, texts.length)
            .boxed()
            .sorted((a, b) -> Integer.compare(texts[a].length(), texts[b].length()))
            .mapToInt(Integer::intValue)
            .toArray();
    for (int from = 0; from < texts.length; from += TEXTS) {
      int[] some = Arrays.copyOfRange(byLength, from, Math.min(texts.length, from + TEXTS));
      int n = texts[some[some.length - 1]].length();
      long[] ids = new long[some.length * n];
      float[] mask = new float[ids.length];
      for (int i = 0; i < some.length; i++) {
        int[] own = texts[some[i]].ids();
        for (int j = 0; j < own.length; j++) {
          ids[i * n + j] = own[j];
          mask[i * n + j] = 1;
        }
      }
      split(towers.textEmbeddings(ids, mask, some.length), rows, some);
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
    tensors.putAll(module.averaged().below("model").tensors());
    String data = bundle.manifest().training().dataSet();
    return ModelBundle.of(
        id,
        bundle.manifest().config(),
        bundle.tokenizerEntries(),
        new StateDict(tensors),
        bundle.manifest().storedPrecision(),
        Calibration.NONE,
        TrainingRun.trained(
            data.equals(dataSet) ? data : data + ", then " + dataSet,
            options.seed(),
            module.steps() / stepsAnEpoch),
        List.of());
  }
}
