/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * How pictures are shown, to the model and to people.
 *
 * @param thumbnail longest side of what a document keeps for people, in pixels; 0 for none
 * @param stretch of TIFF files whose samples are no colours of 8 bits; empty: they are refused
 * @param rgb bands of a TIFF that are red, green and blue, counted from 0; none: as the file says
 */
public record Look(int thumbnail, Optional<Stretch> stretch, List<Integer> rgb) {
  /** The longest side that the command encode makes unless it is told otherwise. */
  public static final int THUMBNAIL = 192;

  /** As files say it themselves, without thumbnails. */
  public static final Look PLAIN = new Look(0, Optional.empty(), List.of());

  public Look {
    Objects.requireNonNull(stretch, "stretch");
    rgb = List.copyOf(rgb);
    if (!(rgb.isEmpty() || rgb.size() == 3) || rgb.stream().anyMatch(band -> band < 0)) {
      throw new IllegalArgumentException(
          "three bands are red, green and blue, counted from 1, such as 3,2,1; got "
              + rgb.stream().map(band -> band + 1).toList());
    }
    // Refuses what is none.
    new Thumbnails(thumbnail);
  }

  /** Returns about how many bytes a thumbnail takes in a document. */
  public int thumbnailBytes() {
    return new Thumbnails(thumbnail).documentBytes();
  }

  /** Returns the same without thumbnails. */
  public Look withoutThumbnails() {
    return new Look(0, stretch, rgb);
  }

  /** Returns whether TIFF files are shown in another way than they say. */
  boolean changes() {
    return stretch.isPresent() || !rgb.isEmpty();
  }

  /**
   * Returns it as words that follow others, the same for two that show pictures to the model alike;
   * nothing where they are shown as files say.
   */
  public String key() {
    return stretch.map(values -> " stretch=" + values).orElse("")
        + (rgb.isEmpty() ? "" : " rgb=" + rgb.toString().replace(" ", ""));
  }
}
