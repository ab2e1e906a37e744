/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The training images, which are read from a file of decoded ones, with their captions as numbers,
 * and the batches made of them.
 *
 * <p>A batch depends on the seed and its number alone: whoever resumes gets the batches that an
 * uninterrupted run had.
 */
final class CaptionSet {
  /**
   * What one step takes in, flat and row-major.
   *
   * @param size B
   * @param views 1, or 2 where multi-view contrast takes part
   * @param imageShape (C, S, S), or (2G, 2G, C) where a {@link FeatureCache} makes the images
   * @param tokens N, the longest text of the batch
   * @param pixels (views x B, ...), each of that shape, the second views behind the first
   * @param ids (B, N)
   * @param mask (B, N), 1 for a token
   * @param masked {@code ids} with some replaced by [MASK]
   * @param labels (B, N), the replaced id, {@value #NOT_MASKED} elsewhere
   * @param matches (B, B), 1 where image i and text j belong together
   * @param similar (B, B), 1 where they do not but nearly so: text j says almost what a text of
   *     image i says
   * @param noise (2, B, B), standard Gumbel
   * @param hard (B), 1 where the pair's negatives are drawn by similarity
   * @param keyMatches (2, B, K), 1 where image i and text key k, text i and image key k belong
   *     together; the keys are those of this batch and then of the ones before it, newest first; K
   *     is 0 without momentum
   */
  @SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
  record Batch(
      int size,
      int views,
      List<Integer> imageShape,
      int tokens,
      float[] pixels,
      long[] ids,
      float[] mask,
      long[] masked,
      long[] labels,
      float[] matches,
      float[] similar,
      float[] noise,
      float[] hard,
      float[] keyMatches) {

    /** Returns the shape of {@code pixels}. */
    Shape pixelShape() {
      return new Shape(
          LongStream.concat(
                  LongStream.of((long) views * size),
                  imageShape.stream().mapToLong(Integer::longValue))
              .toArray());
    }

    /** Returns K. */
    int keys() {
      return keyMatches.length / (2 * size);
    }

    /** What PyTorch's cross-entropy ignores. */
    static final long NOT_MASKED = -100;
  }

  private final TrainingOptions options;
  private final RandomSource randoms;
  private final ImagePreprocessor preprocessor;
  private final int side;
  private final boolean sampled;
  private final int unknown;
  private final int mask;
  private final List<RgbImage> images;

  /** Of each image its captions. */
  private final CaptionTexts[] captions;

  /** Null where all pairs of other captions are negatives. */
  private final CaptionSimilarity similarity;

  /** Null where pictures go through the whole tower. */
  private FeatureCache features;

  /**
   * Tokenises the captions of decoded images.
   *
   * @param decoded stays the caller's, who keeps it open while batches are made; at {@link
   *     io.crossmodal.trainer.data.Augmentation#sourceSide} or above, or at the side that the
   *     sensor samples from
   * @param sensor what the model's image tower accepts
   * @throws IllegalArgumentException when there are fewer images than a batch
   */
  CaptionSet(
      TrainingOptions options,
      DecodedImages<RgbImage> decoded,
      WordPieceTokenizer tokenizer,
      SensorConfig sensor) {
    List<CaptionedImage> split = decoded.images();
    if (split.size() < options.batch()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a batch of %d needs as many training images, the data set has %d",
              options.batch(),
              split.size()));
    }
    this.options = options;
    this.randoms = new RandomSource(options.seed());
    this.preprocessor = new ImagePreprocessor(sensor);
    this.side = sensor.imageSize();
    this.sampled = sensor.sampledFrom() != null;
    this.unknown = tokenizer.id(WordPieceTokenizer.UNKNOWN);
    this.mask = tokenizer.id(WordPieceTokenizer.MASK);
    this.images = decoded.pictures();
    // RSICD repeats captions within an image; drawn by count, the others would hardly be seen.
    this.captions = CaptionTexts.of(split, tokenizer);
    this.similarity =
        options.tasks().similarCaptions() < 1
            ? CaptionSimilarity.of(
                Arrays.stream(captions).map(CaptionTexts::keys).toArray(int[][]::new),
                (image, caption) -> captions[image].ids(caption))
            : null;
  }

  /** Takes the images of batches from a cache from now on. */
  void use(FeatureCache cache) {
    features = cache;
  }

  int size() {
    return captions.length;
  }

  /**
   * Returns the batch of that number, from 0; an epoch's last images that fill no batch wait for
   * the next.
   */
  Batch batch(int number) {
    int b = options.batch();
    SplittableRandom random = randoms.random(1, number);
    Pairs pairs = pairs(number);
    int[] chosen = pairs.images();
    int[] caption = pairs.captions();
    int n = 0;
    for (int i = 0; i < b; i++) {
      n = Math.max(n, captions[chosen[i]].length(caption[i]));
    }
    long[] ids = new long[b * n];
    float[] present = new float[b * n];
    long[] masked = new long[b * n];
    long[] labels = new long[b * n];
    Arrays.fill(labels, Batch.NOT_MASKED);
    for (int i = 0; i < b; i++) {
      int[] text = captions[chosen[i]].ids(caption[i]);
      // [CLS] and [SEP] stay; one word is always masked, or a short text would teach nothing.
      int always = text.length > 2 ? 1 + random.nextInt(text.length - 2) : -1;
      for (int j = 0; j < text.length; j++) {
        int at = i * n + j;
        boolean word = j > 0 && j < text.length - 1;
        boolean drop = word && random.nextDouble() < options.regularisation().wordDropout();
        boolean hide =
            j == always || (word && random.nextDouble() < options.tasks().maskProbability());
        ids[at] = drop ? unknown : text[j];
        masked[at] = hide ? mask : text[j];
        labels[at] = hide ? text[j] : Batch.NOT_MASKED;
        present[at] = 1;
      }
    }
    int step = number / options.accumulate();
    int views = options.views(step);
    int side = options.side(step, this.side);
    return new Batch(
        b,
        views,
        features == null ? List.of(3, side, side) : features.shape(),
        n,
        features == null ? pixels(chosen, number, views, side) : features(chosen, number, views),
        ids,
        present,
        masked,
        labels,
        matches(pairs),
        similar(pairs),
        gumbel(random, 2 * b * b),
        hard(random, b),
        keyMatches(number, pairs));
  }

  /** Which images a batch takes, and which of its captions each. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Pairs(int[] images, int[] captions) {}

  /**
   * Returns the pairs of a batch. Those of a group of batches are drawn together and dealt out by
   * the length of their captions, in an order of batches that is drawn too: a text is padded to the
   * longest of its batch, and by chance alone almost half of the tokens would be padding.
   */
  private Pairs pairs(int number) {
    int b = options.batch();
    int perEpoch = size() / b;
    int epoch = number / perEpoch;
    int inEpoch = number % perEpoch;
    int group = inEpoch / options.lengthGroup();
    int start = group * options.lengthGroup();
    int batches = Math.min(options.lengthGroup(), perEpoch - start);
    int[] order = randoms.order(3, epoch, size());
    long drawn = (long) epoch * perEpoch + start;
    SplittableRandom random = randoms.random(4, drawn);
    int[] images = Arrays.copyOfRange(order, start * b, (start + batches) * b);
    int[] chosen =
        Arrays.stream(images).map(image -> random.nextInt(captions[image].count())).toArray();
    int[] byLength =
        IntStream.range(0, images.length)
            .boxed()
            .sorted(Comparator.comparingInt(i -> captions[images[i]].length(chosen[i])))
            .mapToInt(Integer::intValue)
            .toArray();
    int first = randoms.order(5, drawn, batches)[inEpoch - start] * b;
    int[] own = Arrays.copyOfRange(byLength, first, first + b);
    return new Pairs(
        Arrays.stream(own).map(i -> images[i]).toArray(),
        Arrays.stream(own).map(i -> chosen[i]).toArray());
  }

  private float[] keyMatches(int number, Pairs asking) {
    if (!options.momentum().active()) {
      return new float[0];
    }
    int b = options.batch();
    int batches = Math.min(number, options.momentum().queue() / b) + 1;
    int k = batches * b;
    float[] matches = new float[2 * b * k];
    for (int back = 0; back < batches; back++) {
      Pairs keys = back == 0 ? asking : pairs(number - back);
      for (int i = 0; i < b; i++) {
        for (int j = 0; j < b; j++) {
          int at = i * k + back * b + j;
          matches[at] = match(asking, i, keys, j);
          matches[b * k + at] = match(keys, j, asking, i);
        }
      }
    }
    return matches;
  }

  /** Returns 1 where the image of one pair has the caption of another, letter by letter. */
  private float match(Pairs images, int image, Pairs texts, int text) {
    int[] own = captions[images.images()[image]].keys();
    int key = captions[texts.images()[text]].keys()[texts.captions()[text]];
    for (int candidate : own) {
      if (candidate == key) {
        return 1;
      }
    }
    return 0;
  }

  private float[] pixels(int[] chosen, int number, int views, int side) {
    int each = 3 * side * side;
    int count = views * chosen.length;
    long first = (long) number * options.tasks().views() * chosen.length;
    float[] pixels = new float[count * each];
    IntStream.range(0, count)
        .forEach(
            i -> {
              RgbImage changed =
                  options
                      .regularisation()
                      .augmentation()
                      .apply(
                          images.get(chosen[i % chosen.length]),
                          side,
                          sampled,
                          randoms.random(2, first + i));
              System.arraycopy(preprocessor.normalise(changed).values(), 0, pixels, i * each, each);
            });
    return pixels;
  }

  /** Returns one of the kept views of each image, drawn by chance. */
  private float[] features(int[] chosen, int number, int views) {
    int each = features.values();
    int count = views * chosen.length;
    long first = (long) number * options.tasks().views() * chosen.length;
    float[] values = new float[count * each];
    for (int i = 0; i < count; i++) {
      int view = randoms.random(2, first + i).nextInt(options.parts().featureViews());
      features.read(chosen[i % chosen.length], view, values, i * each);
    }
    return values;
  }

  private float[] similar(Pairs pairs) {
    int b = pairs.images().length;
    float[] similar = new float[b * b];
    for (int i = 0; similarity != null && i < b; i++) {
      for (int j = 0; j < b; j++) {
        int text = captions[pairs.images()[j]].keys()[pairs.captions()[j]];
        similar[i * b + j] =
            match(pairs, i, pairs, j) == 0
                    && similarity.isNear(
                        captions[pairs.images()[i]].keys(), text, options.tasks().similarCaptions())
                ? 1
                : 0;
      }
    }
    return similar;
  }

  private float[] matches(Pairs pairs) {
    int b = pairs.images().length;
    float[] matches = new float[b * b];
    for (int i = 0; i < b; i++) {
      for (int j = 0; j < b; j++) {
        matches[i * b + j] = match(pairs, i, pairs, j);
      }
    }
    return matches;
  }

  private float[] hard(SplittableRandom random, int b) {
    float[] hard = new float[b];
    for (int i = 0; i < b; i++) {
      hard[i] = random.nextDouble() < options.tasks().hardNegatives() ? 1 : 0;
    }
    return hard;
  }

  private static float[] gumbel(SplittableRandom random, int count) {
    float[] noise = new float[count];
    for (int i = 0; i < count; i++) {
      noise[i] = (float) -Math.log(-Math.log(random.nextDouble(Double.MIN_NORMAL, 1)));
    }
    return noise;
  }

  /**
   * Returns a word vocabulary for a model that starts from nothing: the special tokens, then every
   * word that the captions hold often enough, in alphabetical order.
   */
  static List<String> vocabulary(List<CaptionedImage> images, int minCount) {
    Map<String, Integer> counts = new TreeMap<>();
    for (CaptionedImage image : images) {
      // What an image repeats counts once, as it is trained on once.
      for (String caption : CaptionTexts.byKey(image.captions()).values()) {
        for (String word : WordPieceTokenizer.words(caption)) {
          counts.merge(word, 1, Integer::sum);
        }
      }
    }
    Set<String> vocabulary = new LinkedHashSet<>(WordPieceTokenizer.SPECIAL);
    // Always there: queries have punctuation even where the captions have none.
    vocabulary.addAll(List.of(",", "."));
    counts.forEach(
        (word, count) -> {
          if (count >= minCount) {
            vocabulary.add(word);
          }
        });
    return List.copyOf(vocabulary);
  }
}
