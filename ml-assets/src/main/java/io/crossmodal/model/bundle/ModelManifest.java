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
import io.crossmodal.model.SensorCalibration;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Description of a bundle: {@code manifest.json}.
 *
 * @param formatVersion {@link #FORMAT_VERSION}
 * @param id lower-case name under which the model is served
 * @param config shape of the model
 * @param vocabularySha256 of {@code vocab.txt}; null for a model without text
 * @param weightsSha256 of {@code model.pt}
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
    String weightsSha256,
    Fingerprints fingerprints,
    Calibration calibration,
    List<SensorCalibration> sensorCalibrations,
    List<SensorCalibration> maxSimCalibrations,
    Training training,
    List<Metric> metrics,
    Golden golden) {

  /** The version that this code writes, and the only one that it reads. */
  public static final int FORMAT_VERSION = 1;

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
    if (config.hasText()) {
      Objects.requireNonNull(vocabularySha256, "vocabulary_sha256");
    } else if (vocabularySha256 != null) {
      throw new IllegalArgumentException("a model without text has no vocabulary_sha256");
    }
    Objects.requireNonNull(weightsSha256, "weights_sha256");
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
    return with(newId, sensorCalibrations, maxSimCalibrations, golden);
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
    return with(id, cosines, maxSims, null);
  }

  ModelManifest withGolden(Golden newGolden) {
    return with(id, sensorCalibrations, maxSimCalibrations, newGolden);
  }

  /**
   * The same without its golden outputs, metrics and training, for those who only ask what the
   * model is.
   */
  public ModelManifest brief() {
    return with(
        id, sensorCalibrations, maxSimCalibrations, new Training("", 0, 0, ""), List.of(), null);
  }

  private ModelManifest with(
      String newId,
      List<SensorCalibration> cosines,
      List<SensorCalibration> maxSims,
      Golden newGolden) {
    return with(newId, cosines, maxSims, training, metrics, newGolden);
  }

  private ModelManifest with(
      String newId,
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
        weightsSha256,
        fingerprints,
        calibration,
        cosines,
        maxSims,
        newTraining,
        newMetrics,
        newGolden);
  }
}
