/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import me.tongfei.progressbar.ProgressBar;

/**
 * What the node adds to the bare call of the model, what batching across requests brings, and
 * whether memory stays flat. All of it in one run, on one node.
 */
final class ServingBench {
  private static final String INDEX = "serving";
  private static final long SEED = 7;
  private static final int WINDOW = 128;
  private static final int CLIENTS = 16;
  private static final int QUERIES = 64;
  private static final String MERGE = "plugins.cross_modal.inference.batch_across_requests";
  private static final String BATCH = "plugins.cross_modal.inference.score_batch_size";

  private final CrossModalClient client;
  private final OpenSearchNode node;
  private final List<String> queries;
  private final Report report = new Report("serving");

  private ServingBench(OpenSearchNode node, List<CaptionedImage> images) {
    this.node = node;
    this.client = new CrossModalClient(node.client());
    this.queries =
        images.stream().map(image -> image.captions().get(0)).distinct().limit(QUERIES).toList();
  }

  static void run() throws Exception {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    int searches = Integer.getInteger("bench.searches", 3000);
    boolean soak = Boolean.getBoolean("bench.soak");
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = Scenes.generate(work, scenes, SEED);
    try (OpenSearchNode node = PluginNode.start(work.resolve("opensearch"), 0)) {
      ServingBench bench = new ServingBench(node, images);
      bench.client.createIndex(INDEX, 1);
      try (ProgressBar bar = new ProgressBar("index", images.size())) {
        bench.client.index(INDEX, images, bar::stepTo);
      }
      // So that no query is encoded while something else is measured.
      bench.search(bench.queries, 1);
      if (!soak) {
        bench.overhead(work);
        bench.batching();
      }
      bench.memory(searches);
      bench.report.publish();
    }
  }

  /** The node's counts and summed times at one moment. */
  private record Snapshot(JsonObject stats) {
    long count(String name) {
      return stats.get(name).getAsLong();
    }

    double summedMillis(String stage) {
      JsonObject times = stats.getAsJsonObject("micros").getAsJsonObject(stage);
      return times.get("count").getAsLong() * times.get("mean").getAsLong() / 1e3;
    }
  }

  private Snapshot snapshot() throws IOException {
    JsonObject nodes = client.get("/_plugins/_cross_modal/stats").getAsJsonObject("nodes");
    return new Snapshot(nodes.entrySet().iterator().next().getValue().getAsJsonObject());
  }

  /** Searches one after the other, each beside a bare call on as many pairs. */
  private void overhead(Path work) throws Exception {
    int rounds = 60;
    ModelBundle bundle = ModelBundle.demo();
    double bare = 0;
    Snapshot before;
    try (FusionModel model = FusionModel.load(bundle, work)) {
      ModelConfig shape = bundle.manifest().config();
      SplittableRandom random = new SplittableRandom(SEED);
      List<TokenBlock> images =
          IntStream.range(0, WINDOW)
              .mapToObj(i -> block(random, shape, shape.imageTokens(shape.sensors().get(0))))
              .toList();
      List<List<TokenBlock>> texts =
          queries.stream()
              .map(text -> block(random, shape, bundle.tokenizer().tokenize(text).length()))
              .map(List::of)
              .toList();
      for (int i = 0; i < 10; i++) {
        client.search(INDEX, queries.get(i), WINDOW, WINDOW, 10);
        model.score(texts.get(i), images);
      }
      before = snapshot();
      try (ProgressBar bar = new ProgressBar("overhead", rounds)) {
        for (int i = 0; i < rounds; i++) {
          client.search(INDEX, queries.get(i % queries.size()), WINDOW, WINDOW, 10);
          long start = System.nanoTime();
          model.score(texts.get(i % queries.size()), images);
          bare += (System.nanoTime() - start) / 1e6;
          bar.step();
        }
      }
    }
    Snapshot after = snapshot();
    double model = after.summedMillis("model") - before.summedMillis("model");
    double rescore = after.summedMillis("rescore") - before.summedMillis("rescore");
    double read = after.summedMillis("read") - before.summedMillis("read");
    double queue = after.summedMillis("queue") - before.summedMillis("queue");
    report.table(
        "One client, window " + WINDOW + ", means of " + rounds + " searches, in milliseconds",
        "bare score call | model in the node | ratio | read | queue | "
            + "rest of the rescore but the model");
    report.row(
        bare / rounds,
        model / rounds,
        model / bare,
        read / rounds,
        queue / rounds,
        (rescore - model) / rounds);
  }

  private static TokenBlock block(SplittableRandom random, ModelConfig shape, int count) {
    float[] values = new float[count * shape.hidden()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return new TokenBlock(count, shape.hidden(), values);
  }

  private record Mode(String name, Map<String, String> settings) {}

  private void batching() throws Exception {
    List<Mode> modes =
        List.of(
            new Mode("one pair per call", Map.of(MERGE, "false", BATCH, "1")),
            new Mode("a call per request", Map.of(MERGE, "false", BATCH, "128")),
            new Mode("across requests", Map.of(MERGE, "true", BATCH, "128")));
    report.table(
        CLIENTS + " clients at once",
        "window | batching | pairs/s | against a call per request | "
            + "against one pair per call | mean batch | median ms | p95 ms");
    for (int window : new int[] {4, 10, 32, 128}) {
      int each = Math.max(4, 160 / window);
      List<double[]> rates = new ArrayList<>();
      for (Mode mode : modes) {
        client.settings(mode.settings());
        search(queries.subList(0, CLIENTS), window);
        Snapshot before = snapshot();
        long start = System.nanoTime();
        double[] millis = concurrently(each, window);
        double seconds = (System.nanoTime() - start) / 1e9;
        Snapshot after = snapshot();
        double pairs = after.count("pairs") - before.count("pairs");
        double calls = after.count("score_batches") - before.count("score_batches");
        Arrays.sort(millis);
        rates.add(
            new double[] {
              pairs / seconds,
              pairs / calls,
              millis[millis.length / 2],
              millis[millis.length * 95 / 100]
            });
      }
      for (int i = 0; i < modes.size(); i++) {
        double[] rate = rates.get(i);
        report.row(
            window,
            modes.get(i).name(),
            rate[0],
            rate[0] / rates.get(1)[0],
            rate[0] / rates.get(0)[0],
            rate[1],
            rate[2],
            rate[3]);
      }
    }
  }

  private void search(List<String> texts, int window) throws IOException {
    for (String text : texts) {
      client.search(INDEX, text, window, window, 10);
    }
  }

  /** Has each client search; returns the milliseconds of all. */
  private double[] concurrently(int each, int window) throws Exception {
    double[] millis = new double[CLIENTS * each];
    ExecutorService pool = Executors.newFixedThreadPool(CLIENTS);
    try {
      List<Callable<Void>> clients = new ArrayList<>();
      for (int c = 0; c < CLIENTS; c++) {
        int first = c * each;
        CrossModalClient own = new CrossModalClient(node.client());
        clients.add(
            () -> {
              for (int i = first; i < first + each; i++) {
                long start = System.nanoTime();
                own.search(INDEX, queries.get(i % queries.size()), window, window, 10);
                millis[i] = (System.nanoTime() - start) / 1e6;
              }
              return null;
            });
      }
      for (Future<Void> done : pool.invokeAll(clients)) {
        done.get();
      }
    } finally {
      pool.shutdown();
    }
    return millis;
  }

  /** Measures the node's memory while it searches on and on. */
  private void memory(int searches) throws Exception {
    client.settings(Map.of(MERGE, "true", BATCH, "128"));
    int steps = 10;
    int each = Math.max(1, searches / steps / CLIENTS);
    int window = Integer.getInteger("bench.window", 10);
    report.table(
        "Memory over " + steps * each * CLIENTS + " searches, window " + window,
        "searches | resident MiB | "
            + "old generation after its last collection, MiB | "
            + "native memory that the breaker counts, MiB");
    double[] warm = {};
    double[] last = {};
    try (ProgressBar bar = new ProgressBar("memory", steps)) {
      for (int step = 1; step <= steps; step++) {
        concurrently(each, window);
        last = new double[] {residentMiB(), heapMiB(), breakerMiB()};
        warm = step == 1 ? last : warm;
        report.row(step * each * CLIENTS, last[0], last[1], last[2]);
        bar.step();
      }
    }
    report.table("Growth since the first tenth, percent", "resident | old generation | breaker");
    report.row(growth(warm[0], last[0]), growth(warm[1], last[1]), growth(warm[2], last[2]));
  }

  /** Returns the growth in percent; 0 where the old generation was not collected before. */
  private static double growth(double before, double after) {
    return before == 0 ? 0 : 100 * (after / before - 1);
  }

  private double residentMiB() throws IOException {
    Path status = Path.of("/proc", Long.toString(node.process().pid()), "status");
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")) / 1024)
        .sum();
  }

  private JsonObject nodeStats(String part) throws IOException {
    return client
        .get("/_nodes/stats/" + part)
        .getAsJsonObject("nodes")
        .entrySet()
        .iterator()
        .next()
        .getValue()
        .getAsJsonObject();
  }

  /** Returns what survived the last collection of the old generation; 0 before the first. */
  private double heapMiB() throws IOException {
    JsonObject pools = nodeStats("jvm").getAsJsonObject("jvm").getAsJsonObject("mem");
    JsonObject old = pools.getAsJsonObject("pools").getAsJsonObject("old");
    JsonObject collected = old.getAsJsonObject("last_gc_stats");
    return collected.get("used_in_bytes").getAsDouble() / (1 << 20);
  }

  private double breakerMiB() throws IOException {
    JsonObject breakers = nodeStats("breaker").getAsJsonObject("breakers");
    JsonObject own = breakers.getAsJsonObject("cross_modal");
    return own.get("estimated_size_in_bytes").getAsDouble() / (1 << 20);
  }
}
