/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.encoding;

import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Thumbnails;
import java.util.Objects;
import java.util.Optional;

/**
 * How picture files are read beside what their sensor says.
 *
 * @param stretch which measured values are black and white; empty: such files are refused
 * @param thumbnails what is made of them for people
 */
public record PictureOptions(Optional<Stretch> stretch, Thumbnails thumbnails) {
  /** Files as they are, and no thumbnails. */
  public static final PictureOptions PLAIN =
      new PictureOptions(Optional.empty(), new Thumbnails(0));

  public PictureOptions {
    Objects.requireNonNull(thumbnails, "thumbnails");
    checkValues(stretch);
  }

  /**
   * Checks the stretch of a field or a query.
   *
   * @throws IllegalArgumentException for percentiles, which are other values in each picture
   */
  public static void checkValues(Optional<Stretch> stretch) {
    if (stretch.isPresent() && stretch.get().percentiles()) {
      throw new IllegalArgumentException(
          "[stretch] is of values, MIN:MAX such as 0:3000, the same for all pictures of a field and"
              + " what they are compared with; got percentiles, "
              + stretch.get());
    }
  }

  /** Returns the same without thumbnails, as for queries. */
  public PictureOptions withoutThumbnails() {
    return new PictureOptions(stretch, PLAIN.thumbnails);
  }

  /** Returns the same with another stretch, where one is given. */
  public PictureOptions stretched(Optional<Stretch> other) {
    return new PictureOptions(other.or(() -> stretch), thumbnails);
  }
}
