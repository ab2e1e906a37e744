/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelManifest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Radar and optical tiles in one list, as a node makes it: for each query the nearest of each
 * sensor by cosine, ordered by one score. A query's own tile is left out.
 */
final class OneList {
  private static final int DEPTH = 10;
  private static final int NEAREST = 50;

  private final List<String> names;
  private final List<List<TileFeatures>> tiles;

  /**
   * @param names of both sensors
   * @param tiles of both; those of one number show one place
   */
  OneList(List<String> names, List<List<TileFeatures>> tiles) {
    this.names = List.copyOf(names);
    this.tiles = List.copyOf(tiles);
  }

  /** A tile of the archive. */
  private record Hit(int sensor, int place, double score) {
    private Hit scored(double other) {
      return new Hit(sensor, place, other);
    }
  }

  /** What was found among the first hits of queries so far. */
  private static final class Counts {
    private int queries;
    private int partners;
    private int own;
    private int hits;

    private void add(List<Hit> found, int query, int place) {
      List<Hit> first =
          found.stream()
              .sorted(Comparator.comparingDouble(hit -> -hit.score))
              .limit(DEPTH)
              .toList();
      queries++;
      partners += first.stream().anyMatch(hit -> hit.place == place) ? 1 : 0;
      own += (int) first.stream().filter(hit -> hit.sensor == query).count();
      hits += first.size();
    }

    private OneListRow row(String model, String query, String score) {
      return new OneListRow(model, query, score, 100.0 * partners / queries, 100.0 * own / hits);
    }
  }

  /** How alike a query's and an archive's tile are. */
  private interface Alike {
    double of(TileFeatures query, TileFeatures archived);
  }

  /** Where a model has its calibrations. */
  private interface OfPair {
    Optional<SensorCalibration> find(String query, String archive);
  }

  /**
   * Rows of a model for queries of each sensor; of cosines or MaxSim only where both are fitted.
   */
  List<OneListRow> rows(String model, ModelManifest manifest) {
    List<OneListRow> rows = new ArrayList<>();
    for (int query = 0; query < names.size(); query++) {
      rows.addAll(rows(model, query, "cosine", TileFeatures::cosine, manifest::sensorCalibration));
      rows.addAll(rows(model, query, "MaxSim", TileFeatures::maxSim, manifest::maxSimCalibration));
    }
    return rows;
  }

  private List<OneListRow> rows(
      String model, int query, String score, Alike alike, OfPair calibration) {
    List<SensorCalibration> pairs =
        names.stream()
            .flatMap(archive -> calibration.find(names.get(query), archive).stream())
            .toList();
    if (pairs.size() < names.size()) {
      return List.of();
    }
    Counts plain = new Counts();
    Counts calibrated = new Counts();
    for (int q = 0; q < tiles.get(query).size(); q++) {
      TileFeatures asked = tiles.get(query).get(q);
      List<Hit> hits =
          nearest(query, q)
              .map(hit -> hit.scored(alike.of(asked, tiles.get(hit.sensor).get(hit.place))))
              .toList();
      plain.add(hits, query, q);
      // The logit rises with p and does not run into 1.
      calibrated.add(
          hits.stream()
              .map(
                  hit -> {
                    SensorCalibration pair = pairs.get(hit.sensor);
                    return hit.scored(pair.scale() * hit.score + pair.bias());
                  })
              .toList(),
          query,
          q);
    }
    return List.of(
        plain.row(model, names.get(query), score),
        calibrated.row(model, names.get(query), score + ", calibrated"));
  }

  private Stream<Hit> nearest(int query, int place) {
    TileFeatures asked = tiles.get(query).get(place);
    return IntStream.range(0, tiles.size())
        .boxed()
        .flatMap(
            sensor ->
                IntStream.range(0, tiles.get(sensor).size())
                    .filter(other -> sensor != query || other != place)
                    .mapToObj(
                        other -> new Hit(sensor, other, asked.cosine(tiles.get(sensor).get(other))))
                    .sorted(Comparator.comparingDouble(hit -> -hit.score))
                    .limit(NEAREST));
  }
}
