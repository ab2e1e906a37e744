/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import java.awt.Font;
import java.awt.font.FontRenderContext;
import java.io.IOException;

/** The fonts of pictures with words in them. */
final class Fonts {
  private Fonts() {}

  /**
   * The machine's plain font.
   *
   * @throws IOException when the machine has no font, saying what to install
   */
  static Font sans(int size) throws IOException {
    Font font = new Font(Font.SANS_SERIF, Font.PLAIN, size);
    try {
      font.getStringBounds("a", new FontRenderContext(null, true, true));
    } catch (RuntimeException | LinkageError e) {
      // What the JDK answers where fontconfig finds nothing, the second time with a LinkageError.
      throw new IOException(
          "this machine has no font to write with; install one, such as Debian's fonts-dejavu-core",
          e);
    }
    return font;
  }
}
