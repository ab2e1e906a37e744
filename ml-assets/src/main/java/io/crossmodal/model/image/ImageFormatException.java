/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import java.util.Locale;

/** Bytes that are no picture we take; the message says what they are and what is accepted. */
public final class ImageFormatException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final boolean damage;

  public ImageFormatException(String message) {
    this(message, null);
  }

  public ImageFormatException(String message, Throwable cause) {
    this(message, cause, false);
  }

  /**
   * Makes one.
   *
   * @param damage whether the file is not whole, or not as its kind must be
   */
  ImageFormatException(String message, Throwable cause, boolean damage) {
    super(message, cause);
    this.damage = damage;
  }

  /** Returns whether the file is damaged, and not of a kind that is not read. */
  public boolean isDamage() {
    return damage;
  }

  /** Returns one whose message is formatted in the language of no country. */
  @FormatMethod
  static ImageFormatException of(@FormatString String format, Object... arguments) {
    return new ImageFormatException(String.format(Locale.ROOT, format, arguments));
  }
}
