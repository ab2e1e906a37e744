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

  /**
   * Shares of the splits for labelled folders, which have no split of their own.
   *
   * @param train share of the training images, 0 to 1
   * @param val share of the validation images, 0 to 1
   * @param test share of the test images, 0 to 1; the three add up to 1
   */
  public record Shares(double train, double val, double test) {
    /** Four fifths for training, a tenth each for the others. */
    public static final Shares DEFAULT = new Shares(0.8, 0.1, 0.1);

    private static final double ROUNDING = 1e-9;

    public Shares {
      if (!(train >= 0 && val >= 0 && test >= 0)
          || !(Math.abs(train + val + test - 1) < ROUNDING)) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "shares of train, val and test must be at least 0 and add up to 1, got %s, %s, %s",
                train,
                val,
                test));
      }
    }

    /**
     * Returns where a place between 0 and 1 falls when train, val and test lie side by side.
     *
     * @param place at least 0, below 1
     */
    Split at(double place) {
      if (place < train) {
        return Split.TRAIN;
      }
      if (place < train + val) {
        return Split.VAL;
      }
      // Shares that add up to just below 1 must not give a share of 0 an image.
      return test > 0 ? Split.TEST : val > 0 ? Split.VAL : Split.TRAIN;
    }
  }
}
