/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.awt.color.CMMException;
import java.awt.color.ColorSpace;
import java.awt.color.ICC_Profile;
import java.awt.image.ColorConvertOp;
import java.awt.image.DataBuffer;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.awt.image.WritableRaster;

/**
 * From samples to sRGB: by the ICC profile where the file has one, else grey and RGB are taken for
 * sRGB and CMYK for ideal inks, as browsers and Pillow do. What is not opaque is laid over white,
 * as a page shows it.
 */
final class Colours {
  private Colours() {}

  /**
   * Converts.
   *
   * @param samples whose values are changed; with a channel of opacity after the colours, or none
   * @param profile the file's ICC profile; empty: none
   * @throws ImageFormatException when the profile is damaged or one of other colours
   */
  static RgbImage rgb(Samples samples, Samples.Meaning meaning, byte[] profile) {
    int colours = meaning.channels();
    byte[] opacity = null;
    byte[] values = samples.values();
    int area = samples.width() * samples.height();
    if (samples.channels() > colours) {
      opacity = new byte[area];
      values = new byte[area * colours];
      for (int i = 0; i < area; i++) {
        System.arraycopy(samples.values(), i * samples.channels(), values, i * colours, colours);
        opacity[i] = samples.values()[i * samples.channels() + colours];
      }
    }
    byte[] rgb =
        profile.length > 0
            ? byProfile(samples.width(), samples.height(), meaning, values, profile)
            : plain(meaning, values, area);
    for (int i = 0; opacity != null && i < rgb.length; i++) {
      int opaque = opacity[i / 3] & 0xff;
      rgb[i] = (byte) (((rgb[i] & 0xff) * opaque + 255 * (255 - opaque) + 127) / 255);
    }
    return new RgbImage(samples.width(), samples.height(), rgb);
  }

  private static byte[] plain(Samples.Meaning meaning, byte[] values, int area) {
    if (meaning == Samples.Meaning.RGB) {
      return values;
    }
    byte[] rgb = new byte[3 * area];
    int colours = meaning.channels();
    for (int i = 0; i < rgb.length; i++) {
      int from = i / 3 * colours;
      if (meaning == Samples.Meaning.GREY) {
        rgb[i] = values[from];
      } else {
        int inverted = meaning == Samples.Meaning.CMYK ? 255 : 0;
        int light = (values[from + i % 3] & 0xff) ^ inverted;
        int white = (values[from + 3] & 0xff) ^ inverted;
        rgb[i] = (byte) ((light * white + 127) / 255);
      }
    }
    return rgb;
  }

  private static byte[] byProfile(
      int width, int height, Samples.Meaning meaning, byte[] values, byte[] profile) {
    if (meaning == Samples.Meaning.INVERTED_CMYK) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (byte) ~values[i];
      }
    }
    try {
      ICC_Profile from = ICC_Profile.getInstance(profile);
      if (from.getNumComponents() != meaning.channels()) {
        throw ImageFormatException.of(
            "the picture's ICC profile is one of %d channels, it has %d;"
                + " exiftool -icc_profile:all= removes it",
            from.getNumComponents(), meaning.channels());
      }
      WritableRaster in = raster(width, height, meaning.channels(), values);
      WritableRaster out = raster(width, height, 3, new byte[3 * width * height]);
      ICC_Profile[] profiles = {from, ICC_Profile.getInstance(ColorSpace.CS_sRGB)};
      new ColorConvertOp(profiles, null).filter(in, out);
      return ((DataBufferByte) out.getDataBuffer()).getData();
    } catch (CMMException | IllegalArgumentException e) {
      if (e instanceof ImageFormatException refusal) {
        throw refusal;
      }
      throw new ImageFormatException(
          "the picture's ICC profile is damaged, "
              + e.getMessage()
              + "; exiftool -icc_profile:all= removes it",
          e);
    }
  }

  private static WritableRaster raster(int width, int height, int channels, byte[] values) {
    int[] offsets = new int[channels];
    for (int i = 0; i < channels; i++) {
      offsets[i] = i;
    }
    DataBuffer buffer = new DataBufferByte(values, values.length);
    return Raster.createInterleavedRaster(
        buffer, width, height, channels * width, channels, offsets, null);
  }

  /**
   * Luma and chroma of JFIF, full range, to red, green and blue, in place.
   *
   * @param channels of a pixel, of which the first three are changed
   */
  static void fromYcc(byte[] values, int channels) {
    for (int i = 0; i + 2 < values.length; i += channels) {
      int y = values[i] & 0xff;
      int cb = (values[i + 1] & 0xff) - 128;
      int cr = (values[i + 2] & 0xff) - 128;
      // Times 2^16, as libjpeg rounds.
      values[i] = clamped(y + ((91_881 * cr + 32_768) >> 16));
      values[i + 1] = clamped(y + ((-22_554 * cb - 46_802 * cr + 32_768) >> 16));
      values[i + 2] = clamped(y + ((116_130 * cb + 32_768) >> 16));
    }
  }

  private static byte clamped(int value) {
    return (byte) Math.clamp(value, 0, 255);
  }
}
