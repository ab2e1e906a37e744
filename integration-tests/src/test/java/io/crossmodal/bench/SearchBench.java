/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import static io.crossmodal.bench.SearchRequests.DIMENSION;
import static io.crossmodal.bench.SearchRequests.MODEL;
import static io.crossmodal.bench.SearchRequests.PEER;
import static io.crossmodal.bench.SearchRequests.WINDOW;
import static io.crossmodal.bench.SearchRequests.WITH_TOKENS;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import me.tongfei.progressbar.ProgressBar;

/**
 * The kNN part at several sizes: recall against the exact neighbours over what a request may ask
 * for, time, bytes on disk; and the whole search, with its rescore. Embeddings are made up ({@link
 * Vectors}) and the model has random weights: what the fusion finds means nothing, what it costs
 * does. With {@code -Dbench.knn=true} the k-NN plugin stands in the same node and its lucene engine
 * gets the same embeddings. {@code -Dbench.encodings} names the indices: a million documents take
 * an hour each.
 */
final class SearchBench {
  private static final int BULK = 500;
  private static final Duration PATIENCE = Duration.ofMinutes(10);
  private static final long SEED = 5;

  /** What the k-NN plugin is compared with, and its index, which holds the same as that. */
  private static final String EXACT = "float32";

  private static final String SCRIPTED = "script_score";

  private final ClusterClient client;
  private final SearchRequests requests;
  private final Vectors vectors = new Vectors(DIMENSION, SEED);
  private final float[][] queries;
  private final List<String> indices =
      new ArrayList<>(List.of(System.getProperty("bench.encodings").split(",")));
  private final Map<String, Double> smallest = new TreeMap<>();
  private final List<Object[]> knn = new ArrayList<>();
  private final List<Object[]> compared = new ArrayList<>();
  private final List<Object[]> whole = new ArrayList<>();
  private final List<Object[]> built = new ArrayList<>();
  private final List<Object[]> disk = new ArrayList<>();
  private final Map<Integer, Chart> curves = new LinkedHashMap<>();
  private final Chart sizes =
      new Chart("A search, k " + WINDOW, "documents", "p50 ms").acrossDecades().upDecades();
  private final Chart peers =
      new Chart("Ours and others, k " + WINDOW, "documents", "p50 ms").acrossDecades().upDecades();

  private SearchBench(ClusterClient client, ModelBundle model, int queries, boolean peer) {
    this.client = client;
    if (peer) {
      indices.add(PEER);
    }
    this.requests = new SearchRequests(model);
    // Items that no document has.
    this.queries =
        IntStream.range(0, queries).mapToObj(q -> vectors.get(-1 - q)).toArray(float[][]::new);
  }

  static void run() throws Exception {
    int[] sizes =
        Arrays.stream(System.getProperty("bench.documents", "10000,100000").split(","))
            .mapToInt(Integer::parseInt)
            .toArray();
    int queries = Integer.getInteger("bench.queries", 200);
    boolean peer = Boolean.getBoolean("bench.knn");
    Path folder = work().resolve("opensearch");
    try (OpenSearchNode node =
        peer ? PluginNode.startWithNeighbours(folder) : PluginNode.start(folder, 0)) {
      ClusterClient client = new ClusterClient(node.baseUri(), Optional.empty());
      SearchBench bench = new SearchBench(client, upload(client), queries, peer);
      for (int size : sizes) {
        bench.measure(size);
        // A long run that is ended early leaves what it has.
        bench.publish(sizes[0]);
      }
    }
  }

  private static Path work() {
    return Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
  }

  /** Has the node serve a model of random weights, of the benchmarks' shape. */
  static ModelBundle upload(ClusterClient client) throws Exception {
    Path file = work().resolve("bench.zip");
    ModelBundle model =
        BundleWriter.write(TestBundles.random(MODEL, shape(), SEED), file, List.of("a b"));
    ModelUpload upload = new ModelUpload(client, ModelUpload.PART_BYTES);
    upload.send(file, MODEL, parts -> {});
    upload.load(MODEL);
    return model;
  }

  /** Returns the shipped model's shape, with embeddings of 256 values. */
  private static ModelConfig shape() {
    ModelConfig tiny = ModelConfig.tiny();
    return new ModelConfig(
        tiny.hidden(),
        tiny.heads(),
        tiny.feedForward(),
        DIMENSION,
        tiny.layerNormEpsilon(),
        tiny.text(),
        tiny.image(),
        tiny.fusionLayers(),
        tiny.sensors());
  }

  private void publish(int least) throws IOException {
    Report report = new Report("search");
    String against = "p50 against " + least + " documents";
    report.table(
        "kNN alone, k " + WINDOW + ", one client, " + queries.length + " queries, all in turns",
        "documents | embeddings | request | recall@"
            + WINDOW
            + " | p50 ms | p95 ms | took, mean ms");
    knn.forEach(report::row);
    if (!compared.isEmpty()) {
      report.table(
          "Ours against the k-NN plugin's lucene engine, " + EXACT + ", both by default",
          "documents | ours p50 ms | k-NN p50 ms | ours / k-NN | ours took | k-NN took | "
              + "ours / k-NN");
      compared.forEach(report::row);
    }
    report.table(
        "kNN and fusion of " + WINDOW + " hits, embeddings " + WITH_TOKENS,
        "documents | kNN p50 ms | whole p50 ms | whole p95 ms | whole took | "
            + against
            + " | a pair per call, p50 ms");
    whole.forEach(report::row);
    report.table(
        "Building an index: one client's bulks of " + BULK + ", then a merge to one segment",
        "documents | embeddings | bulks s | merge s | documents/s");
    built.forEach(report::row);
    report.table(
        "Bytes on disk a document, one segment",
        "documents | embeddings | all | float vectors | quantised vectors | "
            + "graph | doc values | _source | rest");
    disk.forEach(report::row);
    for (Map.Entry<Integer, Chart> curve : curves.entrySet()) {
      report.chart("recall-" + curve.getKey(), curve.getValue());
    }
    report.chart("size", sizes);
    report.chart("peers", peers);
    report.publish();
  }

  /** What requests ask for beside the default, from few candidates to many. */
  private static List<Map<String, ?>> options(String index) {
    List<Map<String, ?>> options = new ArrayList<>(List.of(Map.of()));
    if (index.equals(PEER)) {
      options.addAll(List.of(Map.of("ef_search", 256), Map.of("ef_search", 512)));
    } else if (index.equals(EXACT)) {
      for (int ef : new int[] {256, 512, 1024}) {
        options.add(Map.of("ef", ef));
      }
      options.add(Map.of("exact", true));
    } else {
      for (int oversample : new int[] {1, 2, 4, 8}) {
        options.add(Map.of("oversample", oversample));
      }
    }
    return options;
  }

  private void measure(int documents) throws IOException, InterruptedException {
    List<Set<String>> exact = index(documents);
    Turns turns = new Turns(client);
    for (String index : indices) {
      sizes(index, documents);
      for (Map<String, ?> options : options(index)) {
        String label = options.isEmpty() ? "as it is" : options.toString().replaceAll("[{}]", "");
        turns.add(index, label, query -> SearchRequests.knn(index, query, options));
      }
    }
    Turns.Kind scripted = null;
    if (indices.contains(PEER)) {
      scripted = turns.add(PEER, SCRIPTED, SearchRequests::scripted);
    }
    turns.ask(queries, exact);
    Map<String, Turns.Kind> byDefault = new TreeMap<>();
    Chart chart =
        new Chart(
            "kNN over " + documents + " documents, k " + WINDOW, "p50 ms", "recall@" + WINDOW);
    for (Turns.Kind kind : turns.kinds()) {
      byDefault.putIfAbsent(kind.index(), kind);
      knn.add(
          new Object[] {
            documents,
            kind.index(),
            kind.label(),
            kind.recall(WINDOW),
            kind.millis(50),
            kind.millis(95),
            kind.took()
          });
      // Where both axes end, and far from the rest.
      if (!kind.label().startsWith("exact") && !kind.label().equals(SCRIPTED)) {
        chart.point(kind.index(), kind.millis(50), kind.recalled(WINDOW));
      }
    }
    curves.put(documents, chart);
    byDefault.forEach((index, kind) -> sizes.point("kNN, " + index, documents, kind.millis(50)));
    if (indices.contains(PEER) && indices.contains(EXACT)) {
      Turns.Kind ours = byDefault.get(EXACT);
      peers.point("ours, kNN", documents, ours.millis(50));
      Turns.Kind theirs = byDefault.get(PEER);
      peers.point("k-NN plugin", documents, theirs.millis(50));
      peers.point("script_score", documents, scripted.millis(50));
      compared.add(
          new Object[] {
            documents,
            ours.millis(50),
            theirs.millis(50),
            ours.millis(50) / theirs.millis(50),
            ours.took(),
            theirs.took(),
            ours.took() / theirs.took()
          });
    }
    if (indices.contains(WITH_TOKENS)) {
      whole(documents, exact);
    }
    for (String index : indices) {
      call("DELETE", "/" + index, "");
    }
  }

  private void whole(int documents, List<Set<String>> exact)
      throws IOException, InterruptedException {
    Turns turns = new Turns(client);
    Turns.Kind found =
        turns.add(WITH_TOKENS, "", query -> SearchRequests.knn(WITH_TOKENS, query, Map.of()));
    Turns.Kind fused = turns.add(WITH_TOKENS, "", SearchRequests::rescored);
    turns.ask(Arrays.copyOf(queries, Math.max(1, queries.length / 4)), exact);
    Turns.Kind single = aPairPerCall(exact);
    smallest.putIfAbsent("whole", fused.millis(50));
    sizes.point("kNN and fusion", documents, fused.millis(50));
    peers.point("ours, kNN and fusion", documents, fused.millis(50));
    peers.point("a pair per call", documents, single.millis(50));
    whole.add(
        new Object[] {
          documents,
          found.millis(50),
          fused.millis(50),
          fused.millis(95),
          fused.took(),
          fused.millis(50) / smallest.get("whole"),
          single.millis(50)
        });
  }

  /** Asks a few whole searches of a node that scores each pair by a call of its own. */
  private Turns.Kind aPairPerCall(List<Set<String>> exact)
      throws IOException, InterruptedException {
    batch("1");
    try {
      Turns turns = new Turns(client);
      Turns.Kind kind = turns.add(WITH_TOKENS, "a pair per call", SearchRequests::rescored);
      turns.ask(Arrays.copyOf(queries, Math.max(1, queries.length / 10)), exact);
      return kind;
    } finally {
      batch(null);
    }
  }

  /** Sets how many pairs a call scores at most; null: as it is by default. */
  private void batch(String pairs) throws IOException, InterruptedException {
    String value = pairs == null ? "null" : "\"" + pairs + "\"";
    call(
        "PUT",
        "/_cluster/settings",
        "{\"persistent\":{\"plugins.cross_modal.inference.score_batch_size\":" + value + "}}");
  }

  private JsonObject call(String method, String path, String body)
      throws IOException, InterruptedException {
    return JsonParser.parseString(client.call(method, path, body, PATIENCE)).getAsJsonObject();
  }

  /**
   * Fills an index for each encoding.
   *
   * @return for each query the ids of its exact neighbours
   */
  private List<Set<String>> index(int documents) throws IOException, InterruptedException {
    for (String index : indices) {
      call("PUT", "/" + index, SearchRequests.mapping(index));
    }
    List<Neighbours> exact =
        Arrays.stream(queries).map(query -> new Neighbours(query, WINDOW)).toList();
    double[] bulks = new double[indices.size()];
    double[] merges = new double[indices.size()];
    try (ProgressBar bar = new ProgressBar("index", documents)) {
      for (int from = 0; from < documents; from += BULK) {
        int to = Math.min(documents, from + BULK);
        List<float[]> embeddings = IntStream.range(from, to).mapToObj(vectors::get).toList();
        for (int index = 0; index < bulks.length; index++) {
          StringBuilder lines = new StringBuilder();
          for (int i = from; i < to; i++) {
            lines.append(requests.document(indices.get(index), i, embeddings.get(i - from), true));
          }
          long start = System.nanoTime();
          bulk(client, indices.get(index), lines.toString());
          bulks[index] += (System.nanoTime() - start) / 1e9;
        }
        for (int i = from; i < to; i++) {
          for (Neighbours neighbours : exact) {
            neighbours.offer(i, embeddings.get(i - from));
          }
        }
        bar.stepTo(to);
      }
      bar.setExtraMessage("merging");
      for (int index = 0; index < bulks.length; index++) {
        long start = System.nanoTime();
        merge(indices.get(index));
        merges[index] = (System.nanoTime() - start) / 1e9;
        call("POST", "/" + indices.get(index) + "/_refresh", "");
      }
    }
    for (int index = 0; index < bulks.length; index++) {
      built.add(
          new Object[] {
            documents,
            name(indices.get(index)),
            bulks[index],
            merges[index],
            documents / (bulks[index] + merges[index])
          });
    }
    return exact.stream().map(Neighbours::ids).toList();
  }

  /** Sends documents, all of which the node has to accept. */
  static void bulk(ClusterClient client, String index, String lines)
      throws IOException, InterruptedException {
    ClusterClient.Response response =
        client.send(
            "POST", "/" + index + "/_bulk", lines.getBytes(StandardCharsets.UTF_8), PATIENCE);
    // Looked for at the beginning alone: parsing the answer would take as long as a part of it.
    if (response.status() >= 300
        || !response.body().substring(0, 100).contains("\"errors\":false")) {
      throw new IOException("documents were refused: " + response.body());
    }
  }

  /** Merges to one segment, for longer than a client waits for an answer. */
  private void merge(String index) throws IOException, InterruptedException {
    String task =
        call("POST", "/" + index + "/_forcemerge?max_num_segments=1&wait_for_completion=false", "")
            .get("task")
            .getAsString();
    boolean completed = false;
    while (!completed) {
      // It answers with an error when the five minutes are over.
      ClusterClient.Response unused =
          client.send(
              "GET",
              "/_tasks/" + task + "?wait_for_completion=true&timeout=5m",
              new byte[0],
              PATIENCE);
      completed = call("GET", "/_tasks/" + task, "").get("completed").getAsBoolean();
    }
  }

  private static String name(String index) {
    return index.equals(WITH_TOKENS) ? index + ", with tokens" : index;
  }

  private void sizes(String index, int documents) throws IOException, InterruptedException {
    JsonObject primaries =
        call("GET", "/" + index + "/_stats/segments,store?include_segment_file_sizes=true", "")
            .getAsJsonObject("indices")
            .getAsJsonObject(index)
            .getAsJsonObject("primaries");
    double all = primaries.getAsJsonObject("store").get("size_in_bytes").getAsDouble();
    JsonObject files = primaries.getAsJsonObject("segments").getAsJsonObject("file_sizes");
    double[] parts =
        List.of("vec", "veq", "vex", "dvd", "fdt").stream()
            .mapToDouble(
                extension ->
                    files.has(extension)
                        ? files.getAsJsonObject(extension).get("size_in_bytes").getAsDouble()
                        : 0)
            .toArray();
    disk.add(
        new Object[] {
          documents,
          name(index),
          all / documents,
          parts[0] / documents,
          parts[1] / documents,
          parts[2] / documents,
          parts[3] / documents,
          parts[4] / documents,
          (all - Arrays.stream(parts).sum()) / documents
        });
  }
}
