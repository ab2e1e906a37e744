/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.evaluate.CalibrationFit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Fits, for each of the four directions, the probability that two images show one place, on the
 * validation tiles and without labels: from the cosine of their embeddings, and from MaxSim of
 * their patches. Across sensors a tile belongs to its partner; within a sensor to itself, cropped
 * and turned, for a copy that is the same to the bit would teach nothing.
 */
public final class SensorCalibrationFit {
  private static final int LEAST_PAIRS = 10;

  /** Wrong tiles that each tile is compared with by MaxSim, which costs far more than a cosine. */
  private static final int OTHERS = 50;

  /** Standard errors above chance from which on MaxSim is taken to tell pairs from others. */
  private static final double SIGNIFICANT = 2;

  private static final SensorOptions.Augmentation VIEW =
      new SensorOptions.Augmentation(0.6, true, 0, 0, 0, 0);

  private SensorCalibrationFit() {}

  /**
   * Fitted calibrations.
   *
   * @param cosines one a direction; none where there are fewer than ten validation pairs
   * @param maxSims one a direction whose pairs MaxSim tells from others
   * @param notes what was not fitted, and why, for whoever trains
   */
  public record Fitted(
      List<SensorCalibration> cosines, List<SensorCalibration> maxSims, List<String> notes) {
    public Fitted {
      cosines = List.copyOf(cosines);
      maxSims = List.copyOf(maxSims);
      notes = List.copyOf(notes);
    }
  }

  /**
   * Fits a model's calibrations.
   *
   * @param model has both sensors of the data set
   */
  public static Fitted fit(FusionModel model, PairDataset dataset) {
    int tiles = dataset.split(Split.VAL).size();
    if (tiles < LEAST_PAIRS) {
      return new Fitted(
          List.of(),
          List.of(),
          List.of(
              String.format(
                  Locale.ROOT,
                  "not calibrated: needs %d validation pairs, there are %d",
                  LEAST_PAIRS,
                  tiles)));
    }
    String[] names = {dataset.first().name(), dataset.second().name()};
    int side = model.bundle().manifest().config().sensor(names[0]).imageSize();
    SensorEvaluation.ModelEncoder encoder =
        new SensorEvaluation.ModelEncoder("", model, names[0], names[1]);
    List<List<TileFeatures>> whole = new ArrayList<>();
    List<List<TileFeatures>> viewed = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(1);
    try (DecodedPairs pairs = DecodedPairs.decode(dataset, Split.VAL, VIEW.sourceSide(side))) {
      for (int sensor = 0; sensor < names.length; sensor++) {
        List<BandImage> images = sensor == 0 ? pairs.first() : pairs.second();
        SensorConfig config = model.bundle().manifest().config().sensor(names[sensor]);
        whole.add(encoder.encode(sensor == 1, images.stream().map(t -> t.resize(side)).toList()));
        List<BandImage> views = new ArrayList<>();
        for (BandImage image : images) {
          views.add(SensorSet.View.draw(VIEW, random).place(image, config.imageSize()));
        }
        viewed.add(encoder.encode(sensor == 1, views));
      }
    }
    List<SensorCalibration> cosines = new ArrayList<>();
    List<SensorCalibration> maxSims = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    for (int query = 0; query < names.length; query++) {
      for (int archive = 0; archive < names.length; archive++) {
        List<TileFeatures> asked = query == archive ? viewed.get(query) : whole.get(query);
        List<TileFeatures> found = whole.get(archive);
        cosines.add(logistic(names[query], names[archive], cosines(asked, found), found.size()));
        double[][] alike = maxSims(model, asked, found);
        Optional<SensorCalibration> maxSim =
            maxSim(names[query], names[archive], alike, found.size());
        maxSim.ifPresent(maxSims::add);
        if (maxSim.isEmpty()) {
          notes.add(note(names[query], names[archive], separation(alike)));
        }
      }
    }
    return new Fitted(cosines, maxSims, notes);
  }

  private static String note(String query, String archive, double separation) {
    return String.format(
        Locale.ROOT,
        "MaxSim of %s and %s is not calibrated: what belongs together is above %.0f %% of the"
            + " rest, by chance above 50 %%; patch tokens are trained by --patches",
        query,
        archive,
        100 * separation);
  }

  /** Returns for each tile the cosine with its own one, and behind it with all others. */
  private static double[][] cosines(List<TileFeatures> asked, List<TileFeatures> found) {
    double[][] cosines = new double[asked.size()][];
    for (int q = 0; q < cosines.length; q++) {
      TileFeatures query = asked.get(q);
      cosines[q] =
          Arrays.stream(compared(q, found.size(), found.size()))
              .mapToDouble(a -> query.cosine(found.get(a)))
              .toArray();
    }
    return cosines;
  }

  /** Returns for each tile MaxSim with its own one, and behind it with some others. */
  private static double[][] maxSims(
      FusionModel model, List<TileFeatures> asked, List<TileFeatures> found) {
    List<TokenBlock> images = found.stream().map(TileFeatures::tokens).toList();
    double[][] maxSims = new double[asked.size()][];
    for (int q = 0; q < maxSims.length; q++) {
      int[] compared = compared(q, found.size(), OTHERS);
      float[] values =
          model.maxSim(
              List.of(asked.get(q).tokens()),
              new int[compared.length],
              Arrays.stream(compared).mapToObj(images::get).toList());
      maxSims[q] = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        maxSims[q][i] = values[i];
      }
    }
    return maxSims;
  }

  /** Returns a tile's own number, then those of others, spread evenly over all. */
  private static int[] compared(int own, int tiles, int others) {
    int[] compared = new int[1 + Math.min(others, tiles - 1)];
    compared[0] = own;
    int k = compared.length - 1;
    for (int i = 0; i < k; i++) {
      compared[1 + i] = (own + 1 + (int) ((long) i * (tiles - 1) / k)) % tiles;
    }
    return compared;
  }

  /**
   * Returns the calibration of MaxSim, where it tells what belongs together from the rest: better
   * than by chance, beyond doubt for so many tiles.
   *
   * @param alike as for {@link #logistic}
   */
  static Optional<SensorCalibration> maxSim(
      String query, String archive, double[][] alike, int tiles) {
    // By chance the share below is uniform, of variance 1 / 12.
    double error = Math.sqrt(1 / (12.0 * alike.length));
    return separation(alike) > 0.5 + SIGNIFICANT * error
        ? Optional.of(logistic(query, archive, alike, tiles))
        : Optional.empty();
  }

  /**
   * Returns the mean over tiles of the share of others that are less like it than its own one, ties
   * by half.
   */
  private static double separation(double[][] alike) {
    double sum = 0;
    for (double[] values : alike) {
      double below = 0;
      for (int i = 1; i < values.length; i++) {
        below += values[i] < values[0] ? 1 : values[i] == values[0] ? 0.5 : 0;
      }
      sum += below / (values.length - 1);
    }
    return sum / alike.length;
  }

  /**
   * Fits by Platt scaling. Where others were left out, the bias is that of all: leaving them out
   * raised the odds by the same factor everywhere (Prentice and Pyke 1979).
   *
   * @param alike for each tile how alike its own one is, then others, equally many a tile
   * @param tiles in the archive, the tile's own one among them
   */
  static SensorCalibration logistic(String query, String archive, double[][] alike, int tiles) {
    boolean[][] right = new boolean[alike.length][];
    for (int q = 0; q < alike.length; q++) {
      right[q] = new boolean[alike[q].length];
      right[q][0] = true;
    }
    Calibration platt = CalibrationFit.platt(alike, right, 0);
    double drawn = alike[0].length - 1;
    return new SensorCalibration(
        query, archive, platt.scale(), platt.bias() - Math.log((tiles - 1) / drawn));
  }
}
