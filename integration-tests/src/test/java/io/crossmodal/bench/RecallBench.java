/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import me.tongfei.progressbar.ProgressBar;

/**
 * R@1, R@5, R@10 of text-to-image search on held-out scenes, through a real node: kNN alone, and
 * with the fusion rescore. Strict counts the one picture that a caption was written for,
 * duplicate-aware every picture that has the caption.
 */
final class RecallBench {
  private static final String INDEX = "recall";
  private static final int WINDOW = 128;

  /** The seed of the shipped model's training scenes: its test split shares no scene with them. */
  private static final long SEED = 1;

  private RecallBench() {}

  static void run() throws IOException, InterruptedException {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    int captions = Integer.getInteger("bench.captions", 5);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = Scenes.generate(work, scenes, SEED);
    try (OpenSearchNode node = PluginNode.start(work.resolve("opensearch"), 0)) {
      CrossModalClient client = new CrossModalClient(node.client());
      client.createIndex(INDEX, 1);
      try (ProgressBar bar = new ProgressBar("index", images.size())) {
        client.index(INDEX, images, bar::stepTo);
      }
      measure(client, images, captions);
    }
  }

  private static void measure(CrossModalClient client, List<CaptionedImage> images, int captions)
      throws IOException {
    Map<String, Set<String>> owners = new HashMap<>();
    for (CaptionedImage image : images) {
      for (String caption : image.captions()) {
        owners
            .computeIfAbsent(CaptionedDataset.captionKey(caption), key -> new HashSet<>())
            .add(image.filename());
      }
    }
    int queries = images.stream().mapToInt(i -> Math.min(captions, i.captions().size())).sum();
    Ranks recalled = new Ranks(queries);
    Ranks rescored = new Ranks(queries);
    try (ProgressBar bar = new ProgressBar("search", queries)) {
      for (CaptionedImage image : images) {
        for (String caption : image.captions().stream().limit(captions).toList()) {
          Set<String> aware = owners.get(CaptionedDataset.captionKey(caption));
          long start = System.nanoTime();
          List<Hit> before = client.search(INDEX, caption, WINDOW, 0, WINDOW);
          long between = System.nanoTime();
          List<Hit> after = client.search(INDEX, caption, WINDOW, WINDOW, WINDOW);
          recalled.add(before, image.filename(), aware, between - start);
          rescored.add(after, image.filename(), aware, System.nanoTime() - between);
          bar.step();
        }
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%n%d scenes, %d captions, text to image, window %d, %d processors%n",
        images.size(),
        queries,
        WINDOW,
        Runtime.getRuntime().availableProcessors());
    System.out.println(
        "| | R@1 | R@5 | R@10 | duplicate-aware R@1 | R@5 | R@10 | median ms | p95 ms |");
    System.out.println("|---".repeat(9) + "|");
    recalled.print("kNN alone");
    rescored.print("kNN, then fusion rescore");
  }

  /** Ranks and times of one way to search. */
  private static final class Ranks {
    private final int[] strict;
    private final int[] aware;
    private final long[] nanos;
    private int count;

    Ranks(int queries) {
      strict = new int[queries];
      aware = new int[queries];
      nanos = new long[queries];
    }

    void add(List<Hit> hits, String target, Set<String> owners, long elapsed) {
      strict[count] = rank(hits, Set.of(target));
      aware[count] = rank(hits, owners);
      nanos[count++] = elapsed;
    }

    private static int rank(List<Hit> hits, Set<String> right) {
      for (int i = 0; i < hits.size(); i++) {
        if (right.contains(hits.get(i).id())) {
          return i + 1;
        }
      }
      return Integer.MAX_VALUE;
    }

    void print(String name) {
      EvaluationTable.Retrieval s = EvaluationTable.Retrieval.of(strict);
      EvaluationTable.Retrieval a = EvaluationTable.Retrieval.of(aware);
      long[] sorted = nanos.clone();
      Arrays.sort(sorted);
      System.out.printf(
          Locale.ROOT,
          "| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f |%n",
          name,
          s.r1(),
          s.r5(),
          s.r10(),
          a.r1(),
          a.r5(),
          a.r10(),
          sorted[sorted.length / 2] / 1e6,
          sorted[sorted.length * 95 / 100] / 1e6);
    }
  }
}
