/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.trainer.data.BigEarthNetReader;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Options that name pairs of tiles and how they are read. */
final class PairArguments {
  @Option(
      names = "--data",
      required = true,
      description =
          "a CSV file with a column a sensor (and labels, group, split), or BigEarthNet's folder")
  private Path data;

  @Option(
      names = "--sensor",
      description =
          "what a CSV's files hold, twice:"
              + " NAME=BAND[:INDEX],...@decibel|as_stored|power_to_decibel, or rgb for pictures, s1"
              + " and s2 for Sentinel-1 and Sentinel-2 as BigEarthNet has them; default: the"
              + " model's two, else s1 and s2")
  private List<String> sensors;

  @Option(names = "--where", description = "COLUMN=VALUE: take these rows of the CSV")
  private String where;

  @Option(
      names = "--place",
      paramLabel = "COLUMN[=REGEX]",
      converter = PlaceConverter.class,
      description =
          "which rows of the CSV show one place at several times, and are no negatives of each"
              + " other: those that agree in this column, or in the group of REGEX, such as"
              + " 'id=(.+)_(?:before|after)'; default: column place, if there is one")
  private PairsCsvReader.Place place;

  @Option(
      names = "--split-seed",
      defaultValue = "1",
      description = "groups are dealt out by it where the CSV has no column split")
  private long splitSeed;

  @Option(
      names = "--split-lists",
      description = "folder of BigEarthNet's train.csv, val.csv, test.csv (<S2 patch>,<S1 patch>)")
  private Path splitLists;

  @Option(
      names = "--metadata",
      description = "BigEarthNet 2's metadata as CSV, instead of --split-lists")
  private Path metadata;

  @Option(
      names = "--allow-problems",
      defaultValue = "0",
      description = "pairs that may be left out because something is wrong with them")
  private int allowed;

  /** {@code --place}; picocli prints its message. */
  static final class PlaceConverter implements ITypeConverter<PairsCsvReader.Place> {
    @Override
    public PairsCsvReader.Place convert(String text) {
      try {
        return PairsCsvReader.Place.parse(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** Split that all rows of a CSV are in; null: as the file has them. */
  private Split all;

  /**
   * Reads the pairs.
   *
   * @param split that all rows of a CSV are taken to be in; null: as the file has them
   * @param known sensors of a model, which need no more than their name
   */
  PairDataset readAs(Split split, List<SensorConfig> known) throws IOException {
    if (split != null && Files.isDirectory(data)) {
      throw new IllegalArgumentException(
          "--all-test belongs to a CSV file; "
              + data
              + " is a folder, whose lists have the splits");
    }
    this.all = split;
    return read(known);
  }

  /**
   * Reads the pairs.
   *
   * @param known sensors of a model, which need no more than their name
   */
  PairDataset read(List<SensorConfig> known) throws IOException {
    if (allowed < 0) {
      throw new IllegalArgumentException("--allow-problems must be at least 0, got " + allowed);
    }
    PairDataset dataset = Files.isDirectory(data) ? bigEarthNet() : csv(known);
    report(dataset.problems());
    return dataset;
  }

  /** Prints what was left out. */
  void report(List<String> problems) {
    if (!problems.isEmpty()) {
      System.err.println(InvalidDatasetException.summary("left out of " + data, problems));
    }
  }

  /**
   * Returns the same places by another sensor and the second one, where the data have it.
   *
   * @param sensor of a model, its column named as it is
   */
  Optional<PairDataset> readBeside(SensorConfig sensor, SensorSource second) throws IOException {
    return Files.isDirectory(data) || !PairsCsvReader.columns(data).contains(sensor.name())
        ? Optional.empty()
        : Optional.of(csv(SensorSource.of(sensor), second));
  }

  private PairDataset csv(List<SensorConfig> known) throws IOException {
    if (sensors != null && sensors.size() != 2) {
      throw new IllegalArgumentException("--sensor is given twice or not at all, got " + sensors);
    }
    if (sensors == null) {
      return known.size() == 2
          ? csv(SensorSource.of(known.get(0)), SensorSource.of(known.get(1)))
          : csv(SensorSource.S1, SensorSource.S2);
    }
    return csv(source(sensors.get(0), known), source(sensors.get(1), known));
  }

  private static SensorSource source(String text, List<SensorConfig> known) {
    return known.stream()
        .filter(sensor -> sensor.name().equals(text))
        .findFirst()
        .map(SensorSource::of)
        .orElseGet(() -> SensorSource.parse(text));
  }

  private PairDataset csv(SensorSource first, SensorSource second) throws IOException {
    Optional<Map.Entry<String, String>> wanted = Optional.empty();
    if (where != null) {
      int at = where.indexOf('=');
      if (at < 1) {
        throw new IllegalArgumentException("--where is COLUMN=VALUE, got [" + where + "]");
      }
      wanted = Optional.of(Map.entry(where.substring(0, at), where.substring(at + 1)));
    }
    return PairsCsvReader.read(
        data,
        first,
        second,
        new PairsCsvReader.Options(
            wanted,
            Optional.ofNullable(place),
            Optional.ofNullable(all),
            new Split.Shares(0.7, 0.1, 0.2),
            splitSeed,
            allowed));
  }

  private PairDataset bigEarthNet() throws IOException {
    if (metadata != null) {
      return BigEarthNetReader.read(data, metadata, allowed);
    }
    if (splitLists == null) {
      throw new IllegalArgumentException(
          data + " is a folder: name BigEarthNet's --split-lists or --metadata");
    }
    Map<Split, Path> lists = new EnumMap<>(Split.class);
    for (Split split : Split.values()) {
      Path list = splitLists.resolve(split.label() + ".csv");
      if (Files.isRegularFile(list)) {
        lists.put(split, list);
      }
    }
    return BigEarthNetReader.read(data, lists, allowed);
  }
}
