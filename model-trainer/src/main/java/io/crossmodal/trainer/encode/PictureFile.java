/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.data.PictureFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A picture with files of its own.
 *
 * @param sensor that took it
 */
record PictureFile(SourceImage image, String sensor) implements Encodable {
  @Override
  public String name() {
    return image.place().toString();
  }

  @Override
  public String stamp() throws IOException {
    StringBuilder files = new StringBuilder(image.path());
    for (Path file : image.files()) {
      files.append(stamp(file));
    }
    return ContentId.shortened(files.toString());
  }

  @Override
  public String emptyStamp() {
    // What a file shows is never too little.
    return "";
  }

  /** Returns what tells a file from another, and from itself when it was changed. */
  static String stamp(Path file) throws IOException {
    // Tiles of two archives may have a name, a size and a time in common.
    return "\0"
        + file.toAbsolutePath().normalize()
        + "\0"
        + Files.size(file)
        + "\0"
        + Files.getLastModifiedTime(file).toMillis();
  }

  @Override
  public Reading read(PictureReader reader) throws IOException {
    List<byte[]> files = new ArrayList<>();
    for (Path file : image.files()) {
      files.add(PictureFiles.read(file));
    }
    PictureReader.Seen seen = reader.picture(files);
    Optional<PictureReader.Place> place = Optional.empty();
    String unplaced = "";
    try {
      place = reader.place(files.get(0));
    } catch (IllegalArgumentException e) {
      unplaced = e.getMessage();
    }
    String identity = ContentId.digest(sensor, files);
    String digest = identity;
    if (seen.stretch().isPresent()) {
      files.add(("stretch " + seen.stretch().get()).getBytes(StandardCharsets.UTF_8));
      digest = ContentId.digest(sensor, files);
    }
    return Reading.of(
        new Facts(identity, digest, place, Optional.empty(), seen.stretch(), seen.thumbnail()),
        seen.pixels(),
        unplaced);
  }

  @Override
  public void done() {}
}
