/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.evaluate.CandidateScorer.ScoredDirection;
import io.crossmodal.trainer.evaluate.Candidates.Relevance;
import io.crossmodal.trainer.evaluate.EvaluationTable.Row;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import java.util.function.LongConsumer;
import java.util.stream.Stream;

/**
 * Retrieval in both directions over one split: the bi-encoder alone, its best k re-ranked by the
 * fusion encoder, every pair scored by the fusion encoder.
 *
 * <p>Each tower runs once per text and image, and in each direction the fusion encoder scores a
 * pair once; smaller k are prefixes of the largest.
 */
public final class Evaluator {
  private final FusionModel model;
  private final EncodedSplit split;
  private final List<Encoding> images;
  private final List<Encoding> texts;
  private final Relevance relevance;

  /**
   * Encodes the images and their captions.
   *
   * @param allowedProblems so many images whose picture cannot be decoded may be left out
   * @param progress told how many images are done, after each batch
   * @throws io.crossmodal.trainer.data.InvalidDatasetException when there are more, listing them
   */
  public Evaluator(
      FusionModel model, List<CaptionedImage> images, int allowedProblems, IntConsumer progress) {
    this(
        model,
        EncodedSplit.encode(model, images, allowedProblems, EncodedSplit.Change.NONE, progress));
  }

  /** Evaluates what is encoded already, by the same model. */
  public Evaluator(FusionModel model, EncodedSplit split) {
    this.model = model;
    this.split = split;
    this.images = split.pictures();
    this.texts = split.texts();
    this.relevance = new Relevance(split.images());
  }

  /** Returns how many images take part. */
  public int images() {
    return images.size();
  }

  /** Returns how many texts take part. */
  public int texts() {
    return texts.size();
  }

  /** Returns the pictures that were left out, a line each. */
  public List<String> problems() {
    return split.problems();
  }

  /**
   * Returns a row for the bi-encoder alone, one for full fusion where it is asked for, one for each
   * k; the same by the MLP pre-ranker where the model has one. A model without a fusion encoder has
   * the first row alone.
   *
   * <p>Full fusion scores all pairs from the texts' side; pictures as queries take their scores
   * from there, and their times are then computed from the time of a pair.
   *
   * @param depths as they {@linkplain Depths#within fit} the images
   * @param calibration its lambda weighs the bi-encoder's logit; with 0 pairs are ranked by the
   *     matching logit alone, as in the paper
   * @param progress told the pairs scored so far
   */
  public List<Row> evaluate(Depths depths, Calibration calibration, LongConsumer progress) {
    if (!model.bundle().manifest().config().hasFusion()) {
      return List.of(new BiEncoderRanks(scorer(true), scorer(false), relevance).row(true));
    }
    Depths fitting = depths.within(images.size());
    List<Integer> ks = fitting.ks();
    ScoredDirection textToImage;
    ScoredDirection imageToText;
    if (fitting.full()) {
      textToImage = everyPair(ks, progress);
      imageToText = fromTheOtherSide(textToImage).full(calibration);
      textToImage = textToImage.full(calibration);
    } else {
      textToImage = bestOf(false, ks, progress);
      long done = (long) texts.size() * ks.get(ks.size() - 1);
      imageToText = bestOf(true, ks, pairs -> progress.accept(done + pairs));
    }
    Ranking ranking = Ranking.by(calibration);
    List<Row> rows =
        rows("filter only", "kNN, then fusion, k = ", imageToText, textToImage, ks, k -> ranking);
    if (fitting.full()) {
      rows.add(
          1, row("full fusion", imageToText, texts.size(), textToImage, images.size(), ranking));
    }
    if (model.bundle().manifest().config().preRanker()) {
      // The paper's own cascade: its MLP filter over every pair.
      rows.addAll(by("MLP filter", CandidateScorer::preRankedByMlp, ks, calibration));
    }
    return rows;
  }

  /** Calibrations that each picture and each text as a query is ranked by. */
  private record Ranking(IntFunction<Calibration> pictures, IntFunction<Calibration> texts) {
    /** Returns one for all. */
    static Ranking by(Calibration calibration) {
      return new Ranking(query -> calibration, query -> calibration);
    }
  }

  /**
   * Returns a row for the bi-encoder alone and one for each k, whose lambda is chosen on one half
   * of the pictures and their captions as queries and measured on the other, both ways: what fusion
   * brings on a split beside which there is no other to choose on.
   *
   * @param depths their k, as they {@linkplain Depths#within fit} the images; all where none does
   * @param progress told the pairs scored so far
   */
  public List<Row> twoFold(Depths depths, LongConsumer progress) {
    List<Integer> fitting = depths.within(images.size()).ks();
    List<Integer> ks = fitting.isEmpty() ? List.of(images.size()) : fitting;
    ScoredDirection textToImage = bestOf(false, ks, progress);
    long done = (long) texts.size() * ks.get(ks.size() - 1);
    ScoredDirection imageToText = bestOf(true, ks, pairs -> progress.accept(done + pairs));
    return rows(
        "filter only",
        "kNN, then fusion, lambda of the other half, k = ",
        imageToText,
        textToImage,
        ks,
        k -> ofTheOtherHalf(k, imageToText.candidates(), textToImage.candidates()));
  }

  private Ranking ofTheOtherHalf(int k, Candidates ofPictures, Candidates ofTexts) {
    CalibrationFit.Judged pictureQueries = judged(true, k, ofPictures);
    CalibrationFit.Judged textQueries = judged(false, k, ofTexts);
    Calibration[] chosen = new Calibration[2];
    for (int half = 0; half < 2; half++) {
      int other = 1 - half;
      chosen[half] =
          CalibrationFit.fit(
              textQueries.of(text -> relevance.owner(text) % 2 == other),
              pictureQueries.of(picture -> picture % 2 == other));
    }
    return new Ranking(picture -> chosen[picture % 2], text -> chosen[relevance.owner(text) % 2]);
  }

  /** Returns what the bi-encoder reaches alone; no pair is scored. */
  public Row biEncoder() {
    return new BiEncoderRanks(scorer(true), scorer(false), relevance).row(false);
  }

  /**
   * Returns a row for text-to-patch MaxSim as a middle stage alone, and one for each k: it orders
   * the bi-encoder's best answers, the first k of which the fusion encoder re-ranks.
   *
   * @param pool answers of the bi-encoder that it orders, at most all
   * @throws IllegalArgumentException when the model has no fusion encoder
   */
  public List<Row> byMaxSim(int pool, Depths depths, Calibration calibration) {
    WordPatchMaxSim maxSim = new WordPatchMaxSim(model, images, texts);
    return by(
        "MaxSim of the filter's best " + pool,
        (scorer, found) -> scorer.preRankedByMaxSim(maxSim, pool, found),
        depths.within(Math.min(pool, images.size())).ks(),
        calibration);
  }

  /**
   * Returns a row for another stage alone, and one for each k that it lets pass to the fusion
   * encoder.
   *
   * @param order finds so many answers to each query of a direction, best first
   */
  private List<Row> by(
      String stage,
      BiFunction<CandidateScorer, Integer, int[][]> order,
      List<Integer> ks,
      Calibration calibration) {
    // Where every k is beyond the archive, only the stage's own order is asked for.
    List<Integer> cuts = ks.isEmpty() ? List.of(Math.min(ScoredDirection.TOP, images.size())) : ks;
    int found = Math.max(ScoredDirection.TOP, cuts.get(cuts.size() - 1));
    List<ScoredDirection> both = new ArrayList<>();
    for (CandidateScorer scorer : List.of(scorer(false), scorer(true))) {
      both.add(scorer.score(order.apply(scorer, found), cuts, relevance, pairs -> {}));
    }
    return rows(
        stage + " only",
        stage + ", then fusion, k = ",
        both.get(1),
        both.get(0),
        ks,
        k -> Ranking.by(calibration));
  }

  /** Returns a row for a first stage alone, and one for each k. */
  private List<Row> rows(
      String firstStage,
      String fused,
      ScoredDirection imageToText,
      ScoredDirection textToImage,
      List<Integer> ks,
      IntFunction<Ranking> rankings) {
    List<Row> rows = new ArrayList<>();
    rows.add(row(firstStage, imageToText, 0, textToImage, 0, Ranking.by(Calibration.NONE)));
    for (int k : ks) {
      rows.add(row(fused + k, imageToText, k, textToImage, k, rankings.apply(k)));
    }
    return rows;
  }

  /** Returns the row of so many candidates of each direction, 0 for the first stage alone. */
  private Row row(
      String name,
      ScoredDirection imageToText,
      int captions,
      ScoredDirection textToImage,
      int pictures,
      Ranking ranking) {
    Row row =
        captions == 0
            ? Row.of(name, imageToText.firstStage(), textToImage.firstStage())
            : Row.of(
                name,
                imageToText.fusion(captions, ranking.pictures()),
                textToImage.fusion(pictures, ranking.texts()));
    Interval[] both = new Interval[2];
    for (int aware = 0; aware < 2; aware++) {
      both[aware] =
          Interval.of(
              imageToText.ranks(captions, ranking.pictures(), aware == 1),
              textToImage.ranks(pictures, ranking.texts(), aware == 1),
              relevance::owner);
    }
    return row.within(both[0], both[1]);
  }

  /** Returns how many pairs {@link #evaluate} scores with candidates by the dot product. */
  public long pairs(Depths depths) {
    if (!model.bundle().manifest().config().hasFusion()) {
      return 0;
    }
    Depths fitting = depths.within(images.size());
    return fitting.full()
        ? (long) texts.size() * images.size()
        : (long) (texts.size() + images.size()) * fitting.ks().get(fitting.ks().size() - 1);
  }

  /**
   * Searches for some of the captions.
   *
   * @param chosen numbers of the captions
   * @param k candidates of a caption, at most as many as there are images
   * @param first pictures wanted, of each order
   * @param calibration what pairs are ranked by
   * @return in the order of {@code chosen}
   */
  public List<Search> search(List<Integer> chosen, int k, int first, Calibration calibration) {
    List<Encoding> queries = chosen.stream().map(texts::get).toList();
    CandidateScorer scorer = new CandidateScorer(model, false, images, queries);
    Candidates candidates =
        scorer.score(scorer.nearest(k), List.of(k), relevance, pairs -> {}).candidates();
    List<Search> searches = new ArrayList<>();
    for (int q = 0; q < queries.size(); q++) {
      searches.add(
          new Search(
              chosen.get(q),
              Arrays.stream(candidates.answers()[q]).limit(first).boxed().toList(),
              Arrays.stream(candidates.fusionOrder(q, k, calibration, first)).boxed().toList()));
    }
    return searches;
  }

  /** Returns the image of a number in {@link Search}. */
  public CaptionedImage image(int image) {
    return split.images().get(image);
  }

  /** Returns the image that a caption was written for. */
  public CaptionedImage owner(int text) {
    return split.images().get(relevance.owner(text));
  }

  /** Returns the caption of a number in {@link Search}. */
  public String caption(int text) {
    int first = text;
    while (first > 0 && relevance.owner(first - 1) == relevance.owner(text)) {
      first--;
    }
    return owner(text).captions().get(text - first);
  }

  /** Returns whether an image has the caption, letter by letter, among its own. */
  public boolean right(int image, int text) {
    return relevance.right(image, text, true);
  }

  private ScoredDirection bestOf(boolean imageQueries, List<Integer> ks, LongConsumer progress) {
    CandidateScorer scorer = scorer(imageQueries);
    // The bi-encoder's own R@10 needs ten, whatever is re-ranked.
    int found = Math.max(ScoredDirection.TOP, ks.get(ks.size() - 1));
    return scorer.score(scorer.nearest(found), ks, relevance, progress);
  }

  /** Returns all images for every text. */
  private ScoredDirection everyPair(List<Integer> ks, LongConsumer progress) {
    List<Integer> cuts = Stream.concat(ks.stream(), Stream.of(images.size())).distinct().toList();
    CandidateScorer scorer = scorer(false);
    return scorer.score(scorer.nearest(images.size()), cuts, relevance, progress);
  }

  /** Returns all texts for every image, from the same scores. */
  private ScoredDirection fromTheOtherSide(ScoredDirection textToImage) {
    double pair = textToImage.medianMillis().applyAsDouble(images.size()) / images.size();
    return new ScoredDirection(
        textToImage.candidates().transposed(scorer(true).nearest(texts.size())),
        relevance.of(true, false),
        relevance.of(true, true),
        k -> k * pair,
        true,
        null);
  }

  private CandidateScorer scorer(boolean imageQueries) {
    return new CandidateScorer(model, imageQueries, images, texts);
  }

  /**
   * Fits lambda on this split in both directions, and Platt's scaling text to image: a probability
   * is that of a text's k candidates out of an archive of as many images as this split has.
   *
   * @param k candidates of a query; all images where there are fewer
   * @param progress told the pairs scored so far
   */
  public Calibration calibrate(int k, LongConsumer progress) {
    int fitting = Math.min(new Depths(List.of(k), false).ks().get(0), images.size());
    long pairs = (long) texts.size() * fitting;
    return CalibrationFit.fit(
        judged(false, fitting, progress),
        judged(true, fitting, done -> progress.accept(pairs + done)));
  }

  private CalibrationFit.Judged judged(boolean imageQueries, int k, LongConsumer progress) {
    return judged(imageQueries, k, bestOf(imageQueries, List.of(k), progress).candidates());
  }

  private CalibrationFit.Judged judged(boolean imageQueries, int k, Candidates candidates) {
    Candidates.Right aware = relevance.of(imageQueries, true);
    boolean[][] right = new boolean[candidates.queries()][k];
    for (int q = 0; q < right.length; q++) {
      for (int j = 0; j < k; j++) {
        right[q][j] = aware.test(q, candidates.answers()[q][j]);
      }
    }
    return new CalibrationFit.Judged(candidates, right);
  }

  /**
   * A caption's first pictures.
   *
   * @param text number of the caption
   * @param byBiEncoder numbers of the images, best first
   * @param byFusion numbers of the images, best first, the bi-encoder's candidates re-ranked
   */
  public record Search(int text, List<Integer> byBiEncoder, List<Integer> byFusion) {}
}
