/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fuzz;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.plugin.TestModels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;

/** Good requests: all that the plugin's parsers know, drawn at random. */
final class RequestGrammar {
  /** Keys that mean something somewhere. */
  static final List<String> KEYS =
      List.of(
          "field",
          "query_text",
          "query_image",
          "query_id",
          "query_vector",
          "query_field",
          "index",
          "routing",
          "sensor",
          "prompt",
          "k",
          "filter",
          "calibrate",
          "ef",
          "oversample",
          "exact",
          "boost",
          "_name",
          "window_size",
          "score_mode",
          "query_weight",
          "rescore_query_weight",
          "missing",
          "on_failure",
          "timeout",
          "filter_size",
          "min_p",
          "group",
          "diversity",
          "like",
          "unlike",
          "weight",
          "footprint",
          "details",
          "heat_map",
          "global_window",
          "cross_modal",
          "fusion",
          "bytes",
          "text",
          "embedding",
          "tokens",
          "encoded_from",
          "image",
          "caption",
          "query",
          "rescore",
          "ext",
          "size",
          "from",
          "model",
          "modality",
          "token_pooling",
          "m",
          "ef_construction",
          "vector_encoding",
          "spaces",
          "bundle",
          "sha256",
          "images",
          "precision");

  /**
   * OpenSearch's profiler asserts that no rewrite begins inside of another, as that of a kNN
   * query's filter does; the tests of this build run with assertions.
   */
  private static final boolean ASSERTIONS = RequestGrammar.class.desiredAssertionStatus();

  private static final List<String> FIELDS = List.of("image", "words", "image", "image", "bare");

  private final BodyFuzzer fuzzer;
  private final Random random;
  private final List<String> pictures;
  private final ModelBundle model;

  /**
   * @param pictures base64 of files
   */
  RequestGrammar(BodyFuzzer fuzzer, List<String> pictures, ModelBundle model) {
    this.fuzzer = fuzzer;
    this.random = fuzzer.random();
    this.pictures = pictures;
    this.model = model;
  }

  /**
   * A request before it is damaged.
   *
   * @param body null for none
   */
  record Request(String method, String path, Map<String, Object> body) {}

  static Map<String, Object> map(Object... entries) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < entries.length; i += 2) {
      map.put((String) entries[i], entries[i + 1]);
    }
    return map;
  }

  /** The same body with the plugin's parts left out, for OpenSearch alone. */
  static Map<String, Object> withoutOurs(Map<String, Object> body) {
    Map<String, Object> left = new LinkedHashMap<>();
    body.forEach(
        (key, value) -> {
          if (key.equals("cross_modal")) {
            if (value instanceof Map<?, ?> ours && ours.get("filter") != null) {
              left.put("bool", map("filter", withoutOurs(ours.get("filter"))));
            } else {
              left.put("match_all", map());
            }
          } else if (key.equals("rescore")) {
            // What a change has made of the clause may be no clause of ours any more.
            List<Object> others =
                (value instanceof List<?> list ? list : Collections.singletonList(value))
                    .stream()
                        .filter(one -> !(one instanceof Map<?, ?> map && map.containsKey("fusion")))
                        .map(one -> withoutOurs((Object) one))
                        .collect(Collectors.toList());
            if (!others.isEmpty()) {
              left.put(key, value instanceof List ? others : others.get(0));
            }
          } else if (!List.of("ext", "image", "words", "bare").contains(key)) {
            left.put(key, withoutOurs(value));
          }
        });
    return left;
  }

  @SuppressWarnings("unchecked")
  private static Object withoutOurs(Object value) {
    if (value instanceof Map) {
      return withoutOurs((Map<String, Object>) value);
    }
    return value instanceof List<?> list
        ? list.stream().map(one -> withoutOurs(one)).collect(Collectors.toList())
        : value;
  }

  private static List<Object> list(Object... values) {
    return new ArrayList<>(List.of(values));
  }

  /** Mostly searches. */
  Request next() {
    int kind = random.nextInt(100);
    if (kind < 78) {
      return search();
    }
    if (kind < 92) {
      return document();
    }
    if (kind < 96) {
      return encode();
    }
    return kind < 99 ? model() : mapping();
  }

  private Request search() {
    Map<String, Object> body = new LinkedHashMap<>();
    if (fuzzer.chance(0.95)) {
      body.put("query", query(0));
    }
    if (fuzzer.chance(0.6)) {
      Map<String, Object> rescore = rescore();
      body.put("rescore", fuzzer.chance(0.9) ? rescore : list(rescore, rescore()));
    }
    if (fuzzer.chance(0.4)) {
      body.put("ext", map("cross_modal", ext()));
    }
    maybe(body, 0.4, "size", random.nextInt(30));
    maybe(body, 0.1, "from", random.nextInt(30));
    maybe(body, 0.1, "explain", true);
    if (!ASSERTIONS) {
      maybe(body, 0.1, "profile", true);
    }
    maybe(body, 0.1, "fields", list("*", "image"));
    maybe(body, 0.1, "timeout", fuzzer.any(List.of("1ms", "10s", "5m")));
    maybe(body, 0.05, "sort", list(map("number", "desc")));
    maybe(body, 0.05, "collapse", map("field", "number"));
    maybe(body, 0.05, "min_score", random.nextDouble());
    maybe(body, 0.05, "highlight", map("fields", map("*", map())));
    maybe(body, 0.05, "terminate_after", random.nextInt(10));
    maybe(body, 0.05, "aggs", map("a", map("terms", map("field", fuzzer.any(FIELDS)))));
    String path = fuzzer.chance(0.1) ? "/docs/_count" : "/docs/_search";
    if (fuzzer.chance(0.05)) {
      path = "/docs/_explain/" + random.nextInt(20);
    } else if (fuzzer.chance(0.05)) {
      path = "/docs/_validate/query?explain=true&rewrite=true";
    }
    return new Request("POST", path, path.contains("_search") ? body : onlyQuery(body));
  }

  private static Map<String, Object> onlyQuery(Map<String, Object> body) {
    return body.containsKey("query") ? map("query", body.get("query")) : map();
  }

  private void maybe(Map<String, Object> body, double chance, String key, Object value) {
    if (fuzzer.chance(chance)) {
      body.put(key, value);
    }
  }

  private Map<String, Object> query(int level) {
    if (level < 3 && fuzzer.chance(0.25)) {
      return switch (random.nextInt(5)) {
        case 0 ->
            map("bool", map("should", list(query(level + 1), map("match", map("caption", "a")))));
        case 1 -> map("function_score", map("query", query(level + 1)));
        case 2 -> map("constant_score", map("filter", query(level + 1)));
        case 3 -> map("dis_max", map("queries", list(query(level + 1), query(level + 1))));
        default -> map("exists", map("field", fuzzer.any(FIELDS)));
      };
    }
    Map<String, Object> body = side(true);
    maybe(body, 0.5, "k", 1 + random.nextInt(100));
    if (fuzzer.chance(0.3)) {
      body.put("filter", level < 3 ? query(level + 1) : map("match_all", map()));
    }
    maybe(body, 0.1, "calibrate", random.nextBoolean());
    if (fuzzer.chance(0.1)) {
      body.put("exact", true);
    } else {
      maybe(body, 0.1, "ef", 100 + random.nextInt(300));
      maybe(body, 0.05, "oversample", 1 + 3 * random.nextFloat());
    }
    maybe(body, 0.1, "boost", random.nextFloat());
    maybe(body, 0.1, "_name", "n");
    return map("cross_modal", body);
  }

  private Map<String, Object> side(boolean vector) {
    Map<String, Object> body = map("field", fuzzer.any(FIELDS));
    if (fuzzer.chance(0.15)) {
      body.put("like", parts());
      maybe(body, 0.5, "unlike", parts());
      return body;
    }
    switch (random.nextInt(vector ? 5 : 4)) {
      case 0, 1 -> {
        body.put("query_text", fuzzer.any(List.of("a pond", "a b c", "a \u00e9 .")));
        maybe(body, 0.2, "prompt", random.nextBoolean());
      }
      case 2 -> {
        body.put("query_image", fuzzer.any(pictures));
        maybe(body, 0.3, "sensor", "rgb");
      }
      case 3 -> {
        body.put("query_id", String.valueOf(random.nextInt(20)));
        maybe(body, 0.3, "index", "docs");
        maybe(body, 0.2, "query_field", fuzzer.any(FIELDS));
        maybe(body, 0.1, "routing", "r");
      }
      default -> body.put("query_vector", vector());
    }
    return body;
  }

  private List<Object> parts() {
    List<Object> parts = new ArrayList<>();
    for (int i = random.nextInt(4); i >= 0; i--) {
      Map<String, Object> part = new LinkedHashMap<>();
      switch (random.nextInt(3)) {
        case 0 -> {
          part.put("text", fuzzer.any(List.of("a pond", "a b c")));
          maybe(part, 0.2, "prompt", random.nextBoolean());
        }
        case 1 -> {
          part.put("image", fuzzer.any(pictures));
          maybe(part, 0.3, "sensor", "rgb");
        }
        default -> {
          part.put("id", String.valueOf(random.nextInt(20)));
          maybe(part, 0.3, "index", "docs");
          maybe(part, 0.2, "field", fuzzer.any(FIELDS));
        }
      }
      maybe(part, 0.5, "weight", 3 * random.nextFloat());
      parts.add(part);
    }
    return parts;
  }

  private List<Object> vector() {
    List<Object> vector = new ArrayList<>();
    for (int i = 0; i < model.manifest().config().embeddingDimension(); i++) {
      vector.add(random.nextGaussian());
    }
    return vector;
  }

  private Map<String, Object> rescore() {
    Map<String, Object> body = side(false);
    maybe(
        body,
        0.4,
        "score_mode",
        fuzzer.any(List.of("replace", "total", "multiply", "avg", "max", "min")));
    maybe(body, 0.2, "query_weight", random.nextFloat());
    maybe(body, 0.2, "rescore_query_weight", random.nextFloat());
    maybe(body, 0.3, "missing", fuzzer.any(List.of("keep_first_pass", "score_zero", "fail")));
    maybe(body, 0.3, "on_failure", fuzzer.any(List.of("fail", "keep_first_pass")));
    maybe(body, 0.1, "timeout", fuzzer.any(List.of("1ms", "10s")));
    maybe(body, 0.2, "filter_size", random.nextInt(20));
    maybe(body, 0.2, "min_p", random.nextFloat());
    maybe(body, 0.1, "group", fuzzer.any(List.of("key", "caption", "number")));
    maybe(body, 0.1, "diversity", random.nextFloat());
    maybe(body, 0.1, "calibrate", random.nextBoolean());
    Map<String, Object> rescore = map("fusion", body);
    maybe(rescore, 0.7, "window_size", 1 + random.nextInt(50));
    return rescore;
  }

  private Map<String, Object> ext() {
    Map<String, Object> body = new LinkedHashMap<>();
    maybe(body, 0.5, "details", random.nextBoolean());
    maybe(body, 0.5, "heat_map", random.nextBoolean());
    if (fuzzer.chance(0.1)) {
      body.put("heat_map", "geo");
      maybe(body, 0.3, "footprint", "caption");
    }
    maybe(body, 0.5, "global_window", 1 + random.nextInt(50));
    return body;
  }

  private Request document() {
    Map<String, Object> body = map("caption", "a pond", "number", random.nextInt(10));
    if (fuzzer.chance(0.7)) {
      body.put("image", value());
    }
    if (fuzzer.chance(0.4)) {
      Object text = fuzzer.chance(0.5) ? "a pond" : map("text", "a pond");
      body.put("words", fuzzer.chance(0.2) ? list(text, text) : text);
    }
    if (fuzzer.chance(0.3)) {
      body.put("bare", value());
    }
    String id = String.valueOf(random.nextInt(20));
    return switch (random.nextInt(4)) {
      case 0 -> new Request("POST", "/docs/_update/" + id, map("doc", body, "doc_as_upsert", true));
      case 1 -> new Request("POST", "/docs/_doc?refresh=true", body);
      default -> new Request("PUT", "/docs/_doc/" + id + "?refresh=true", body);
    };
  }

  private Map<String, Object> value() {
    if (fuzzer.chance(0.6)) {
      Map<String, Object> value = map("bytes", fuzzer.any(pictures));
      maybe(value, 0.3, "sensor", "rgb");
      return value;
    }
    Map<String, Object> value = map("embedding", vector());
    if (fuzzer.chance(0.7)) {
      byte[] block =
          TokenBlockFormat.write(
              TestModels.tokens(random, model, TestModels.imageTokens(model)),
              TokenEncoding.INT8,
              model.manifest().fingerprints().tokenSpace(),
              1);
      if (fuzzer.chance(0.2)) {
        block[random.nextInt(block.length)] ^= (byte) (1 << random.nextInt(8));
      }
      value.put("tokens", TestModels.base64(block));
    }
    return value;
  }

  private Request encode() {
    Map<String, Object> body = new LinkedHashMap<>();
    if (fuzzer.chance(0.5)) {
      body.put("text", list("a pond", "b"));
    } else {
      body.put("images", list(fuzzer.any(pictures)));
      maybe(body, 0.3, "sensor", "rgb");
    }
    maybe(body, 0.3, "tokens", random.nextBoolean());
    return new Request("POST", "/_plugins/_cross_modal/models/micro/_encode", body);
  }

  private Request model() {
    String path = "/_plugins/_cross_modal/models/fuzz-" + random.nextInt(3);
    if (fuzzer.chance(0.2)) {
      return new Request("POST", path + "/_load", map("precision", "fp32"));
    }
    byte[] bytes = new byte[random.nextInt(2000)];
    random.nextBytes(bytes);
    if (fuzzer.chance(0.5)) {
      int parts = 1 + random.nextInt(3);
      path += "?part=" + random.nextInt(parts + 1) + "&parts=" + parts;
    }
    Map<String, Object> body =
        map("bundle", fuzzer.chance(0.5) ? TestModels.base64(bytes) : (Object) bytes);
    maybe(body, 0.3, "sha256", "0".repeat(64));
    return new Request("PUT", path, body);
  }

  /** An index that is deleted again. */
  private Request mapping() {
    Map<String, Object> field = map("type", "cross_modal");
    maybe(field, 0.3, "model", "micro");
    maybe(field, 0.3, "modality", fuzzer.any(List.of("image", "text")));
    maybe(field, 0.3, "tokens", fuzzer.any(List.of("int8", "fp16", "none")));
    maybe(field, 0.3, "token_pooling", 1 + random.nextInt(4));
    maybe(field, 0.2, "m", 2 + random.nextInt(30));
    maybe(field, 0.2, "ef_construction", 10 + random.nextInt(100));
    maybe(field, 0.2, "vector_encoding", fuzzer.any(List.of("float32", "int8", "int4", "bit1")));
    Map<String, Object> body =
        map("mappings", map("properties", map("image", field, "caption", map("type", "text"))));
    maybe(body, 0.5, "settings", map("index.cross_modal", true));
    return new Request("PUT", "/fuzzed", body);
  }
}
