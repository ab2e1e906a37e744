/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.PixelTensor;
import java.io.IOException;
import java.io.UncheckedIOException;

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
    EMPTY,
    BROKEN
  }

  /** Reads a picture, if the journal does not hold it. */
  static PreparedPicture of(Encodable picture, PictureReader reader, Journal journal) {
    try {
      String stamp = picture.stamp();
      if (picture.isKnown() || journal.holdsFile(stamp)) {
        return left(Outcome.KNOWN, picture, "");
      }
      Encodable.Reading read = picture.read(reader);
      if (read.facts().isEmpty()) {
        return left(Outcome.EMPTY, picture, "");
      }
      return new PreparedPicture(
          Outcome.READY,
          picture,
          read.unplaced(),
          stamp,
          read.facts().get(),
          read.pixels().orElseThrow());
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
