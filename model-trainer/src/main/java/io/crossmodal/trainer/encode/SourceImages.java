/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.FileKind;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.Datasets;
import io.crossmodal.trainer.data.PictureFiles;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.FileVisitor;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The pictures of an archive, in an order that does not change while its files do not.
 *
 * @param kind what was recognised, for the user
 * @param problems what was left out while reading, one line each
 * @param unlabelled what is kept without its labels, which cannot be read, one line each
 * @param unread pictures of kinds that are not read, how many of each
 */
public record SourceImages(
    String kind,
    List<SourceImage> images,
    List<String> problems,
    List<String> unlabelled,
    Map<FileKind, Integer> unread) {

  public SourceImages {
    images = List.copyOf(images);
    problems = List.copyOf(problems);
    unlabelled = List.copyOf(unlabelled);
    unread = Collections.unmodifiableSortedMap(new TreeMap<>(unread));
  }

  /** Returns the same without the files that say what is cloud in scenes that are cut so. */
  public SourceImages withoutClassifications(Optional<Cutting> cutting) {
    Optional<Clouds> clouds = cutting.flatMap(Cutting::clouds);
    if (clouds.isEmpty()) {
      return this;
    }
    List<SourceImage> scenes =
        images.stream()
            .filter(image -> !clouds.get().isClassification(image.files().get(0)))
            .toList();
    return new SourceImages(kind, scenes, problems, unlabelled, unread);
  }

  /**
   * Reads what lies at a path.
   *
   * <ul>
   *   <li>captions, as {@link Datasets} reads them: a file, or a folder with such files;
   *   <li>a folder with patches of BigEarthNet ({@link BigEarthNet}): these, however deep;
   *   <li>any other folder: its JPEG, PNG and TIFF files, however deep; where at least two folders
   *       hold some, a folder's name is the class of its pictures; pictures of other kinds are
   *       counted, links that lead back or nowhere a problem each;
   *   <li>a file with the suffix of a JPEG, PNG or TIFF: this picture;
   *   <li>any other file: a list of pictures, UTF-8, a path a line, relative to the list, with a
   *       caption behind a tab where there is one, again for another caption; blank lines, lines
   *       that begin with # and a byte-order mark are skipped.
   * </ul>
   *
   * @param images the folder of the pictures, for captions only
   * @param allowedProblems as in {@link Datasets.Options}
   * @throws io.crossmodal.trainer.data.InvalidDatasetException where captions have more problems
   * @throws IllegalArgumentException where there is no picture
   */
  public static SourceImages read(Path path, Optional<Path> images, int allowedProblems)
      throws IOException {
    return read(path, images, allowedProblems, file -> false);
  }

  /**
   * Reads what lies at a path, and takes more for pictures than have a picture's suffix.
   *
   * @param more which these are; they need not be files
   */
  public static SourceImages read(
      Path path, Optional<Path> images, int allowedProblems, Predicate<Path> more)
      throws IOException {
    SourceImages read = readAny(path, images, allowedProblems, more);
    if (read.images().isEmpty()) {
      throw new IllegalArgumentException(
          path
              + " holds no JPEG, PNG or TIFF"
              + (Files.isDirectory(path) ? "" : ", and names none")
              + Stream.concat(read.unreadLines().stream(), read.problems().stream())
                  .map(line -> "; " + line)
                  .collect(Collectors.joining()));
    }
    return read;
  }

  /** Reads what lies at a path, see {@link #read}; there may be no picture. */
  public static SourceImages readAny(
      Path path, Optional<Path> images, int allowedProblems, Predicate<Path> more)
      throws IOException {
    if (more.test(path)) {
      return single(path);
    }
    if (Datasets.holdsCaptions(path)) {
      return captioned(new Datasets.Options(path, images, allowedProblems, Optional.empty()));
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
    return Files.isDirectory(path)
        ? folder(path, more)
        : PictureFiles.isPicture(path) ? single(path) : list(path);
  }

  /** Returns the kinds that are not read, a line each. */
  public List<String> unreadLines() {
    return unread.entrySet().stream()
        .map(kind -> PictureFiles.unread(kind.getKey(), kind.getValue()))
        .toList();
  }

  private static SourceImages captioned(Datasets.Options options) throws IOException {
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
        List.of(),
        Map.of());
  }

  private static SourceImages single(Path file) {
    String name = file.getFileName().toString();
    return new SourceImages(
        "picture",
        List.of(SourceImage.of(name, file, List.of(), Optional.empty())),
        List.of(),
        List.of(),
        Map.of());
  }

  private static SourceImages folder(Path root, Predicate<Path> more) throws IOException {
    List<Path> all = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    Files.walkFileTree(
        root,
        EnumSet.of(FileVisitOption.FOLLOW_LINKS),
        Integer.MAX_VALUE,
        walk(root, all, problems));
    all.sort(null);
    List<Path> files =
        all.stream().filter(file -> PictureFiles.isPicture(file) || more.test(file)).toList();
    Map<FileKind, Integer> unread =
        PictureFiles.unread(all.stream().filter(Predicate.not(more)).toList());
    List<Path> patches = files.stream().filter(BigEarthNet::isPatch).toList();
    if (!patches.isEmpty()) {
      return patches(patches, problems, unread);
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
        problems,
        List.of(),
        unread);
  }

  /** Gathers files; what cannot be looked into, a link that leads back say, is a problem. */
  private static FileVisitor<Path> walk(Path root, List<Path> files, List<String> problems) {
    return new SimpleFileVisitor<>() {
      @Override
      public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
        return folder.equals(root) || !PictureFiles.isHidden(folder)
            ? FileVisitResult.CONTINUE
            : FileVisitResult.SKIP_SUBTREE;
      }

      @Override
      public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
        if (attributes.isRegularFile() && !PictureFiles.isHidden(file)) {
          files.add(file);
        } else if (attributes.isSymbolicLink()) {
          problems.add(file + ": a link to what is not there");
        }
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult visitFileFailed(Path file, IOException e) {
        problems.add(
            file
                + (e instanceof FileSystemLoopException
                    ? ": a link to a folder that it lies in, not followed"
                    : ": cannot be read, " + e));
        return FileVisitResult.CONTINUE;
      }

      @Override
      public FileVisitResult postVisitDirectory(Path folder, IOException e) {
        if (e != null) {
          problems.add(folder + ": cannot be read to its end, " + e);
        }
        return FileVisitResult.CONTINUE;
      }
    };
  }

  private static SourceImages patches(
      List<Path> reds, List<String> problems, Map<FileKind, Integer> unread) throws IOException {
    List<SourceImage> images = new ArrayList<>();
    List<String> unlabelled = new ArrayList<>();
    for (Path red : reds) {
      images.add(BigEarthNet.patch(red, unlabelled));
    }
    return new SourceImages(
        "Sentinel-2 patches of BigEarthNet", images, problems, unlabelled, unread);
  }

  /** Returns a path that is the same on every platform. */
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
    // A picture may stand there several times, with a caption each.
    Map<Path, Set<String>> captions = new LinkedHashMap<>();
    Map<Path, String> names = new HashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      String line = i == 0 ? lines.get(i).replaceFirst("^\ufeff", "") : lines.get(i);
      if (line.isBlank() || line.startsWith("#")) {
        continue;
      }
      int tab = line.indexOf('\t');
      String name = (tab < 0 ? line : line.substring(0, tab)).strip();
      String caption = tab < 0 ? "" : line.substring(tab + 1).strip();
      try {
        Path file = folder.resolve(name).normalize();
        names.putIfAbsent(file, name);
        Set<String> own = captions.computeIfAbsent(file, path -> new LinkedHashSet<>());
        if (!caption.isEmpty()) {
          own.add(caption);
        }
      } catch (InvalidPathException e) {
        throw new IllegalArgumentException(
            list + ":" + (i + 1) + " names no file: " + e.getMessage(), e);
      }
    }
    return new SourceImages(
        "pictures of a list",
        captions.entrySet().stream()
            .map(
                image ->
                    SourceImage.of(
                        names.get(image.getKey()),
                        image.getKey(),
                        List.copyOf(image.getValue()),
                        Optional.empty()))
            .toList(),
        List.of(),
        List.of(),
        Map.of());
  }
}
