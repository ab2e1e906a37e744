/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.DatasetOptions;
import io.crossmodal.trainer.data.Datasets;
import io.crossmodal.trainer.data.PictureFiles;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The pictures of an archive, in an order that does not change while its files do not.
 *
 * @param kind what was recognised, for the user
 * @param problems what was left out while reading, one line each
 * @param unlabelled what is kept without its labels, which cannot be read, one line each
 */
public record SourceImages(
    String kind, List<SourceImage> images, List<String> problems, List<String> unlabelled) {

  public SourceImages {
    images = List.copyOf(images);
    problems = List.copyOf(problems);
    unlabelled = List.copyOf(unlabelled);
  }

  /**
   * Reads what lies at a path.
   *
   * <ul>
   *   <li>captions, as {@link Datasets} reads them: a file, or a folder with such files;
   *   <li>a folder with patches of BigEarthNet ({@link BigEarthNet}): these, however deep;
   *   <li>any other folder: its JPEG, PNG and TIFF files, however deep; where at least two folders
   *       hold some, a folder's name is the class of its pictures;
   *   <li>any other file: a list of pictures, UTF-8, a path a line, relative to the list, with a
   *       caption behind a tab where there is one; blank lines, lines that begin with # and a
   *       byte-order mark are skipped.
   * </ul>
   *
   * @param images the folder of the pictures, for captions only
   * @param allowedProblems as in {@link DatasetOptions}
   * @throws io.crossmodal.trainer.data.InvalidDatasetException where captions have more problems
   * @throws IllegalArgumentException where there is no picture
   */
  public static SourceImages read(Path path, Optional<Path> images, int allowedProblems)
      throws IOException {
    if (Datasets.holdsCaptions(path)) {
      return captioned(new DatasetOptions(path, images, allowedProblems, Optional.empty()));
    }
    if (images.isPresent()) {
      throw new IllegalArgumentException(
          path + " holds no captions; a folder of images is for captions only");
    }
    if (!Files.exists(path)) {
      throw new IllegalArgumentException(
          path
              + " does not exist; a folder of pictures, a file of captions or a list of pictures is"
              + " expected");
    }
    SourceImages read = Files.isDirectory(path) ? folder(path) : list(path);
    if (read.images().isEmpty()) {
      throw new IllegalArgumentException(
          path
              + " holds no JPEG, PNG or TIFF"
              + (Files.isDirectory(path) ? "" : ", and names none"));
    }
    return read;
  }

  private static SourceImages captioned(DatasetOptions options) throws IOException {
    CaptionedDataset dataset = Datasets.read(options);
    return new SourceImages(
        "captions of " + dataset.name(),
        dataset.images().stream()
            .map(
                image ->
                    SourceImage.of(
                        image.filename(), image.file(), image.captions(), Optional.empty()))
            .toList(),
        dataset.problems(),
        List.of());
  }

  private static SourceImages folder(Path root) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.walk(root, FileVisitOption.FOLLOW_LINKS)) {
      files =
          all.filter(PictureFiles::isPicture)
              .filter(file -> !isHidden(root.relativize(file)))
              .sorted()
              .toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
    List<Path> patches = files.stream().filter(BigEarthNet::isPatch).toList();
    if (!patches.isEmpty()) {
      return patches(patches);
    }
    boolean classes = files.stream().map(Path::getParent).distinct().limit(2).count() == 2;
    return new SourceImages(
        "pictures of a folder",
        files.stream()
            .map(
                file ->
                    SourceImage.of(
                        slashed(root.relativize(file)),
                        file,
                        List.of(),
                        Optional.of(file.getParent())
                            .filter(folder -> classes && !folder.equals(root))
                            .map(
                                folder -> PictureFiles.className(folder.getFileName().toString()))))
            .toList(),
        List.of(),
        List.of());
  }

  private static SourceImages patches(List<Path> reds) throws IOException {
    List<SourceImage> images = new ArrayList<>();
    List<String> unlabelled = new ArrayList<>();
    for (Path red : reds) {
      images.add(BigEarthNet.patch(red, unlabelled));
    }
    return new SourceImages("Sentinel-2 patches of BigEarthNet", images, List.of(), unlabelled);
  }

  private static boolean isHidden(Path relative) {
    return StreamSupport.stream(relative.spliterator(), false).anyMatch(PictureFiles::isHidden);
  }

  /** The same on every platform. */
  private static String slashed(Path relative) {
    return relative.toString().replace(relative.getFileSystem().getSeparator(), "/");
  }

  private static SourceImages list(Path list) throws IOException {
    List<String> lines;
    try {
      lines = Files.readAllLines(list);
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException(list + " is no list of pictures: it is not UTF-8 text", e);
    }
    Path folder = list.toAbsolutePath().getParent();
    List<SourceImage> images = new ArrayList<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = i == 0 ? lines.get(i).replaceFirst("^\ufeff", "") : lines.get(i);
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      int tab = line.indexOf('\t');
      String path = (tab < 0 ? line : line.substring(0, tab)).strip();
      String caption = tab < 0 ? "" : line.substring(tab + 1).strip();
      try {
        images.add(
            SourceImage.of(
                path,
                folder.resolve(path),
                caption.isEmpty() ? List.of() : List.of(caption),
                Optional.empty()));
      } catch (InvalidPathException e) {
        throw new IllegalArgumentException(
            list + ":" + (i + 1) + " names no file: " + e.getMessage(), e);
      }
    }
    return new SourceImages("pictures of a list", images, List.of(), List.of());
  }
}
