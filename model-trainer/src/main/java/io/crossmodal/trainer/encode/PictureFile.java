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

  private List<byte[]> bytes() throws IOException {
    List<byte[]> files = new ArrayList<>();
    for (Path file : image.files()) {
      files.add(PictureFiles.read(file));
    }
    return files;
  }

  @Override
  public Optional<Identity> identity(PictureReader reader) throws IOException {
    List<byte[]> files = bytes();
    return Optional.of(identity(files, reader.range(files)));
  }

  private Identity identity(List<byte[]> files, Optional<Stretch> stretch) {
    String identity = ContentId.digest(sensor, files);
    if (stretch.isEmpty()) {
      return new Identity(identity, identity);
    }
    List<byte[]> shown = new ArrayList<>(files);
    shown.add(("stretch " + stretch.get()).getBytes(StandardCharsets.UTF_8));
    return new Identity(identity, ContentId.digest(sensor, shown));
  }

  @Override
  public Reading read(PictureReader reader) throws IOException {
    List<byte[]> files = bytes();
    PictureReader.Seen seen = reader.picture(files);
    Optional<PictureReader.Place> place = Optional.empty();
    String unplaced = "";
    try {
      place = PictureReader.place(files.get(0));
    } catch (IllegalArgumentException e) {
      unplaced = e.getMessage();
    }
    Identity told = identity(files, seen.stretch());
    return new Reading(
        Optional.of(
            new Facts(
                told.identity(),
                told.digest(),
                place,
                Optional.empty(),
                seen.stretch(),
                seen.thumbnail())),
        Optional.of(seen.pixels()),
        unplaced);
  }

  @Override
  public void done() {}
}
