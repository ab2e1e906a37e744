/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.Encoding;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * Inputs with the outputs that every loaded copy of the model must repeat.
 *
 * <p>The pictures are waves computed from their index, so that a bundle need not carry pixels.
 *
 * @param texts the texts; none for a model without text
 * @param textEmbeddings filter embeddings of the texts
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
  private static final double FP32_TOLERANCE = 1e-3;

  /** A bundle may not ask for more: beyond that the outputs say nothing about the model. */
  private static final double MAX_TOLERANCE = 0.01;

  /**
   * Outputs for the pictures of one sensor.
   *
   * @param sensor name
   * @param embeddings per picture
   * @param itm matching logits, text-major
   * @param filter filter logits, text-major
   */
  public record SensorOutputs(
      String sensor, List<List<Float>> embeddings, List<Float> itm, List<Float> filter) {
    public SensorOutputs {
      Objects.requireNonNull(sensor, "sensor");
      embeddings = rows(embeddings, "embeddings");
      itm = List.copyOf(Objects.requireNonNull(itm, "itm"));
      filter = List.copyOf(Objects.requireNonNull(filter, "filter"));
    }

    private double logit(int pair, Calibration calibration) {
      return calibration.scale() * calibration.logit(itm.get(pair), filter.get(pair))
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

  /** Runs the model over the golden inputs. */
  static Golden of(FusionModel model, List<String> texts) {
    ModelConfig config = model.bundle().manifest().config();
    if (texts.isEmpty() == config.hasText()) {
      throw new IllegalArgumentException(
          config.hasText()
              ? "golden outputs need at least one text, got none"
              : "a model without text has no golden texts, got " + texts);
    }
    // One at a time: nobody waits for them, and a large picture takes memory.
    List<Encoding> encodedTexts = new ArrayList<>();
    for (String text : texts) {
      TokenizedText tokenized = model.bundle().tokenizer().tokenize(text);
      encodedTexts.addAll(model.encodeTexts(List.of(tokenized)));
    }
    List<SensorOutputs> sensors = new ArrayList<>();
    for (SensorConfig sensor : config.sensors()) {
      List<Encoding> images = new ArrayList<>();
      for (int image = 0; image < IMAGES; image++) {
        images.addAll(model.encodeImages(sensor.name(), List.of(wave(sensor, image))));
      }
      List<Float> itm = new ArrayList<>();
      List<Float> filter = new ArrayList<>();
      for (Encoding text : encodedTexts) {
        PairLogits logits =
            model.score(List.of(text.tokens()), images.stream().map(Encoding::tokens).toList());
        itm.addAll(boxed(logits.itm()));
        filter.addAll(boxed(logits.filter()));
      }
      sensors.add(new SensorOutputs(sensor.name(), embeddings(images), itm, filter));
    }
    return new Golden(List.copyOf(texts), embeddings(encodedTexts), sensors, FP32_TOLERANCE);
  }

  /**
   * The model's outputs for the same inputs.
   *
   * @throws BundleException when they are others in number than these
   */
  private Golden outputs(FusionModel model) throws BundleException {
    Golden now = of(model, texts);
    count("sensors", sensors, now.sensors);
    count("text embeddings", flat(textEmbeddings), flat(now.textEmbeddings));
    for (int i = 0; i < sensors.size(); i++) {
      SensorOutputs expected = sensors.get(i);
      SensorOutputs found = now.sensors.get(i);
      count(expected.sensor + " embeddings", flat(expected.embeddings), flat(found.embeddings));
      count(expected.sensor + " matching logits", expected.itm, found.itm);
      count(expected.sensor + " filter logits", expected.filter, found.filter);
    }
    return now;
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
   * Runs the model over the inputs and compares.
   *
   * @throws BundleException naming the first output that differs
   */
  void verify(FusionModel model) throws BundleException {
    Golden now = outputs(model);
    compare("text embeddings", flat(textEmbeddings), flat(now.textEmbeddings));
    for (int i = 0; i < sensors.size(); i++) {
      SensorOutputs expected = sensors.get(i);
      SensorOutputs found = now.sensors.get(i);
      compare(expected.sensor + " embeddings", flat(expected.embeddings), flat(found.embeddings));
      compare(expected.sensor + " matching logits", expected.itm, found.itm);
      compare(expected.sensor + " filter logits", expected.filter, found.filter);
    }
  }

  /**
   * How far a model in reduced precision is from these outputs.
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

    /** Whether the model may serve; NaN may not. */
    public boolean withinTolerance() {
      return embedding <= EMBEDDING && logit <= LOGIT;
    }
  }

  /**
   * Runs a model of reduced precision over the inputs and compares.
   *
   * @throws BundleException when its outputs are others in number than these
   */
  public Deviation deviation(FusionModel model) throws BundleException {
    Golden now = outputs(model);
    Calibration calibration = model.bundle().manifest().calibration();
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

  private static PixelTensor wave(SensorConfig sensor, int image) {
    int c = sensor.channels();
    int s = sensor.imageSize();
    float[] values = new float[c * s * s];
    for (int i = 0; i < values.length; i++) {
      int x = i % s;
      int y = i / s % s;
      int channel = i / (s * s);
      values[i] = (float) Math.sin(0.1 * (image + 1) * x + 0.05 * (channel + 1) * y);
    }
    return new PixelTensor(c, s, values);
  }

  private static List<List<Float>> embeddings(List<Encoding> encodings) {
    return encodings.stream().map(e -> boxed(e.embedding())).toList();
  }

  private static List<Float> boxed(float[] values) {
    List<Float> list = new ArrayList<>(values.length);
    for (float value : values) {
      list.add(value);
    }
    return list;
  }

  private static List<Float> flat(List<List<Float>> rows) {
    return rows.stream().flatMap(List::stream).toList();
  }
}
