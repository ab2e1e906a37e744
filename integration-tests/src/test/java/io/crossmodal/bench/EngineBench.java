/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.Engines;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.fixtures.WorkerProcess;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import me.tongfei.progressbar.ProgressBar;

/**
 * What it costs to compute in a worker beside the node instead of in the node, and what it saves
 * there. Both nodes live through the whole run and are asked in turns.
 */
final class EngineBench {
  private static final String INDEX = "engines";
  private static final long SEED = 7;
  private static final int WINDOW = 128;
  private static final int QUERIES = 32;

  /** A node and what was measured on it. */
  private static final class Engine implements AutoCloseable {
    private final String name;
    private final OpenSearchNode node;
    private final CrossModalClient client;
    private final double firstAnswer;
    private final List<Double> searches = new ArrayList<>();
    private final List<Double> bulks = new ArrayList<>();

    private Engine(
        String name,
        Path folder,
        UnaryOperator<OpenSearchNode.Builder> engine,
        List<CaptionedImage> first)
        throws IOException {
      this.name = name;
      long start = System.nanoTime();
      node = PluginNode.start(folder.resolve(name), engine);
      client = new CrossModalClient(node.client());
      client.createIndex(INDEX, 1);
      client.index(INDEX, first, done -> {});
      firstAnswer = (System.nanoTime() - start) / 1e9;
    }

    private void search(String text) throws IOException {
      long start = System.nanoTime();
      client.search(INDEX, text, WINDOW, WINDOW, 10);
      searches.add((System.nanoTime() - start) / 1e6);
    }

    private void bulk(List<CaptionedImage> images) throws IOException {
      long start = System.nanoTime();
      client.index(INDEX, images, done -> {});
      bulks.add((System.nanoTime() - start) / 1e6 / images.size());
    }

    @Override
    public void close() throws IOException {
      node.close();
    }
  }

  private EngineBench() {}

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = Scenes.generate(work, scenes, SEED);
    List<String> queries =
        images.stream().map(image -> image.captions().get(0)).distinct().limit(QUERIES).toList();
    Path socket = Engines.socket();
    try (WorkerProcess worker =
            WorkerProcess.start(
                Engines.jar(),
                work.resolve("worker"),
                socket,
                "--threads",
                Integer.toString(Runtime.getRuntime().availableProcessors()));
        Engine embedded =
            new Engine("embedded", work, UnaryOperator.identity(), images.subList(0, 1));
        Engine process =
            new Engine(
                "process", work, node -> Engines.beside(node, socket), images.subList(0, 1))) {
      measure(List.of(embedded, process), images, queries, worker);
    }
  }

  private static void measure(
      List<Engine> engines, List<CaptionedImage> images, List<String> queries, WorkerProcess worker)
      throws IOException {
    int part = 50;
    try (ProgressBar bar = new ProgressBar("bulks", images.size() / part)) {
      for (int from = 0; from + part <= images.size(); from += part) {
        for (Engine engine : engines) {
          engine.bulk(images.subList(from, from + part));
        }
        bar.step();
      }
    }
    for (Engine engine : engines) {
      for (String query : queries) {
        engine.search(query);
      }
      // They loaded code and filled caches.
      engine.searches.clear();
    }
    int rounds = 8;
    try (ProgressBar bar = new ProgressBar("searches", (long) rounds * queries.size())) {
      for (int round = 0; round < rounds; round++) {
        for (String query : queries) {
          for (Engine engine : engines) {
            engine.search(query);
          }
          bar.step();
        }
      }
    }
    Report report = new Report("engines");
    report.table(
        "Window " + WINDOW + ", one client, in turns",
        "engine | search median ms | p95 ms | picture of a bulk, median ms | "
            + "from start to the first document s | node resident MiB | worker resident MiB");
    for (Engine engine : engines) {
      report.row(
          engine.name,
          quantile(engine.searches, 0.5),
          quantile(engine.searches, 0.95),
          quantile(engine.bulks, 0.5),
          engine.firstAnswer,
          residentMiB(engine.node.process()),
          engine.name.equals("process") ? residentMiB(worker.process()) : 0.0);
    }
    report.publish();
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
