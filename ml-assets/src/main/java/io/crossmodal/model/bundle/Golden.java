/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import com.google.gson.annotations.SerializedName;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.Precision;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Inputs with the outputs that every loaded copy of the model must repeat. The engine computes
 * them; they are compared here, as values.
 *
 * @param texts the texts; none for a model without text
 * @param textEmbeddings embeddings of the texts
 * @param sensors per sensor of the model, in its order, the embeddings of {@link #IMAGES} pictures
 *     and the logits of every text with every picture
 * @param tolerance largest absolute difference that passes; reduced precision brings its own
 */
public record Golden(
    List<String> texts,
    List<List<Float>> textEmbeddings,
    List<SensorOutputs> sensors,
    double tolerance) {

  private static final int MAX_TEXTS = 64;
  private static final int MAX_LENGTH = 10_000;

  /** Pictures per sensor. */
  public static final int IMAGES = 2;

  /** fp32 on another CPU or thread count; observed differences are below 1e-5. */
  public static final double FP32_TOLERANCE = 1e-3;

  /** A bundle may not ask for more: beyond that the outputs say nothing about the model. */
  private static final double MAX_TOLERANCE = 0.01;

  /**
   * Outputs for the pictures of one sensor.
   *
   * @param sensor name
   * @param embeddings per picture
   * @param itm matching logits, text-major
   * @param biEncoder bi-encoder logits, text-major
   */
  public record SensorOutputs(
      String sensor,
      List<List<Float>> embeddings,
      List<Float> itm,
      @SerializedName("filter") List<Float> biEncoder) {
    public SensorOutputs {
      Objects.requireNonNull(sensor, "sensor");
      embeddings = rows(embeddings, "embeddings");
      itm = List.copyOf(Objects.requireNonNull(itm, "itm"));
      biEncoder = List.copyOf(Objects.requireNonNull(biEncoder, "filter"));
    }

    private double logit(int pair, Calibration calibration) {
      return calibration.scale() * calibration.logit(itm.get(pair), biEncoder.get(pair))
          + calibration.bias();
    }
  }

  public Golden {
    texts = List.copyOf(Objects.requireNonNull(texts, "texts"));
    textEmbeddings = rows(textEmbeddings, "text_embeddings");
    sensors = List.copyOf(Objects.requireNonNull(sensors, "sensors"));
    if (texts.size() > MAX_TEXTS || texts.stream().anyMatch(text -> text.length() > MAX_LENGTH)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "golden outputs have at most %d texts of at most %d characters, got %d texts",
              MAX_TEXTS,
              MAX_LENGTH,
              texts.size()));
    }
    if (sensors.isEmpty()) {
      throw new IllegalArgumentException("golden outputs need at least one sensor, got none");
    }
    if (!(tolerance > 0 && tolerance <= MAX_TOLERANCE)) {
      throw new IllegalArgumentException(
          "tolerance must be above 0 and at most " + MAX_TOLERANCE + ", got " + tolerance);
    }
  }

  private static List<List<Float>> rows(List<List<Float>> rows, String name) {
    return Objects.requireNonNull(rows, name).stream().map(List::copyOf).toList();
  }

  /** Insists that a model computes as many values as these are. */
  private void requireSameShape(Golden now) throws BundleException {
    count("sensors", sensors, now.sensors);
    count("text embeddings", flat(textEmbeddings), flat(now.textEmbeddings));
    for (int i = 0; i < sensors.size(); i++) {
      SensorOutputs expected = sensors.get(i);
      SensorOutputs found = now.sensors.get(i);
      count(expected.sensor + " embeddings", flat(expected.embeddings), flat(found.embeddings));
      count(expected.sensor + " matching logits", expected.itm, found.itm);
      count(expected.sensor + " filter logits", expected.biEncoder, found.biEncoder);
    }
  }

  private static void count(String what, List<?> expected, List<?> found) throws BundleException {
    if (expected.size() != found.size()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "golden %s: expected %d values, found %d",
              what,
              expected.size(),
              found.size()));
    }
  }

  /**
   * Insists that a loaded model repeats these outputs.
   *
   * @param now what it computes for the same inputs
   * @param precision it computes in: in fp32 outputs agree within the {@link #tolerance}, in
   *     another one their {@link Deviation#withinTolerance deviation} counts
   * @throws BundleException naming the first output that differs, or how far they are off
   */
  public void check(Golden now, Precision precision, Calibration calibration)
      throws BundleException {
    if (precision == Precision.FP32) {
      verify(now);
      return;
    }
    Deviation deviation = deviation(now, calibration);
    if (!deviation.withinTolerance()) {
      throw new BundleException(
          String.format(
              Locale.ROOT,
              "%s is too coarse for this model: golden embeddings are off by %.4f (accepted %.2f),"
                  + " logits by %.4f of their size (accepted %.2f)",
              precision,
              deviation.embedding,
              Deviation.EMBEDDING,
              deviation.logit,
              Deviation.LOGIT));
    }
  }

  private void verify(Golden now) throws BundleException {
    requireSameShape(now);
    compare("text embeddings", flat(textEmbeddings), flat(now.textEmbeddings));
    for (int i = 0; i < sensors.size(); i++) {
      SensorOutputs expected = sensors.get(i);
      SensorOutputs found = now.sensors.get(i);
      compare(expected.sensor + " embeddings", flat(expected.embeddings), flat(found.embeddings));
      compare(expected.sensor + " matching logits", expected.itm, found.itm);
      compare(expected.sensor + " filter logits", expected.biEncoder, found.biEncoder);
    }
  }

  /**
   * Distance of a model in reduced precision from these outputs.
   *
   * @param embedding largest absolute difference of a value of an embedding
   * @param logit largest difference of a pair's calibrated logit, as a share of its size or of 2,
   *     whichever is larger: beyond that a probability hardly changes
   */
  public record Deviation(double embedding, double logit) {
    /** Accepted of a value of an embedding, a unit vector. */
    public static final double EMBEDDING = 0.01;

    /** Accepted of a logit: a probability is off by 0.025 at most. */
    public static final double LOGIT = 0.05;

    /** Returns whether the model may serve; NaN may not. */
    public boolean withinTolerance() {
      return embedding <= EMBEDDING && logit <= LOGIT;
    }
  }

  /**
   * Compares with what a model of reduced precision computes for the same inputs.
   *
   * @param calibration of the model
   * @throws BundleException when its outputs are others in number than these
   */
  public Deviation deviation(Golden now, Calibration calibration) throws BundleException {
    requireSameShape(now);
    double embedding = largest(flat(textEmbeddings), flat(now.textEmbeddings));
    double logit = 0;
    for (int i = 0; i < sensors.size(); i++) {
      SensorOutputs expected = sensors.get(i);
      SensorOutputs found = now.sensors.get(i);
      embedding = Math.max(embedding, largest(flat(expected.embeddings), flat(found.embeddings)));
      for (int pair = 0; pair < expected.itm.size(); pair++) {
        double z = expected.logit(pair, calibration);
        double off = Math.abs(found.logit(pair, calibration) - z) / Math.max(2, Math.abs(z));
        logit = Math.max(logit, off);
      }
    }
    return new Deviation(embedding, logit);
  }

  private static double largest(List<Float> expected, List<Float> found) {
    double largest = 0;
    for (int i = 0; i < expected.size(); i++) {
      largest = Math.max(largest, Math.abs(expected.get(i) - found.get(i)));
    }
    return largest;
  }

  private void compare(String what, List<Float> expected, List<Float> found)
      throws BundleException {
    for (int i = 0; i < expected.size(); i++) {
      // Written so that NaN fails too.
      if (!(Math.abs(expected.get(i) - found.get(i)) <= tolerance)) {
        throw new BundleException(
            String.format(
                Locale.ROOT,
                "golden %s: value %d should be %s, this machine computes %s (tolerance %s)",
                what,
                i,
                expected.get(i),
                found.get(i),
                tolerance));
      }
    }
  }

  private static List<Float> flat(List<List<Float>> rows) {
    return rows.stream().flatMap(List::stream).toList();
  }
}
