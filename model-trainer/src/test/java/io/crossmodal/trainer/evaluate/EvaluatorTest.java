/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.train.MicroTraining;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against a second computation of everything, from the model's own methods, one pair at a time. */
class EvaluatorTest {
  private static final long SEED = MicroTraining.seed();
  private static final Calibration CALIBRATION = new Calibration(0.5, 1, 0);

  @TempDir static Path folder;
  private static FusionModel model;
  private static List<CaptionedImage> split;
  private static Evaluator evaluator;

  // The second computation's tables.
  private static final List<String> TEXTS = new ArrayList<>();
  private static final List<Integer> OWNERS = new ArrayList<>();
  private static double[][] similarity; // text, image
  private static PairLogits[][] logits; // text, image

  @BeforeAll
  static void encode() throws Exception {
    model = FusionModel.load(TestBundles.random("micro", ModelConfig.micro(), SEED), folder);
    List<CaptionedImage> scenes =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 0, 0, 14, SEED))
            .split(Split.TEST);
    SplittableRandom random = new SplittableRandom(SEED);
    split = new ArrayList<>();
    for (int i = 0; i < scenes.size(); i++) {
      List<String> captions = new ArrayList<>();
      for (int c = 0; c < 3; c++) {
        // Few words, so that images share captions; written in several ways.
        String word = List.of("lake", "road", "pier", "dam", "bay").get(random.nextInt(5));
        captions.add(random.nextBoolean() ? "A " + word + "." : "a  " + word);
      }
      captions.add("scene number " + "abcdefghijklmn".charAt(i));
      CaptionedImage scene = scenes.get(i);
      split.add(new CaptionedImage(scene.filename(), scene.file(), i, scene.split(), captions));
    }
    evaluator = new Evaluator(model, split, 0, done -> {});
    tables();
  }

  private static void tables() throws Exception {
    List<Encoding> images = new ArrayList<>();
    List<Encoding> texts = new ArrayList<>();
    for (int i = 0; i < split.size(); i++) {
      byte[] file = Files.readAllBytes(split.get(i).file());
      images.addAll(
          model.encodeImages("rgb", List.of(model.bundle().preprocessor("rgb").preprocess(file))));
      for (String caption : split.get(i).captions()) {
        TEXTS.add(caption.toLowerCase(Locale.ROOT).replace(".", "").replaceAll("\\s+", " "));
        OWNERS.add(i);
        texts.addAll(model.encodeTexts(List.of(model.bundle().tokenizer().tokenize(caption))));
      }
    }
    similarity = new double[texts.size()][images.size()];
    logits = new PairLogits[texts.size()][images.size()];
    for (int t = 0; t < texts.size(); t++) {
      for (int i = 0; i < images.size(); i++) {
        for (int d = 0; d < 8; d++) {
          similarity[t][i] += texts.get(t).embedding()[d] * images.get(i).embedding()[d];
        }
        logits[t][i] = model.score(List.of(texts.get(t).tokens()), List.of(images.get(i).tokens()));
      }
    }
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static boolean right(int t, int i, boolean aware) {
    if (OWNERS.get(t) == i) {
      return true;
    }
    return aware
        && IntStream.range(0, TEXTS.size())
            .anyMatch(other -> OWNERS.get(other) == i && TEXTS.get(other).equals(TEXTS.get(t)));
  }

  /** Returns a query's first answers by the dot product, best first. */
  private static List<Integer> nearest(boolean imageQueries, int query, int k) {
    return IntStream.range(0, imageQueries ? TEXTS.size() : split.size())
        .boxed()
        .sorted(
            Comparator.comparingDouble(
                a -> -(imageQueries ? similarity[a][query] : similarity[query][a])))
        .limit(k)
        .toList();
  }

  /** The share of queries, in percent, with a right answer among the first {@code cut}. */
  private static double recall(
      boolean imageQueries, boolean aware, int k, int cut, Calibration calibration) {
    int queries = imageQueries ? split.size() : TEXTS.size();
    return 100.0 * hits(imageQueries, aware, k, cut, calibration, query -> true) / queries;
  }

  private static int hits(
      boolean imageQueries,
      boolean aware,
      int k,
      int cut,
      Calibration calibration,
      IntPredicate chosen) {
    int queries = imageQueries ? split.size() : TEXTS.size();
    int hits = 0;
    for (int query = 0; query < queries; query++) {
      int q = query;
      if (!chosen.test(q)) {
        continue;
      }
      List<Integer> order = nearest(imageQueries, q, k);
      if (calibration != null) {
        order =
            order.stream()
                .sorted(
                    Comparator.comparingDouble(
                        a -> {
                          PairLogits pair = imageQueries ? logits[a][q] : logits[q][a];
                          return -(pair.itm()[0] + calibration.lambda() * pair.biEncoder()[0]);
                        }))
                .toList();
      }
      if (order.stream()
          .limit(cut)
          .anyMatch(a -> imageQueries ? right(a, q, aware) : right(q, a, aware))) {
        hits++;
      }
    }
    return hits;
  }

  private static void assertRetrieval(
      EvaluationTable.Retrieval found,
      boolean imageQueries,
      boolean aware,
      int k,
      Calibration calibration) {
    // Equal captions give equal scores, whose order rounding may turn: one query at most.
    double one = 100.0 / found.queries() + 1e-9;
    assertEquals(recall(imageQueries, aware, k, 1, calibration), found.r1(), one);
    assertEquals(recall(imageQueries, aware, k, 5, calibration), found.r5(), one);
    assertEquals(recall(imageQueries, aware, k, 10, calibration), found.r10(), one);
  }

  private static List<EvaluationTable.Row> evaluate(boolean full, Integer... ks) {
    return evaluator.evaluate(new Depths(List.of(ks), full), CALIBRATION, pairs -> {});
  }

  /** Everything but the times, which no two runs share. */
  private static EvaluationTable.Row untimed(EvaluationTable.Row row) {
    return new EvaluationTable.Row(
        row.name(),
        untimed(row.imageToText()),
        untimed(row.textToImage()),
        row.meanRecall(),
        row.meanRecallAware(),
        row.interval(),
        row.intervalAware());
  }

  private static EvaluationTable.Row.Direction untimed(EvaluationTable.Row.Direction direction) {
    return new EvaluationTable.Row.Direction(
        direction.strict(), direction.aware(), null, false, direction.topTenFound());
  }

  private static void assertRow(
      EvaluationTable.Row row, int imagesDepth, int textsDepth, Calibration calibration) {
    assertRetrieval(row.textToImage().strict(), false, false, imagesDepth, calibration);
    assertRetrieval(row.textToImage().aware(), false, true, imagesDepth, calibration);
    // Image to text has ties between equal captions; strict counts tell them apart by chance.
    assertRetrieval(row.imageToText().aware(), true, true, textsDepth, calibration);
    assertEquals(split.size(), row.imageToText().strict().queries());
    assertEquals(TEXTS.size(), row.textToImage().strict().queries());
    assertTrue(row.imageToText().strict().r10() <= row.imageToText().aware().r10());
    assertTrue(row.meanRecall() <= row.meanRecallAware());
    assertEquals(
        EvaluationTable.Retrieval.meanRecall(
            row.imageToText().strict(), row.textToImage().strict()),
        row.meanRecall());
    assertEquals(
        EvaluationTable.Retrieval.meanRecall(row.imageToText().aware(), row.textToImage().aware()),
        row.meanRecallAware());
  }

  private static int owner(boolean imageQueries, int query) {
    return imageQueries ? query : OWNERS.get(query);
  }

  /** The first answers of one half's queries, scored, and which of them are right. */
  private static CalibrationFit.Judged judged(boolean imageQueries, int half, int k) {
    int[] queries =
        IntStream.range(0, imageQueries ? split.size() : TEXTS.size())
            .filter(q -> owner(imageQueries, q) % 2 == half)
            .toArray();
    int[][] answers = new int[queries.length][];
    float[][] itm = new float[queries.length][k];
    float[][] biEncoder = new float[queries.length][k];
    boolean[][] right = new boolean[queries.length][k];
    for (int i = 0; i < queries.length; i++) {
      int q = queries[i];
      answers[i] = nearest(imageQueries, q, k).stream().mapToInt(a -> a).toArray();
      for (int a = 0; a < k; a++) {
        int text = imageQueries ? answers[i][a] : q;
        int image = imageQueries ? q : answers[i][a];
        itm[i][a] = logits[text][image].itm()[0];
        biEncoder[i][a] = logits[text][image].biEncoder()[0];
        right[i][a] = right(text, image, true);
      }
    }
    return new CalibrationFit.Judged(new Candidates(answers, itm, biEncoder), right);
  }

  @Test
  void eachHalfIsRankedByTheLambdaThatTheOtherChose() {
    int k = 9;
    List<EvaluationTable.Row> rows =
        evaluator.twoFold(new Depths(List.of(k, 1000), false), pairs -> {});
    assertEquals(2, rows.size());
    Calibration[] byOther = new Calibration[2];
    for (int half = 0; half < 2; half++) {
      byOther[half] = CalibrationFit.fit(judged(false, 1 - half, k), judged(true, 1 - half, k));
    }
    for (boolean imageQueries : new boolean[] {false, true}) {
      EvaluationTable.Row.Direction found =
          imageQueries ? rows.get(1).imageToText() : rows.get(1).textToImage();
      int queries = found.aware().queries();
      for (int cut : new int[] {1, 5}) {
        int hits = 0;
        for (int half = 0; half < 2; half++) {
          int own = half;
          hits +=
              hits(
                  imageQueries,
                  true,
                  k,
                  cut,
                  byOther[half],
                  q -> owner(imageQueries, q) % 2 == own);
        }
        double share = cut == 1 ? found.aware().r1() : found.aware().r5();
        assertEquals(100.0 * hits / queries, share, 100.0 / queries + 1e-9);
      }
    }
  }

  @Test
  void everyShareEqualsTheSecondComputation() {
    for (boolean full : new boolean[] {false, true}) {
      List<EvaluationTable.Row> rows = evaluate(full, 9, 1, 4, 4, 1000);
      List<Integer> ks = List.of(1, 4, 9); // sorted, once each, none beyond the 14 images
      assertEquals(full ? 5 : 4, rows.size());
      assertRow(rows.get(0), 14, TEXTS.size(), null);
      assertEquals("filter only", rows.get(0).name());
      assertNull(rows.get(0).textToImage().fusionMillis());
      if (full) {
        assertEquals("full fusion", rows.get(1).name());
        assertRow(rows.get(1), 14, TEXTS.size(), CALIBRATION);
      }
      for (int i = 0; i < 3; i++) {
        EvaluationTable.Row row = rows.get((full ? 2 : 1) + i);
        assertEquals("kNN, then fusion, k = " + ks.get(i), row.name());
        assertRow(row, ks.get(i), ks.get(i), CALIBRATION);
        assertTrue(row.textToImage().fusionMillis() >= 0);
        assertEquals(full, row.imageToText().computed());
      }
    }
  }

  @Test
  void aSmallerKIsAPrefixOfALargerOne() throws Exception {
    List<CaptionedImage> scenes =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("more"), 0, 0, 40, SEED))
            .split(Split.TEST);
    List<CaptionedImage> distinct = new ArrayList<>();
    for (CaptionedImage scene : scenes) {
      // Letters alone: a digit would be [UNK], and equal texts tie.
      String words =
          Integer.toString(scene.imageId(), 3)
              .replace('0', 'a')
              .replace('1', 'b')
              .replace('2', 'c');
      List<String> captions = List.of("scene " + words, words + " pond");
      distinct.add(
          new CaptionedImage(
              scene.filename(), scene.file(), scene.imageId(), scene.split(), captions));
    }
    Evaluator more = new Evaluator(model, distinct, 0, done -> {});
    List<EvaluationTable.Row> together =
        more.evaluate(new Depths(List.of(16, 32), false), CALIBRATION, p -> {});
    List<EvaluationTable.Row> full =
        more.evaluate(new Depths(List.of(16, 32), true), CALIBRATION, p -> {});
    for (int i = 0; i < 2; i++) {
      Depths one = new Depths(List.of(16 << i), false);
      List<EvaluationTable.Row> alone = more.evaluate(one, CALIBRATION, p -> {});
      assertEquals(2, alone.size());
      assertEquals(untimed(together.get(0)), untimed(alone.get(0)), "the filter's own");
      assertEquals(untimed(together.get(1 + i)), untimed(alone.get(1)));
      // Full fusion scores from the texts' side, so pictures' scores agree to rounding only.
      assertEquals(alone.get(1).textToImage().aware(), full.get(2 + i).textToImage().aware());
    }
    assertEquals(untimed(together.get(0)), untimed(full.get(0)));
  }

  @Test
  void countsWhatTheFilterHasOfFullFusionsTopTen() {
    List<EvaluationTable.Row> rows = evaluate(true, 3, 12);
    assertEquals(100, rows.get(1).textToImage().topTenFound());
    assertEquals(100, rows.get(1).imageToText().topTenFound());
    for (int r = 2; r < 4; r++) {
      int k = r == 2 ? 3 : 12;
      for (boolean imageQueries : new boolean[] {false, true}) {
        int queries = imageQueries ? split.size() : TEXTS.size();
        int answers = imageQueries ? TEXTS.size() : split.size();
        int found = 0;
        for (int query = 0; query < queries; query++) {
          int q = query;
          List<Integer> first = nearest(imageQueries, q, k);
          found +=
              (int)
                  IntStream.range(0, answers)
                      .boxed()
                      .sorted(
                          Comparator.comparingDouble(
                              a -> -logit(imageQueries ? logits[a][q] : logits[q][a])))
                      .limit(10)
                      .filter(first::contains)
                      .count();
        }
        EvaluationTable.Row.Direction direction =
            imageQueries ? rows.get(r).imageToText() : rows.get(r).textToImage();
        // Equal captions tie; pictures that all but tie may be exchanged by rounding, a few at
        // most.
        double tolerance = imageQueries ? 5 : 0.5;
        assertEquals(100.0 * found / (10 * queries), direction.topTenFound(), tolerance);
      }
    }
    assertNull(evaluate(false, 3).get(1).textToImage().topTenFound());
  }

  private static double logit(PairLogits pair) {
    return pair.itm()[0] + CALIBRATION.lambda() * pair.biEncoder()[0];
  }

  @Test
  void anArchiveSmallerThanEveryKIsScoredInFull() {
    List<EvaluationTable.Row> rows = evaluate(false, 500);
    assertEquals(
        List.of("filter only", "full fusion"),
        rows.stream().map(EvaluationTable.Row::name).toList());
    assertEquals(56L * 14, evaluator.pairs(new Depths(List.of(500), false)));
  }

  @Test
  void theDataSetTellsStrictFromAware() {
    EvaluationTable.Row.Direction filter = evaluate(true).get(0).textToImage();
    assertTrue(filter.aware().r1() > filter.strict().r1(), filter.toString());
  }

  @Test
  void theMlpFilterHasItsOwnRows() throws Exception {
    ModelConfig config = ModelConfig.micro().withPreRanker(true);
    try (FusionModel own = FusionModel.load(TestBundles.random("mlp", config, SEED), folder)) {
      EncodedSplit encoded =
          EncodedSplit.encode(own, split, 0, EncodedSplit.Change.NONE, done -> {});
      List<EvaluationTable.Row> rows =
          new Evaluator(own, encoded)
              .evaluate(new Depths(List.of(2, 14), false), CALIBRATION, pairs -> {});
      assertEquals(
          List.of(
              "filter only",
              "kNN, then fusion, k = 2",
              "kNN, then fusion, k = 14",
              "MLP filter only",
              "MLP filter, then fusion, k = 2",
              "MLP filter, then fusion, k = 14"),
          rows.stream().map(EvaluationTable.Row::name).toList());
      int hits = 0;
      for (int t = 0; t < TEXTS.size(); t++) {
        int best = -1;
        float highest = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < split.size(); i++) {
          float logit =
              own.preRank(
                      List.of(encoded.texts().get(t).tokens()),
                      List.of(encoded.pictures().get(i).tokens()))[0];
          if (logit > highest) {
            highest = logit;
            best = i;
          }
        }
        hits += right(t, best, true) ? 1 : 0;
      }
      double one = 100.0 / TEXTS.size() + 1e-9;
      assertEquals(100.0 * hits / TEXTS.size(), rows.get(3).textToImage().aware().r1(), one);
      // Where every image is re-ranked, who chose them does not matter.
      assertEquals(
          rows.get(2).textToImage().aware().r1(), rows.get(5).textToImage().aware().r1(), one);
    }
  }

  /** Against cosines of what the model's own methods embed, one token after the other. */
  @Test
  void maxSimOrdersTheFiltersBest() throws Exception {
    EncodedSplit encoded =
        EncodedSplit.encode(model, split, 0, EncodedSplit.Change.NONE, done -> {});
    int pool = 5;
    List<EvaluationTable.Row> rows =
        new Evaluator(model, encoded).byMaxSim(pool, new Depths(List.of(2, 5), false), CALIBRATION);
    assertEquals(
        List.of(
            "MaxSim of the filter's best 5 only",
            "MaxSim of the filter's best 5, then fusion, k = 2",
            "MaxSim of the filter's best 5, then fusion, k = 5"),
        rows.stream().map(EvaluationTable.Row::name).toList());
    double[][][] words = unit("filter.text", encoded.texts());
    double[][][] patches = unit("filter.image", encoded.pictures());
    int hits = 0;
    for (int t = 0; t < words.length; t++) {
      double[][] asked = words[t];
      int best =
          nearest(false, t, pool).stream()
              .max(Comparator.comparingDouble(i -> maxSim(asked, patches[i])))
              .orElseThrow();
      hits += right(t, best, true) ? 1 : 0;
    }
    double one = 100.0 / TEXTS.size() + 1e-9;
    assertEquals(100.0 * hits / TEXTS.size(), rows.get(0).textToImage().aware().r1(), one);
    // Where all that it ordered are re-ranked, its order does not matter.
    assertEquals(
        evaluate(false, pool).get(1).textToImage().aware().r1(),
        rows.get(2).textToImage().aware().r1(),
        one);
  }

  private static double maxSim(double[][] words, double[][] patches) {
    double sum = 0;
    for (double[] word : words) {
      double best = -2;
      for (double[] patch : patches) {
        best = Math.max(best, IntStream.range(0, 8).mapToDouble(d -> word[d] * patch[d]).sum());
      }
      sum += best;
    }
    return sum / words.length;
  }

  /** Per encoding its tokens but [CLS], projected and of unit length. */
  private static double[][][] unit(String linear, List<Encoding> encodings) throws Exception {
    float[] weight = model.bundle().weights().tensors().get(linear + ".weight").values();
    float[] bias = model.bundle().weights().tensors().get(linear + ".bias").values();
    double[][][] all = new double[encodings.size()][][];
    for (int e = 0; e < all.length; e++) {
      float[] values = encodings.get(e).tokens().values();
      int h = encodings.get(e).tokens().hidden();
      all[e] = new double[encodings.get(e).tokens().count() - 1][8];
      for (int t = 0; t < all[e].length; t++) {
        double squares = 0;
        for (int d = 0; d < 8; d++) {
          all[e][t][d] = bias[d];
          for (int i = 0; i < h; i++) {
            all[e][t][d] += weight[d * h + i] * values[(t + 1) * h + i];
          }
          squares += all[e][t][d] * all[e][t][d];
        }
        for (int d = 0; d < 8; d++) {
          all[e][t][d] /= Math.sqrt(squares);
        }
      }
    }
    return all;
  }

  @Test
  void tellsItsProgressUpToTheNumberThatItNamed() {
    for (boolean full : new boolean[] {false, true}) {
      List<Long> told = new ArrayList<>();
      Depths depths = new Depths(List.of(2, 4), full);
      evaluator.evaluate(depths, CALIBRATION, told::add);
      assertEquals(evaluator.pairs(depths), told.get(told.size() - 1));
      assertEquals(told.stream().sorted().toList(), told);
    }
  }

  @Test
  void calibratesToUsableNumbers() {
    Calibration fitted = evaluator.calibrate(8, pairs -> {});
    assertTrue(fitted.scale() > 0 && Double.isFinite(fitted.bias()), fitted.toString());
  }

  @Test
  void refusesNoCandidates() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> evaluate(false, 4, 0)).getMessage();
    assertTrue(message.contains("k must be at least 1, got 0"), message);
  }

  @Test
  void refusesNoDepthAtAll() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> new Depths(List.of(), false))
            .getMessage();
    assertTrue(message.contains("name at least one"), message);
    assertThrows(IllegalArgumentException.class, () -> evaluator.calibrate(0, pairs -> {}));
  }

  @Test
  void namesThePictureThatItCannotRead() throws Exception {
    Path broken = Files.writeString(folder.resolve("broken.jpg"), "no picture");
    CaptionedImage image =
        new CaptionedImage("broken.jpg", broken, 1, Split.TEST, List.of("a lake"));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> new Evaluator(model, List.of(image), 0, done -> {}))
            .getMessage();
    assertTrue(message.contains(broken.toString()) && message.contains("no image"), message);
  }

  @Test
  void countsRanksWithinTheCutOffs() {
    EvaluationTable.Retrieval found =
        EvaluationTable.Retrieval.of(new int[] {1, 2, 5, 6, 10, 11, Integer.MAX_VALUE, 1});
    assertEquals(new EvaluationTable.Retrieval(25, 50, 75, 8), found);
    assertEquals(
        new EvaluationTable.Retrieval(0, 0, 0, 0), EvaluationTable.Retrieval.of(new int[0]));
    assertEquals(
        (25 + 50 + 75 + 10 + 20 + 30) / 6.0,
        EvaluationTable.Retrieval.meanRecall(found, new EvaluationTable.Retrieval(10, 20, 30, 1)),
        1e-9);
  }
}
