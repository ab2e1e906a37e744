/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.JpegWriter;
import io.crossmodal.model.image.RgbImage;
import java.awt.Font;
import java.awt.font.FontRenderContext;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import javax.imageio.ImageIO;

/** Pictures of an archive as they are shown: squares, as the model sees them, but not as small. */
final class Pictures {
  /** The JDK's own where none is given. */
  private static final float QUALITY = 0.75f;

  private Pictures() {}

  /**
   * Returns a picture file in any size.
   *
   * @param sensor that sees it, cropped perhaps
   * @param side of the square that is made of it, in pixels
   * @throws io.crossmodal.model.image.ImageFormatException when the bytes are no picture we take
   */
  static RgbImage decode(byte[] file, SensorConfig sensor, int side) {
    // The model's own decoder: what it refuses or sees in another way must not look well here.
    return new ImagePreprocessor(SensorConfig.rgb(side).withResize(sensor.resize())).decode(file);
  }

  /** Returns the bytes of a JPEG file. */
  static byte[] jpeg(RgbImage picture) {
    return JpegWriter.write(JpegWriter.buffered(picture), QUALITY);
  }

  /** Returns the bytes of a PNG file. */
  static byte[] png(BufferedImage picture) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (!ImageIO.write(picture, "png", out)) {
      throw new IOException("this JDK does not write PNG");
    }
    return out.toByteArray();
  }

  /**
   * Returns the machine's plain font.
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
