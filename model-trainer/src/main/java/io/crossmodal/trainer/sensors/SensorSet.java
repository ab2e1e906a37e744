/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import io.crossmodal.trainer.train.RandomSource;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/** The pairs of a training split, and its batches by number: the same for the same options. */
final class SensorSet {
  /**
   * What a step takes in.
   *
   * @param images B, of each sensor
   * @param first (B, C1, S, S)
   * @param second (B, C2, S, S)
   * @param place (B) a number for each place that the pairs show
   * @param tokens P numbers of the tokens whose patches are compared
   */
  @SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
  record Batch(int images, float[] first, float[] second, long[] place, long[] tokens) {}

  private static final int TOKENS = 4;

  private final SensorOptions options;
  private final RandomSource randoms;
  private final List<BandImage> first;
  private final List<BandImage> second;
  private final SensorConfig firstSensor;
  private final SensorConfig secondSensor;
  private final long[] place;
  private final int tokens;

  /**
   * Makes a set of decoded pairs of a model's first two sensors.
   *
   * @throws IllegalArgumentException when there are fewer pairs than a batch
   */
  SensorSet(SensorOptions options, ModelConfig config, DecodedPairs pairs) {
    this(options, config, config.sensors().get(0), config.sensors().get(1), pairs);
  }

  /**
   * Makes a set of decoded pairs.
   *
   * @param first what the model makes of the pairs' first tiles; {@code second} likewise
   * @throws IllegalArgumentException when there are fewer pairs than a batch
   */
  SensorSet(
      SensorOptions options,
      ModelConfig config,
      SensorConfig first,
      SensorConfig second,
      DecodedPairs pairs) {
    if (pairs.pairs().size() < options.batch()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a batch of %d needs as many training pairs, the data set has %d",
              options.batch(),
              pairs.pairs().size()));
    }
    this.options = options;
    this.randoms = new RandomSource(options.seed());
    this.first = pairs.first();
    this.second = pairs.second();
    List<String> distinct = pairs.pairs().stream().map(TilePair::place).distinct().toList();
    Map<String, Long> numbers = new HashMap<>();
    distinct.forEach(name -> numbers.put(name, (long) numbers.size()));
    this.place = pairs.pairs().stream().mapToLong(pair -> numbers.get(pair.place())).toArray();
    this.firstSensor = first;
    this.secondSensor = second;
    this.tokens = config.imageTokens(first);
  }

  int size() {
    return first.size();
  }

  /**
   * Returns the batch of that number, from 0; an epoch's last pairs that fill no batch are left
   * out.
   */
  Batch batch(int number) {
    int b = options.batch();
    int perEpoch = size() / b;
    int[] order = randoms.order(1, number / perEpoch, size());
    int from = number % perEpoch * b;
    float[] a = new float[b * values(firstSensor)];
    float[] c = new float[b * values(secondSensor)];
    long[] at = new long[b];
    for (int i = 0; i < b; i++) {
      int pair = order[from + i];
      at[i] = place[pair];
      SplittableRandom random = randoms.random(2, (long) number * b + i);
      View view = View.draw(options.augmentation(), random);
      // A teacher says what it makes of the place as it is.
      boolean changed = options.teacher() == null;
      put(view, changed, firstSensor, first.get(pair), random, a, i);
      put(view, true, secondSensor, second.get(pair), random, c, i);
    }
    SplittableRandom random = randoms.random(3, number);
    // Token 0 is [CLS]. One that came twice would be its own negative.
    long[] compared =
        random
            .ints(1, tokens)
            .distinct()
            .limit(Math.min(TOKENS, tokens - 1))
            .asLongStream()
            .toArray();
    return new Batch(b, a, c, at, compared);
  }

  private static int values(SensorConfig sensor) {
    return sensor.channels() * sensor.imageSize() * sensor.imageSize();
  }

  private void put(
      View view,
      boolean changed,
      SensorConfig sensor,
      BandImage tile,
      SplittableRandom random,
      float[] pixels,
      int at) {
    BandImage seen = view.place(tile, sensor.imageSize());
    float[] normal = new ImagePreprocessor(sensor).normalise(seen).values();
    if (changed) {
      view.change(normal, sensor, options.augmentation(), random);
    }
    System.arraycopy(normal, 0, pixels, at * normal.length, normal.length);
  }

  /**
   * A way to look at a tile, the same for all sensors of a pair.
   *
   * @param share side of the crop over the tile's, in (0, 1]
   * @param left where the crop begins, over what it may, in [0, 1)
   * @param top likewise
   * @param turn one of the eight turns and flips of a square
   */
  record View(double share, double left, double top, int turn) {
    private static final int TRANSPOSED = 4;
    private static final int UPSIDE_DOWN = 2;
    private static final int MIRRORED = 1;

    static View draw(SensorOptions.Augmentation augmentation, SplittableRandom random) {
      double least = augmentation.smallestCrop();
      double area = least < 1 ? random.nextDouble(least, 1) : 1;
      return new View(
          Math.sqrt(area),
          random.nextDouble(),
          random.nextDouble(),
          augmentation.turns() ? random.nextInt(8) : 0);
    }

    /** Returns the crop, turned, at a side of so many pixels. */
    BandImage place(BandImage tile, int side) {
      int crop = Math.max(1, (int) Math.round(share * tile.width()));
      int x0 = (int) (left * (tile.width() - crop + 1));
      int y0 = (int) (top * (tile.width() - crop + 1));
      BandImage seen = tile.crop(x0, y0, crop).resize(side);
      if (turn == 0) {
        return seen;
      }
      float[] out = new float[seen.values().length];
      for (int band = 0; band < seen.bands(); band++) {
        for (int y = 0; y < side; y++) {
          for (int x = 0; x < side; x++) {
            int u = (turn & MIRRORED) == 0 ? x : side - 1 - x;
            int v = (turn & UPSIDE_DOWN) == 0 ? y : side - 1 - y;
            out[(band * side + y) * side + x] =
                (turn & TRANSPOSED) == 0 ? seen.value(band, u, v) : seen.value(band, v, u);
          }
        }
      }
      return new BandImage(seen.bands(), side, side, out);
    }

    /**
     * Changes a tile's z-scores, in place: contrast and level of both kinds, the bands of a radar
     * alike, for their ratio is what they measure; then speckle of radar, the gain of optical
     * bands.
     */
    void change(
        float[] normal,
        SensorConfig sensor,
        SensorOptions.Augmentation augmentation,
        SplittableRandom random) {
      if (augmentation.contrast() > 0 || augmentation.level() > 0) {
        changeBands(normal, sensor, augmentation, random);
      }
      if (isRadar(sensor)) {
        if (augmentation.speckle() > 0) {
          for (int i = 0; i < normal.length; i++) {
            normal[i] += (float) (augmentation.speckle() * random.nextGaussian());
          }
        }
      } else if (augmentation.light() > 0) {
        double gain = 1 + random.nextDouble(-augmentation.light(), augmentation.light());
        int area = normal.length / sensor.channels();
        for (int i = 0; i < normal.length; i++) {
          // The gain of the values themselves, of which these are z-scores.
          double offset = sensor.mean().get(i / area) / sensor.std().get(i / area);
          normal[i] = (float) (gain * (normal[i] + offset) - offset);
        }
      }
    }

    private static boolean isRadar(SensorConfig sensor) {
      return sensor.bands() != null && sensor.bands().values().radar();
    }

    /** Stretches each band around its mean and shifts it. */
    private static void changeBands(
        float[] normal,
        SensorConfig sensor,
        SensorOptions.Augmentation augmentation,
        SplittableRandom random) {
      int area = normal.length / sensor.channels();
      double stretch = 0;
      double shift = 0;
      for (int band = 0; band < sensor.channels(); band++) {
        if (band == 0 || !isRadar(sensor)) {
          stretch = 1 + augmentation.contrast() * (2 * random.nextDouble() - 1);
          shift = augmentation.level() * (2 * random.nextDouble() - 1);
        }
        double mean = 0;
        for (int i = band * area; i < (band + 1) * area; i++) {
          mean += normal[i] / area;
        }
        for (int i = band * area; i < (band + 1) * area; i++) {
          normal[i] = (float) (stretch * (normal[i] - mean) + mean + shift);
        }
      }
    }
  }
}
