/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.trainer.data.TextFiles.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Reads captioned data sets of every format, which it recognises by what is there.
 *
 * <p>Everything is checked before a training starts on it: the whole data set is read, and all that
 * is wrong is reported at once. Pictures are looked for but not decoded; that is {@link
 * DecodedImages}.
 */
public final class Datasets {
  private static final String EXPECTED =
      "expected is one of: a JSON file in Karpathy's style, {\"images\": [...]}; a JSON file of"
          + " COCO's captions, {\"images\": [...], \"annotations\": [...]}; a JSON file in PIR's"
          + " style, [{\"image\", \"caption\"}, ...]; a folder with such JSON files of one data"
          + " set; a folder with <split>_caps.txt and <split>_filename.txt, or one such _caps.txt;"
          + " a CSV, TSV or JSON Lines of file, caption, perhaps split and label; a folder with"
          + " such a metadata.jsonl, metadata.csv or captions.csv, or with one in each of train,"
          + " validation and test; webdataset's .tar, or a folder of them; a folder of two or more"
          + " folders <class>/<picture>";

  private Datasets() {}

  /** Reads a data set into a builder and gives its name. */
  interface Reading {
    String into(DatasetBuilder builder) throws IOException;
  }

  /**
   * A data set that was recognised but not read yet.
   *
   * @param images the usual folder of its images
   * @param dealt whether its images are dealt out to the splits here
   */
  record Source(Path images, boolean dealt, Reading reading) {}

  /**
   * Reads a data set.
   *
   * @throws InvalidDatasetException where the path holds none, saying what was expected; where more
   *     is wrong with it than the options allow, listing all; where nothing usable is left
   * @throws IllegalArgumentException where an option does not go with the format
   * @throws IOException where a file cannot be read
   */
  public static CaptionedDataset read(Options options) throws IOException {
    return read(options, recognise(options));
  }

  static CaptionedDataset read(Options options, Source source) throws IOException {
    Path images = options.images().orElse(source.images());
    if (!Files.isDirectory(images)) {
      throw new InvalidDatasetException(
          images + " is not a folder; the images of " + options.path() + " are expected there");
    }
    return build(options, source, DatasetBuilder.of(images));
  }

  /** Reads the captions alone, of images that need not be there. */
  static CaptionedDataset readCaptions(Options options) throws IOException {
    return build(options, recognise(options), DatasetBuilder.withoutFiles());
  }

  private static CaptionedDataset build(Options options, Source source, DatasetBuilder builder)
      throws IOException {
    String name = source.reading().into(builder);
    return builder.build(options.path(), name, options.allowedProblems());
  }

  private static Source recognise(Options options) throws IOException {
    Path path = options.path();
    FolderOptions folders = options.folders().orElse(FolderOptions.DEFAULT);
    Optional<Source> source = captionFiles(path, folders);
    if (source.isPresent()) {
      if (options.images().isPresent() && WebDatasetReader.holdsTars(path)) {
        throw new IllegalArgumentException(
            path + " has its images in itself; name no folder of images");
      }
      boolean templates = !folders.templates().equals(FolderOptions.TEMPLATES);
      if (options.folders().isPresent() && (templates || !source.get().dealt())) {
        throw new IllegalArgumentException(
            path
                + " has captions and splits of its own; templates, shares and their seed are for"
                + " labelled folders only");
      }
      return source.get();
    }
    if (!Files.isDirectory(path) || LabelledFolderReader.classes(path).size() < 2) {
      throw unknown(path);
    }
    if (options.images().isPresent()) {
      throw new IllegalArgumentException(
          path + " holds labelled folders, which are the images; name no folder of images");
    }
    return LabelledFolderReader.source(path, folders);
  }

  /** Returns whether a path is, or holds, a file of captions that {@link #read} takes. */
  public static boolean holdsCaptions(Path path) throws IOException {
    return captionFiles(path, FolderOptions.DEFAULT).isPresent();
  }

  private static Optional<Source> captionFiles(Path path, FolderOptions folders)
      throws IOException {
    if (Files.isRegularFile(path)) {
      return captionFile(path, folders);
    }
    if (!Files.isDirectory(path)) {
      return Optional.empty();
    }
    List<Path> texts = PrecompReader.captionFiles(path);
    if (!texts.isEmpty()) {
      return Optional.of(PrecompReader.source(texts));
    }
    List<Path> tars = WebDatasetReader.tars(path);
    if (!tars.isEmpty()) {
      return Optional.of(WebDatasetReader.source(tars, name(path), folders));
    }
    Optional<Source> json = jsonFiles(path, folders);
    return json.isPresent() ? json : CaptionTableReader.folder(path, folders);
  }

  private static Optional<Source> captionFile(Path file, FolderOptions folders) throws IOException {
    if (PrecompReader.isCaptionFile(file)) {
      return Optional.of(PrecompReader.source(List.of(file)));
    }
    if (WebDatasetReader.isTar(file)) {
      return Optional.of(WebDatasetReader.source(List.of(file), name(file), folders));
    }
    if (CaptionTableReader.isTable(file)) {
      return Optional.of(CaptionTableReader.source(file, folders));
    }
    return switch (TextFiles.shape(file)) {
      // An object or array that is not quite one: its reader says what is missing.
      case KARPATHY, OBJECT -> Optional.of(KarpathyReader.source(file));
      case COCO -> Optional.of(CocoReader.source(List.of(file), name(file), folders));
      case PIR, ARRAY -> Optional.of(PirReader.source(List.of(file), name(file)));
      case OTHER -> Optional.empty();
    };
  }

  /**
   * Returns the JSON files with captions, if any; those that hold something else, such as a table
   * of labels, do not count.
   */
  private static Optional<Source> jsonFiles(Path folder, FolderOptions folders) throws IOException {
    List<Path> coco = new ArrayList<>();
    List<Path> karpathy = new ArrayList<>();
    List<Path> pir = new ArrayList<>();
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.filter(Datasets::isJson).sorted().toList()) {
        Shape shape = TextFiles.shape(file);
        if (shape == Shape.KARPATHY) {
          karpathy.add(file);
        } else if (shape == Shape.PIR) {
          pir.add(file);
        } else if (shape == Shape.COCO) {
          coco.add(file);
        }
      }
    }
    List<Path> all = Stream.of(karpathy, pir, coco).flatMap(List::stream).toList();
    if (all.size() == 1) {
      return captionFile(all.get(0), folders);
    }
    if (coco.size() == all.size() && coco.stream().allMatch(CocoReader::namesItsSplit)) {
      return coco.isEmpty()
          ? Optional.empty()
          : Optional.of(CocoReader.source(coco, name(folder), folders));
    }
    List<Optional<String>> stems = pir.stream().map(PirReader::stem).distinct().toList();
    if (pir.size() == all.size() && stems.size() == 1 && stems.get(0).isPresent()) {
      String stem = stems.get(0).get();
      return Optional.of(PirReader.source(pir, stem.isEmpty() ? name(folder) : stem));
    }
    throw new InvalidDatasetException(
        folder
            + " holds caption files of several data sets, name one of them: "
            + all.stream()
                .map(file -> file.getFileName().toString())
                .collect(Collectors.joining(", ")));
  }

  private static boolean isJson(Path file) {
    return file.getFileName().toString().endsWith(".json") && Files.isRegularFile(file);
  }

  private static InvalidDatasetException unknown(Path path) throws IOException {
    if (Files.isRegularFile(path)) {
      return new InvalidDatasetException(path + " is no data set that is known here; " + EXPECTED);
    }
    if (!Files.isDirectory(path)) {
      return new InvalidDatasetException(path + " is not a file and not a folder; " + EXPECTED);
    }
    List<Path> deeper = new ArrayList<>();
    try (Stream<Path> files = Files.list(path)) {
      for (Path folder : files.filter(Files::isDirectory).sorted().toList()) {
        if (LabelledFolderReader.classes(folder).size() > 1) {
          deeper.add(folder);
        }
      }
    }
    String hint =
        deeper.isEmpty() ? "" : "; labelled folders lie one deeper: perhaps " + deeper.get(0);
    return new InvalidDatasetException(
        path + " holds no data set that is known here" + hint + "; " + EXPECTED);
  }

  /** Returns the folder "images" beside a caption file, or the file's own where there is none. */
  static Path imagesBeside(Path file) {
    Path beside = file.toAbsolutePath().getParent();
    Path images = beside.resolve("images");
    return Files.isDirectory(images) ? images : beside;
  }

  /** Returns the last part of a path, without ".json". */
  static String name(Path path) {
    Path last = path.toAbsolutePath().normalize().getFileName();
    String name = last == null ? path.toString() : last.toString();
    return name.endsWith(".json") ? name.substring(0, name.length() - 5) : name;
  }

  /**
   * Data set to read, with the options of reading it.
   *
   * @param path a caption file, a folder of caption files, or a folder of labelled folders
   * @param images the folder that file names are relative to; empty for "images" beside the caption
   *     file, or the caption file's own folder where there is none
   * @param allowedProblems so many problems may be skipped, at reading and at decoding together: an
   *     empty caption is left out alone, any other problem leaves its image out; 0 makes each an
   *     error. The published RSICD has empty captions.
   * @param folders for labelled folders, and for COCO's captions that name no split; empty for
   *     {@link FolderOptions#DEFAULT}
   */
  public record Options(
      Path path, Optional<Path> images, int allowedProblems, Optional<FolderOptions> folders) {

    public Options {
      Objects.requireNonNull(path, "path");
      Objects.requireNonNull(images, "images");
      Objects.requireNonNull(folders, "folders");
      if (allowedProblems < 0) {
        throw new IllegalArgumentException(
            "allowedProblems must be at least 0, got " + allowedProblems);
      }
    }

    /**
     * Returns the usual options: images in their usual place, no problem allowed, labelled folders
     * with the defaults.
     */
    public static Options of(Path path) {
      return new Options(path, Optional.empty(), 0, Optional.empty());
    }
  }
}
