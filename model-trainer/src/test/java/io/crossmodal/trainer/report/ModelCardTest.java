/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ModelCardTest {
  /** Of Wilson's formula, computed apart. */
  @Test
  void sharesStandWithinTheirIntervals() {
    assertEquals("50.0 (23.7 to 76.3)", ModelCard.share(50, 10));
    assertEquals("0.0 (0.0 to 27.8)", ModelCard.share(0, 10));
    assertEquals("90.8 (85.9 to 94.1)", ModelCard.share(100 * 177 / 195.0, 195));
  }
}
