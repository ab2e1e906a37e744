/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize;
import java.util.Arrays;
import java.util.List;

/**
 * Resizes pictures to S x S as Pillow does, to the bit: a filter that is as much wider as the
 * picture gets smaller, along rows first and then along columns, or, as Pillow 13 does it, the
 * other way round where that leaves less to do; weights of 22 binary places and 8 bits between the
 * two. What is cropped away is not computed. Thread-safe.
 *
 * @see <a
 *     href="https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c">Pillow,
 *     Resample.c</a>
 */
final class PictureResize implements ImageDecoder.Reduction {
  /** 2048 x 2048: larger pictures are thinned out while they are read. */
  static final long WHOLE_PIXELS = 4 << 20;

  /** Binary places of a weight. */
  private static final int PLACES = Integer.SIZE - Byte.SIZE - 2;

  /** Of a grey level: sums start from it, to be rounded when they are cut. */
  private static final int HALF = 1 << (PLACES - 1);

  private static final double BICUBIC_A = -0.5;

  private final Resize resize;
  private final int side;
  private final byte[] mean;

  PictureResize(SensorConfig sensor) {
    resize = sensor.resize();
    side = sensor.imageSize();
    List<Double> colour = sensor.mean();
    mean = new byte[3];
    for (int c = 0; c < 3; c++) {
      mean[c] = (byte) Math.round(255 * Math.max(0, Math.min(1, colour.get(c))));
    }
  }

  /**
   * Of a picture of up to {@link #WHOLE_PIXELS}, or 8 S x 8 S where that is more, all is read, and
   * the result is Pillow's. Of a larger one every nth column and row, with the smallest n that
   * leaves so few, but its short side no less than S: the result is that of the thinner picture.
   */
  @Override
  public ImageDecoder.Steps of(int width, int height) {
    long most = Math.max(WHOLE_PIXELS, 64L * side * side);
    int step = 1;
    while ((long) Math.ceilDiv(width, step) * Math.ceilDiv(height, step) > most
        && Math.min(width, height) >= (step + 1) * side) {
      step++;
    }
    return new ImageDecoder.Steps(step, step);
  }

  /** Memory that {@link #apply} takes at most beside its argument and its result. */
  long bytes(long width, long height) {
    long longest = Math.max(side, Math.max(width, height));
    // What is resized along one axis and the sums of a row; of both axes the weights, four filter
    // halves wide, as they are computed and as they are kept.
    long weight = Double.BYTES + Integer.BYTES;
    return 3L * (side + Integer.BYTES) * longest + 2 * (4 * weight * longest + 16 * weight * side);
  }

  /** Returns a picture of any extents as the model sees it, S x S. */
  RgbImage apply(RgbImage picture) {
    int width = picture.width();
    int height = picture.height();
    return switch (resize.fit()) {
      case CROP -> {
        int shorter = Math.min(width, height);
        int wide = Math.toIntExact(Math.max(side, (long) side * width / shorter));
        int high = Math.toIntExact(Math.max(side, (long) side * height / shorter));
        yield resample(picture, wide, high, middle(wide), middle(high), side, side);
      }
      case SQUASH -> resample(picture, side, side, 0, 0, side, side);
      case PAD -> {
        double ratio = (double) Math.max(width, height) / side;
        int wide = Math.max(1, (int) Math.rint(width / ratio));
        int high = Math.max(1, (int) Math.rint(height / ratio));
        yield padded(resample(picture, wide, high, 0, 0, wide, high));
      }
    };
  }

  /** Python's round, as torchvision calls it: halves go to the even number. */
  private int middle(int length) {
    return (int) Math.rint((length - side) / 2.0);
  }

  private RgbImage padded(RgbImage picture) {
    if (picture.width() == side && picture.height() == side) {
      return picture;
    }
    byte[] out = new byte[3 * side * side];
    for (int i = 0; i < out.length; i += 3) {
      System.arraycopy(mean, 0, out, i, 3);
    }
    int left = (side - picture.width()) / 2;
    int top = (side - picture.height()) / 2;
    int row = 3 * picture.width();
    for (int y = 0; y < picture.height(); y++) {
      System.arraycopy(picture.rgb(), row * y, out, 3 * ((top + y) * side + left), row);
    }
    return new RgbImage(side, side, out);
  }

  /**
   * Returns a part of a resized picture.
   *
   * @param wide columns of the whole resized picture
   * @param high rows of it
   * @param left first column of the part, of {@code columns}
   * @param top first row of the part, of {@code rows}
   */
  private RgbImage resample(
      RgbImage picture, int wide, int high, int left, int top, int columns, int rows) {
    if (picture.width() == wide && picture.height() == high && columns == wide && rows == high) {
      return picture;
    }
    Taps across = Taps.of(resize.filter(), picture.width(), wide, left, columns);
    Taps down = Taps.of(resize.filter(), picture.height(), high, top, rows);
    int fewerRows = picture.height() - high;
    int stride = 3 * picture.width();
    byte[] out;
    if (fewerRows > 0 && fewerRows > 2 * (picture.width() - wide)) {
      int from = across.first[0];
      byte[] low = down.alongColumns(picture.rgb(), stride, 3 * from, 3 * (across.end() - from), 0);
      out = across.alongRows(low, across.end() - from, from, 0, rows);
    } else {
      int from = down.first[0];
      byte[] narrow = across.alongRows(picture.rgb(), picture.width(), 0, from, down.end());
      out = down.alongColumns(narrow, 3 * columns, 0, 3 * columns, from);
    }
    return new RgbImage(columns, rows, out);
  }

  /**
   * For each pixel of a row or column of the result, the weights of the source's.
   *
   * @param first source pixel that it reads
   * @param weights of that and those that follow it, of sum 2^22 but for rounding
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Taps(int[] first, int[][] weights) {
    /** For {@code count} pixels from {@code from} on, of {@code to} made of {@code length}. */
    static Taps of(Resize.Filter filter, int length, int to, int from, int count) {
      int[] first = new int[count];
      int[][] weights = new int[count][];
      double scale = (double) length / to;
      double reduction = Math.max(1, scale);
      double support = reduction * (filter == Resize.Filter.BICUBIC ? 2 : 1);
      double inverse = 1 / reduction;
      for (int i = 0; i < count; i++) {
        double centre = (from + i + 0.5) * scale;
        first[i] = Math.max(0, (int) (centre - support + 0.5));
        double[] exact = new double[Math.min(length, (int) (centre + support + 0.5)) - first[i]];
        double sum = 0;
        for (int k = 0; k < exact.length; k++) {
          exact[k] = weight(filter, Math.abs((k + first[i] - centre + 0.5) * inverse));
          sum += exact[k];
        }
        weights[i] = new int[exact.length];
        for (int k = 0; k < exact.length; k++) {
          double share = exact[k] / sum * (1 << PLACES);
          weights[i][k] = (int) (share < 0 ? share - 0.5 : share + 0.5);
        }
      }
      return new Taps(first, weights);
    }

    /** The filter at a distance from its middle. */
    private static double weight(Resize.Filter filter, double x) {
      double a = BICUBIC_A;
      return switch (filter) {
        case BICUBIC ->
            x < 1
                ? ((a + 2) * x - (a + 3)) * x * x + 1
                : x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
        case BILINEAR -> Math.max(0, 1 - x);
      };
    }

    /** One behind the last source pixel that is read. */
    int end() {
      return first[first.length - 1] + weights[first.length - 1].length;
    }

    /**
     * Resizes rows.
     *
     * @param rgb rows of {@code width} pixels
     * @param firstColumn of the source that stands first in a row
     * @param firstRow of {@code rgb} that is resized
     * @param endRow one behind the last of them
     */
    byte[] alongRows(byte[] rgb, int width, int firstColumn, int firstRow, int endRow) {
      byte[] out = new byte[3 * first.length * (endRow - firstRow)];
      int to = 0;
      for (int y = firstRow; y < endRow; y++) {
        for (int x = 0; x < first.length; x++, to += 3) {
          int[] w = weights[x];
          int from = 3 * (y * width + first[x] - firstColumn);
          int red = HALF;
          int green = HALF;
          int blue = HALF;
          for (int k = 0; k < w.length; k++) {
            red += w[k] * (rgb[from + 3 * k] & 0xff);
            green += w[k] * (rgb[from + 3 * k + 1] & 0xff);
            blue += w[k] * (rgb[from + 3 * k + 2] & 0xff);
          }
          out[to] = grey(red);
          out[to + 1] = grey(green);
          out[to + 2] = grey(blue);
        }
      }
      return out;
    }

    /**
     * Resizes columns.
     *
     * @param rgb rows of {@code stride} values
     * @param from first value of a row that is resized
     * @param width values of a row that are resized
     * @param firstRow of the source that stands first in {@code rgb}
     */
    byte[] alongColumns(byte[] rgb, int stride, int from, int width, int firstRow) {
      byte[] out = new byte[width * first.length];
      int[] sums = new int[width];
      for (int y = 0; y < first.length; y++) {
        // A weight at a time along the whole row, which the compiler turns into vector code.
        Arrays.fill(sums, HALF);
        for (int k = 0; k < weights[y].length; k++) {
          int weight = weights[y][k];
          int at = stride * (first[y] + k - firstRow) + from;
          for (int i = 0; i < width; i++) {
            sums[i] += weight * (rgb[at + i] & 0xff);
          }
        }
        for (int i = 0; i < width; i++) {
          out[width * y + i] = grey(sums[i]);
        }
      }
      return out;
    }

    private static byte grey(int sum) {
      return (byte) Math.max(0, Math.min(255, sum >> PLACES));
    }
  }
}
