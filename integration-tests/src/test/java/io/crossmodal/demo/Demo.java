/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.IntFunction;
import java.util.function.ToIntFunction;
import me.tongfei.progressbar.ProgressBar;

/**
 * {@code mvn -Pdemo}: a real node with the plugin, pictures indexed, searches with and without the
 * fusion rescore, and the search page that shows both; and real radar and optical pictures that
 * find each other.
 */
public final class Demo {
  private static final String INDEX = "scenes";
  private static final int SEARCHES = 60;
  private static final int K = 200;
  private static final int WINDOW = 64;
  private static final int SHOWN = 6;
  private static final String PAGE = "/_plugins/_cross_modal/ui";

  /** For pictures without captions. */
  private static final List<String> TEXTS =
      List.of(
          "two white storage tanks beside a road .",
          "many red buildings in a town .",
          "a running track on grass .",
          "ships on blue water .",
          "a river in a dense forest .",
          "planes in the desert .");

  private Demo() {}

  public static void main(String[] args) throws Exception {
    Path work = Path.of(System.getProperty("crossmodal.work", "target/demo")).toAbsolutePath();
    int count = Integer.getInteger("demo.count", 400);
    String folder = System.getProperty("demo.images", "");
    Archive given =
        folder.isBlank()
            ? Archive.generated(
                Files.createTempDirectory(Files.createDirectories(work), "scenes-"), count)
            : Archive.of(Path.of(folder), count);
    System.out.println("starting an OpenSearch node with the plugin");
    try (OpenSearchNode node =
        PluginNode.start(work.resolve("opensearch"), Integer.getInteger("demo.port", 0))) {
      CrossModalClient client = new CrossModalClient(node.client());
      // Of somebody's pictures nobody here knows where they were taken.
      Archive archive =
          folder.isBlank()
              ? index(client, given, Places.mapping(), Places::of)
              : index(client, given, new JsonObject(), image -> new JsonObject());
      List<Example> examples = search(client, archive);
      List<Example> shown = archive.captioned() ? telling(examples) : examples;
      print(archive, examples, shown);
      PairsSection.of(client);
      String text = URLEncoder.encode(shown.get(0).text(), StandardCharsets.UTF_8);
      System.out.println("page:       " + node.baseUri() + PAGE);
      System.out.println(
          "a search:   "
              + node.baseUri()
              + PAGE
              + "#index="
              + INDEX
              + "&field="
              + CrossModalClient.IMAGE
              + "&words="
              + text);
      if (!Boolean.getBoolean("demo.exit")) {
        untilStopped(archive);
      }
    }
  }

  /** Indexes the archive and returns what of it the node takes; what it refuses is named. */
  private static Archive index(
      CrossModalClient client, Archive given, JsonObject mapping, IntFunction<JsonObject> others)
      throws IOException {
    client.createIndex(INDEX, 1, mapping);
    Map<String, String> refused;
    try (ProgressBar bar = new ProgressBar("index pictures", given.images().size())) {
      refused = client.indexWhatCanBe(INDEX, given.images(), others, bar::stepTo);
    }
    refused.forEach((name, reason) -> System.out.println("left out " + name + ": " + reason));
    List<CaptionedImage> taken =
        given.images().stream().filter(image -> !refused.containsKey(image.filename())).toList();
    if (taken.isEmpty()) {
      throw new IOException("the node took none of the " + given.images().size() + " pictures");
    }
    return new Archive(taken, given.captioned());
  }

  private static List<Example> search(CrossModalClient client, Archive archive) throws IOException {
    List<Example> examples = new ArrayList<>();
    List<CaptionedImage> images = archive.images();
    int searches = archive.captioned() ? Math.min(SEARCHES, images.size()) : TEXTS.size();
    try (ProgressBar bar = new ProgressBar("search", searches)) {
      for (int i = 0; i < searches; i++) {
        CaptionedImage image = images.get((int) ((long) i * images.size() / searches));
        String text =
            archive.captioned() ? image.captions().get(i % image.captions().size()) : TEXTS.get(i);
        examples.add(
            new Example(
                text,
                archive.captioned() ? image.filename() : "",
                client.search(INDEX, text, K, 0, K),
                client.search(INDEX, text, K, WINDOW, K)));
        bar.step();
      }
    }
    return examples;
  }

  /**
   * Returns the largest gains, the largest losses and one that stayed, so that the table flatters
   * nobody.
   */
  private static List<Example> telling(List<Example> examples) {
    List<Example> byGain =
        examples.stream()
            .sorted(
                Comparator.comparingDouble(
                    e ->
                        Math.log(Math.min(K, e.rankAfter()))
                            - Math.log(Math.min(K, e.rankBefore()))))
            .toList();
    int last = byGain.size() - 1;
    List<Example> telling = new ArrayList<>(byGain.subList(0, Math.min(4, byGain.size())));
    for (int i : new int[] {byGain.size() / 2, last - 1, last}) {
      if (i >= 4) {
        telling.add(byGain.get(i));
      }
    }
    return telling;
  }

  private static void print(Archive archive, List<Example> examples, List<Example> shown) {
    System.out.println();
    if (archive.captioned()) {
      System.out.printf(
          Locale.ROOT,
          "Rank of the picture that a caption was written for, %d captions, %d pictures%n",
          examples.size(),
          archive.images().size());
      System.out.println("                           R@1    R@5   R@10");
      row("kNN alone", examples, Example::rankBefore);
      row("kNN, then fusion rescore", examples, Example::rankAfter);
      System.out.println();
    }
    System.out.println("before  after   query");
    for (Example example : shown) {
      System.out.printf(
          Locale.ROOT,
          "%6s %6s   %s%n",
          Example.text(archive.captioned() ? example.rankBefore() : Example.NONE),
          Example.text(archive.captioned() ? example.rankAfter() : Example.NONE),
          example.text());
      System.out.println("                kNN     " + ids(example.recalled()));
      System.out.println("                fusion  " + ids(example.rescored()));
    }
    System.out.println();
  }

  private static void row(String name, List<Example> examples, ToIntFunction<Example> rank) {
    EvaluationTable.Retrieval r =
        EvaluationTable.Retrieval.of(examples.stream().mapToInt(rank).toArray());
    System.out.printf(Locale.ROOT, "%-24s %6.1f %6.1f %6.1f%n", name, r.r1(), r.r5(), r.r10());
  }

  private static String ids(List<CrossModalClient.Hit> hits) {
    return String.join(" ", hits.stream().limit(SHOWN).map(CrossModalClient.Hit::id).toList());
  }

  private static void untilStopped(Archive archive) throws InterruptedException {
    System.out.println(archive.images().size() + " pictures are served until Ctrl-C");
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(stopped::countDown));
    stopped.await();
  }
}
