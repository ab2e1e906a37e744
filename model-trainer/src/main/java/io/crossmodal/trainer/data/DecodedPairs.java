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
import java.util.stream.IntStream;

/**
 * The tiles of pairs, square and in their sensors' units, in two temporary files.
 *
 * <p>They take 4 bytes a value there: a pair of BigEarthNet at 120 pixels 690 kB.
 *
 * @param pairs those whose tiles could be used
 * @param first tiles of the first sensor; closed with this
 * @param second tiles of the second sensor; closed with this
 * @param problems what was left out, a line each
 */
public record DecodedPairs(
    List<TilePair> pairs,
    StoredPictures<BandImage> first,
    StoredPictures<BandImage> second,
    List<String> problems)
    implements AutoCloseable {
  public DecodedPairs {
    pairs = List.copyOf(pairs);
    problems = List.copyOf(problems);
  }

  @Override
  public void close() {
    try (first) {
      second.close();
    }
  }

  /** A tile as its files have it, and where they say it lies. */
  private record Tile(BandImage image, Optional<Georeference> place) {}

  /**
   * Decodes the pairs of a split, on all processors.
   *
   * @param side that tiles are resized to
   * @param folder to make the files of decoded tiles in
   * @throws InvalidDatasetException where more tiles cannot be used than the data set allows, or
   *     none is left, listing them
   * @throws java.io.UncheckedIOException where a file cannot be written: the disk may be full
   */
  public static DecodedPairs decode(PairDataset dataset, Split split, int side, Path folder) {
    List<TilePair> wanted = dataset.split(split);
    String[] found = new String[wanted.size()];
    try (StoredPictures.Writer<BandImage> first =
            StoredPictures.Writer.in(folder, StoredPictures.Form.BANDS, found.length);
        StoredPictures.Writer<BandImage> second =
            StoredPictures.Writer.in(folder, StoredPictures.Form.BANDS, found.length)) {
      IntStream.range(0, found.length)
          .parallel()
          .forEach(i -> found[i] = store(dataset, wanted.get(i), side, i, first, second));
      List<TilePair> pairs = new ArrayList<>();
      List<String> problems = new ArrayList<>();
      for (int i = 0; i < found.length; i++) {
        if (found[i] == null) {
          pairs.add(wanted.get(i));
        } else {
          problems.add(wanted.get(i).id() + ": " + found[i]);
        }
      }
      InvalidDatasetException.check(
          "tiles cannot be used (" + dataset.problemsLeft() + " more problems allowed)",
          problems,
          dataset.problemsLeft());
      if (pairs.isEmpty()) {
        throw new InvalidDatasetException("no pair is left in split " + split.label(), problems);
      }
      return new DecodedPairs(pairs, first.written(), second.written(), problems);
    }
  }

  /** Does the same in the system's temporary folder. */
  public static DecodedPairs decode(PairDataset dataset, Split split, int side) {
    return decode(dataset, split, side, StoredPictures.TEMPORARY);
  }

  /** Stores a pair's tiles, or returns why there are none. */
  private static String store(
      PairDataset dataset,
      TilePair pair,
      int side,
      int number,
      StoredPictures.Writer<BandImage> toFirst,
      StoredPictures.Writer<BandImage> toSecond) {
    BandImage first;
    BandImage second;
    try {
      Tile one = read(dataset.first(), pair.first());
      Tile other = read(dataset.second(), pair.second());
      requireSamePlace(one, other);
      first = prepare(dataset.first(), one, side);
      second = prepare(dataset.second(), other, side);
    } catch (ImageFormatException e) {
      return e.getMessage();
    } catch (NoSuchFileException e) {
      return "there is no file " + e.getFile();
    } catch (IOException e) {
      return "cannot be read: " + e;
    }
    toFirst.put(number, first);
    toSecond.put(number, second);
    return null;
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
