/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import java.io.IOException;
import org.junit.jupiter.api.Assumptions;

/** Drawing words needs a font; a bare server may have none. */
public final class FontAssumption {
  private FontAssumption() {}

  /** Skips the test, with a printed line, where there is no font. */
  public static void check() {
    try {
      Pictures.sans(12);
    } catch (IOException e) {
      System.out.println("skipped: " + e.getMessage());
      Assumptions.abort(e.getMessage());
    }
  }
}
