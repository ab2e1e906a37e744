/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.time.LocalDateTime;

/** The time that zip entries carry, so that equal content gives equal bytes. */
public final class FixedTime {
  /** The first moment that a zip entry can hold. */
  public static final LocalDateTime EPOCH = LocalDateTime.of(1980, 1, 1, 0, 0);

  private FixedTime() {}
}
