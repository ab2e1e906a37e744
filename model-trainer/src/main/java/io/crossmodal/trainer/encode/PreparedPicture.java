/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.PixelTensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;

/**
 * A picture that was looked at, before it is encoded; what follows {@code problem} is there where
 * it is ready.
 *
 * @param problem why it is broken, or why it is not known where it lies; empty for neither
 * @param stamp of its files
 */
record PreparedPicture(
    Outcome outcome,
    Encodable picture,
    String problem,
    String stamp,
    Encodable.Facts facts,
    PixelTensor pixels) {

  /** What came of it. */
  enum Outcome {
    READY,
    KNOWN,
    /** It shows too little, by its stamp for what is empty, if it has one. */
    EMPTY,
    /** It shows too little, as the journal knows. */
    KNOWN_EMPTY,
    /** It lies where its scene is damaged, which is known. */
    DAMAGED,
    BROKEN
  }

  /** Reads a picture, if the journal does not hold it. */
  static PreparedPicture of(Encodable picture, PictureReader reader, Journal journal) {
    try {
      String stamp = picture.stamp();
      if (picture.isKnown() || journal.holdsFile(stamp)) {
        return left(Outcome.KNOWN, picture, "");
      }
      Optional<String> empty = picture.emptyStamp();
      if (empty.isPresent() && journal.holdsFile(empty.get())) {
        return left(Outcome.KNOWN_EMPTY, picture, "");
      }
      Encodable.Reading read = picture.read(reader);
      if (read.facts().isEmpty()) {
        return new PreparedPicture(Outcome.EMPTY, picture, "", empty.orElse(""), null, null);
      }
      return new PreparedPicture(
          Outcome.READY,
          picture,
          read.unplaced(),
          stamp,
          read.facts().get(),
          read.pixels().orElseThrow());
    } catch (Encodable.KnownDamage e) {
      return left(Outcome.DAMAGED, picture, e.getMessage());
    } catch (IllegalArgumentException e) {
      return left(Outcome.BROKEN, picture, e.getMessage());
    } catch (IOException | UncheckedIOException e) {
      return left(Outcome.BROKEN, picture, EncodeRun.reason(e));
    }
  }

  private static PreparedPicture left(Outcome outcome, Encodable picture, String reason) {
    return new PreparedPicture(outcome, picture, reason, "", null, null);
  }
}
