/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.Encoding;
import io.crossmodal.model.FusionModel;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Retrieval in both directions over one split: the filter alone, and the filter's best K re-ranked
 * by the fusion encoder.
 *
 * <p>Each tower runs once per text and image. Strict counts only an image's own captions as right;
 * duplicate-aware counts every image that has the caption, letter by letter, among its own (in
 * RSICD's test split 11.7 % of the captions describe several images).
 */
public final class Evaluator {
  private final FusionModel model;
  private final List<Encoding> images;
  private final List<Encoding> texts;
  private final List<String> problems;

  /** Per text the image that it was written for. */
  private final int[] owner;

  private final List<String> textKeys;
  private final List<Set<String>> imageKeys;

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
    this.problems = split.problems();
    this.images = split.pictures();
    this.texts = split.texts();
    this.textKeys = new ArrayList<>();
    this.imageKeys = new ArrayList<>();
    List<Integer> owners = new ArrayList<>();
    for (int i = 0; i < split.images().size(); i++) {
      Set<String> keys = new HashSet<>();
      for (String caption : split.images().get(i).captions()) {
        String key = CaptionedDataset.captionKey(caption);
        textKeys.add(key);
        keys.add(key);
        owners.add(i);
      }
      imageKeys.add(keys);
    }
    this.owner = owners.stream().mapToInt(Integer::intValue).toArray();
  }

  /** How many images take part. */
  public int images() {
    return images.size();
  }

  /** How many texts take part. */
  public int texts() {
    return texts.size();
  }

  /** The pictures that were left out, a line each. */
  public List<String> problems() {
    return problems;
  }

  /**
   * Recall of one order in both directions.
   *
   * @param name what ordered the answers
   * @param imageToText strict
   * @param textToImage strict
   * @param imageToTextAware duplicate-aware
   * @param textToImageAware duplicate-aware
   */
  public record Row(
      String name,
      Retrieval imageToText,
      Retrieval textToImage,
      Retrieval imageToTextAware,
      Retrieval textToImageAware) {
    public double meanRecall() {
      return Retrieval.meanRecall(imageToText, textToImage);
    }

    public double meanRecallAware() {
      return Retrieval.meanRecall(imageToTextAware, textToImageAware);
    }
  }

  /**
   * The filter alone and re-ranked, from one set of candidates.
   *
   * @param k candidates a query, at least 1
   * @param calibration its lambda weighs the filter's logit
   * @param progress told the pairs scored so far
   */
  public List<Row> evaluate(int k, Calibration calibration, IntConsumer progress) {
    Candidates textToImage = candidates(false, k, progress);
    int done = texts.size() * Math.min(k, images.size());
    Candidates imageToText = candidates(true, k, pairs -> progress.accept(done + pairs));
    Calibration itmAlone = new Calibration(0, 1, 0);
    return List.of(
        row("filter", imageToText, textToImage, null),
        row("filter, then ITM, k = " + k, imageToText, textToImage, itmAlone),
        row("filter, then ITM + lambda filter, k = " + k, imageToText, textToImage, calibration));
  }

  /** Pairs that {@link #evaluate} scores. */
  public int pairs(int k) {
    return texts.size() * Math.min(k, images.size()) + images.size() * Math.min(k, texts.size());
  }

  private Row row(
      String name, Candidates imageToText, Candidates textToImage, Calibration calibration) {
    return new Row(
        name,
        Retrieval.of(ranks(imageToText, true, false, calibration)),
        Retrieval.of(ranks(textToImage, false, false, calibration)),
        Retrieval.of(ranks(imageToText, true, true, calibration)),
        Retrieval.of(ranks(textToImage, false, true, calibration)));
  }

  /** Fits lambda and Platt's scaling on this split, text to image. */
  public Calibration calibrate(int k, IntConsumer progress) {
    Candidates candidates = candidates(false, k, progress);
    boolean[][] right = new boolean[texts.size()][];
    for (int t = 0; t < right.length; t++) {
      int[] answers = candidates.answers()[t];
      right[t] = new boolean[answers.length];
      for (int j = 0; j < answers.length; j++) {
        right[t][j] = imageKeys.get(answers[j]).contains(textKeys.get(t));
      }
    }
    return CalibrationFit.fit(candidates, right);
  }

  private Candidates candidates(boolean imageQueries, int k, IntConsumer progress) {
    if (k < 1) {
      throw new IllegalArgumentException("k must be at least 1, got " + k);
    }
    List<Encoding> queries = imageQueries ? images : texts;
    List<Encoding> answers = imageQueries ? texts : images;
    int[][] best = new int[queries.size()][];
    float[][] itm = new float[queries.size()][];
    float[][] filter = new float[queries.size()][];
    IntStream.range(0, queries.size())
        .parallel()
        .forEach(q -> best[q] = nearest(queries.get(q).embedding(), answers, k));
    int pairs = 0;
    for (int q = 0; q < queries.size(); q++) {
      List<TokenBlock> query = List.of(queries.get(q).tokens());
      List<TokenBlock> found =
          Arrays.stream(best[q]).mapToObj(a -> answers.get(a).tokens()).toList();
      PairLogits logits = imageQueries ? model.score(found, query) : model.score(query, found);
      itm[q] = logits.itm();
      filter[q] = logits.filter();
      pairs += found.size();
      progress.accept(pairs);
    }
    return new Candidates(best, itm, filter);
  }

  private static int[] nearest(float[] query, List<Encoding> answers, int k) {
    float[] similarity = new float[answers.size()];
    for (int a = 0; a < similarity.length; a++) {
      float[] embedding = answers.get(a).embedding();
      float sum = 0;
      for (int d = 0; d < query.length; d++) {
        sum += query[d] * embedding[d];
      }
      similarity[a] = sum;
    }
    return IntStream.range(0, similarity.length)
        .boxed()
        .sorted((a, b) -> Float.compare(similarity[b], similarity[a]))
        .limit(k)
        .mapToInt(Integer::intValue)
        .toArray();
  }

  /** Rank of the best right answer, or beyond every cut-off when the candidates hold none. */
  private int[] ranks(
      Candidates candidates, boolean imageQueries, boolean aware, Calibration calibration) {
    int[] ranks = new int[candidates.answers().length];
    for (int q = 0; q < ranks.length; q++) {
      int[] answers = candidates.answers()[q];
      int query = q;
      int[] order = IntStream.range(0, answers.length).toArray();
      if (calibration != null) {
        float[] itm = candidates.itm()[q];
        float[] filter = candidates.filter()[q];
        order =
            Arrays.stream(order)
                .boxed()
                .sorted(
                    (a, b) ->
                        Double.compare(
                            calibration.logit(itm[b], filter[b]),
                            calibration.logit(itm[a], filter[a])))
                .mapToInt(Integer::intValue)
                .toArray();
      }
      int[] sorted = order;
      ranks[q] =
          IntStream.range(0, sorted.length)
                  .filter(
                      r ->
                          imageQueries
                              ? right(query, answers[sorted[r]], aware)
                              : right(answers[sorted[r]], query, aware))
                  .findFirst()
                  .orElse(Integer.MAX_VALUE - 1)
              + 1;
    }
    return ranks;
  }

  private boolean right(int image, int text, boolean aware) {
    return aware ? imageKeys.get(image).contains(textKeys.get(text)) : owner[text] == image;
  }
}
