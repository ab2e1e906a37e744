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

  public ImageFormatException(String message) {
    super(message);
  }

  public ImageFormatException(String message, Throwable cause) {
    super(message, cause);
  }

  /** Returns one whose message is formatted in the language of no country. */
  @FormatMethod
  static ImageFormatException of(@FormatString String format, Object... arguments) {
    return new ImageFormatException(String.format(Locale.ROOT, format, arguments));
  }
}
