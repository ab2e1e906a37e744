/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.ImageFormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** Which files of a folder are pictures, their bytes, and what a folder's name says of them. */
public final class PictureFiles {
  /** Twice what a decoder unpacks; a whole scene of several GB is no picture to encode. */
  private static final long MAX_BYTES = 512L << 20;

  private static final Set<String> SUFFIXES = Set.of("jpg", "jpeg", "png", "tif", "tiff");

  /** RSSCN7 sorts its classes by a letter: aGrass, bField. */
  private static final Pattern SORTING_LETTER = Pattern.compile("^\\p{Ll}(?=\\p{Lu})");

  private static final Pattern WORD_START =
      Pattern.compile("(?<=[\\p{Ll}\\p{Nd}])(?=\\p{Lu})|(?<=\\p{Lu})(?=\\p{Lu}\\p{Ll})|[_\\s]+");

  private PictureFiles() {}

  /** Whether a file is a JPEG, PNG or TIFF by its suffix, and not hidden. */
  public static boolean isPicture(Path file) {
    String name = file.getFileName().toString();
    String suffix = name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
    return SUFFIXES.contains(suffix) && !isHidden(file) && Files.isRegularFile(file);
  }

  /** Whether a name begins with a dot. */
  public static boolean isHidden(Path path) {
    return path.getFileName().toString().startsWith(".");
  }

  /**
   * A picture file's bytes.
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

  /** Words in lower case: "BareLand" and "bare_land" are "bare land". */
  public static String className(String folder) {
    String sorted = SORTING_LETTER.matcher(folder).replaceFirst("");
    return WORD_START.matcher(sorted).replaceAll(" ").strip().toLowerCase(Locale.ROOT);
  }
}
