/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.GeoTiff;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The tiles of pairs in memory, square and in their sensors' units.
 *
 * <p>All are held, 4 bytes a value: a pair of BigEarthNet at 120 pixels takes 690 kB.
 *
 * @param pairs those whose tiles could be used
 * @param first tiles of the first sensor
 * @param second tiles of the second sensor
 * @param problems what was left out, a line each
 */
public record DecodedPairs(
    List<TilePair> pairs, List<BandImage> first, List<BandImage> second, List<String> problems) {
  public DecodedPairs {
    pairs = List.copyOf(pairs);
    first = List.copyOf(first);
    second = List.copyOf(second);
    problems = List.copyOf(problems);
  }

  /** A tile as its files have it, and where they say it lies. */
  private record Tile(BandImage image, Optional<Georeference> place) {}

  /** Both tiles, or why there are none. */
  private record Attempt(BandImage first, BandImage second, String problem) {}

  /**
   * Decodes the pairs of a split, on all processors.
   *
   * @param side that tiles are resized to
   * @throws InvalidDatasetException where more tiles cannot be used than the data set allows, or
   *     none is left, listing them
   */
  public static DecodedPairs decode(PairDataset dataset, Split split, int side) {
    List<TilePair> wanted = dataset.split(split);
    List<Attempt> attempts =
        wanted.parallelStream().map(pair -> attempt(dataset, pair, side)).toList();
    List<TilePair> pairs = new ArrayList<>();
    List<BandImage> first = new ArrayList<>();
    List<BandImage> second = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (int i = 0; i < attempts.size(); i++) {
      Attempt attempt = attempts.get(i);
      if (attempt.problem().isEmpty()) {
        pairs.add(wanted.get(i));
        first.add(attempt.first());
        second.add(attempt.second());
      } else {
        problems.add(wanted.get(i).id() + ": " + attempt.problem());
      }
    }
    InvalidDatasetException.check(
        "tiles cannot be used (" + dataset.problemsLeft() + " more problems allowed)",
        problems,
        dataset.problemsLeft());
    if (pairs.isEmpty()) {
      throw new InvalidDatasetException("no pair is left in split " + split.label(), problems);
    }
    return new DecodedPairs(pairs, first, second, problems);
  }

  private static Attempt attempt(PairDataset dataset, TilePair pair, int side) {
    try {
      Tile first = read(dataset.first(), pair.first());
      Tile second = read(dataset.second(), pair.second());
      requireSamePlace(first, second);
      return new Attempt(
          prepare(dataset.first(), first, side), prepare(dataset.second(), second, side), "");
    } catch (ImageFormatException e) {
      return new Attempt(null, null, e.getMessage());
    } catch (NoSuchFileException e) {
      return new Attempt(null, null, "there is no file " + e.getFile());
    } catch (IOException e) {
      return new Attempt(null, null, "cannot be read: " + e);
    }
  }

  private static void requireSamePlace(Tile first, Tile second) {
    if (first.place().isPresent() && second.place().isPresent()) {
      if (!first.place().get().covers(second.place().get())) {
        throw new ImageFormatException(
            String.format(
                Locale.ROOT,
                "the tiles of a pair must cover the same ground in the same reference system, got"
                    + " %s and %s",
                first.place().get(),
                second.place().get()));
      }
    } else if (first.image().width() != second.image().width()
        || first.image().height() != second.image().height()) {
      throw new ImageFormatException(
          String.format(
              Locale.ROOT,
              "tiles that do not say where they lie must have one size, got %d x %d and %d x %d"
                  + " pixels",
              first.image().width(),
              first.image().height(),
              second.image().width(),
              second.image().height()));
    }
  }

  private static BandImage prepare(SensorSource source, Tile tile, int side) {
    return new ImagePreprocessor(unscaled(source, side)).prepare(tile.image());
  }

  /** Returns the sensor with means of 0 and deviations of 1. */
  private static SensorConfig unscaled(SensorSource source, int side) {
    int channels = source.bands().size();
    return new SensorConfig(
        source.name(),
        side,
        Collections.nCopies(channels, 0.0),
        Collections.nCopies(channels, 1.0),
        source.input());
  }

  private static Tile read(SensorSource source, List<Path> files) throws IOException {
    if (files.size() == 1) {
      return one(source, files.get(0));
    }
    // A file a band, of several resolutions: brought to the finest.
    List<Tile> bands = new ArrayList<>();
    int side = 0;
    for (Path file : files) {
      Tile band = tile(file);
      if (band.image().bands() != 1) {
        throw new ImageFormatException(
            file.getFileName() + " has " + band.image().bands() + " bands, one is expected");
      }
      bands.add(band);
      side = Math.max(side, Math.max(band.image().width(), band.image().height()));
      Optional<Georeference> place = bands.get(0).place();
      if (place.isPresent()
          && band.place().isPresent()
          && !place.get().covers(band.place().get())) {
        throw new ImageFormatException(
            file.getFileName() + " covers other ground than " + files.get(0).getFileName());
      }
    }
    float[] values = new float[bands.size() * side * side];
    for (int b = 0; b < bands.size(); b++) {
      float[] band = bands.get(b).image().resize(side).values();
      System.arraycopy(band, 0, values, b * side * side, side * side);
    }
    return new Tile(new BandImage(bands.size(), side, side, values), bands.get(0).place());
  }

  private static Tile one(SensorSource source, Path file) throws IOException {
    byte[] bytes = PictureFiles.read(file);
    if (source.isPicture() || !GeoTiff.isTiff(bytes)) {
      return new Tile(
          new ImagePreprocessor(unscaled(source, 1)).bandsOfPicture(bytes), Optional.empty());
    }
    Tile tile = tile(bytes, file);
    int[] indices = source.indices();
    if (indices.length == 0) {
      return tile;
    }
    for (int index : indices) {
      if (index >= tile.image().bands()) {
        throw new ImageFormatException(
            String.format(
                Locale.ROOT,
                "%s has %d bands, band %d is wanted",
                file.getFileName(),
                tile.image().bands(),
                index + 1));
      }
    }
    return new Tile(tile.image().select(indices), tile.place());
  }

  private static Tile tile(Path file) throws IOException {
    return tile(PictureFiles.read(file), file);
  }

  private static Tile tile(byte[] bytes, Path file) {
    try {
      GeoTiff tiff = GeoTiff.open(bytes);
      return new Tile(tiff.read(), Georeference.of(tiff));
    } catch (ImageFormatException e) {
      throw new ImageFormatException(file.getFileName() + ": " + e.getMessage(), e);
    }
  }
}
