/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.RgbImage;
import java.util.SplittableRandom;

/**
 * The nine operations of section 4.2, which imitate how imaging conditions differ, with the
 * magnitudes of ALBEF's RandAugment (the paper names none; its list is ALBEF's without ShearX).
 */
public enum ImageChange {
  IDENTITY {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return image;
    }
  },
  /** Each channel stretched to 0..255. */
  AUTO_CONTRAST {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return perChannel(image, ImageChange::stretched);
    }
  },
  /** Each channel's histogram made flat, as Pillow's {@code ImageOps.equalize}. */
  EQUALIZE {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return perChannel(image, ImageChange::equalized);
    }
  },
  /** Times 0.1 to 1.9. */
  BRIGHTNESS {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      byte[] out = image.rgb().clone();
      for (int i = 0; i < out.length; i++) {
        out[i] = clamped((out[i] & 0xff) * enhancement(magnitude));
      }
      return new RgbImage(image.width(), image.height(), out);
    }
  },
  /** Away from (or, below a factor of 1, towards) Pillow's smoothed picture, by 0.1 to 1.9. */
  SHARPNESS {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return sharpened(image, enhancement(magnitude));
    }
  },
  /** By up to 0.3, up or down. */
  SHEAR_Y {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return affine(image, 1, 0, sign(random) * 0.3 * magnitude / MAX_MAGNITUDE, 1, 0, 0);
    }
  },
  /** By up to 10 of 224 pixels, left or right. */
  TRANSLATE_X {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return affine(image, 1, 0, 0, 1, sign(random) * shift(magnitude) * image.width(), 0);
    }
  },
  /** By up to 10 of 224 pixels, up or down. */
  TRANSLATE_Y {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      return affine(image, 1, 0, 0, 1, 0, sign(random) * shift(magnitude) * image.height());
    }
  },
  /** By up to 30 degrees, either way. */
  ROTATE {
    @Override
    public RgbImage apply(RgbImage image, double magnitude, SplittableRandom random) {
      double angle = Math.toRadians(sign(random) * 30 * magnitude / MAX_MAGNITUDE);
      return affine(
          image, Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle), 0, 0);
    }
  };

  /** The strongest magnitude. */
  public static final double MAX_MAGNITUDE = 10;

  /** What stands where a geometric change uncovers the edge: mid grey, as in ALBEF. */
  private static final int FILL = 128;

  /**
   * Returns a changed picture of the same extents.
   *
   * @param magnitude 0 to {@link #MAX_MAGNITUDE}; the paper uses 7
   * @param random chooses the direction where there are two
   */
  public abstract RgbImage apply(RgbImage image, double magnitude, SplittableRandom random);

  private static double enhancement(double magnitude) {
    return 0.1 + 1.8 * magnitude / MAX_MAGNITUDE;
  }

  private static double shift(double magnitude) {
    return 10 / 224.0 * magnitude / MAX_MAGNITUDE;
  }

  private static int sign(SplittableRandom random) {
    return random.nextBoolean() ? 1 : -1;
  }

  /** A table of 256 new values from a histogram of 256. */
  private interface Curve {
    int[] of(int[] histogram);
  }

  private static RgbImage perChannel(RgbImage image, Curve curve) {
    byte[] in = image.rgb();
    byte[] out = new byte[in.length];
    for (int c = 0; c < 3; c++) {
      int[] histogram = new int[256];
      for (int i = c; i < in.length; i += 3) {
        histogram[in[i] & 0xff]++;
      }
      int[] table = curve.of(histogram);
      for (int i = c; i < in.length; i += 3) {
        out[i] = (byte) table[in[i] & 0xff];
      }
    }
    return new RgbImage(image.width(), image.height(), out);
  }

  private static int[] stretched(int[] histogram) {
    int low = 0;
    while (low < 255 && histogram[low] == 0) {
      low++;
    }
    int high = 255;
    while (high > 0 && histogram[high] == 0) {
      high--;
    }
    int[] table = new int[256];
    for (int v = 0; v < 256; v++) {
      table[v] = high <= low ? v : clamped(255.0 * (v - low) / (high - low)) & 0xff;
    }
    return table;
  }

  private static int[] equalized(int[] histogram) {
    int pixels = 0;
    int last = 0;
    for (int v = 0; v < 256; v++) {
      pixels += histogram[v];
      last = histogram[v] > 0 ? v : last;
    }
    int step = (pixels - histogram[last]) / 255;
    int[] table = new int[256];
    int sum = step / 2;
    for (int v = 0; v < 256; v++) {
      table[v] = step == 0 ? v : Math.min(255, sum / step);
      sum += histogram[v];
    }
    return table;
  }

  private static RgbImage sharpened(RgbImage image, double factor) {
    int w = image.width();
    byte[] in = image.rgb();
    byte[] out = in.clone(); // the outermost pixels stay as they are, as in Pillow
    for (int y = 1; y < image.height() - 1; y++) {
      for (int i = 3 * (y * w + 1); i < 3 * (y * w + w - 1); i++) {
        int sum = 4 * (in[i] & 0xff);
        for (int row = i - 3 * w; row <= i + 3 * w; row += 3 * w) {
          sum += (in[row - 3] & 0xff) + (in[row] & 0xff) + (in[row + 3] & 0xff);
        }
        double smooth = sum / 13.0;
        out[i] = clamped(smooth + factor * ((in[i] & 0xff) - smooth));
      }
    }
    return new RgbImage(w, image.height(), out);
  }

  /**
   * Maps a picture: each pixel (x, y), seen from the centre, takes the value found bilinearly at (a
   * x + b y + dx, c x + d y + dy).
   */
  private static RgbImage affine(
      RgbImage image, double a, double b, double c, double d, double dx, double dy) {
    int w = image.width();
    int h = image.height();
    double cx = (w - 1) / 2.0;
    double cy = (h - 1) / 2.0;
    byte[] out = new byte[image.rgb().length];
    for (int y = 0; y < h; y++) {
      for (int x = 0; x < w; x++) {
        double u = a * (x - cx) + b * (y - cy) + cx + dx;
        double v = c * (x - cx) + d * (y - cy) + cy + dy;
        int left = (int) Math.floor(u);
        int top = (int) Math.floor(v);
        for (int i = 0; i < 3; i++) {
          double upper = mix(at(image, left, top, i), at(image, left + 1, top, i), u - left);
          double lower =
              mix(at(image, left, top + 1, i), at(image, left + 1, top + 1, i), u - left);
          out[3 * (y * w + x) + i] = clamped(mix(upper, lower, v - top));
        }
      }
    }
    return new RgbImage(w, h, out);
  }

  private static double mix(double from, double to, double share) {
    return from + (to - from) * share;
  }

  private static int at(RgbImage image, int x, int y, int channel) {
    boolean inside = x >= 0 && y >= 0 && x < image.width() && y < image.height();
    return inside ? image.rgb()[3 * (y * image.width() + x) + channel] & 0xff : FILL;
  }

  private static byte clamped(double value) {
    return (byte) Math.min(255, Math.max(0, Math.round(value)));
  }
}
