/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.Gson;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;

/** What {@link SearchBench} sends: mappings, documents and searches, ours and the k-NN plugin's. */
final class SearchRequests {
  static final String MODEL = "bench";
  static final int DIMENSION = 256;
  static final int WINDOW = 128;

  /**
   * Tokens are stored in one index only: their size does not depend on the embeddings' encoding.
   */
  static final String WITH_TOKENS = "int8";

  /** The index of the k-NN plugin. */
  static final String PEER = "knn-plugin-float32";

  private static final Gson GSON = new Gson();
  private static final int M = 16;
  private static final int EF_CONSTRUCTION = 100;
  private static final String TEXT = "a b c d e f g h i j k l m n";

  /** Documents take turns with so many token blocks: making one takes longer than indexing it. */
  private static final int BLOCKS = 1000;

  private final List<String> tokens;

  SearchRequests(ModelBundle model) {
    this.tokens = IntStream.range(0, BLOCKS).mapToObj(item -> tokens(model, item)).toList();
  }

  /**
   * Returns a document and the action before it, as {@code _bulk} takes them.
   *
   * @param bytes whether an embedding of ours is sent as bytes, in base64, and not as numbers
   */
  String document(String index, int item, float[] embedding, boolean bytes) {
    Object vector = bytes ? base64(embedding) : embedding;
    Object value = Map.of("embedding", vector);
    if (index.equals(WITH_TOKENS)) {
      value = Map.of("embedding", vector, "tokens", tokens.get(item % tokens.size()));
    } else if (index.equals(PEER)) {
      value = embedding;
    }
    return GSON.toJson(Map.of("index", Map.of("_id", Integer.toString(item))))
        + "\n"
        + GSON.toJson(Map.of("image", value))
        + "\n";
  }

  private static String base64(float[] embedding) {
    ByteBuffer bytes =
        ByteBuffer.allocate(embedding.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(embedding);
    return Base64.getEncoder().encodeToString(bytes.array());
  }

  /**
   * Returns tokens of even noise, which nothing compresses: no index may look smaller than it would
   * be.
   */
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

  static String mapping(String index) {
    boolean peer = index.equals(PEER);
    Map<String, ?> settings =
        Map.of(
            "number_of_shards",
            1,
            "number_of_replicas",
            0,
            "refresh_interval",
            "-1",
            "translog.durability",
            "async",
            peer ? "knn" : "cross_modal",
            true);
    Map<String, ?> properties = Map.of("image", peer ? theirField() : field(index));
    return GSON.toJson(
        Map.of(
            "settings", Map.of("index", settings), "mappings", Map.of("properties", properties)));
  }

  private static Map<String, ?> field(String encoding) {
    Map<String, Object> field = new TreeMap<>(Map.of("type", "cross_modal", "model", MODEL));
    field.putAll(Map.of("m", M, "ef_construction", EF_CONSTRUCTION, "vector_encoding", encoding));
    field.put("tokens", encoding.equals(WITH_TOKENS) ? "int8" : "none");
    return field;
  }

  /** Returns a field that orders as ours: embeddings have unit length. */
  private static Map<String, ?> theirField() {
    Map<String, ?> method =
        Map.of(
            "name",
            "hnsw",
            "engine",
            "lucene",
            "space_type",
            "innerproduct",
            "parameters",
            Map.of("m", M, "ef_construction", EF_CONSTRUCTION));
    return Map.of("type", "knn_vector", "dimension", DIMENSION, "method", method);
  }

  /**
   * Returns a kNN search.
   *
   * @param options of the request: {@code ef}, {@code oversample}, {@code exact} of ours, {@code
   *     ef_search} of the k-NN plugin
   */
  static String knn(String index, float[] query, Map<String, ?> options) {
    return GSON.toJson(page(index.equals(PEER) ? theirs(query, options) : ours(query, options)));
  }

  /** Returns a search that scores every document of the k-NN plugin's index by its script. */
  static String scripted(float[] query) {
    Map<String, ?> script =
        Map.of(
            "source",
            "knn_score",
            "lang",
            "knn",
            "params",
            Map.of("field", "image", "query_value", query, "space_type", "innerproduct"));
    Map<String, ?> all = Map.of("match_all", Map.of());
    return GSON.toJson(page(Map.of("script_score", Map.of("query", all, "script", script))));
  }

  static String rescored(float[] query) {
    Map<String, Object> body = new TreeMap<>(page(ours(query, Map.of())));
    Map<String, ?> fusion = Map.of("field", "image", "query_text", TEXT, "on_failure", "fail");
    body.put("rescore", Map.of("window_size", WINDOW, "fusion", fusion));
    return GSON.toJson(body);
  }

  private static Map<String, ?> page(Map<String, ?> query) {
    return Map.of("size", WINDOW, "_source", false, "query", query);
  }

  private static Map<String, ?> ours(float[] query, Map<String, ?> options) {
    Map<String, Object> body = new TreeMap<>(options);
    body.putAll(Map.of("field", "image", "query_vector", query, "k", WINDOW));
    return Map.of("cross_modal", body);
  }

  private static Map<String, ?> theirs(float[] query, Map<String, ?> options) {
    Map<String, Object> body = new TreeMap<>(Map.of("vector", query, "k", WINDOW));
    if (!options.isEmpty()) {
      body.put("method_parameters", options);
    }
    return Map.of("knn", Map.of("image", body));
  }
}
