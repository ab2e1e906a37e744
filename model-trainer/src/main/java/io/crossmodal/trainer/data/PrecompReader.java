/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.trainer.data.DatasetBuilder.Caption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Reads the "precomp" text files of VSE++ (Faghri et al. 2018) and its successors in remote
 * sensing: {@code <split>_caps.txt} has a caption a line, five lines an image; beside it {@code
 * <split>_filename.txt} has the image's file name, once for each image or once for each caption.
 */
final class PrecompReader {
  private static final int CAPTIONS = 5;
  private static final String CAPTIONS_END = "_caps.txt";
  private static final String NAMES_END = "_filename.txt";

  private final DatasetBuilder builder;

  private PrecompReader(DatasetBuilder builder) {
    this.builder = builder;
  }

  /** Returns the caption files of a folder, in alphabetical order. */
  static List<Path> captionFiles(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(PrecompReader::isCaptionFile).sorted().toList();
    }
  }

  static boolean isCaptionFile(Path file) {
    return file.getFileName().toString().endsWith(CAPTIONS_END) && Files.isRegularFile(file);
  }

  /**
   * Returns the caption files of one data set.
   *
   * @param files at least one, all in the same folder
   */
  static Datasets.Source source(List<Path> files) {
    Path folder = files.get(0).toAbsolutePath().getParent();
    return new Datasets.Source(
        Datasets.imagesBeside(files.get(0)),
        false,
        builder -> {
          for (Path file : files) {
            new PrecompReader(builder).parse(file);
          }
          return Datasets.name(folder);
        });
  }

  private void parse(Path captionFile) throws IOException {
    String name = captionFile.getFileName().toString();
    String label = name.substring(0, name.length() - CAPTIONS_END.length());
    // VSE++ calls its validation split so.
    Optional<Split> split = label.equals("dev") ? Optional.of(Split.VAL) : Split.of(label);
    if (split.isEmpty()) {
      builder.problem(name + " is of the unknown split \"" + label + "\"; " + Split.EXPECTED);
      return;
    }
    Path nameFile = captionFile.resolveSibling(label + NAMES_END);
    if (!Files.isRegularFile(nameFile)) {
      throw new InvalidDatasetException(
          captionFile + " needs " + nameFile.getFileName() + " beside it, with the images' names");
    }
    List<String> captions = TextFiles.lines(captionFile);
    List<String> names = TextFiles.lines(nameFile);
    if (names.size() * CAPTIONS != captions.size() && names.size() != captions.size()) {
      // Which caption belongs to which image cannot be known any more.
      throw new InvalidDatasetException(
          String.format(
              Locale.ROOT,
              "%s has %d lines and %s has %d: %d captions for each name, or a name for each"
                  + " caption, expected",
              captionFile,
              captions.size(),
              nameFile.getFileName(),
              names.size(),
              CAPTIONS));
    }
    int namesEach = names.size() == captions.size() ? CAPTIONS : 1;
    for (int from = 0; from < names.size(); ) {
      String image = names.get(from);
      int to = from + 1;
      while (namesEach > 1 && to < names.size() && names.get(to).equals(image)) {
        to++;
      }
      String place = nameFile.getFileName() + ":" + (from + 1);
      if (image.isBlank()) {
        builder.problem(place + " has no name");
      } else if (to - from != namesEach) {
        builder.problem(
            place + " " + image + " has " + (to - from) + " lines, " + namesEach + " expected");
      } else {
        builder.add(
            new DatasetBuilder.Entry(
                place,
                image.strip(),
                List.of(image.strip()),
                Optional.empty(),
                split.get(),
                captions(name, captions, from * CAPTIONS / namesEach)));
      }
      from = to;
    }
  }

  private static List<Caption> captions(String file, List<String> lines, int from) {
    return IntStream.range(from, from + CAPTIONS)
        .mapToObj(i -> new Caption(file + ":" + (i + 1), Optional.of(lines.get(i))))
        .toList();
  }
}
