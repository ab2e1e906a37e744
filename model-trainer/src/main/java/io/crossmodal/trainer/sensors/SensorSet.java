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
import io.crossmodal.trainer.train.Draws;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;

/** The pairs of a training split, and its batches by number: the same for the same options. */
final class SensorSet {
  private static final int PLACES = 4;

  private final SensorOptions options;
  private final Draws draws;
  private final List<BandImage> first;
  private final List<BandImage> second;
  private final SensorConfig firstSensor;
  private final SensorConfig secondSensor;
  private final int tokens;

  /**
   * A set of decoded pairs.
   *
   * @param config its first two sensors are those of the pairs
   * @throws IllegalArgumentException when there are fewer pairs than a batch
   */
  SensorSet(SensorOptions options, ModelConfig config, DecodedPairs pairs) {
    if (pairs.pairs().size() < options.batch()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a batch of %d needs as many training pairs, the data set has %d",
              options.batch(),
              pairs.pairs().size()));
    }
    this.options = options;
    this.draws = new Draws(options.seed());
    this.first = pairs.first();
    this.second = pairs.second();
    this.firstSensor = config.sensors().get(0);
    this.secondSensor = config.sensors().get(1);
    this.tokens = config.imageTokens(firstSensor);
  }

  int size() {
    return first.size();
  }

  /** The batch of that number, from 0; an epoch's last pairs that fill no batch are left out. */
  SensorBatch batch(int number) {
    int b = options.batch();
    int perEpoch = size() / b;
    int[] order = draws.order(1, number / perEpoch, size());
    int from = number % perEpoch * b;
    int views = options.pairing() == SensorOptions.Pairing.WITHIN ? 2 : 1;
    float[] a = new float[views * b * values(firstSensor)];
    float[] c = new float[views * b * values(secondSensor)];
    for (int i = 0; i < views * b; i++) {
      int pair = order[from + i % b];
      SplittableRandom random = draws.random(2, (long) number * views * b + i);
      SensorView view = SensorView.draw(options.augmentation(), random);
      put(view, firstSensor, first.get(pair), random, a, i);
      put(view, secondSensor, second.get(pair), random, c, i);
    }
    SplittableRandom random = draws.random(3, number);
    // Token 0 is [CLS]. A place that came twice would be its own negative.
    long[] places =
        random.ints(1, tokens)
            .distinct()
            .limit(Math.min(PLACES, tokens - 1))
            .asLongStream()
            .toArray();
    return new SensorBatch(views * b, a, c, places);
  }

  private static int values(SensorConfig sensor) {
    return sensor.channels() * sensor.imageSize() * sensor.imageSize();
  }

  private void put(
      SensorView view,
      SensorConfig sensor,
      BandImage tile,
      SplittableRandom random,
      float[] pixels,
      int at) {
    BandImage seen = view.place(tile, sensor.imageSize());
    float[] normal = new ImagePreprocessor(sensor).normalise(seen).values();
    view.change(normal, sensor, options.augmentation(), random);
    System.arraycopy(normal, 0, pixels, at * normal.length, normal.length);
  }
}
