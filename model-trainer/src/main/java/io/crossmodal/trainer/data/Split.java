/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.util.Locale;
import java.util.Optional;

/** The part of a data set that an image belongs to. */
public enum Split {
  TRAIN,
  VAL,
  TEST;

  /** For messages about a name that is none of these. */
  static final String EXPECTED = "train, restval, val or test expected";

  /** Returns the name as files write it: train, val, test. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns the split of that name. "restval", COCO's validation images outside the usual
   * validation split, is used for training, as everyone does since Karpathy and Fei-Fei (2015).
   */
  static Optional<Split> of(String label) {
    return switch (label) {
      case "train", "restval" -> Optional.of(TRAIN);
      case "val" -> Optional.of(VAL);
      case "test" -> Optional.of(TEST);
      default -> Optional.empty();
    };
  }
}
