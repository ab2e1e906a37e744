/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.data.DatasetBuilder.Caption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Reads lists of pictures with captions: CSV and TSV with a header, JSON Lines, among them {@code
 * metadata.jsonl} and {@code metadata.csv} of Hugging Face's imagefolder. A line has
 *
 * <ul>
 *   <li>{@code file} (or file_name, filename, filepath, image, path), relative to the folder of
 *       images
 *   <li>{@code caption} (or text, title); in JSON Lines also {@code captions} or {@code texts}, a
 *       list; lines of one file add up
 *   <li>perhaps {@code split}: train, restval, val (validation, valid, dev) or test. Where no line
 *       has one, images are dealt out by their names
 *   <li>perhaps {@code label}, of which captions are made as for labelled folders where there is no
 *       caption
 * </ul>
 *
 * <p>Further columns are ignored.
 */
final class CaptionTableReader {
  private static final List<String> FILE =
      List.of("file", "file_name", "filename", "filepath", "image", "path");
  private static final String IMAGES = "images/";
  private static final List<String> CAPTION = List.of("caption", "text", "title");
  private static final List<String> CAPTIONS = List.of("captions", "texts");

  private final DatasetBuilder builder;
  private final FolderOptions options;
  private final Map<String, Found> images = new LinkedHashMap<>();

  /** What the lines of an image say. */
  private record Found(String place, Optional<Split> split, List<Caption> captions) {}

  /** A list of a data set, and how its names begin in the folder of images. */
  private record Part(Path file, String prefix, Optional<Split> split) {}

  CaptionTableReader(DatasetBuilder builder, FolderOptions options) {
    this.builder = builder;
    this.options = options;
  }

  /** Returns whether a file is such a list, by its suffix. */
  static boolean isTable(Path file) {
    return Set.of("csv", "tsv", "jsonl").contains(suffix(file)) && Files.isRegularFile(file);
  }

  private static String suffix(Path file) {
    String name = file.getFileName().toString();
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  /** Returns the data set of a single list. */
  static Datasets.Source source(Path file, FolderOptions options) throws IOException {
    return source(
        List.of(new Part(file, "", Optional.empty())),
        Datasets.imagesBeside(file),
        Datasets.name(file),
        options);
  }

  /**
   * Returns the data set of a folder with a list of the usual name, metadata or captions, or with
   * one in each of its folders train, validation and test; nothing where there is none.
   */
  static Optional<Datasets.Source> folder(Path folder, FolderOptions options) throws IOException {
    List<Part> parts = new ArrayList<>();
    Optional<Path> own = usual(folder);
    if (own.isPresent()) {
      return Optional.of(
          source(
              List.of(new Part(own.get(), "", Optional.empty())),
              Datasets.imagesBeside(own.get()),
              Datasets.name(folder),
              options));
    }
    for (String name : List.of("train", "validation", "val", "valid", "dev", "test")) {
      Optional<Path> list = usual(folder.resolve(name));
      list.ifPresent(file -> parts.add(new Part(file, name + "/", split(name))));
    }
    return parts.isEmpty()
        ? Optional.empty()
        : Optional.of(source(parts, folder, Datasets.name(folder), options));
  }

  private static Optional<Path> usual(Path folder) throws IOException {
    for (String name : List.of("metadata", "captions")) {
      for (String suffix : List.of(".jsonl", ".csv", ".tsv")) {
        Path file = folder.resolve(name + suffix);
        // A table without captions, such as one of positions, is none.
        if (isTable(file) && names(file).stream().anyMatch(CaptionTableReader::isCaption)) {
          return Optional.of(file);
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isCaption(String name) {
    return CAPTION.contains(name) || CAPTIONS.contains(name);
  }

  private static Datasets.Source source(
      List<Part> parts, Path images, String name, FolderOptions options) throws IOException {
    boolean dealt = true;
    for (Part part : parts) {
      dealt &= part.split().isEmpty() && !names(part.file()).contains("split");
    }
    return new Datasets.Source(
        images,
        dealt,
        builder -> {
          CaptionTableReader reader = new CaptionTableReader(builder, options);
          for (Part part : parts) {
            reader.parse(part);
          }
          reader.finish();
          return name;
        });
  }

  /** Returns the names of a list's first entry, in lower case. */
  private static List<String> names(Path file) throws IOException {
    if (!suffix(file).equals("jsonl")) {
      List<TextFiles.Line> rows = TextFiles.table(file, delimiter(file));
      return rows.isEmpty() ? List.of() : lower(rows.get(0).cells());
    }
    for (String line : TextFiles.lines(file)) {
      try {
        if (!line.isBlank()) {
          JsonElement first = JsonParser.parseString(line);
          return first.isJsonObject() ? List.copyOf(first.getAsJsonObject().keySet()) : List.of();
        }
      } catch (JsonParseException e) {
        return List.of();
      }
    }
    return List.of();
  }

  private static List<String> lower(List<String> names) {
    return names.stream().map(name -> name.toLowerCase(Locale.ROOT)).toList();
  }

  private static char delimiter(Path file) {
    return suffix(file).equals("tsv") ? '\t' : ',';
  }

  private void parse(Part part) throws IOException {
    String name = part.prefix() + part.file().getFileName();
    if (suffix(part.file()).equals("jsonl")) {
      List<String> lines = TextFiles.lines(part.file());
      for (int i = 0; i < lines.size(); i++) {
        if (!lines.get(i).isBlank()) {
          json(part, name + ":" + (i + 1), lines.get(i));
        }
      }
      return;
    }
    List<TextFiles.Line> rows = TextFiles.table(part.file(), delimiter(part.file()));
    List<String> heads = rows.isEmpty() ? List.of() : lower(rows.get(0).cells());
    boolean described = heads.stream().anyMatch(CAPTION::contains) || heads.contains("label");
    if (heads.stream().noneMatch(FILE::contains) || !described) {
      throw new InvalidDatasetException(
          part.file()
              + " has the columns "
              + heads
              + "; expected are one of "
              + FILE
              + ", one of "
              + CAPTION
              + " or label, and perhaps split");
    }
    for (TextFiles.Line row : rows.subList(1, rows.size())) {
      String place = name + ":" + row.line();
      if (row.cells().size() != heads.size()) {
        builder.problem(
            place + " has " + row.cells().size() + " cells, the header " + heads.size());
        continue;
      }
      JsonObject cells = new JsonObject();
      for (int c = 0; c < heads.size(); c++) {
        cells.addProperty(heads.get(c), row.cells().get(c));
      }
      entry(part, place, cells);
    }
  }

  private void json(Part part, String place, String line) {
    try {
      JsonElement element = JsonParser.parseString(line);
      if (element.isJsonObject()) {
        entry(part, place, element.getAsJsonObject());
      } else {
        builder.problem(place + " is no object");
      }
    } catch (JsonParseException e) {
      builder.problem(place + " is no JSON, perhaps cut short");
    }
  }

  private void entry(Part part, String place, JsonObject line) {
    Optional<String> file = first(line, FILE);
    if (file.isEmpty()) {
      builder.problem(place + " names no file; one of " + FILE + " is expected");
      return;
    }
    Optional<String> label = TextFiles.text(line, "split").filter(text -> !text.isBlank());
    Optional<Split> split =
        label.isEmpty() ? part.split() : label.flatMap(CaptionTableReader::split);
    if (split.isEmpty() && label.isPresent()) {
      builder.problem(
          place
              + " "
              + file.get()
              + " has the unknown split \""
              + label.get()
              + "\"; "
              + Split.EXPECTED);
      return;
    }
    add(part.prefix() + file.get(), place, split, captions(line, place, options));
  }

  /** Adds what a line says of an image. */
  void add(String file, String place, Optional<Split> split, List<Caption> captions) {
    Found found = images.computeIfAbsent(file, f -> new Found(place, split, new ArrayList<>()));
    if (found.split().equals(split)) {
      found.captions().addAll(captions);
    } else {
      builder.problem(
          place + " " + file + " is of another split than at " + found.place() + "; give it one");
    }
  }

  /** Hands all images over. */
  void finish() {
    images.forEach(
        (file, found) ->
            builder.add(
                new DatasetBuilder.Entry(
                    found.place(),
                    file,
                    // Named from the list's own folder, or from the one beside it.
                    file.startsWith(IMAGES)
                        ? List.of(file, file.substring(IMAGES.length()))
                        : List.of(file),
                    Optional.empty(),
                    found.split().orElseGet(() -> options.split(file)),
                    found.captions())));
  }

  /** Returns the captions of an entry; of its label where it has none. */
  static List<Caption> captions(JsonObject line, String place, FolderOptions options) {
    List<Caption> captions = new ArrayList<>();
    for (String name : CAPTIONS) {
      if (line.has(name) && line.get(name).isJsonArray()) {
        for (JsonElement caption : line.getAsJsonArray(name)) {
          captions.add(new Caption(place, TextFiles.text(caption)));
        }
      }
    }
    CAPTION.stream()
        .filter(line::has)
        .findFirst()
        .ifPresent(name -> captions.add(new Caption(place, TextFiles.text(line, name))));
    Optional<String> label = TextFiles.text(line, "label").filter(text -> !text.isBlank());
    if (captions.isEmpty() && label.isPresent()) {
      captions.addAll(options.captions(label.get()));
    }
    return captions;
  }

  private static Optional<String> first(JsonObject line, List<String> names) {
    return names.stream()
        .map(name -> TextFiles.text(line, name).filter(text -> !text.isBlank()))
        .flatMap(Optional::stream)
        .findFirst();
  }

  /** Returns the split of that name, Hugging Face's names among them. */
  static Optional<Split> split(String name) {
    String label = name.toLowerCase(Locale.ROOT);
    return Set.of("validation", "valid", "dev").contains(label)
        ? Optional.of(Split.VAL)
        : Split.of(label);
  }
}
