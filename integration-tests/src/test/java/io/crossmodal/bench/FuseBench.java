/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Footprint;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.engine.TorchPeak;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.bundle.BundleWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * The fusion encoder against the machine's own peak, measured by a large matrix product in the same
 * run: random weights, one query, candidates as they come from an index.
 */
final class FuseBench {
  private static final int TEXT = 16;
  private static final int SIDE = 2048;

  private FuseBench() {}

  static void run() throws Exception {
    Report report = new Report("fuse");
    List<String> presets =
        List.of(System.getProperty("bench.presets", "TINY,SMALL,BASE").split(","));
    report.table(
        "One query of " + TEXT + " tokens; the peak is that of fp32",
        "preset | precision | candidates | GFLOP | ms | GFLOP/s | "
            + "matmul GFLOP/s | share of the peak | memory counted, MiB | "
            + "memory taken, MiB");
    List<Precision> precisions =
        List.of(System.getProperty("bench.precisions", "FP32").split(",")).stream()
            .map(name -> Precision.valueOf(name.toUpperCase(Locale.ROOT)))
            .toList();
    for (String preset : presets) {
      for (Precision precision : precisions) {
        measure(report, preset, precision);
      }
    }
    report.publish();
  }

  /** Returns a preset's config; "BASE:128:7" stores 7 x 7 patches and [CLS] as 128 values each. */
  private static ModelConfig config(String preset) {
    String[] parts = preset.split(":", -1);
    ModelConfig whole = ModelConfig.Preset.valueOf(parts[0].toUpperCase(Locale.ROOT)).config();
    return parts.length < 2
        ? whole
        : whole.withTokenProjection(
            new TokenProjection(
                Integer.parseInt(parts[1]), parts.length < 3 ? null : Integer.valueOf(parts[2])));
  }

  private static void measure(Report report, String preset, Precision precision) throws Exception {
    Path scratch = Files.createTempDirectory("fuse-");
    ModelBundle bundle = TestBundles.random("bench", config(preset), 1);
    String kept = System.getProperty("bench.bundles", "");
    if (!kept.isEmpty()) {
      // For time_bundle.py, on a machine that need not have a JVM.
      ModelBundle unused =
          BundleWriter.write(
              bundle,
              Path.of(kept, preset.toLowerCase(Locale.ROOT).replace(':', '-') + ".zip"),
              List.of("a b c"));
    }
    ModelConfig config = bundle.manifest().config();
    int m = config.imageTokens(config.sensors().get(0));
    SplittableRandom random = new SplittableRandom(1);
    try (FusionModel model = FusionModel.load(bundle, scratch, null, precision)) {
      List<TokenBlock> text = List.of(block(random, config.hidden(), TEXT));
      for (int pairs : new int[] {1, 16, 128}) {
        List<TokenBlock> images =
            IntStream.range(0, pairs).mapToObj(i -> block(random, config.tokenWidth(), m)).toList();
        double flop = flop(config, pairs, TEXT, m);
        model.score(text, images.subList(0, 1));
        double before = status("VmRSS:");
        forgetPeak();
        model.score(text, images);
        double taken = status("VmHWM:") - before;
        double seconds = Double.MAX_VALUE;
        double peak = 0;
        for (int round = 0; round < 5; round++) {
          long start = System.nanoTime();
          model.score(text, images);
          seconds = Math.min(seconds, (System.nanoTime() - start) / 1e9);
          peak = Math.max(peak, TorchPeak.matrixProduct(SIDE));
        }
        report.row(
            preset.toLowerCase(Locale.ROOT),
            precision.name().toLowerCase(Locale.ROOT),
            pairs,
            flop / 1e9,
            1e3 * seconds,
            flop / seconds / 1e9,
            peak / 1e9,
            flop / seconds / peak,
            model.scoreBytes(pairs, TEXT, m) / (double) (1 << 20),
            taken);
      }
    } finally {
      Files.delete(scratch);
    }
  }

  /** Has the kernel count this process's highest memory anew. */
  private static void forgetPeak() throws IOException {
    Files.writeString(Path.of("/proc/self/clear_refs"), "5");
  }

  private static double status(String name) throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith(name))
        .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
        .sum();
  }

  private static TokenBlock block(SplittableRandom random, int width, int count) {
    float[] values = new float[count * width];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new TokenBlock(count, width, values);
  }

  /**
   * Multiplications and additions of {@code fuse} for P candidates of one query. A text's first
   * self-attention is computed once, the last layer works on one row.
   */
  static double flop(ModelConfig config, int p, double n, double m) {
    double h = config.hidden();
    double t = config.tokenWidth();
    double f = config.feedForward();
    double all = 0;
    for (int layer = 0; layer < config.fusionLayers(); layer++) {
      double rows = layer == config.fusionLayers() - 1 ? 1 : n;
      double self = 2 * h * h * (2 * rows + 2 * n) + 4 * rows * n * h;
      double cross =
          Footprint.absorbs(config, (long) rows, (long) m)
              ? 4 * h * (h + t) * rows + 4 * config.heads() * rows * m * t
              : 4 * h * (h * rows + t * m) + 4 * rows * m * h;
      all += (layer == 0 ? 1 : p) * self + p * (cross + 4 * rows * h * f);
    }
    return all;
  }
}
