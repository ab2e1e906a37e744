/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.Stretch;
import java.io.IOException;
import java.util.Optional;

/** A picture that a run encodes: files of its own, or a window of a scene. Thread-safe. */
interface Encodable {
  /** Returns what is known of it, or of its scene, without opening it. */
  SourceImage image();

  /** Returns what to call it in messages. */
  String name();

  /** Returns a name of 128 bits for what it is read from, which changes when that changes. */
  String stamp() throws IOException;

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException when it cannot be encoded, saying why
   * @throws IOException when its file cannot be read
   */
  Reading read(PictureReader reader) throws IOException;

  /** Called when it is dealt with, read or not. */
  void done();

  /**
   * What a document keeps of a picture beside its encoding.
   *
   * @param identity digest from which the document's id is made: the same for the same picture,
   *     however it is shown
   * @param digest of what was encoded
   * @param place where it lies
   * @param chip of which scene it is a part
   * @param stretch values that are black and white, where it was stretched
   * @param thumbnail a JPEG in base64; empty for none
   */
  record Facts(
      String identity,
      String digest,
      Optional<PictureReader.Place> place,
      Optional<Chip> chip,
      Optional<Stretch> stretch,
      String thumbnail) {}

  /** Returns a name of 128 bits for {@link #stamp} and what makes it show too little. */
  String emptyStamp();

  /** Why a picture is not encoded, though nothing new is wrong with it. */
  enum Left {
    /** It shows too little: it has no data, or is cloud. */
    EMPTY,
    /** It lies in a part of its scene that is damaged, as another picture has told already. */
    DAMAGED
  }

  /**
   * A picture that was read.
   *
   * @param left why it is not encoded; then the others are empty
   * @param facts what its document keeps
   * @param pixels as the tower takes them
   * @param unplaced why it is not known where it lies, though its file says so; empty for none
   */
  record Reading(
      Optional<Left> left, Optional<Facts> facts, Optional<PixelTensor> pixels, String unplaced) {
    static Reading of(Facts facts, PixelTensor pixels, String unplaced) {
      return new Reading(Optional.empty(), Optional.of(facts), Optional.of(pixels), unplaced);
    }

    static Reading left(Left why) {
      return new Reading(Optional.of(why), Optional.empty(), Optional.empty(), "");
    }
  }
}
