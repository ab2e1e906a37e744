/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.deploy.ModelUpload;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
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
  private static final String MODEL = "bench";
  private static final int DIMENSION = 256;
  private static final int WINDOW = 128;
  private static final int M = 16;
  private static final int EF_CONSTRUCTION = 100;
  private static final int BULK = 500;
  private static final int WARM = 30;

  /** Documents take turns with so many token blocks: making one takes longer than indexing it. */
  private static final int BLOCKS = 1000;

  private static final long SEED = 5;
  private static final String TEXT = "a b c d e f g h i j k l m n";

  /**
   * Tokens are stored in one index only: their size does not depend on the embeddings' encoding.
   */
  private static final String WITH_TOKENS = "int8";

  /** What the k-NN plugin is compared with, and its index, which holds the same as that. */
  private static final String EXACT = "float32";

  private static final String TOOK = "mean took, ms";

  private static final String PEER = "knn-plugin-float32";

  private final CrossModalClient client;
  private final List<String> tokens;
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
    this.tokens = IntStream.range(0, BLOCKS).mapToObj(item -> tokens(model, item)).toList();
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

  /** The shipped model's, with embeddings of 256 values. */
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
        "documents",
        "embeddings",
        "recall@" + WINDOW,
        "p50 ms",
        "p95 ms",
        against,
        TOOK);
    knn.forEach(report::row);
    if (!compared.isEmpty()) {
      report.table(
          "The k-NN plugin's lucene engine, asked in turns with ours, " + EXACT,
          "documents",
          "ours p50 ms",
          "p95 ms",
          "k-NN p50 ms",
          "p95 ms",
          "ours / k-NN, p50",
          "ours " + TOOK,
          "k-NN " + TOOK);
      compared.forEach(report::row);
    }
    report.table(
        "kNN and fusion of " + WINDOW + " hits, embeddings " + WITH_TOKENS,
        "documents",
        "p50 ms",
        "p95 ms",
        against,
        TOOK);
    whole.forEach(report::row);
    report.table(
        "Bytes on disk a document, one segment",
        "documents",
        "embeddings",
        "all",
        "float vectors",
        "quantised vectors",
        "graph",
        "doc values",
        "_source",
        "rest");
    disk.forEach(report::row);
    report.publish();
  }

  private void measure(int documents) throws IOException {
    List<Set<String>> exact = index(documents);
    for (String index : indices) {
      sizes(index, documents);
      double[] millis = new double[queries.length];
      double took = 0;
      double found = 0;
      for (int q = -WARM; q < queries.length; q++) {
        String body = knn(index, queries[Math.floorMod(q, queries.length)]);
        long start = System.nanoTime();
        Answer answer = search(index, body);
        if (q >= 0) {
          millis[q] = (System.nanoTime() - start) / 1e6;
          took += answer.took;
          answer.ids.retainAll(exact.get(q));
          found += answer.ids.size();
        }
      }
      Object[] times = times(index, millis);
      knn.add(
          new Object[] {
            documents,
            index,
            String.format(Locale.ROOT, "%.4f", found / queries.length / WINDOW),
            times[0],
            times[1],
            times[2],
            took / queries.length
          });
    }
    if (indices.contains(PEER)) {
      compare(documents);
    }
    double[] millis = new double[queries.length / 4];
    double took = 0;
    for (int q = -WARM; q < millis.length; q++) {
      String body = rescored(queries[Math.floorMod(q, queries.length)]);
      long start = System.nanoTime();
      Answer answer = search(WITH_TOKENS, body);
      if (q >= 0) {
        millis[q] = (System.nanoTime() - start) / 1e6;
        took += answer.took;
      }
    }
    Object[] times = times("whole", millis);
    whole.add(new Object[] {documents, times[0], times[1], times[2], took / millis.length});
    for (String index : indices) {
      client.call("DELETE", "/" + index, null);
    }
  }

  /** Median, 95th percentile, and the median against that of the smallest size. */
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
        String body = knn(both.get(which), queries[q]);
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

  private static String knn(String index, float[] query) {
    return "{" + page(index.equals(PEER) ? theirs(query) : ours(query)) + "}";
  }

  private static String rescored(float[] query) {
    return "{"
        + page(ours(query))
        + ",\"rescore\":{\"window_size\":"
        + WINDOW
        + ",\"fusion\":{\"field\":\"image\",\"query_text\":\""
        + TEXT
        + "\",\"on_failure\":\"fail\"}}}";
  }

  private static String page(String query) {
    return "\"size\":" + WINDOW + ",\"_source\":false,\"query\":" + query;
  }

  private static String ours(float[] query) {
    return "{\"cross_modal\":{\"field\":\"image\",\"query_vector\":"
        + Arrays.toString(query)
        + ",\"k\":"
        + WINDOW
        + "}}";
  }

  private static String theirs(float[] query) {
    return "{\"knn\":{\"image\":{\"vector\":" + Arrays.toString(query) + ",\"k\":" + WINDOW + "}}}";
  }

  /**
   * Fills an index for each encoding.
   *
   * @return for each query the ids of its exact neighbours
   */
  private List<Set<String>> index(int documents) throws IOException {
    for (String index : indices) {
      client.call("PUT", "/" + index, mapping(index));
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
            lines.append("{\"index\":{\"_id\":\"").append(i).append("\"}}\n{\"image\":");
            lines.append(value(index, i, embeddings.get(i - from))).append("}\n");
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
        .map(
            queue ->
                queue.stream()
                    .map(neighbour -> Integer.toString(neighbour.item))
                    .collect(Collectors.toSet()))
        .toList();
  }

  /** To one segment, for longer than a client waits for an answer. */
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

  private String value(String index, int item, float[] embedding) {
    String vector = Arrays.toString(embedding);
    if (index.equals(PEER)) {
      return vector;
    }
    return index.equals(WITH_TOKENS)
        ? "{\"embedding\":" + vector + ",\"tokens\":\"" + tokens.get(item % tokens.size()) + "\"}"
        : "{\"embedding\":" + vector + "}";
  }

  /** Even noise, which nothing compresses: no index may look smaller than it would be. */
  private static String tokens(ModelBundle model, int item) {
    ModelConfig config = model.manifest().config();
    int count = config.imageTokens(config.sensors().get(0));
    SplittableRandom random = new SplittableRandom(item);
    float[] values = new float[count * config.hidden()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(-127, 128) / 64f;
    }
    byte[] block =
        TokenBlockFormat.write(
            new TokenBlock(count, config.hidden(), values),
            TokenEncoding.INT8,
            model.manifest().fingerprints().tokenSpace());
    return Base64.getEncoder().encodeToString(block);
  }

  private static String mapping(String index) {
    boolean peer = index.equals(PEER);
    return "{\"settings\":{\"index\":{\"number_of_shards\":1,\"number_of_replicas\":0,"
        + "\"refresh_interval\":\"-1\",\"translog.durability\":\"async\","
        + (peer ? "\"knn\":true" : "\"cross_modal\":true")
        + "}},\"mappings\":{\"properties\":{\"image\":"
        + (peer ? theirField() : field(index))
        + "}}}";
  }

  private static String field(String encoding) {
    return "{\"type\":\"cross_modal\",\"model\":\""
        + MODEL
        + "\",\"m\":"
        + M
        + ",\"ef_construction\":"
        + EF_CONSTRUCTION
        + ",\"vector_encoding\":\""
        + encoding
        + "\",\"tokens\":\""
        + (encoding.equals(WITH_TOKENS) ? "int8" : "none")
        + "\"}";
  }

  /** Embeddings have unit length, so that the inner product orders as the cosine does. */
  private static String theirField() {
    return "{\"type\":\"knn_vector\",\"dimension\":"
        + DIMENSION
        + ",\"method\":{\"name\":\"hnsw\",\"engine\":\"lucene\",\"space_type\":\"innerproduct\","
        + "\"parameters\":{\"m\":"
        + M
        + ",\"ef_construction\":"
        + EF_CONSTRUCTION
        + "}}}";
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
