/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import java.util.Locale;

/** Modality of a field's content; its other side is what it is searched with. */
public enum Modality {
  IMAGE,
  TEXT;

  /** Returns the name in a mapping. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns the constant of a name in a mapping.
   *
   * @throws IllegalArgumentException for a name that is none of them
   */
  public static Modality of(String key) {
    for (Modality modality : values()) {
      if (modality.key().equals(key)) {
        return modality;
      }
    }
    throw new IllegalArgumentException(
        "[modality] must be image or text, got [" + Messages.excerpt(key) + "]");
  }
}
