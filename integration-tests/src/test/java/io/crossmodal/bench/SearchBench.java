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

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.ObjIntConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import me.tongfei.progressbar.ProgressBar;
import org.opensearch.client.ResponseException;

/**
 * The kNN part at several sizes: recall against the exact neighbours, time, bytes on disk; and the
 * whole search, with its rescore. Embeddings are made up ({@link Vectors}) and the model has random
 * weights: what the fusion finds means nothing, what it costs does. With {@code -Dbench.knn=true}
 * the k-NN plugin stands in the same node and its lucene engine gets the same embeddings. {@code
 * -Dbench.encodings} names the indices, int8 among them: a million documents take an hour each.
 */
final class SearchBench {
  private static final int BULK = 500;
  private static final int WARM = 30;

  private static final long SEED = 5;

  /** What the k-NN plugin is compared with, and its index, which holds the same as that. */
  private static final String EXACT = "float32";

  private static final String TOOK = "mean took, ms";

  private final CrossModalClient client;
  private final SearchRequests requests;
  private final Vectors vectors = new Vectors(DIMENSION, SEED);
  private final float[][] queries;
  private final List<String> indices =
      new ArrayList<>(List.of(System.getProperty("bench.encodings").split(",")));
  private final Map<String, Double> smallest = new TreeMap<>();
  private final List<Object[]> knn = new ArrayList<>();
  private final List<Object[]> whole = new ArrayList<>();
  private final List<Object[]> disk = new ArrayList<>();
  private final List<Object[]> compared = new ArrayList<>();

  private SearchBench(CrossModalClient client, ModelBundle model, int queries, boolean peer) {
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
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    boolean peer = Boolean.getBoolean("bench.knn");
    Path folder = work.resolve("opensearch");
    try (OpenSearchNode node =
        peer ? PluginNode.startWithNeighbours(folder) : PluginNode.start(folder, 0)) {
      Path file = work.resolve("bench.zip");
      BundleWriter.write(TestBundles.random(MODEL, shape(), SEED), file, List.of("a b"));
      ModelUpload upload =
          new ModelUpload(
              new ClusterClient(node.baseUri(), Optional.empty()), ModelUpload.PART_BYTES);
      upload.send(file, MODEL, parts -> {});
      upload.load(MODEL);
      SearchBench bench =
          new SearchBench(
              new CrossModalClient(node.client()), ModelBundle.read(file), queries, peer);
      for (int size : sizes) {
        bench.measure(size);
        // A long run that is ended early leaves what it has.
        bench.publish(sizes[0]);
      }
    }
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
        "kNN alone, k " + WINDOW + ", one client, " + queries.length + " queries",
        "documents | embeddings | recall@"
            + WINDOW
            + " | p50 ms | p95 ms | "
            + against
            + " | "
            + TOOK);
    knn.forEach(report::row);
    if (!compared.isEmpty()) {
      report.table(
          "The k-NN plugin's lucene engine, asked in turns with ours, " + EXACT,
          "documents | ours p50 ms | p95 ms | k-NN p50 ms | p95 ms | "
              + "ours / k-NN, p50 | ours "
              + TOOK
              + " | k-NN "
              + TOOK);
      compared.forEach(report::row);
    }
    report.table(
        "kNN and fusion of " + WINDOW + " hits, embeddings " + WITH_TOKENS,
        "documents | p50 ms | p95 ms | " + against + " | " + TOOK);
    whole.forEach(report::row);
    report.table(
        "Bytes on disk a document, one segment",
        "documents | embeddings | all | float vectors | quantised vectors | "
            + "graph | doc values | _source | rest");
    disk.forEach(report::row);
    report.publish();
  }

  private void measure(int documents) throws IOException {
    List<Set<String>> exact = index(documents);
    for (String index : indices) {
      sizes(index, documents);
      double[] found = {0};
      Object[] times =
          ask(
              index,
              queries.length,
              index,
              query -> SearchRequests.knn(index, query),
              (ids, q) -> {
                ids.retainAll(exact.get(q));
                found[0] += ids.size();
              });
      String recall = String.format(Locale.ROOT, "%.4f", found[0] / queries.length / WINDOW);
      knn.add(new Object[] {documents, index, recall, times[0], times[1], times[2], times[3]});
    }
    if (indices.contains(PEER)) {
      compare(documents);
    }
    Object[] times =
        ask("whole", queries.length / 4, WITH_TOKENS, SearchRequests::rescored, (ids, q) -> {});
    whole.add(new Object[] {documents, times[0], times[1], times[2], times[3]});
    for (String index : indices) {
      client.call("DELETE", "/" + index, null);
    }
  }

  /**
   * Searches by the first queries, one after the other, after some to warm up.
   *
   * @param seen takes the ids that were found and the query's number
   * @return {@link #times} and the mean of the node's own count, in ms
   */
  private Object[] ask(
      String what,
      int count,
      String index,
      Function<float[], String> body,
      ObjIntConsumer<Set<String>> seen)
      throws IOException {
    double[] millis = new double[count];
    double took = 0;
    for (int q = -WARM; q < count; q++) {
      String request = body.apply(queries[Math.floorMod(q, queries.length)]);
      long start = System.nanoTime();
      Answer answer = search(index, request);
      if (q >= 0) {
        millis[q] = (System.nanoTime() - start) / 1e6;
        took += answer.took;
        seen.accept(answer.ids, q);
      }
    }
    Object[] times = times(what, millis);
    return new Object[] {times[0], times[1], times[2], took / count};
  }

  /** Returns the median, 95th percentile, and the median against that of the smallest size. */
  private Object[] times(String what, double[] millis) {
    double[] sorted = millis.clone();
    Arrays.sort(sorted);
    double median = sorted[sorted.length / 2];
    smallest.putIfAbsent(what, median);
    return new Object[] {median, sorted[sorted.length * 95 / 100], median / smallest.get(what)};
  }

  /**
   * A page.
   *
   * @param took the node's own count, in ms: what lies between it and the client is not in it
   */
  private record Answer(Set<String> ids, double took) {}

  private Answer search(String index, String body) throws IOException {
    JsonObject answer = client.call("POST", "/" + index + "/_search", body);
    Set<String> ids = new HashSet<>();
    for (JsonElement hit : answer.getAsJsonObject("hits").getAsJsonArray("hits")) {
      ids.add(hit.getAsJsonObject().get("_id").getAsString());
    }
    return new Answer(ids, answer.get("took").getAsDouble());
  }

  /** Asks both for each query, so that what else the machine does meets both alike. */
  private void compare(int documents) throws IOException {
    List<String> both = List.of(EXACT, PEER);
    double[][] millis = new double[both.size()][queries.length];
    double[] took = new double[both.size()];
    for (int q = 0; q < queries.length; q++) {
      for (int turn = 0; turn < both.size(); turn++) {
        int which = (q + turn) % both.size();
        String body = SearchRequests.knn(both.get(which), queries[q]);
        long start = System.nanoTime();
        took[which] += search(both.get(which), body).took / queries.length;
        millis[which][q] = (System.nanoTime() - start) / 1e6;
      }
    }
    Object[] ours = times("compared", millis[0]);
    Object[] theirs = times("peer", millis[1]);
    compared.add(
        new Object[] {
          documents,
          ours[0],
          ours[1],
          theirs[0],
          theirs[1],
          (double) ours[0] / (double) theirs[0],
          took[0],
          took[1]
        });
  }

  /**
   * Fills an index for each encoding.
   *
   * @return for each query the ids of its exact neighbours
   */
  private List<Set<String>> index(int documents) throws IOException {
    for (String index : indices) {
      client.call("PUT", "/" + index, SearchRequests.mapping(index));
    }
    List<PriorityQueue<Neighbour>> best = new ArrayList<>();
    for (int q = 0; q < queries.length; q++) {
      best.add(new PriorityQueue<>());
    }
    try (ProgressBar bar = new ProgressBar("index", documents)) {
      for (int from = 0; from < documents; from += BULK) {
        int to = Math.min(documents, from + BULK);
        List<float[]> embeddings = IntStream.range(from, to).mapToObj(vectors::get).toList();
        for (String index : indices) {
          StringBuilder lines = new StringBuilder();
          for (int i = from; i < to; i++) {
            lines.append(requests.document(index, i, embeddings.get(i - from)));
          }
          JsonObject answer = client.call("POST", "/" + index + "/_bulk", lines.toString());
          if (answer.get("errors").getAsBoolean()) {
            throw new IOException("documents were refused: " + answer);
          }
        }
        for (int i = from; i < to; i++) {
          for (int q = 0; q < queries.length; q++) {
            offer(best.get(q), new Neighbour(i, dot(queries[q], embeddings.get(i - from))));
          }
        }
        bar.stepTo(to);
      }
      bar.setExtraMessage("merging");
      for (String index : indices) {
        merge(index);
        client.call("POST", "/" + index + "/_refresh", null);
      }
    }
    return best.stream()
        .map(queue -> queue.stream().map(n -> Integer.toString(n.item)).collect(Collectors.toSet()))
        .toList();
  }

  /** Merges to one segment, for longer than a client waits for an answer. */
  private void merge(String index) throws IOException {
    String task =
        client
            .call(
                "POST",
                "/" + index + "/_forcemerge?max_num_segments=1&wait_for_completion=false",
                null)
            .get("task")
            .getAsString();
    do {
      try {
        client.get("/_tasks/" + task + "?wait_for_completion=true&timeout=5m");
      } catch (ResponseException e) {
        // The five minutes are over.
      }
    } while (!client.get("/_tasks/" + task).get("completed").getAsBoolean());
  }

  private record Neighbour(int item, float score) implements Comparable<Neighbour> {
    @Override
    public int compareTo(Neighbour other) {
      return Float.compare(score, other.score);
    }
  }

  private static void offer(PriorityQueue<Neighbour> best, Neighbour candidate) {
    if (best.size() < WINDOW) {
      best.add(candidate);
    } else if (candidate.score > best.element().score) {
      best.remove();
      best.add(candidate);
    }
  }

  private static float dot(float[] a, float[] b) {
    float sum = 0;
    for (int d = 0; d < a.length; d++) {
      sum += a[d] * b[d];
    }
    return sum;
  }

  private void sizes(String index, int documents) throws IOException {
    JsonObject primaries =
        client
            .get("/" + index + "/_stats/segments,store?include_segment_file_sizes=true")
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
          index.equals(WITH_TOKENS) ? index + ", with tokens" : index,
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
