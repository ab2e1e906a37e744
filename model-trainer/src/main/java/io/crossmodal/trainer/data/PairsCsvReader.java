/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.trainer.data.PairDataset.TilePair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Reads a table of tile pairs: a CSV file with a header, whose columns {@code <first sensor>} and
 * {@code <second sensor>} hold paths relative to the file. Optional columns: {@code id}, {@code
 * labels} (separated by semicolons), {@code group} and {@code split}. Without {@code split} whole
 * groups are dealt out by shares. A column {@code place} says which rows show one place at several
 * times.
 */
public final class PairsCsvReader {
  /**
   * Options of reading a table.
   *
   * @param where a column and the value that a row must have there to be taken
   * @param place what says where a row's tiles lie; empty: the column {@code place}, and where
   *     there is none each row lies elsewhere
   * @param split that all rows are in, whatever the table says; empty: the table's
   * @param shares of the splits where the table has none
   * @param seed of dealing groups out to splits
   * @param allowedProblems rows that may be unusable
   */
  public record Options(
      Optional<Map.Entry<String, String>> where,
      Optional<Place> place,
      Optional<Split> split,
      Split.Shares shares,
      long seed,
      int allowedProblems) {
    /** Reads places from the column of that name, and splits as the table has them. */
    public Options(
        Optional<Map.Entry<String, String>> where,
        Split.Shares shares,
        long seed,
        int allowedProblems) {
      this(where, Optional.empty(), Optional.empty(), shares, seed, allowedProblems);
    }
  }

  /**
   * A column that says where tiles lie.
   *
   * @param column its name
   * @param part of its cells that says so: the first group of the whole cell's match
   */
  public record Place(String column, Pattern part) {
    private static final String SYNTAX = "COLUMN, or COLUMN=REGEX with one group";

    /**
     * Parses {@code COLUMN} or {@code COLUMN=REGEX}.
     *
     * @throws IllegalArgumentException saying what is accepted
     */
    public static Place parse(String text) {
      int at = text.indexOf('=');
      try {
        Pattern part = Pattern.compile(at < 0 ? "(.*)" : text.substring(at + 1));
        if (at != 0 && part.matcher("").groupCount() == 1) {
          return new Place(at < 0 ? text : text.substring(0, at), part);
        }
      } catch (PatternSyntaxException e) {
        throw new IllegalArgumentException(
            "a place is " + SYNTAX + ", got [" + text + "]: " + e.getDescription(), e);
      }
      throw new IllegalArgumentException("a place is " + SYNTAX + ", got [" + text + "]");
    }
  }

  private PairsCsvReader() {}

  /**
   * Reads a table.
   *
   * @throws InvalidDatasetException naming the rows that cannot be used, or the column that is
   *     missing
   */
  public static PairDataset read(
      Path file, SensorSource first, SensorSource second, Options options) throws IOException {
    List<TextFiles.Line> lines = TextFiles.table(file);
    if (lines.isEmpty()) {
      throw new InvalidDatasetException(file + " is empty; a header and a row a pair are expected");
    }
    List<String> header = lines.get(0).cells();
    for (String needed : List.of(first.name(), second.name())) {
      column(file, header, needed);
    }
    options.where().ifPresent(where -> column(file, header, where.getKey()));
    options.place().ifPresent(place -> column(file, header, place.column()));
    List<String> problems = new ArrayList<>();
    List<Row> rows = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (TextFiles.Line line : lines.subList(1, lines.size())) {
      List<String> cells = line.cells();
      String place = file.getFileName() + " line " + line.line();
      if (cells.size() != header.size()) {
        problems.add(
            String.format(
                Locale.ROOT, "%s has %d cells, not %d", place, cells.size(), header.size()));
        continue;
      }
      Row row = new Row(header, cells, line.line());
      if (options.where().isPresent()
          && !row.get(options.where().get().getKey())
              .equals(Optional.of(options.where().get().getValue()))) {
        continue;
      }
      if (!ids.add(row.id())) {
        problems.add(place + " repeats the id " + row.id());
        continue;
      }
      rows.add(row);
    }
    Map<String, Split> dealt =
        header.contains("split") || options.split().isPresent()
            ? Map.of()
            : deal(rows.stream().map(Row::group).toList(), options.shares(), options.seed());
    Path folder = file.toAbsolutePath().normalize().getParent();
    Map<String, Split> ofGroup = new HashMap<>(dealt);
    List<TilePair> pairs = new ArrayList<>();
    for (Row row : rows) {
      pair(row, folder, first, second, options, ofGroup, problems).ifPresent(pairs::add);
    }
    InvalidDatasetException.check(
        file + " cannot be used (" + options.allowedProblems() + " problems allowed)",
        problems,
        options.allowedProblems());
    if (pairs.isEmpty()) {
      throw new InvalidDatasetException(
          file + " holds no usable pair" + (rows.isEmpty() ? "; no row was taken" : ""), problems);
    }
    return new PairDataset(
        String.valueOf(folder.getFileName()),
        first,
        second,
        pairs,
        problems,
        options.allowedProblems() - problems.size());
  }

  /** Returns the names of a table's columns. */
  public static List<String> columns(Path file) throws IOException {
    List<TextFiles.Line> lines = TextFiles.table(file);
    return lines.isEmpty() ? List.of() : lines.get(0).cells();
  }

  private static void column(Path file, List<String> header, String needed) {
    if (!header.contains(needed)) {
      throw new InvalidDatasetException(file + " has no column [" + needed + "], it has " + header);
    }
  }

  /** A line of the table. */
  private record Row(List<String> header, List<String> cells, long line) {
    Optional<String> get(String column) {
      int at = header.indexOf(column);
      return at < 0 ? Optional.empty() : Optional.of(cells.get(at));
    }

    String id() {
      return get("id").orElse("line " + line);
    }

    /** Returns the group of the place; where the table knows none, the row is one of its own. */
    String group() {
      return get("group").orElse(id());
    }

    /** Returns where the row's tiles lie; empty where its cell is not as it is said to be. */
    Optional<String> place(Optional<Place> given) {
      if (given.isEmpty()) {
        return Optional.of(get("place").orElse(id()));
      }
      Matcher cell = given.get().part().matcher(get(given.get().column()).orElseThrow());
      return cell.matches() ? Optional.ofNullable(cell.group(1)) : Optional.empty();
    }
  }

  private static Optional<TilePair> pair(
      Row row,
      Path folder,
      SensorSource first,
      SensorSource second,
      Options options,
      Map<String, Split> ofGroup,
      List<String> problems) {
    List<Path> files = new ArrayList<>();
    for (SensorSource sensor : List.of(first, second)) {
      Path path;
      try {
        path = folder.resolve(row.get(sensor.name()).orElseThrow()).normalize();
      } catch (InvalidPathException e) {
        problems.add(row.id() + " names no file: " + e.getMessage());
        return Optional.empty();
      }
      if (!path.startsWith(folder)) {
        problems.add(row.id() + " points outside " + folder);
        return Optional.empty();
      }
      if (!Files.isRegularFile(path)) {
        problems.add(row.id() + ": there is no file " + path);
        return Optional.empty();
      }
      files.add(path);
    }
    Optional<String> place = row.place(options.place());
    if (place.isEmpty()) {
      problems.add(
          String.format(
              Locale.ROOT,
              "%s has [%s] in column %s, which does not match %s",
              row.id(),
              row.get(options.place().orElseThrow().column()).orElseThrow(),
              options.place().orElseThrow().column(),
              options.place().orElseThrow().part()));
      return Optional.empty();
    }
    Split split;
    if (options.split().isPresent()) {
      split = options.split().get();
    } else if (row.get("split").isPresent()) {
      Optional<Split> named = Split.of(row.get("split").get());
      if (named.isEmpty()) {
        problems.add(row.id() + " has split [" + row.get("split").get() + "]; " + Split.EXPECTED);
        return Optional.empty();
      }
      split = named.get();
      Split other = ofGroup.putIfAbsent(row.group(), split);
      if (other != null && other != split) {
        problems.add(
            row.id()
                + " is in "
                + split.label()
                + ", its group "
                + row.group()
                + " in "
                + other.label());
        return Optional.empty();
      }
    } else {
      split = ofGroup.get(row.group());
    }
    Set<String> labels = new LinkedHashSet<>();
    row.get("labels")
        .ifPresent(
            all -> Arrays.stream(all.split(";")).filter(l -> !l.isBlank()).forEach(labels::add));
    return Optional.of(
        new TilePair(
            row.id(),
            List.of(files.get(0)),
            List.of(files.get(1)),
            labels,
            row.group(),
            place.get(),
            split));
  }

  /**
   * Deals whole groups out, the large ones first, each to the split that lacks most of its share.
   *
   * @param groups one a pair
   */
  static Map<String, Split> deal(List<String> groups, Split.Shares shares, long seed) {
    Map<String, Integer> sizes = new HashMap<>();
    groups.forEach(group -> sizes.merge(group, 1, Integer::sum));
    // Shuffled before they are sorted by size, so that equal sizes fall by the seed.
    List<String> order = new ArrayList<>(sizes.keySet().stream().sorted().toList());
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = order.size() - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      order.set(j, order.set(i, order.get(j)));
    }
    order.sort((a, b) -> sizes.get(b) - sizes.get(a));
    Map<Split, Double> lacks = new EnumMap<>(Split.class);
    lacks.put(Split.TRAIN, shares.train() * groups.size());
    lacks.put(Split.VAL, shares.val() * groups.size());
    lacks.put(Split.TEST, shares.test() * groups.size());
    Map<String, Split> dealt = new HashMap<>();
    for (String group : order) {
      Split most = Split.TRAIN;
      for (Split split : Split.values()) {
        if (lacks.get(split) > lacks.get(most)) {
          most = split;
        }
      }
      lacks.merge(most, (double) -sizes.get(group), Double::sum);
      dealt.put(group, most);
    }
    return dealt;
  }
}
