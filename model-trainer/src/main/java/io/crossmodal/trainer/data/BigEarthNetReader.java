/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Reads BigEarthNet-MM: a folder a patch, a single-band GeoTIFF a band.
 *
 * <p>Version 1 (Sumbul et al. 2021): patches lie in one folder a sensor, labels of 43 classes in
 * {@code *_labels_metadata.json}. Version 2 (Clasen et al. 2024): patches lie one folder deeper, in
 * that of their scene, labels of 19 classes in a table; it is published as Parquet and read here as
 * CSV with the columns {@code patch_id}, {@code s1_name}, {@code split} and {@code labels}
 * (separated by semicolons). Splits are the published lists, {@code <S2 patch>,<S1 patch>} a line,
 * or the table's.
 */
public final class BigEarthNetReader {
  /** Classes of the 19 by those of the 43. */
  private static final Map<String, String> NINETEEN = nineteen();

  private static final String METADATA = "_labels_metadata.json";

  private BigEarthNetReader() {}

  /**
   * A pair as a list or a table has it.
   *
   * @param labels empty where they lie beside the patch
   */
  private record Listed(String s2, String s1, Split split, Optional<Set<String>> labels) {}

  /**
   * Reads the pairs of split lists.
   *
   * @param root folder that holds both sensors' folders, whatever they are called
   * @param lists a CSV file a split
   * @param allowedProblems pairs that may be unusable
   * @throws InvalidDatasetException listing what is missing
   */
  public static PairDataset read(Path root, Map<Split, Path> lists, int allowedProblems)
      throws IOException {
    List<Listed> listed = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (Split split : Split.values()) {
      if (lists.containsKey(split)) {
        for (TextFiles.Line line : TextFiles.table(lists.get(split))) {
          List<String> cells = line.cells();
          if (cells.size() == 2 && cells.stream().noneMatch(String::isEmpty)) {
            listed.add(new Listed(cells.get(0), cells.get(1), split, Optional.empty()));
          } else {
            problems.add(
                lists.get(split).getFileName()
                    + ": <S2 patch>,<S1 patch> expected, got ["
                    + String.join(",", cells)
                    + "]");
          }
        }
      }
    }
    return pairs(root, listed, problems, allowedProblems);
  }

  /**
   * Reads the pairs of version 2's table.
   *
   * @param metadata as CSV
   * @throws InvalidDatasetException listing what is missing
   */
  public static PairDataset read(Path root, Path metadata, int allowedProblems) throws IOException {
    List<TextFiles.Line> lines = TextFiles.table(metadata);
    List<String> header = lines.isEmpty() ? List.of() : lines.get(0).cells();
    List<String> needed = List.of("patch_id", "s1_name", "split", "labels");
    if (!header.containsAll(needed)) {
      throw new InvalidDatasetException(
          metadata + " needs the columns " + needed + ", it has " + header);
    }
    List<Listed> listed = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (TextFiles.Line line : lines.subList(1, lines.size())) {
      List<String> cells = line.cells();
      Optional<Split> split =
          cells.size() != header.size()
              ? Optional.empty()
              : Split.of(
                  cells.get(header.indexOf("split")).replace("validation", Split.VAL.label()));
      if (split.isEmpty()) {
        problems.add(metadata.getFileName() + ": cannot use [" + String.join(",", cells) + "]");
        continue;
      }
      listed.add(
          new Listed(
              cells.get(header.indexOf("patch_id")),
              cells.get(header.indexOf("s1_name")),
              split.get(),
              Optional.of(
                  new LinkedHashSet<>(List.of(cells.get(header.indexOf("labels")).split(";"))))));
    }
    return pairs(root, listed, problems, allowedProblems);
  }

  private static PairDataset pairs(
      Path root, List<Listed> listed, List<String> problems, int allowedProblems)
      throws IOException {
    Set<String> names = new HashSet<>();
    listed.forEach(pair -> names.addAll(List.of(pair.s1(), pair.s2())));
    Map<String, Path> folders = folders(root, names);
    List<TilePair> pairs = new ArrayList<>();
    for (Listed pair : listed) {
      Path s1 = folders.get(pair.s1());
      Path s2 = folders.get(pair.s2());
      if (s1 == null || s2 == null) {
        problems.add("there is no folder " + (s1 == null ? pair.s1() : pair.s2()));
        continue;
      }
      try {
        Set<String> labels =
            pair.labels().isPresent() ? pair.labels().get() : labels(s2, pair.s2());
        pairs.add(
            new TilePair(
                pair.s2(),
                files(s1, pair.s1(), SensorSource.S1),
                files(s2, pair.s2(), SensorSource.S2),
                labels,
                pair.s2(),
                pair.s2(),
                pair.split()));
      } catch (InvalidDatasetException e) {
        problems.add(e.getMessage());
      }
    }
    InvalidDatasetException.check(
        root + " cannot be used (" + allowedProblems + " problems allowed)",
        problems,
        allowedProblems);
    if (pairs.isEmpty()) {
      throw new InvalidDatasetException(root + " holds none of the listed pairs", problems);
    }
    return new PairDataset(
        "BigEarthNet",
        SensorSource.S1,
        SensorSource.S2,
        pairs,
        problems,
        allowedProblems - problems.size());
  }

  /** Returns the wanted patches' folders, wherever below the root both versions have them. */
  private static Map<String, Path> folders(Path root, Set<String> names) throws IOException {
    Map<String, Path> folders = new HashMap<>();
    try (Stream<Path> walk = Files.find(root, 3, (path, file) -> file.isDirectory())) {
      walk.filter(path -> names.contains(String.valueOf(path.getFileName())))
          .forEach(path -> folders.put(path.getFileName().toString(), path));
    }
    return folders;
  }

  private static List<Path> files(Path folder, String patch, SensorSource sensor) {
    List<Path> files = new ArrayList<>();
    for (SensorSource.Band band : sensor.bands()) {
      Path file = folder.resolve(patch + "_" + band.name() + ".tif");
      if (!Files.isRegularFile(file)) {
        throw new InvalidDatasetException(patch + " lacks band " + band.name());
      }
      files.add(file);
    }
    return files;
  }

  private static Set<String> labels(Path folder, String patch) throws IOException {
    Path file = folder.resolve(patch + METADATA);
    if (!Files.isRegularFile(file)) {
      throw new InvalidDatasetException(patch + " lacks " + file.getFileName());
    }
    JsonElement json = TextFiles.json(file);
    if (!(json instanceof JsonObject object) || !object.has("labels")) {
      throw new InvalidDatasetException(file.getFileName() + " names no labels");
    }
    Set<String> labels = new LinkedHashSet<>();
    for (JsonElement label : object.getAsJsonArray("labels")) {
      // Some of the 43 have no counterpart among the 19: they are dropped, as the authors do.
      nineteen(label.getAsString()).ifPresent(labels::add);
    }
    return labels;
  }

  /**
   * Returns the class of the 19 that one of the 43 CORINE classes is gathered to; empty where there
   * is none for it.
   *
   * @see "Sumbul et al. 2021, BigEarthNet-MM, table 2"
   */
  static Optional<String> nineteen(String label) {
    return Optional.ofNullable(NINETEEN.get(label));
  }

  private static Map<String, String> nineteen() {
    Map<String, String> nineteen = new HashMap<>();
    TextFiles.resource(BigEarthNetReader.class, "corine.json")
        .asMap()
        .forEach(
            (name, members) -> {
              for (JsonElement member : members.getAsJsonArray()) {
                nineteen.put(member.getAsString(), name);
              }
            });
    return Map.copyOf(nineteen);
  }
}
