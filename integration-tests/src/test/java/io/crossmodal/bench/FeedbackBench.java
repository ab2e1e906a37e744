/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.bench;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.demo.Places;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import me.tongfei.progressbar.ProgressBar;

/**
 * What likes and dislikes find, and what a group does to the first ten hits, on held-out scenes
 * through a real node. A question is a kind of object on a kind of ground, "planes in the desert";
 * right are the scenes whose captions name both. A round likes what is right of the ten best hits
 * that nobody has judged yet, dislikes the rest of them, and searches again, by kNN alone.
 */
final class FeedbackBench {
  private static final String INDEX = "feedback";

  /** The seed of the shipped model's training scenes: its test split shares no scene with them. */
  private static final long SEED = 1;

  private static final int ROUNDS = 3;
  private static final int JUDGED = 10;
  private static final int FIRST = 50;
  private static final int WINDOW = 128;
  private static final int FEWEST = 15;

  private static final List<String> KINDS =
      List.of(
          "storage tanks",
          "buildings",
          "swimming pools",
          "planes",
          "ships",
          "cars",
          "tennis courts",
          "greenhouses",
          "ponds",
          "solar panels",
          "wind turbines",
          "trees");

  private static final Map<String, String> GROUNDS =
      new TreeMap<>(
          Map.of(
              "on farmland", "farmland|cultivated|in the fields",
              "on grassland", "grassland|meadow|grass",
              "in a forest", "forest|woods|wooded",
              "in the desert", "desert|sand",
              "on bare land", "bare",
              "in a city", "city|urban|town",
              "by the sea", "coast|shore|by the sea"));

  /** A question, and the scenes that answer it. */
  private record Question(String words, Set<String> right) {}

  private FeedbackBench() {}

  static void run() throws IOException, InterruptedException {
    int scenes = Integer.getInteger("bench.scenes", 1000);
    Path work = Path.of(System.getProperty("crossmodal.work", "target/bench")).toAbsolutePath();
    List<CaptionedImage> images = Scenes.generate(work, scenes, SEED);
    try (OpenSearchNode node = PluginNode.start(work.resolve("opensearch"), 0)) {
      CrossModalClient client = new CrossModalClient(node.client());
      client.createIndex(INDEX, 1, Places.mapping());
      try (ProgressBar bar = new ProgressBar("index", images.size())) {
        Map<String, String> refused = client.indexWhatCanBe(INDEX, images, Places::of, bar::stepTo);
        if (!refused.isEmpty()) {
          throw new IOException("the node refused documents: " + refused);
        }
      }
      List<Question> questions = questions(images);
      Report report = new Report("feedback");
      rounds(client, questions, images.size(), report);
      places(client, questions, report);
      report.publish();
    }
  }

  private static List<Question> questions(List<CaptionedImage> images) {
    List<Question> questions = new ArrayList<>();
    for (String kind : KINDS) {
      // "storage tanks" are right where one is named, too; "ponds" where a "pond" is.
      Predicate<String> named = Pattern.compile("\\b" + kind.replaceAll("s$", "")).asPredicate();
      GROUNDS.forEach(
          (ground, words) -> {
            Predicate<String> there = Pattern.compile(words).asPredicate();
            Set<String> right = new HashSet<>();
            for (CaptionedImage image : images) {
              if (image.captions().stream().anyMatch(named)
                  && image.captions().stream().anyMatch(there)) {
                right.add(image.filename());
              }
            }
            if (right.size() >= FEWEST) {
              questions.add(new Question(kind + " " + ground, right));
            }
          });
    }
    return questions;
  }

  private static void rounds(
      CrossModalClient client, List<Question> questions, int all, Report report)
      throws IOException {
    Map<String, double[]> sums = new LinkedHashMap<>();
    for (Question question : questions) {
      for (boolean dislikes : new boolean[] {false, true}) {
        follow(client, question, dislikes, all, sums);
      }
    }
    report.table(
        "Scenes found among the first "
            + FIRST
            + ", in percent of those that answer the question; "
            + questions.size()
            + " questions, "
            + all
            + " scenes",
        "feedback | round | of all | of those not judged | of these, by the words alone");
    sums.forEach(
        (name, sum) -> {
          String[] parts = name.split(" / ");
          report.row(parts[0], parts[1], sum[0] / sum[3], sum[1] / sum[3], sum[2] / sum[3]);
        });
  }

  /** Plays one question's rounds, and adds what each found. */
  private static void follow(
      CrossModalClient client,
      Question question,
      boolean dislikes,
      int all,
      Map<String, double[]> sums)
      throws IOException {
    List<String> liked = new ArrayList<>();
    List<String> disliked = new ArrayList<>();
    Set<String> judged = new HashSet<>();
    List<String> plain = ids(client, question.words(), liked, disliked, all);
    for (int round = 0; round <= ROUNDS; round++) {
      List<String> hits =
          ids(client, question.words(), liked, dislikes ? disliked : List.of(), all);
      double[] sum =
          sums.computeIfAbsent(
              (dislikes ? "likes and dislikes" : "likes") + " / " + round, name -> new double[4]);
      sum[0] += share(hits, question.right(), Set.of());
      sum[1] += share(hits, question.right(), judged);
      sum[2] += share(plain, question.right(), judged);
      sum[3]++;
      hits.stream()
          .filter(id -> !judged.contains(id))
          .limit(JUDGED)
          .toList()
          .forEach(
              id -> {
                judged.add(id);
                (question.right().contains(id) ? liked : disliked).add(id);
              });
    }
  }

  /** Returns how many of the right ones stand among the first, in percent, judged ones left out. */
  private static double share(List<String> hits, Set<String> right, Set<String> judged) {
    long wanted = right.stream().filter(id -> !judged.contains(id)).count();
    long found =
        hits.stream()
            .filter(id -> !judged.contains(id))
            .limit(FIRST)
            .filter(right::contains)
            .count();
    return wanted == 0 ? 100 : 100.0 * found / wanted;
  }

  private static List<String> ids(
      CrossModalClient client, String words, List<String> liked, List<String> disliked, int size)
      throws IOException {
    List<Object> like = new ArrayList<>(List.of(Map.of("text", words)));
    liked.forEach(id -> like.add(Map.of("id", id)));
    Map<String, Object> query = new HashMap<>(Map.of("field", CrossModalClient.IMAGE, "k", size));
    query.put("like", like);
    if (!disliked.isEmpty()) {
      query.put("unlike", disliked.stream().map(id -> Map.of("id", id)).toList());
    }
    return search(
            client, Map.of("size", size, "_source", false, "query", Map.of("cross_modal", query)))
        .stream()
        .map(hit -> hit.get("_id").getAsString())
        .toList();
  }

  private static List<JsonObject> search(CrossModalClient client, Map<String, Object> body)
      throws IOException {
    JsonObject answer = client.call("POST", "/" + INDEX + "/_search", new Gson().toJson(body));
    List<JsonObject> hits = new ArrayList<>();
    for (JsonElement hit : answer.getAsJsonObject("hits").getAsJsonArray("hits")) {
      hits.add(hit.getAsJsonObject());
    }
    return hits;
  }

  /** How many places the first ten hits show, of which each has {@value Places#DATES} scenes. */
  private static void places(CrossModalClient client, List<Question> questions, Report report)
      throws IOException {
    report.table(
        "The first ten hits of the fusion encoder, window " + WINDOW,
        "option | places | right scenes");
    Map<String, Map<String, Object>> options = new LinkedHashMap<>();
    options.put("none", Map.of());
    options.put("`group` site", Map.of("group", "site"));
    options.put("`diversity` 0.7", Map.of("diversity", 0.7));
    for (Map.Entry<String, Map<String, Object>> option : options.entrySet()) {
      double places = 0;
      double right = 0;
      for (Question question : questions) {
        Map<String, Object> side =
            Map.of("field", CrossModalClient.IMAGE, "query_text", question.words());
        Map<String, Object> query = new HashMap<>(side);
        query.put("k", WINDOW);
        Map<String, Object> fusion = new HashMap<>(side);
        fusion.putAll(option.getValue());
        List<JsonObject> hits =
            search(
                client,
                Map.of(
                    "size", 10,
                    "_source", List.of("site"),
                    "query", Map.of("cross_modal", query),
                    "rescore", Map.of("fusion", fusion),
                    "ext", Map.of("cross_modal", Map.of("global_window", WINDOW))));
        places +=
            hits.stream()
                .map(hit -> hit.getAsJsonObject("_source").get("site").getAsString())
                .distinct()
                .count();
        right +=
            hits.stream()
                .filter(hit -> question.right().contains(hit.get("_id").getAsString()))
                .count();
      }
      report.row(option.getKey(), places / questions.size(), right / questions.size());
    }
  }
}
