/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.encode.BulkSink;
import io.crossmodal.trainer.encode.Cutting;
import io.crossmodal.trainer.encode.DocumentFormat;
import io.crossmodal.trainer.encode.EncodeRun;
import io.crossmodal.trainer.encode.Journal;
import io.crossmodal.trainer.encode.Look;
import io.crossmodal.trainer.encode.NdjsonSink;
import io.crossmodal.trainer.encode.SourceImage;
import io.crossmodal.trainer.encode.SourceImages;
import io.crossmodal.trainer.encode.TokenForm;
import io.crossmodal.trainer.raster.Rasters;
import java.awt.image.BufferedImage;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import javax.imageio.ImageIO;

/**
 * What {@code encode} reaches of its tower's own speed: files to documents, against pixels in
 * memory to tokens. The same pictures, rounds in turn, in one process.
 */
final class EncodeBench {
  private static final String INDEX = "encode";
  private static final long SEED = 11;
  private static final int BATCH = 32;
  private static final int ROUNDS = 3;

  private final FusionModel model;
  private final List<SourceImage> images;
  private final DocumentFormat format;

  private EncodeBench(FusionModel model, List<SourceImage> images) {
    this.model = model;
    this.images = images;
    this.format =
        new DocumentFormat("image", "rgb", model.bundle().manifest(), TokenForm.INT8, true);
  }

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> generated = Scenes.generate(work, scenes, SEED);
    Path folder = generated.get(0).file().getParent();
    List<SourceImage> images = SourceImages.read(folder, Optional.empty(), 0).images();
    Report report = new Report("encode");
    report.table(
        "Batches of " + BATCH + ", medians of " + ROUNDS + " rounds",
        "model | pictures | bare tower, images/s | "
            + "encode to lines that are thrown away | share of the tower | "
            + "encode to a node on the same machine | share of the tower");
    try (FusionModel model = FusionModel.load(ModelBundle.demo(), work)) {
      new EncodeBench(model, images).measure(work, report);
    }
    ModelBundle small = TestBundles.random("small", ModelConfig.small(), SEED);
    try (FusionModel model = FusionModel.load(small, work)) {
      new EncodeBench(model, images.subList(0, images.size() / 8)).measure(null, report);
    }
    fromScenes(work, images, report);
    report.publish();
  }

  /** The same pictures as one scene: a COG that GDAL makes of them, JPEG in tiles. */
  private static void fromScenes(Path work, List<SourceImage> images, Report report)
      throws Exception {
    if (!Gdal.isInstalled()) {
      return;
    }
    // A scene has thousands of chips: what it takes to open one must not count.
    List<SourceImage> many = Collections.nCopies(4, images).stream().flatMap(List::stream).toList();
    Path cog = cog(work, many);
    report.table(
        "Chips of one COG, load of the machine before: " + load(),
        "model | chips | reader | bare tower, images/s | encode from the COG | share of the tower");
    try (FusionModel model = FusionModel.load(ModelBundle.demo(), work)) {
      new EncodeBench(model, many).measureChips(cog, report);
    }
    ModelBundle small = TestBundles.random("small", ModelConfig.small(), SEED);
    List<SourceImage> few = images.subList(0, images.size() / 8);
    try (FusionModel model = FusionModel.load(small, work)) {
      new EncodeBench(model, few).measureChips(cog(work, few), report);
    }
  }

  private static double load() {
    return ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();
  }

  /** Lays pictures side by side in rows of 32. */
  private static Path cog(Path work, List<SourceImage> images) throws Exception {
    int across = Math.min(32, images.size());
    int down = images.size() / across;
    int side = ImageIO.read(images.get(0).files().get(0).toFile()).getWidth();
    BufferedImage scene = new BufferedImage(across * side, down * side, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < across * down; i++) {
      BufferedImage picture = ImageIO.read(images.get(i).files().get(0).toFile());
      scene.createGraphics().drawImage(picture, i % across * side, i / across * side, null);
    }
    Path plain = work.resolve("scene-" + images.size() + ".png");
    ImageIO.write(scene, "png", plain.toFile());
    Path cog = work.resolve("scene-" + images.size() + ".tif");
    Gdal.translate(
        plain,
        cog,
        "-of COG -co COMPRESS=JPEG -a_srs EPSG:26917 -a_ullr 500000 4200000 "
            + (500_000 + across * side)
            + " "
            + (4_200_000 - down * side));
    return cog;
  }

  private void measureChips(Path cog, Report report) throws Exception {
    List<PixelTensor> pixels = new ArrayList<>();
    ImagePreprocessor preprocessor = model.bundle().preprocessor("rgb");
    int side = ImageIO.read(images.get(0).files().get(0).toFile()).getWidth();
    for (SourceImage image : images.subList(0, images.size() / 32 * 32)) {
      pixels.add(preprocessor.preprocess(Files.readAllBytes(image.files().get(0))));
    }
    for (Rasters.Choice reader : List.of(Rasters.Choice.BUILTIN, Rasters.Choice.GDAL)) {
      double[] bare = new double[ROUNDS];
      double[] chips = new double[ROUNDS];
      tower(pixels);
      chips(cog, reader, side);
      for (int round = 0; round < ROUNDS; round++) {
        bare[round] = tower(pixels);
        chips[round] = chips(cog, reader, side);
      }
      report.row(
          model.bundle().manifest().id(),
          pixels.size(),
          reader,
          median(bare),
          median(chips),
          median(chips) / median(bare));
    }
  }

  /** Returns chips per second. */
  private double chips(Path cog, Rasters.Choice reader, int side) throws Exception {
    Cutting cutting =
        new Cutting(side, side, false, OptionalDouble.empty(), 0.5, Optional.empty(), reader);
    Look look = new Look(192, Optional.empty(), List.of());
    EncodeRun.Options options =
        new EncodeRun.Options(BATCH, Runtime.getRuntime().availableProcessors(), 0, look);
    List<SourceImage> scene = SourceImages.read(cog, Optional.empty(), 0).images();
    long start = System.nanoTime();
    try (io.crossmodal.trainer.encode.Scenes cut =
            io.crossmodal.trainer.encode.Scenes.plan(scene, cutting, model.bundle(), "rgb", look);
        Journal none = Journal.none()) {
      EncodeRun.Summary summary =
          new EncodeRun(model, format, options, none)
              .run(
                  cut,
                  listener -> new NdjsonSink(OutputStream.nullOutputStream(), 0, format, listener),
                  done -> {});
      return summary.kept() / ((System.nanoTime() - start) / 1e9);
    }
  }

  /**
   * Measures one model.
   *
   * @param work for a node that has the model; null where none has
   */
  private void measure(Path work, Report report) throws Exception {
    List<PixelTensor> pixels = new ArrayList<>();
    ImagePreprocessor preprocessor = model.bundle().preprocessor("rgb");
    for (SourceImage image : images) {
      pixels.add(preprocessor.preprocess(Files.readAllBytes(image.files().get(0))));
    }
    double[] bare = new double[ROUNDS];
    double[] lines = new double[ROUNDS];
    tower(pixels);
    encode(listener -> new NdjsonSink(OutputStream.nullOutputStream(), 0, format, listener));
    for (int round = 0; round < ROUNDS; round++) {
      bare[round] = tower(pixels);
      lines[round] =
          encode(listener -> new NdjsonSink(OutputStream.nullOutputStream(), 0, format, listener));
    }
    double towers = median(bare);
    Double indexed = work == null ? null : median(toNode(work));
    report.row(
        model.bundle().manifest().id(),
        images.size(),
        towers,
        median(lines),
        median(lines) / towers,
        indexed == null ? "not run" : (Object) indexed,
        indexed == null ? "" : (Object) (indexed / towers));
  }

  private double[] toNode(Path work) throws Exception {
    double[] rates = new double[ROUNDS];
    try (OpenSearchNode node = PluginNode.start(work.resolve("opensearch"), 0)) {
      ClusterClient http = new ClusterClient(node.baseUri(), Optional.empty());
      for (int round = 0; round < ROUNDS; round++) {
        new CrossModalClient(node.client()).createIndex(INDEX, 1);
        rates[round] =
            encode(
                listener ->
                    new BulkSink(
                        bulk ->
                            http.send("POST", "/" + INDEX + "/_bulk", bulk, Duration.ofMinutes(5)),
                        format,
                        2,
                        Retry.lasting(Duration.ofMinutes(5)),
                        listener));
      }
    }
    return rates;
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }

  /** Returns images per second. */
  private double tower(List<PixelTensor> pixels) {
    long start = System.nanoTime();
    for (int from = 0; from < pixels.size(); from += BATCH) {
      model.encodeImages("rgb", pixels.subList(from, Math.min(pixels.size(), from + BATCH)));
    }
    return pixels.size() / ((System.nanoTime() - start) / 1e9);
  }

  /** Returns images per second. */
  private double encode(EncodeRun.SinkFactory sinks) throws Exception {
    EncodeRun.Options options =
        new EncodeRun.Options(BATCH, Runtime.getRuntime().availableProcessors(), 0, Look.PLAIN);
    long start = System.nanoTime();
    try (Journal none = Journal.none()) {
      new EncodeRun(model, format, options, none).run(images, sinks, done -> {});
    }
    return images.size() / ((System.nanoTime() - start) / 1e9);
  }
}
