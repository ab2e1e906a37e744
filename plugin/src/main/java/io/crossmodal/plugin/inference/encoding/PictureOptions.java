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
    if (stretch.isPresent() && stretch.get().percentiles()) {
      throw new IllegalArgumentException(
          "the stretch of a field is of values, MIN:MAX such as 0:3000, and the same for all of its"
              + " pictures; got percentiles, "
              + stretch.get());
    }
  }

  /** Returns the same without thumbnails, as for queries. */
  public PictureOptions withoutThumbnails() {
    return new PictureOptions(stretch, PLAIN.thumbnails);
  }
}
