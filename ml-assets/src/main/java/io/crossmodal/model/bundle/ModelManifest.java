/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * What a bundle says of itself: {@code manifest.json}.
 *
 * @param formatVersion {@link #FORMAT_VERSION}
 * @param id lower-case name under which the model is served
 * @param config shape of the model
 * @param vocabularySha256 of {@code vocab.txt}
 * @param weightsSha256 of {@code model.pt}
 * @param fingerprints what may be mixed with what
 * @param calibration from logits to a probability
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
    Training training,
    List<Metric> metrics,
    Golden golden) {

  /** The version that this code writes, and the only one that it reads. */
  public static final int FORMAT_VERSION = 1;

  private static final Pattern ID = Pattern.compile("[a-z0-9][a-z0-9_-]{0,63}");

  /**
   * How a model was made.
   *
   * @param dataSet name of the data set
   * @param seed of initialisation and order
   * @param epochs passes over the training images
   * @param codeVersion version of the trainer
   */
  public record Training(String dataSet, long seed, double epochs, String codeVersion) {
    public Training {
      Objects.requireNonNull(dataSet, "data_set");
      Objects.requireNonNull(codeVersion, "code_version");
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
      Objects.requireNonNull(name, "name");
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
    if (id == null || !ID.matcher(id).matches()) {
      throw new IllegalArgumentException("id must match " + ID.pattern() + ", got [" + id + "]");
    }
    Objects.requireNonNull(config, "config");
    Objects.requireNonNull(vocabularySha256, "vocabulary_sha256");
    Objects.requireNonNull(weightsSha256, "weights_sha256");
    Objects.requireNonNull(fingerprints, "fingerprints");
    Objects.requireNonNull(calibration, "calibration");
    Objects.requireNonNull(training, "training");
    metrics = List.copyOf(Objects.requireNonNull(metrics, "metrics"));
  }

  ModelManifest withGolden(Golden newGolden) {
    return new ModelManifest(
        formatVersion,
        id,
        config,
        vocabularySha256,
        weightsSha256,
        fingerprints,
        calibration,
        training,
        metrics,
        newGolden);
  }
}
