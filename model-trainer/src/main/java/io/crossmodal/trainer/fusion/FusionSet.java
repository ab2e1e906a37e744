/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import io.crossmodal.trainer.train.CaptionStates;
import io.crossmodal.trainer.train.FeatureCache;
import io.crossmodal.trainer.train.RandomSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

/**
 * The batches of a training on hard candidates. A batch depends on the seed and its number alone,
 * so whoever resumes gets those of an uninterrupted run.
 */
final class FusionSet {
  /** Of texts and of pairs; with more, calls become small. */
  private static final int PARTS = 4;

  private final FusionOptions options;
  private final RandomSource randoms;
  private final CaptionStates captions;

  /** Of each picture the captions that it can ask with. */
  private final int[][] captionsOf;

  private final HardCandidates hard;
  private final FeatureCache features;
  private final int views;

  /** The pictures that take part. */
  private final int[] asking;

  /** The epoch whose order is at hand. */
  private int shuffled = -1;

  private int[] order = {};

  /**
   * Makes a set.
   *
   * @param captions all distinct ones, by their numbers, the caller's
   * @param captionsOf of each picture the numbers of its captions
   * @param features views of the pictures, the caller's
   * @param views how many of each picture
   * @throws IllegalArgumentException when no query has as many wrong answers as a batch asks for
   */
  FusionSet(
      FusionOptions options,
      CaptionStates captions,
      int[][] captionsOf,
      HardCandidates hard,
      FeatureCache features,
      int views) {
    this.options = options;
    this.randoms = new RandomSource(options.seed());
    this.captions = captions;
    this.hard = hard;
    this.features = features;
    this.views = views;
    int wrong = options.candidates() - 1;
    this.captionsOf =
        Arrays.stream(captionsOf)
            .map(own -> Arrays.stream(own).filter(c -> hard.images()[c].length >= wrong).toArray())
            .toArray(int[][]::new);
    this.asking =
        IntStream.range(0, captionsOf.length)
            .filter(i -> this.captionsOf[i].length > 0 && hard.captions()[i].length >= wrong)
            .toArray();
    if (asking.length == 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "no picture of %d has %d wrong answers: give fewer --candidates, or a higher"
                  + " --similar-captions",
              captionsOf.length,
              wrong));
    }
  }

  /** Returns how many pictures ask. */
  int size() {
    return asking.length;
  }

  /** Numbers in the order in which they were first asked for. */
  private static final class Distinct {
    private final Map<Integer, Integer> places = new LinkedHashMap<>();

    long place(int number) {
      return places.computeIfAbsent(number, n -> places.size());
    }

    List<Integer> numbers() {
      return new ArrayList<>(places.keySet());
    }
  }

  /** Returns the batch of that number, from 0. */
  FusionTask.Batch batch(int number) {
    SplittableRandom random = randoms.random(1, number);
    int queries = options.queries();
    int pairs = queries * options.candidates();
    Distinct images = new Distinct();
    Distinct texts = new Distinct();
    long[] text = new long[2 * pairs];
    long[] image = new long[2 * pairs];
    for (int q = 0; q < queries; q++) {
      int picture = asked((long) number * queries + q);
      int[] own = captionsOf[picture];
      int caption = own[random.nextInt(own.length)];
      int at = q * options.candidates();
      Arrays.fill(text, at, at + options.candidates(), texts.place(caption));
      image[at] = images.place(picture);
      for (int wrong : drawn(hard.images()[caption], random)) {
        image[++at] = images.place(wrong);
      }
      at = pairs + q * options.candidates();
      Arrays.fill(image, at, at + options.candidates(), images.place(picture));
      text[at] = texts.place(caption);
      for (int wrong : drawn(hard.captions()[picture], random)) {
        text[++at] = texts.place(wrong);
      }
    }
    // By length, for a text is padded to the longest of its part.
    int[] sorted =
        texts.numbers().stream()
            .sorted(Comparator.comparingInt(captions::length))
            .mapToInt(Integer::intValue)
            .toArray();
    int[] row = new int[sorted.length];
    for (int i = 0; i < sorted.length; i++) {
      row[(int) texts.place(sorted[i])] = i;
    }
    int[] byLength =
        IntStream.range(0, text.length)
            .boxed()
            .sorted(Comparator.comparingInt(pair -> row[(int) text[pair]]))
            .mapToInt(Integer::intValue)
            .toArray();
    long[] place = new long[byLength.length];
    for (int i = 0; i < byLength.length; i++) {
      place[byLength[i]] = i;
    }
    int n = captions.length(sorted[sorted.length - 1]);
    int h = captions.hidden();
    float[] words = new float[sorted.length * n * h];
    float[] mask = new float[sorted.length * n];
    for (int i = 0; i < sorted.length; i++) {
      captions.read(sorted[i], words, i * n * h);
      Arrays.fill(mask, i * n, i * n + captions.length(sorted[i]), 1);
    }
    return new FusionTask.Batch(
        views(images.numbers(), random),
        features.shape(),
        n,
        words,
        mask,
        Arrays.stream(byLength).mapToLong(pair -> row[(int) text[pair]]).toArray(),
        Arrays.stream(byLength).mapToLong(pair -> image[pair]).toArray(),
        parts(byLength.length, i -> captions.length(sorted[row[(int) text[byLength[i]]]])),
        place);
  }

  /**
   * Returns (G, 3): of parts of about equal size the first, the one behind the last, the longest.
   */
  private static long[] parts(int count, IntUnaryOperator length) {
    int parts = Math.min(PARTS, count);
    long[] rows = new long[3 * parts];
    for (int g = 0; g < parts; g++) {
      int to = (int) ((long) count * (g + 1) / parts);
      rows[3 * g] = (long) count * g / parts;
      rows[3 * g + 1] = to;
      rows[3 * g + 2] = length.applyAsInt(to - 1);
    }
    return rows;
  }

  private int asked(long query) {
    int epoch = (int) (query / asking.length);
    if (epoch != shuffled) {
      order = randoms.order(2, epoch, asking.length);
      shuffled = epoch;
    }
    return asking[order[(int) (query % asking.length)]];
  }

  /** Returns wrong answers, a quarter of them from the first quarter of a query's. */
  private int[] drawn(int[] pool, SplittableRandom random) {
    int wrong = options.candidates() - 1;
    int quarter = pool.length / 4;
    int first = Math.min((wrong + 2) / 4, quarter);
    int[] drawn = new int[wrong];
    draw(pool, 0, quarter, first, drawn, 0, random);
    draw(pool, quarter, pool.length, wrong - first, drawn, first, random);
    return drawn;
  }

  /** Draws so many of a part without putting back. */
  private static void draw(
      int[] pool, int from, int to, int count, int[] into, int at, SplittableRandom random) {
    int[] part = Arrays.copyOfRange(pool, from, to);
    for (int i = 0; i < count; i++) {
      int j = i + random.nextInt(part.length - i);
      into[at + i] = part[j];
      part[j] = part[i];
    }
  }

  private float[] views(List<Integer> images, SplittableRandom random) {
    int each = features.values();
    float[] all = new float[images.size() * each];
    for (int i = 0; i < images.size(); i++) {
      features.read(images.get(i), random.nextInt(views), all, i * each);
    }
    return all;
  }
}
