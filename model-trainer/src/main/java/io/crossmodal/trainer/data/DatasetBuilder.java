/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Collects the images that a format's reader finds, with the checks that all formats share.
 * Collects what is wrong, so that all of it is reported at once.
 */
final class DatasetBuilder {

  /**
   * A caption as it was found.
   *
   * @param place where, for messages
   * @param text empty where there stands something else than a text
   */
  record Caption(String place, Optional<String> text) {}

  /**
   * An image as it was found.
   *
   * @param place where, for messages
   * @param filename as the data set names it
   * @param files relative to the folder of images, at least one; the first that exists is taken
   * @param id the data set's number of the image, where it has one
   */
  record Entry(
      String place,
      String filename,
      List<String> files,
      Optional<Integer> id,
      Split split,
      List<Caption> captions) {}

  private final Path folder;
  private final boolean filesExpected;
  private final List<CaptionedImage> images = new ArrayList<>();
  private final List<String> problems = new ArrayList<>();
  private final Map<String, String> owners = new HashMap<>();

  private DatasetBuilder(Path folder, boolean filesExpected) {
    this.folder = folder.toAbsolutePath().normalize();
    this.filesExpected = filesExpected;
  }

  /** Makes a builder whose images must lie in the folder. */
  static DatasetBuilder of(Path folder) {
    return new DatasetBuilder(folder, true);
  }

  /** Makes a builder of captions whose images are not at hand. */
  static DatasetBuilder withoutFiles() {
    return new DatasetBuilder(Path.of(""), false);
  }

  /** Notes what is wrong; whoever calls leaves the entry out. */
  void problem(String text) {
    problems.add(text);
  }

  /**
   * Takes a name or number, and returns whether it was free; a second use is a problem.
   *
   * @param key among all names and numbers of the data set
   * @param name as messages call it
   * @param owner as messages call who used it
   */
  boolean register(String where, String key, String name, String owner) {
    String other = owners.putIfAbsent(key, owner);
    if (other != null) {
      problem(where + " repeats the " + name + " of " + other);
    }
    return other == null;
  }

  /** Adds an image, or notes why it cannot be used. */
  void add(Entry entry) {
    String where = entry.place() + " " + entry.filename();
    List<Path> files = entry.files().stream().map(this::inside).flatMap(Optional::stream).toList();
    if (files.size() < entry.files().size()) {
      problem(where + " points outside the folder of images");
      return;
    }
    Path file = files.stream().filter(Files::isRegularFile).findFirst().orElse(files.get(0));
    if (!register(where, "file " + folder.relativize(file), "filename", entry.place())) {
      return;
    }
    if (entry.id().isPresent()) {
      String id = "imgid " + entry.id().get();
      if (!register(where, id, id, entry.filename())) {
        return;
      }
    }
    if (filesExpected && !Files.isRegularFile(file)) {
      problem(where + ": there is no file " + file);
      return;
    }
    List<String> captions = usable(where, entry.captions());
    if (!captions.isEmpty()) {
      int id = entry.id().orElse(images.size());
      images.add(new CaptionedImage(entry.filename(), file, id, entry.split(), captions));
    }
  }

  private Optional<Path> inside(String name) {
    try {
      Path file = folder.resolve(name).normalize();
      return file.startsWith(folder) ? Optional.of(file) : Optional.empty();
    } catch (InvalidPathException e) {
      return Optional.empty();
    }
  }

  private List<String> usable(String where, List<Caption> captions) {
    if (captions.isEmpty()) {
      problem(where + " has no caption");
    }
    List<String> usable = new ArrayList<>();
    for (Caption caption : captions) {
      String text = caption.text().orElse("").strip();
      if (CaptionedDataset.captionKey(text).isEmpty()) {
        problem(where + " has an empty caption at " + caption.place());
      } else {
        usable.add(text);
      }
    }
    return usable;
  }

  /**
   * Returns the data set.
   *
   * @param source for messages
   * @throws InvalidDatasetException listing all problems where there are more than allowed; also
   *     where nothing usable is left
   */
  CaptionedDataset build(Path source, String name, int allowedProblems) {
    InvalidDatasetException.check(
        source + " cannot be used (" + allowedProblems + " problems allowed)",
        problems,
        allowedProblems);
    if (images.isEmpty()) {
      throw new InvalidDatasetException(source + " holds no usable image");
    }
    return new CaptionedDataset(name, images, problems, allowedProblems - problems.size());
  }
}
