/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.Engines;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.WorkerProcess;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import me.tongfei.progressbar.ProgressBar;

/**
 * What it costs to compute in a worker beside the node instead of in the node, and what it saves
 * there. Both nodes live through the whole run and are asked in turns; what is told of a difference
 * is that of two answers to the same, one behind the other.
 */
final class EngineBench {
  private static final long SEED = 7;
  private static final int WINDOW = 128;
  private static final int PART = 32;
  private static final int STARTS = 5;
  private static final String TINY = "scenes-tiny";
  private static final String BASE = "base";

  /** A node, and how to start it again. */
  private static final class Engine implements AutoCloseable {
    private final String name;
    private final Path folder;
    private final UnaryOperator<OpenSearchNode.Builder> engine;
    private final List<Double> starts = new ArrayList<>();
    private OpenSearchNode node;
    private CrossModalClient client;

    private Engine(String name, Path work, UnaryOperator<OpenSearchNode.Builder> engine)
        throws IOException {
      this.name = name;
      this.folder = work.resolve(name);
      this.engine = engine;
      this.node = PluginNode.start(folder, engine);
      this.client = new CrossModalClient(node.client());
    }

    /** Starts it again; the time is that until a search has been rescored. */
    private void restart(String index, String text) throws IOException {
      node.close();
      long start = System.nanoTime();
      node = PluginNode.restart(folder, engine);
      client = new CrossModalClient(node.client());
      JsonObject unused = client.get("/_cluster/health/" + index + "?wait_for_status=yellow");
      client.search(index, text, WINDOW, WINDOW, 10);
      starts.add((System.nanoTime() - start) / 1e9);
    }

    private double search(String index, String text) throws IOException {
      long start = System.nanoTime();
      client.search(index, text, WINDOW, WINDOW, 10);
      return (System.nanoTime() - start) / 1e6;
    }

    /** Returns milliseconds for a picture. */
    private double bulk(String index, List<CaptionedImage> images) throws IOException {
      long start = System.nanoTime();
      client.index(index, images, done -> {});
      return (System.nanoTime() - start) / 1e6 / images.size();
    }

    @Override
    public void close() throws IOException {
      node.close();
    }
  }

  /** Times of both engines, one behind the other. */
  private static final class Pairs {
    private final List<Double> embedded = new ArrayList<>();
    private final List<Double> process = new ArrayList<>();

    private void row(Report report, String model, String what) {
      List<Double> more = new ArrayList<>();
      for (int i = 0; i < embedded.size(); i++) {
        more.add(process.get(i) - embedded.get(i));
      }
      double base = quantile(embedded, 0.5);
      report.row(
          model,
          what,
          embedded.size(),
          base,
          quantile(process, 0.5),
          quantile(more, 0.5),
          quantile(more, 0.25),
          quantile(more, 0.75),
          100 * quantile(more, 0.5) / base);
    }
  }

  private EngineBench() {}

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    boolean base = System.getProperty("bench.presets", "").contains("BASE");
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = Scenes.generate(work, Math.max(scenes, WINDOW), SEED);
    Path socket = Engines.socket();
    String threads = Integer.toString(Runtime.getRuntime().availableProcessors());
    Report report = new Report("engines");
    try (WorkerProcess worker =
            WorkerProcess.start(
                Engines.jar(), work.resolve("worker"), socket, "--threads", threads);
        Engine embedded = new Engine("embedded", work, UnaryOperator.identity());
        Engine process = new Engine("process", work, node -> Engines.beside(node, socket))) {
      report.table(
          "One client, in turns, window " + WINDOW + "; more is of the process, with its quartiles",
          "model | what | n | embedded ms | process ms | more ms | from | to | more %");
      measure(report, TINY, List.of(embedded, process), images, 8);
      report.table(
          "The node, " + STARTS + " starts each",
          "engine | seconds from its start to a rescored search, median | least | most");
      for (int i = 0; i < STARTS; i++) {
        for (Engine engine : List.of(embedded, process)) {
          engine.restart(TINY, images.get(0).captions().get(0));
        }
      }
      for (Engine engine : List.of(embedded, process)) {
        // Its memory is told after that: one search rescored, and a bulk encoded.
        double unused = engine.bulk(TINY, images.subList(0, PART));
        report.row(
            engine.name,
            quantile(engine.starts, 0.5),
            quantile(engine.starts, 0),
            quantile(engine.starts, 1));
      }
      resident(report, TINY, embedded, process, worker);
      if (base) {
        Path file = work.resolve("base.zip");
        ModelBundle unused =
            BundleWriter.write(
                TestBundles.random(
                    BASE, ModelConfig.Preset.BASE.config(), ModelBundle.demo().words(), SEED),
                file,
                List.of("a b c"));
        for (Engine engine : List.of(embedded, process)) {
          ModelUpload upload =
              new ModelUpload(
                  new ClusterClient(engine.node.baseUri(), Optional.empty()),
                  ModelUpload.PART_BYTES);
          upload.send(file, BASE, parts -> {});
          upload.load(BASE);
        }
        report.table(
            "Likewise, random weights of the preset base",
            "model | what | n | embedded ms | process ms | more ms | from | to | more %");
        measure(report, BASE, List.of(embedded, process), images.subList(0, WINDOW), 1);
        resident(report, TINY + " and " + BASE, embedded, process, worker);
      }
    }
    report.publish();
  }

  private static void resident(
      Report report, String models, Engine embedded, Engine process, WorkerProcess worker)
      throws IOException {
    report.table(
        "Resident memory, of which the heap is fixed; models: " + models,
        "engine | the node's, MiB | the worker's, MiB");
    report.row(embedded.name, residentMiB(embedded.node.process()), "none");
    report.row(process.name, residentMiB(process.node.process()), residentMiB(worker.process()));
  }

  private static void measure(
      Report report, String model, List<Engine> engines, List<CaptionedImage> images, int rounds)
      throws IOException {
    for (Engine engine : engines) {
      engine.client.call(
          "PUT",
          "/" + model,
          "{\"settings\":{\"number_of_shards\":1},\"mappings\":{\"properties\":{\"image\":"
              + "{\"type\":\"cross_modal\",\"model\":\""
              + model
              + "\"},\"caption\":{\"type\":\"text\"}}}}");
    }
    Pairs bulks = new Pairs();
    try (ProgressBar bar = new ProgressBar(model + ", bulks", images.size() / PART)) {
      for (int from = 0; from + PART <= images.size(); from += PART) {
        List<CaptionedImage> part = images.subList(from, from + PART);
        double embedded = engines.get(0).bulk(model, part);
        double process = engines.get(1).bulk(model, part);
        // The first ones load code, and the model.
        if (from > 0) {
          bulks.embedded.add(embedded);
          bulks.process.add(process);
        }
        bar.step();
      }
    }
    List<String> queries =
        images.stream().map(image -> image.captions().get(0)).distinct().limit(PART).toList();
    for (Engine engine : engines) {
      for (String query : rounds > 1 ? queries : queries.subList(0, 2)) {
        double unused = engine.search(model, query);
      }
    }
    Pairs searches = new Pairs();
    try (ProgressBar bar = new ProgressBar(model + ", searches", (long) rounds * queries.size())) {
      for (int round = 0; round < rounds; round++) {
        for (int q = 0; q < queries.size(); q++) {
          // Each is first as often as second.
          boolean first = q % 2 == 0;
          double one = engines.get(first ? 0 : 1).search(model, queries.get(q));
          double other = engines.get(first ? 1 : 0).search(model, queries.get(q));
          searches.embedded.add(first ? one : other);
          searches.process.add(first ? other : one);
          bar.step();
        }
      }
    }
    searches.row(report, model, "search");
    bulks.row(report, model, "picture of a bulk of " + PART);
  }

  private static double quantile(List<Double> values, double share) {
    double[] sorted = values.stream().mapToDouble(Double::doubleValue).toArray();
    Arrays.sort(sorted);
    return sorted[(int) (share * (sorted.length - 1))];
  }

  private static double residentMiB(ProcessHandle process) throws IOException {
    Path status = Path.of("/proc", Long.toString(process.pid()), "status");
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
        .sum();
  }
}
