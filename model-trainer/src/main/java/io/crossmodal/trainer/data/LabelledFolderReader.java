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
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * Reads pictures in folders named by their class (AID, EuroSAT, RSSCN7, UC Merced): {@code
 * <class>/<picture>}, with captions made from templates. Pictures are JPEG, PNG or TIFF by their
 * suffix; pictures of kinds that are not read are a problem, other files are left alone.
 *
 * @see FolderOptions#split
 */
final class LabelledFolderReader {
  private final DatasetBuilder builder;
  private final FolderOptions options;

  private LabelledFolderReader(DatasetBuilder builder, FolderOptions options) {
    this.builder = builder;
    this.options = options;
  }

  /** Returns the folders that hold pictures, in alphabetical order. */
  static List<Path> classes(Path folder) throws IOException {
    return list(
        folder,
        path -> Files.isDirectory(path) && !PictureFiles.isHidden(path) && holdsPictures(path));
  }

  static Datasets.Source source(Path folder, FolderOptions options) {
    return new Datasets.Source(
        folder, true, builder -> new LabelledFolderReader(builder, options).parse(folder));
  }

  private String parse(Path folder) throws IOException {
    for (Path label :
        list(folder, path -> Files.isDirectory(path) && !PictureFiles.isHidden(path))) {
      List<Path> pictures = list(label, PictureFiles::isPicture);
      if (pictures.isEmpty()) {
        builder.problem("the folder " + label + " holds no JPEG, PNG or TIFF");
      }
      PictureFiles.unread(list(label, Files::isRegularFile))
          .forEach(
              (kind, files) ->
                  builder.problem(
                      "the folder " + label + " holds " + PictureFiles.unread(kind, files)));
      List<Caption> captions = options.captions(label.getFileName().toString());
      for (Path picture : pictures) {
        String file = label.getFileName() + "/" + picture.getFileName();
        builder.add(
            new DatasetBuilder.Entry(
                "picture", file, List.of(file), Optional.empty(), options.split(file), captions));
      }
    }
    return Datasets.name(folder);
  }

  private static boolean holdsPictures(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(PictureFiles::isPicture);
    } catch (IOException e) {
      // A folder that cannot be looked into is no class.
      return false;
    }
  }

  private static List<Path> list(Path folder, Predicate<Path> wanted) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(wanted).sorted().toList();
    }
  }
}
