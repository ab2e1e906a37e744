/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.TextCleaning;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Description of a bundle: {@code manifest.json}.
 *
 * @param formatVersion {@link #FORMAT_VERSION}
 * @param id lower-case name under which the model is served
 * @param config shape of the model
 * @param vocabularySha256 of {@code vocab.txt}; null for a model without word pieces
 * @param bytePairs CLIP's tokenizer; null for a model that has none
 * @param prompts templates that query texts are put into, each with {@value #PLACE} once; null
 *     where there are none
 * @param weightsSha256 of {@code model.pt}
 * @param weightsPrecision that its matrices are kept in; null: FP32
 * @param fingerprints what may be mixed with what
 * @param calibration from logits to a probability
 * @param sensorCalibrations from cosines of two images to a probability, a pair of sensors each;
 *     null or empty where none was fitted
 * @param maxSimCalibrations from MaxSim of two images to a probability, a pair of sensors each;
 *     null where none was fitted, as in bundles that are older than it
 * @param training how the model was made
 * @param metrics what it reached
 * @param golden inputs with outputs that a loaded model must repeat; null only for a model in
 *     memory that was never written
 */
public record ModelManifest(
    int formatVersion,
    String id,
    ModelConfig config,
    String vocabularySha256,
    BytePairs bytePairs,
    List<String> prompts,
    String weightsSha256,
    Precision weightsPrecision,
    Fingerprints fingerprints,
    Calibration calibration,
    List<SensorCalibration> sensorCalibrations,
    List<SensorCalibration> maxSimCalibrations,
    Training training,
    List<Metric> metrics,
    Golden golden) {

  /** The version that this code writes, and the only one that it reads. */
  public static final int FORMAT_VERSION = 1;

  /** Stands for the query's text in a prompt. */
  public static final String PLACE = "{}";

  private static final int MAX_PROMPTS = 100;
  private static final int MAX_LENGTH = 1000;
  private static final int MAX_METRICS = 1000;
  private static final Pattern ID = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");

  private static final Gson GSON =
      new GsonBuilder()
          .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
          .setPrettyPrinting()
          .create();

  /**
   * Origin of a model.
   *
   * @param dataSet name of the data set
   * @param seed of initialisation and order
   * @param epochs passes over the training images
   * @param codeVersion version of the trainer
   */
  public record Training(String dataSet, long seed, double epochs, String codeVersion) {
    public Training {
      requireShort("data_set", dataSet);
      requireShort("code_version", codeVersion);
    }
  }

  /**
   * One measured figure.
   *
   * @param name what was measured on which split, such as {@code val.fusion.t2i.r@1}
   * @param value in percent unless the name says otherwise
   */
  public record Metric(String name, double value) {
    public Metric {
      requireShort("name", name);
    }
  }

  /**
   * CLIP's tokenizer.
   *
   * @param cleaning of texts
   * @param sha256 of its entries by name: {@code tokenizer.json}, or {@code merges.txt} with or
   *     without {@code vocab.json}
   */
  public record BytePairs(TextCleaning cleaning, Map<String, String> sha256) {
    private static final List<Set<String>> FILES =
        List.of(
            Set.of(TokenizerEntries.DOCUMENT),
            Set.of(TokenizerEntries.MERGES),
            Set.of(TokenizerEntries.MERGES, TokenizerEntries.IDS));

    public BytePairs {
      Objects.requireNonNull(
          cleaning, "byte_pairs.cleaning, one of " + List.of(TextCleaning.values()));
      Objects.requireNonNull(sha256, "byte_pairs.sha256");
      if (!FILES.contains(sha256.keySet())) {
        throw new IllegalArgumentException(
            "byte_pairs.sha256 names one of "
                + FILES
                + ", got "
                + Messages.excerpt(sha256.keySet()));
      }
      sha256 = Collections.unmodifiableSortedMap(new TreeMap<>(sha256));
    }
  }

  private static void requireShort(String what, String value) {
    if (Objects.requireNonNull(value, what).length() > MAX_LENGTH) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s has at most %d characters, got %d: [%s]",
              what,
              MAX_LENGTH,
              value.length(),
              Messages.excerpt(value)));
    }
  }

  public ModelManifest {
    if (formatVersion != FORMAT_VERSION) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "bundle format version %d, this code reads %d",
              formatVersion,
              FORMAT_VERSION));
    }
    checkId(id);
    Objects.requireNonNull(config, "config");
    if (config.hasText() && bytePairs == null) {
      Objects.requireNonNull(vocabularySha256, "vocabulary_sha256");
    } else if (vocabularySha256 != null) {
      throw new IllegalArgumentException(
          "a model without "
              + (config.hasText() ? "word pieces" : "text")
              + " has no vocabulary_sha256");
    }
    if (bytePairs != null && (!config.hasText() || !config.text().isClip())) {
      throw new IllegalArgumentException("byte_pairs belong to a text tower of kind CLIP");
    }
    prompts = prompts == null || prompts.isEmpty() ? null : checkedPrompts(prompts, config);
    Objects.requireNonNull(weightsSha256, "weights_sha256");
    if (weightsPrecision == Precision.INT8) {
      throw new IllegalArgumentException("weights are kept in FP32, FP16 or BF16, got INT8");
    }
    weightsPrecision = weightsPrecision == Precision.FP32 ? null : weightsPrecision;
    Objects.requireNonNull(fingerprints, "fingerprints");
    Objects.requireNonNull(calibration, "calibration");
    sensorCalibrations = sensorCalibrations == null ? List.of() : List.copyOf(sensorCalibrations);
    sensorCalibrations.forEach(pair -> pair.requireIn(config));
    if (maxSimCalibrations != null) {
      // Null, so that a manifest without them is written as it was read.
      maxSimCalibrations.forEach(pair -> pair.requireIn(config));
      maxSimCalibrations = maxSimCalibrations.isEmpty() ? null : List.copyOf(maxSimCalibrations);
    }
    Objects.requireNonNull(training, "training");
    metrics = List.copyOf(Objects.requireNonNull(metrics, "metrics"));
    if (metrics.size() > MAX_METRICS) {
      throw new IllegalArgumentException(
          "a manifest has at most " + MAX_METRICS + " metrics, got " + metrics.size());
    }
  }

  private static List<String> checkedPrompts(List<String> prompts, ModelConfig config) {
    config.requireText("a prompt");
    if (prompts.size() > MAX_PROMPTS) {
      throw new IllegalArgumentException(
          "a model has at most " + MAX_PROMPTS + " prompts, got " + prompts.size());
    }
    for (String prompt : prompts) {
      requireShort("a prompt", prompt);
      int at = prompt.indexOf(PLACE);
      if (at < 0 || prompt.indexOf(PLACE, at + 1) >= 0) {
        throw new IllegalArgumentException(
            "a prompt has "
                + PLACE
                + " once, where the query's text goes, such as [a satellite photo of {}], got ["
                + Messages.excerpt(prompt)
                + "]");
      }
    }
    return List.copyOf(prompts);
  }

  /**
   * Returns a query's text in each of the model's prompts, of whose embeddings the mean is searched
   * by; empty where the model has none.
   */
  public List<String> prompted(String text) {
    return prompts == null
        ? List.of()
        : prompts.stream().map(prompt -> prompt.replace(PLACE, text)).toList();
  }

  /** Returns the precision that the weights are kept in. */
  public Precision storedPrecision() {
    return weightsPrecision == null ? Precision.FP32 : weightsPrecision;
  }

  /** Returns the SHA-256 of each entry that the tokenizer is made of. */
  Map<String, String> tokenizerSha256() {
    if (bytePairs != null) {
      return bytePairs.sha256;
    }
    return vocabularySha256 == null ? Map.of() : Map.of(TokenizerEntries.WORDS, vocabularySha256);
  }

  /**
   * Checks a name for a model.
   *
   * @throws IllegalArgumentException saying what is accepted
   */
  public static void checkId(String id) {
    if (id == null || !ID.matcher(id).matches()) {
      throw new IllegalArgumentException(
          "id must match " + ID.pattern() + ", got [" + Messages.excerpt(id) + "]");
    }
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws BundleException when it is no manifest, or one of another format version, saying what
   *     was expected and found
   */
  public static ModelManifest fromJson(byte[] json) throws BundleException {
    try {
      ModelManifest manifest =
          GSON.fromJson(new String(json, StandardCharsets.UTF_8), ModelManifest.class);
      if (manifest == null) {
        throw new BundleException("manifest.json is empty");
      }
      return manifest;
    } catch (RuntimeException e) {
      // Gson wraps what a record's constructor throws; those name the field that is null.
      boolean wrapped = !(e instanceof JsonParseException) && e.getCause() != null;
      Throwable cause = wrapped ? e.getCause() : e;
      String what = cause instanceof NullPointerException ? " lacks " : ": ";
      throw new BundleException("manifest.json" + what + cause.getMessage(), e);
    }
  }

  /** This manifest as JSON, UTF-8. */
  public byte[] toJson() {
    return GSON.toJson(this).getBytes(StandardCharsets.UTF_8);
  }

  /** The same model under another name. */
  public ModelManifest withId(String newId) {
    return with(newId, prompts, sensorCalibrations, maxSimCalibrations, golden);
  }

  /** From the cosine of two images of these sensors to a probability, where it was fitted. */
  public Optional<SensorCalibration> sensorCalibration(String query, String archive) {
    return find(sensorCalibrations, query, archive);
  }

  /** From MaxSim of two images of these sensors to a probability, where it was fitted. */
  public Optional<SensorCalibration> maxSimCalibration(String query, String archive) {
    return find(fittedMaxSims(), query, archive);
  }

  private static Optional<SensorCalibration> find(
      List<SensorCalibration> pairs, String query, String archive) {
    return pairs.stream()
        .filter(pair -> pair.query().equals(query) && pair.archive().equals(archive))
        .findFirst();
  }

  /** The component of that name, or an empty list where it is null. */
  public List<SensorCalibration> fittedMaxSims() {
    return maxSimCalibrations == null ? List.of() : maxSimCalibrations;
  }

  /** The same with other probabilities for its sensor pairs, and without golden outputs. */
  ModelManifest withSensorCalibrations(
      List<SensorCalibration> cosines, List<SensorCalibration> maxSims) {
    return with(id, prompts, cosines, maxSims, null);
  }

  ModelManifest withGolden(Golden newGolden) {
    return with(id, prompts, sensorCalibrations, maxSimCalibrations, newGolden);
  }

  /** The same whose query texts are put into these templates; none: as they are. */
  ModelManifest withPrompts(List<String> templates) {
    return with(id, templates, sensorCalibrations, maxSimCalibrations, golden);
  }

  /**
   * The same without its golden outputs, metrics and training, for those who only ask what the
   * model is.
   */
  public ModelManifest brief() {
    return with(
        id,
        prompts,
        sensorCalibrations,
        maxSimCalibrations,
        new Training("", 0, 0, ""),
        List.of(),
        null);
  }

  private ModelManifest with(
      String newId,
      List<String> newPrompts,
      List<SensorCalibration> cosines,
      List<SensorCalibration> maxSims,
      Golden newGolden) {
    return with(newId, newPrompts, cosines, maxSims, training, metrics, newGolden);
  }

  private ModelManifest with(
      String newId,
      List<String> newPrompts,
      List<SensorCalibration> cosines,
      List<SensorCalibration> maxSims,
      Training newTraining,
      List<Metric> newMetrics,
      Golden newGolden) {
    return new ModelManifest(
        formatVersion,
        newId,
        config,
        vocabularySha256,
        bytePairs,
        newPrompts,
        weightsSha256,
        weightsPrecision,
        fingerprints,
        calibration,
        cosines,
        maxSims,
        newTraining,
        newMetrics,
        newGolden);
  }
}
