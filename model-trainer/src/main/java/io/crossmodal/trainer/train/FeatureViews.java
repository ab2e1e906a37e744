/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.data.Augmentation;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;

/**
 * Views of pictures whose features are computed once: each as it is, and a few changed by chance.
 *
 * <p>The same for every seed of a training, so that trainings share them.
 *
 * @param pictures at the augmentation's {@linkplain Augmentation#sourceSide source side}, or at the
 *     side that the sensor samples from
 * @param sensor that sees them
 * @param augmentation what happens to the changed ones
 * @param count V, of each picture
 */
public record FeatureViews(
    List<RgbImage> pictures, SensorConfig sensor, Augmentation augmentation, int count) {
  private static final RandomSource RANDOM = new RandomSource(1);

  /** Of random numbers, beside the purposes of {@link CaptionSet} and {@link TrainingModule}. */
  private static final int VIEWS = 7;

  /** Returns a view of a picture, (C, S, S); view 0 is the picture as it is. */
  float[] pixels(int picture, int view) {
    Augmentation change = view == 0 ? Augmentation.NONE : augmentation;
    RgbImage changed =
        change.apply(
            pictures.get(picture),
            sensor.imageSize(),
            sensor.sampledFrom() != null,
            RANDOM.random(VIEWS, (long) view * pictures.size() + picture));
    return new ImagePreprocessor(sensor).normalise(changed).values();
  }

  /**
   * Returns what towers make of the views, from a file where that has it.
   *
   * @param folder where the file lies, named by all that it depends on; made where it is absent
   * @param data digest of the pictures
   * @param progress told how much is done; may throw to end it there
   */
  public FeatureCache through(
      FrozenTowers towers, Path folder, String data, TrainingLoop.Progress progress)
      throws IOException {
    Files.createDirectories(folder);
    MessageDigest digest = Sha256.digest();
    String words = String.join(" ", towers.digest(), data, augmentation.name(), "" + count);
    digest.update(words.getBytes(StandardCharsets.UTF_8));
    String name = HexFormat.of().formatHex(digest.digest()).substring(0, 16);
    int size = pictures.size();
    long rows = (long) size * count;
    return FeatureCache.open(
        folder.resolve("features-" + name + ".f16"),
        towers.shape(),
        size,
        count,
        (from, to) ->
            towers.features(
                (int) (to - from),
                i -> pixels((int) ((from + i) % size), (int) ((from + i) / size))),
        done -> progress.prepared(done, rows));
  }
}
