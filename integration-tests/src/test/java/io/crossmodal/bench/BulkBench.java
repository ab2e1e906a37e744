/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import static io.crossmodal.bench.SearchRequests.DIMENSION;
import static io.crossmodal.bench.SearchRequests.WITH_TOKENS;

import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.cluster.ClusterClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A bulk of ready-made documents, embedding and tokens: how many a second, with the embedding as
 * numbers and as bytes in base64, in turns.
 */
final class BulkBench {
  private static final int ROUNDS = 5;
  private static final int BULK = 500;

  private BulkBench() {}

  static void run() throws Exception {
    int documents = Integer.getInteger("bench.scenes", 5000);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    try (OpenSearchNode node = PluginNode.start(work.resolve("opensearch"), 0)) {
      ClusterClient client = new ClusterClient(node.baseUri(), Optional.empty());
      SearchRequests requests = new SearchRequests(SearchBench.upload(client));
      Vectors vectors = new Vectors(DIMENSION, 1);
      List<List<String>> bulks = new ArrayList<>();
      for (boolean bytes : new boolean[] {false, true}) {
        List<String> lines = new ArrayList<>();
        for (int from = 0; from < documents; from += BULK) {
          StringBuilder bulk = new StringBuilder();
          for (int i = from; i < Math.min(documents, from + BULK); i++) {
            bulk.append(requests.document(WITH_TOKENS, i, vectors.get(i), bytes));
          }
          lines.add(bulk.toString());
        }
        bulks.add(lines);
      }
      double[][] rates = new double[2][ROUNDS];
      double[][] cpu = new double[2][ROUNDS];
      for (int round = -1; round < ROUNDS; round++) {
        for (int turn = 0; turn < 2; turn++) {
          int form = Math.floorMod(round + turn, 2);
          client.call(
              "PUT", "/" + WITH_TOKENS, SearchRequests.mapping(WITH_TOKENS), Duration.ofMinutes(1));
          double before = cpuMillis(node);
          long start = System.nanoTime();
          for (String lines : bulks.get(form)) {
            SearchBench.bulk(client, WITH_TOKENS, lines);
          }
          double seconds = (System.nanoTime() - start) / 1e9;
          if (round >= 0) {
            rates[form][round] = documents / seconds;
            cpu[form][round] = (cpuMillis(node) - before) / documents;
          }
          client.call("DELETE", "/" + WITH_TOKENS, "", Duration.ofMinutes(1));
        }
      }
      Report report = new Report("bulk");
      report.table(
          documents + " documents, bulks of " + BULK + ", median of " + ROUNDS + " rounds in turns",
          "embedding | bytes a document | documents/s | least | most | against numbers | "
              + "CPU ms a document | against numbers");
      double numbers = median(rates[0]);
      for (int form = 0; form < 2; form++) {
        double bytes =
            bulks.get(form).stream()
                .mapToDouble(lines -> lines.getBytes(StandardCharsets.UTF_8).length)
                .sum();
        report.row(
            form == 0 ? "numbers" : "base64",
            bytes / documents,
            median(rates[form]),
            Arrays.stream(rates[form]).min().orElseThrow(),
            Arrays.stream(rates[form]).max().orElseThrow(),
            median(rates[form]) / numbers,
            median(cpu[form]),
            median(cpu[form]) / median(cpu[0]));
      }
      report.publish();
    }
  }

  /** Returns what the node's process has computed so far: other load changes that little. */
  private static double cpuMillis(OpenSearchNode node) {
    return node.process().info().totalCpuDuration().orElseThrow().toNanos() / 1e6;
  }

  private static double median(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return sorted[sorted.length / 2];
  }
}
