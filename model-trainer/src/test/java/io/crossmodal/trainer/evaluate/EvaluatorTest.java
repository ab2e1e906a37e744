/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.Encoding;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.bundle.ModelBundle;
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
    model = FusionModel.load(ModelBundle.random("micro", ModelConfig.micro(), SEED), folder);
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

  /** The share of queries, in percent, with a right answer among the first {@code cut}. */
  private static double recall(
      boolean imageQueries, boolean aware, int k, int cut, Calibration calibration) {
    int queries = imageQueries ? split.size() : TEXTS.size();
    int answers = imageQueries ? TEXTS.size() : split.size();
    int hits = 0;
    for (int query = 0; query < queries; query++) {
      int q = query;
      List<Integer> order =
          IntStream.range(0, answers)
              .boxed()
              .sorted(
                  Comparator.comparingDouble(
                      a -> -(imageQueries ? similarity[a][q] : similarity[q][a])))
              .limit(k)
              .toList();
      if (calibration != null) {
        order =
            order.stream()
                .sorted(
                    Comparator.comparingDouble(
                        a -> {
                          PairLogits pair = imageQueries ? logits[a][q] : logits[q][a];
                          return -(pair.itm()[0] + calibration.lambda() * pair.filter()[0]);
                        }))
                .toList();
      }
      if (order.stream()
          .limit(cut)
          .anyMatch(a -> imageQueries ? right(a, q, aware) : right(q, a, aware))) {
        hits++;
      }
    }
    return 100.0 * hits / queries;
  }

  private static void assertRetrieval(
      Retrieval found, boolean imageQueries, boolean aware, int k, Calibration calibration) {
    // Equal captions give equal scores, whose order rounding may turn: one query at most.
    double one = 100.0 / found.queries() + 1e-9;
    assertEquals(recall(imageQueries, aware, k, 1, calibration), found.r1(), one);
    assertEquals(recall(imageQueries, aware, k, 5, calibration), found.r5(), one);
    assertEquals(recall(imageQueries, aware, k, 10, calibration), found.r10(), one);
  }

  @Test
  void everyShareEqualsTheSecondComputation() {
    for (int k : new int[] {1, 4, 9, 1000}) {
      List<Evaluator.Row> rows = evaluator.evaluate(k, CALIBRATION, pairs -> {});
      assertEquals(3, rows.size());
      for (int r = 0; r < 3; r++) {
        Evaluator.Row row = rows.get(r);
        Calibration calibration = r == 0 ? null : r == 1 ? new Calibration(0, 1, 0) : CALIBRATION;
        assertRetrieval(row.textToImage(), false, false, k, calibration);
        assertRetrieval(row.textToImageAware(), false, true, k, calibration);
        // Image to text has ties between equal captions; strict counts tell them apart by chance.
        assertRetrieval(row.imageToTextAware(), true, true, k, calibration);
        assertEquals(split.size(), row.imageToText().queries());
        assertEquals(TEXTS.size(), row.textToImage().queries());
        assertTrue(row.imageToText().r10() <= row.imageToTextAware().r10());
        assertTrue(row.meanRecall() <= row.meanRecallAware());
      }
    }
  }

  @Test
  void theDataSetTellsStrictFromAware() {
    Evaluator.Row filter = evaluator.evaluate(1000, CALIBRATION, pairs -> {}).get(0);
    assertTrue(filter.textToImageAware().r1() > filter.textToImage().r1(), filter.toString());
  }

  @Test
  void tellsItsProgressUpToTheNumberThatItNamed() {
    List<Integer> told = new ArrayList<>();
    evaluator.evaluate(4, CALIBRATION, told::add);
    assertEquals(evaluator.pairs(4), told.get(told.size() - 1));
    assertEquals(told.stream().sorted().toList(), told);
  }

  @Test
  void calibratesToUsableNumbers() {
    Calibration fitted = evaluator.calibrate(8, pairs -> {});
    assertTrue(fitted.scale() > 0 && Double.isFinite(fitted.bias()), fitted.toString());
  }

  @Test
  void refusesNoCandidates() {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> evaluator.evaluate(0, CALIBRATION, pairs -> {}))
            .getMessage();
    assertTrue(message.contains("k must be at least 1, got 0"), message);
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
    Retrieval found = Retrieval.of(new int[] {1, 2, 5, 6, 10, 11, Integer.MAX_VALUE, 1});
    assertEquals(new Retrieval(25, 50, 75, 8), found);
    assertEquals(new Retrieval(0, 0, 0, 0), Retrieval.of(new int[0]));
    assertEquals(
        (25 + 50 + 75 + 10 + 20 + 30) / 6.0,
        Retrieval.meanRecall(found, new Retrieval(10, 20, 30, 1)),
        1e-9);
  }
}
