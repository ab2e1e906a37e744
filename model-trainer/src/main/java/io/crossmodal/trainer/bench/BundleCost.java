/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.bench;

import com.google.errorprone.annotations.FormatMethod;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.engine.TorchPeak;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.trainer.encode.Look;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SplittableRandom;

/**
 * Measures what a model costs, in one run with the machine's own peak: a picture, a query, a
 * document, memory. Pixels are random, as their values make no difference to the time.
 */
public final class BundleCost {
  private static final String QUERY = "two white storage tanks beside a river near the harbour";
  private static final int CANDIDATES = 128;
  private static final int SIDE = 2048;

  private final FusionModel model;
  private final ModelConfig config;
  private final int rounds;
  private final List<String> lines = new ArrayList<>();

  private BundleCost(FusionModel model, int rounds) {
    this.model = model;
    this.config = model.bundle().manifest().config();
    this.rounds = rounds;
  }

  /**
   * Measures.
   *
   * @param file of the bundle
   * @param batch pictures in one call
   * @param rounds of each, of which the fastest counts; at least 1
   * @return a line for each number
   * @throws IllegalArgumentException for a batch or rounds below 1
   */
  public static List<String> measure(FusionModel model, Path file, int batch, int rounds)
      throws IOException {
    if (batch < 1 || rounds < 1) {
      throw new IllegalArgumentException(
          "batch and rounds must be at least 1, got " + batch + " and " + rounds);
    }
    return new BundleCost(model, rounds).measure(file, batch);
  }

  private List<String> measure(Path file, int batch) throws IOException {
    double peak = 0;
    for (int round = 0; round < rounds; round++) {
      peak = Math.max(peak, TorchPeak.matrixProduct(SIDE));
    }
    say(
        "machine: %d processors, %s, fp32 peak %.1f GFLOP/s (product of matrices of %d)",
        Runtime.getRuntime().availableProcessors(), model.device(), peak / 1e9, SIDE);
    say(
        "weights: %.1f MB on disk, %.1f MB in memory as %s",
        Files.size(file) / 1e6, model.weightBytes() / 1e6, model.precision());
    TowerFlops flops = new TowerFlops(config);
    for (SensorConfig sensor : config.sensors()) {
      pictures(sensor, 1, flops, peak);
      List<Encoding> encoded = pictures(sensor, batch, flops, peak);
      document(sensor, encoded.get(0));
      if (config.hasFusion()) {
        fuse(encoded.get(0).tokens());
      }
    }
    if (config.hasText()) {
      TokenizedText query = model.bundle().tokenizer().tokenize(QUERY);
      double seconds = fastest(() -> model.encodeTexts(List.of(query)));
      say(
          "a query of %d tokens: %.2f ms, %.2f GFLOP, %.0f %% of the peak",
          query.length(),
          1e3 * seconds,
          flops.text(query.length()) / 1e9,
          100 * flops.text(query.length()) / seconds / peak);
    }
    OptionalLong highest = peakMemory();
    say(
        "memory: %s",
        highest.isPresent()
            ? String.format(
                Locale.ROOT, "%.0f MB at most in this process (VmHWM)", highest.getAsLong() / 1e6)
            : "not known here, /proc/self/status has no VmHWM");
    return Collections.unmodifiableList(lines);
  }

  private List<Encoding> pictures(SensorConfig sensor, int batch, TowerFlops flops, double peak) {
    SplittableRandom random = new SplittableRandom(1);
    List<PixelTensor> pixels = new ArrayList<>();
    for (int i = 0; i < batch; i++) {
      float[] values = new float[sensor.channels() * sensor.imageSize() * sensor.imageSize()];
      for (int j = 0; j < values.length; j++) {
        values[j] = (float) random.nextDouble(-2, 2);
      }
      pixels.add(new PixelTensor(sensor.channels(), sensor.imageSize(), values));
    }
    List<Encoding> encoded = model.encodeImages(sensor.name(), pixels);
    double seconds = fastest(() -> model.encodeImages(sensor.name(), pixels));
    double each = flops.image(sensor);
    say(
        "%s, %d at a time: %.2f ms a picture, %.2f GFLOP each, %.0f %% of the peak",
        sensor.name(),
        batch,
        1e3 * seconds / batch,
        each / 1e9,
        100 * each * batch / seconds / peak);
    return encoded;
  }

  private void document(SensorConfig sensor, Encoding encoded) {
    TokenBlock tokens = encoded.tokens();
    String space = model.bundle().manifest().fingerprints().tokenSpace();
    int half = TokenBlockFormat.write(tokens, TokenEncoding.FP16, space).length;
    int bytes = TokenBlockFormat.write(tokens, TokenEncoding.INT8, space).length;
    say(
        "%s, a document: embedding %d bytes (%d x float32), tokens %d bytes as int8, %d as fp16"
            + " (%d x %d), thumbnail of %d pixels about %d",
        sensor.name(),
        Float.BYTES * encoded.embedding().length,
        encoded.embedding().length,
        bytes,
        half,
        tokens.count(),
        tokens.hidden(),
        Look.THUMBNAIL,
        new Look(Look.THUMBNAIL, Optional.empty(), List.of()).thumbnailBytes());
  }

  private void fuse(TokenBlock image) {
    List<TokenBlock> text =
        List.of(
            model.encodeTexts(List.of(model.bundle().tokenizer().tokenize(QUERY))).get(0).tokens());
    List<TokenBlock> images = Collections.nCopies(CANDIDATES, image);
    double seconds = fastest(() -> model.score(text, images));
    say("fusion of %d candidates: %.1f ms", CANDIDATES, 1e3 * seconds);
  }

  /** Returns the seconds of the fastest call after a first one. */
  private double fastest(Runnable call) {
    call.run();
    double seconds = Double.MAX_VALUE;
    for (int round = 0; round < rounds; round++) {
      long start = System.nanoTime();
      call.run();
      seconds = Math.min(seconds, (System.nanoTime() - start) / 1e9);
    }
    return seconds;
  }

  private static OptionalLong peakMemory() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.isReadable(status)) {
      return OptionalLong.empty();
    }
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("VmHWM:"))
        .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
        .findFirst();
  }

  @FormatMethod
  private void say(String format, Object... values) {
    lines.add(String.format(Locale.ROOT, format, values));
  }
}
