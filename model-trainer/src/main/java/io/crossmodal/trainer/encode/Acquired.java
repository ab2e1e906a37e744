/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** When scenes were taken, by their names: those of Sentinel, Landsat and NAIP, and like them. */
final class Acquired {
  private static final Pattern DATE =
      Pattern.compile(
          "(?<!\\d)((?:19|20)\\d{2})-?([01]\\d)-?([0-3]\\d)"
              + "(?:T([0-2]\\d)([0-5]\\d)([0-5]\\d))?(?!\\d)");

  private Acquired() {}

  /** Returns the first date in a file's name, or its folder's, UTC. */
  static Optional<Instant> of(Path scene) {
    Optional<Instant> own = of(String.valueOf(scene.getFileName()));
    Path folder = scene.getParent();
    return own.isPresent() || folder == null ? own : of(String.valueOf(folder.getFileName()));
  }

  private static Optional<Instant> of(String name) {
    for (Matcher date = DATE.matcher(name); date.find(); ) {
      try {
        LocalDate day =
            LocalDate.of(number(date.group(1)), number(date.group(2)), number(date.group(3)));
        LocalTime time =
            date.group(4) == null
                ? LocalTime.MIDNIGHT
                : LocalTime.of(number(date.group(4)), number(date.group(5)), number(date.group(6)));
        return Optional.of(day.atTime(time).toInstant(ZoneOffset.UTC));
      } catch (DateTimeException e) {
        // Digits that are no date; there may be one behind them.
      }
    }
    return Optional.empty();
  }

  private static int number(String digits) {
    return Integer.parseInt(digits);
  }
}
