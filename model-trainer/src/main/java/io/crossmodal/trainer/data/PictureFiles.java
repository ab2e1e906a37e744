/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.FileKind;
import io.crossmodal.model.image.ImageFormatException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** Tells which files of a folder are pictures, reads them, and makes a class of a folder's name. */
public final class PictureFiles {
  /** Twice what a decoder unpacks; a whole scene of several GB is no picture to encode. */
  private static final long MAX_BYTES = 512L << 20;

  /** Enough to tell what a file is. */
  private static final int HEAD = 1024;

  private static final Set<String> SUFFIXES =
      Set.of("jpg", "jpeg", "jpe", "jfif", "png", "tif", "tiff");

  /** RSSCN7 sorts its classes by a letter: aGrass, bField. */
  private static final Pattern SORTING_LETTER = Pattern.compile("^\\p{Ll}(?=\\p{Lu})");

  private static final Pattern WORD_START =
      Pattern.compile("(?<=[\\p{Ll}\\p{Nd}])(?=\\p{Lu})|(?<=\\p{Lu})(?=\\p{Lu}\\p{Ll})|[_\\s]+");

  private PictureFiles() {}

  /** Returns whether a file is a JPEG, PNG or TIFF by its suffix, and not hidden. */
  public static boolean isPicture(Path file) {
    String name = file.getFileName().toString();
    String suffix = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    return SUFFIXES.contains(suffix) && !isHidden(file) && Files.isRegularFile(file);
  }

  /**
   * Counts, by kind, files that are no pictures by their suffix and are pictures all the same, of
   * kinds that are not read or under another suffix. Nobody should miss them untold.
   */
  public static SortedMap<FileKind, Integer> unread(List<Path> files) throws IOException {
    SortedMap<FileKind, Integer> kinds = new TreeMap<>();
    for (Path file : files) {
      if (!isPicture(file) && !isHidden(file)) {
        try (InputStream in = Files.newInputStream(file)) {
          FileKind.of(in.readNBytes(HEAD)).ifPresent(kind -> kinds.merge(kind, 1, Integer::sum));
        }
      }
    }
    return kinds;
  }

  /** Returns a line such as "3 WebP files, which are not read: convert them, as by ...". */
  public static String unread(FileKind kind, int files) {
    return String.format(
        Locale.ROOT,
        "%d %s %s%s",
        files,
        kind.title(),
        files == 1 ? "file" : "files",
        kind.isRead()
            ? " under another suffix than " + new TreeSet<>(SUFFIXES)
            : ", not read: convert, as by " + kind.conversion());
  }

  /** Returns whether a name begins with a dot. */
  public static boolean isHidden(Path path) {
    return path.getFileName().toString().startsWith(".");
  }

  /**
   * Reads a picture file's bytes.
   *
   * @throws ImageFormatException when there are more than a picture may have
   */
  public static byte[] read(Path file) throws IOException {
    long bytes = Files.size(file);
    if (bytes > MAX_BYTES) {
      throw new ImageFormatException(
          bytes + " bytes; a picture file may have " + MAX_BYTES + " at most, cut it into tiles");
    }
    return Files.readAllBytes(file);
  }

  /** Returns a folder's name as words in lower case: "BareLand" and "bare_land" are "bare land". */
  public static String className(String folder) {
    String sorted = SORTING_LETTER.matcher(folder).replaceFirst("");
    return WORD_START.matcher(sorted).replaceAll(" ").strip().toLowerCase(Locale.ROOT);
  }
}
