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
   * Tells a picture from others, by the first two of its {@link Facts}.
   *
   * @param identity as there
   * @param digest as there
   */
  record Identity(String identity, String digest) {}

  /**
   * Returns what tells it from others; its files are read, its pixels not decoded. Empty where that
   * is not known before it is read.
   *
   * @throws IllegalArgumentException as {@link #read} does
   * @throws IOException likewise
   */
  default Optional<Identity> identity(PictureReader reader) throws IOException {
    return Optional.empty();
  }

  /**
   * Reads it.
   *
   * @throws IllegalArgumentException when it cannot be encoded, saying why
   * @throws IOException when its file cannot be read
   */
  Reading read(PictureReader reader) throws IOException;

  /**
   * Returns a name of 128 bits for what it is read from and what makes it show too little; empty
   * where that is not remembered.
   */
  default Optional<String> emptyStamp() {
    return Optional.empty();
  }

  /**
   * Thrown for a picture in a part of its scene that is damaged, or of a scene that cannot be read
   * at all, as another one has told.
   */
  final class KnownDamage extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    KnownDamage(Exception damage) {
      super(damage.getMessage(), damage);
    }
  }

  /** Called when it is dealt with, read or not. */
  void done();

  /** Returns whether it is known, without a look at its files, that its document is there. */
  default boolean isKnown() {
    return false;
  }

  /**
   * Called when nothing is left to do for it: its document is kept, or was there before, or it
   * shows too little for one. By any thread.
   */
  default void settled() throws IOException {}

  /** Returns its token block, where it was encoded before. */
  default Optional<byte[]> tokens() {
    return Optional.empty();
  }

  /** Returns where it comes from, beside its file. */
  default Provenance provenance() {
    return Provenance.NONE;
  }

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

  /**
   * A picture that was read.
   *
   * @param facts empty where it shows too little to be encoded
   * @param pixels likewise
   * @param unplaced why it is not known where it lies, though its file says so; empty for none
   */
  record Reading(Optional<Facts> facts, Optional<PixelTensor> pixels, String unplaced) {
    /** Of a window that is outside of what was seen. */
    static final Reading SHOWS_NOTHING = new Reading(Optional.empty(), Optional.empty(), "");
  }
}
