/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.cluster.ClusterClient;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;

/**
 * Searches of several kinds, asked in turns for each query, so that what else the machine does
 * meets all alike; over connections that are kept.
 */
final class Turns {
  private static final int WARM = 30;
  private static final Duration PATIENCE = Duration.ofMinutes(2);

  private final ClusterClient client;
  private final List<Kind> kinds = new ArrayList<>();

  /** A kind of search, and what was measured of it. */
  final class Kind {
    private final String index;
    private final String label;
    private final Function<float[], String> body;
    private double[] millis;
    private double[] took;
    private long found;

    private Kind(String index, String label, Function<float[], String> body) {
      this.index = index;
      this.label = label;
      this.body = body;
    }

    String index() {
      return index;
    }

    /** Returns what the request says beside the query. */
    String label() {
      return label;
    }

    /** Returns the mean share of the exact neighbours that were found. */
    String recall(int wanted) {
      return String.format(Locale.ROOT, "%.4f", recalled(wanted));
    }

    double recalled(int wanted) {
      return (double) found / millis.length / wanted;
    }

    /** Returns a percentile of the client's time, in ms. */
    double millis(int percentile) {
      double[] sorted = millis.clone();
      Arrays.sort(sorted);
      return sorted[Math.min(sorted.length - 1, sorted.length * percentile / 100)];
    }

    /** Returns the mean of the node's own count, in ms, which it gives in whole ones. */
    double took() {
      return Arrays.stream(took).average().orElse(Double.NaN);
    }

    private Set<String> ask(float[] query, int q) throws IOException, InterruptedException {
      String request = body.apply(query);
      long start = System.nanoTime();
      String response = client.call("POST", "/" + index + "/_search", request, PATIENCE);
      long passed = System.nanoTime() - start;
      JsonObject answer = JsonParser.parseString(response).getAsJsonObject();
      Set<String> ids = new HashSet<>();
      for (JsonElement hit : answer.getAsJsonObject("hits").getAsJsonArray("hits")) {
        ids.add(hit.getAsJsonObject().get("_id").getAsString());
      }
      if (q >= 0) {
        millis[q] = passed / 1e6;
        took[q] = answer.get("took").getAsDouble();
      }
      return ids;
    }
  }

  Turns(ClusterClient client) {
    this.client = client;
  }

  /** Adds a kind of search. */
  Kind add(String index, String label, Function<float[], String> body) {
    Kind kind = new Kind(index, label, body);
    kinds.add(kind);
    return kind;
  }

  List<Kind> kinds() {
    return kinds;
  }

  /**
   * Asks every kind for every query, after some to warm up.
   *
   * @param exact ids of each query's exact neighbours
   */
  void ask(float[][] queries, List<Set<String>> exact) throws IOException, InterruptedException {
    for (Kind kind : kinds) {
      kind.millis = new double[queries.length];
      kind.took = new double[queries.length];
    }
    for (int q = -WARM; q < queries.length; q++) {
      int query = Math.floorMod(q, queries.length);
      for (int turn = 0; turn < kinds.size(); turn++) {
        Kind kind = kinds.get(Math.floorMod(q + turn, kinds.size()));
        Set<String> ids = kind.ask(queries[query], q);
        if (q >= 0) {
          ids.retainAll(exact.get(query));
          kind.found += ids.size();
        }
      }
    }
  }
}
