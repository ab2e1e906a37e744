/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * From a picture file to what a sensor's tower takes: decode, resize to S x S as the {@linkplain
 * SensorConfig#resize sensor says}, subtract the mean, divide by the deviation. Ordinary pictures
 * are scaled to 0..1 before; bands keep the file's own numbers, or become decibels where the sensor
 * says so. Thread-safe; the trainer uses the same code, so a picture has the same tensor
 * everywhere.
 */
public final class ImagePreprocessor {
  /** Of a multi-band picture more than this share undefined: it is refused. */
  public static final double MAX_UNDEFINED = 0.2;

  private static final float LEAST_POWER = 1e-6f;

  /** Names of bands that are red, green and blue. */
  private static final List<List<String>> COLOURS =
      List.of(
          List.of("b04", "b03", "b02"), List.of("b4", "b3", "b2"), List.of("red", "green", "blue"));

  private final SensorConfig sensor;

  /** Null where the sensor names no resize. */
  private final PictureResize resize;

  /** Null where samples of more than 8 bits are a picture's. */
  private final Stretch stretch;

  /**
   * A preprocessor for one sensor.
   *
   * @throws IllegalArgumentException when an ordinary sensor has another number of channels than
   *     the three that picture files give
   */
  public ImagePreprocessor(SensorConfig sensor) {
    this(sensor, Optional.empty());
  }

  /**
   * A preprocessor for one sensor, of which some pictures hold measured values.
   *
   * @param stretch which values of TIFF files that are no colours of 8 bits, and of PNG files of 16
   *     bits, are black and white; values and no percentiles; not for sensors that take bands
   * @throws IllegalArgumentException as above
   */
  public ImagePreprocessor(SensorConfig sensor, Optional<Stretch> stretch) {
    this.sensor = sensor;
    this.stretch = sensor.bands() == null ? stretch.orElse(null) : null;
    this.resize = sensor.resize() == null ? null : new PictureResize(sensor);
    if (sensor.bands() == null && sensor.channels() != 3) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "sensor [%s] has %d channels and names no bands; picture files give 3",
              sensor.name(),
              sensor.channels()));
    }
  }

  /**
   * From a picture file to a tensor.
   *
   * @throws ImageFormatException when the bytes are no picture we take
   */
  public PixelTensor preprocess(byte[] file) {
    return sensor.bands() == null ? normalise(decode(file)) : normalise(decodeBands(file));
  }

  /**
   * Memory that {@link #preprocess} takes at most: a small file may be a large picture. Only the
   * header is read.
   *
   * @throws ImageFormatException when the header shows that it is no picture we take
   */
  public long bytes(byte[] file) {
    long side = kept();
    long area = side * side;
    long resized = 2L * Float.BYTES * sensor.channels() * area;
    if (isStretched(file)) {
      GeoTiff tiff = GeoTiff.open(file);
      return tiff.bytes() + 6L * tiff.width() * tiff.height() + 3 * area * Float.BYTES + resized;
    }
    if (resize != null) {
      return ImageDecoder.bytes(file, resize, resize::bytes) + resized;
    }
    ImageDecoder.Reduction square = ImageDecoder.Reduction.toSquare(kept());
    if (sensor.bands() == null) {
      // Of the resize, the columns as floats: decoding leaves less than 8 x side rows.
      return ImageDecoder.bytes(file, square, (w, h) -> 3 * 8 * area * Float.BYTES) + resized;
    }
    // Once more in the sensor's units, and a band of them to count what is undefined.
    int floats = (isPower() ? sensor.channels() : 0) + 1;
    if (!GeoTiff.isTiff(file)) {
      int more = Float.BYTES * (sensor.channels() + floats);
      return ImageDecoder.bytes(file, square, (w, h) -> w * h * more) + resized;
    }
    GeoTiff tiff = GeoTiff.open(file);
    long rows = 2 * Float.BYTES * side * tiff.height();
    return tiff.bytes()
        + Float.BYTES * (long) floats * tiff.width() * tiff.height()
        + rows
        + resized;
  }

  /**
   * Decoded and resized to S x S, not yet normalised: what the trainer keeps.
   *
   * @throws ImageFormatException when the bytes are no picture we take
   */
  public RgbImage decode(byte[] file) {
    if (isStretched(file)) {
      return sized(stretched(file));
    }
    return sized(
        ImageDecoder.decode(
            file, resize == null ? ImageDecoder.Reduction.toSquare(kept()) : resize, stretch));
  }

  /**
   * Does the same without enlarging: S x S, or a square of the picture's longer side where that is
   * less. What crops a picture before it is resized would else see it blurred by being resized
   * twice. Where the sensor names a resize, that decides which part of a picture is seen, at any
   * side.
   *
   * @throws ImageFormatException as {@link #decode}
   */
  public RgbImage decodeNoLarger(byte[] file) {
    if (resize != null) {
      return decode(file);
    }
    RgbImage picture = ImageDecoder.decode(file, kept());
    return picture.resize(Math.min(kept(), Math.max(picture.width(), picture.height())));
  }

  /**
   * A picture file for people: all of it, in its own proportions.
   *
   * @param longest side in pixels; a picture that has no more keeps its size
   * @throws ImageFormatException as {@link #decode}
   */
  public static RgbImage preview(byte[] file, int longest) {
    return ImageDecoder.decode(file, previewed(longest)).fit(longest);
  }

  private static ImageDecoder.Reduction previewed(int longest) {
    return (width, height) -> {
      int step = Math.max(1, Math.max(width, height) / (4 * longest));
      return new ImageDecoder.Steps(step, step);
    };
  }

  /**
   * A picture file for people, as the sensor sees it: measured values are stretched, or drawn by
   * the range of most of them.
   *
   * @param longest side in pixels; a picture that has no more keeps its size
   * @throws ImageFormatException as {@link #decode}
   */
  public RgbImage drawn(byte[] file, int longest) {
    if (isStretched(file)) {
      return stretched(file).fit(longest);
    }
    if (sensor.bands() != null && GeoTiff.isTiff(file)) {
      return drawn(GeoTiff.open(file).read()).fit(longest);
    }
    return ImageDecoder.decode(file, previewed(longest), stretch).fit(longest);
  }

  /** Bands as colours: red, green and blue where there are such, else the first as grey. */
  public RgbImage drawn(BandImage image) {
    List<String> names =
        sensor.bands().names().stream().map(name -> name.toLowerCase(Locale.ROOT)).toList();
    List<Integer> shown =
        COLOURS.stream()
            .filter(names::containsAll)
            .findFirst()
            .map(colours -> colours.stream().map(names::indexOf).toList())
            .orElse(List.of(0));
    return Stretch.ofMost(image, shown).apply(image, shown);
  }

  /** Memory that {@link #drawn(byte[], int)} takes at most; as {@link #bytes}. */
  public long drawnBytes(byte[] file, int longest) {
    if (isStretched(file) || (sensor.bands() != null && GeoTiff.isTiff(file))) {
      GeoTiff tiff = GeoTiff.open(file);
      return tiff.bytes() + (6L + Float.BYTES * 6L) * tiff.width() * tiff.height();
    }
    long area = (long) longest * longest;
    return ImageDecoder.bytes(file, previewed(longest), (w, h) -> 3 * 8 * area * Float.BYTES);
  }

  private boolean isStretched(byte[] file) {
    return stretch != null && GeoTiff.isTiff(file) && !GeoTiff.open(file).hasColours();
  }

  private RgbImage stretched(byte[] file) {
    GeoTiff tiff = GeoTiff.open(file);
    if (tiff.shown().isEmpty()) {
      throw ImageFormatException.of(
          "%d bands, and the file says of none that it is red, green or blue: gdal_translate -b RED"
              + " -b GREEN -b BLUE -colorinterp red,green,blue makes one that does",
          tiff.bands());
    }
    return stretch.apply(tiff.read(), tiff.shown());
  }

  /** A picture of any extents as the sensor sees it, S x S. */
  public RgbImage sized(RgbImage picture) {
    return resize == null
        ? picture.resize(kept()).sample(sensor.imageSize())
        : resize.apply(picture);
  }

  private int kept() {
    return sensor.sampledFrom() == null ? sensor.imageSize() : sensor.sampledFrom();
  }

  /**
   * Bands decoded and resized to S x S, not yet normalised. A GeoTIFF, or a picture file whose grey
   * levels or colours, 0 to 255, are the bands.
   *
   * @throws ImageFormatException when the bytes are no picture we take, when it has other bands
   *     than the sensor, or when too much of it is undefined
   */
  public BandImage decodeBands(byte[] file) {
    BandImage image =
        GeoTiff.isTiff(file)
            ? GeoTiff.open(file).read()
            : bands(ImageDecoder.decode(file, sensor.imageSize()));
    return prepare(image);
  }

  /**
   * The bands of a JPEG or PNG at its own size, 0 to 255; of an ordinary sensor its colours, 0 to
   * 1.
   *
   * @throws ImageFormatException as {@link #decodeBands}
   */
  public BandImage bandsOfPicture(byte[] file) {
    return bands(ImageDecoder.decode(file, ImageDecoder.MAX_SIDE));
  }

  /**
   * Bands of one picture, checked, resized to S x S and in the sensor's units.
   *
   * @param image as files have it, one band a channel
   * @throws ImageFormatException as {@link #decodeBands}
   */
  public BandImage prepare(BandImage image) {
    if (image.bands() != sensor.channels()) {
      throw ImageFormatException.of(
          "%d bands where sensor [%s] has %d, %s, in this order",
          image.bands(), sensor.name(), sensor.channels(), sensor.bands().names());
    }
    BandImage converted = units(image);
    for (int band = 0; band < image.bands(); band++) {
      double undefined = converted.select(band).undefined();
      if (undefined > MAX_UNDEFINED) {
        throw ImageFormatException.of(
            "band %s has no data at %.0f %% of its pixels, at most %.0f %% are filled in",
            sensor.bands().names().get(band), 100 * undefined, 100 * MAX_UNDEFINED);
      }
    }
    return converted.resize(sensor.imageSize());
  }

  /** Returns the share of the band that has the most undefined pixels, in the sensor's units. */
  public double undefined(BandImage image) {
    BandImage converted = units(image);
    return IntStream.range(0, image.bands())
        .mapToDouble(band -> converted.select(band).undefined())
        .max()
        .orElse(0);
  }

  private boolean isPower() {
    return sensor.bands() != null && sensor.bands().values() == BandInput.Values.POWER_TO_DECIBEL;
  }

  private BandImage units(BandImage image) {
    if (!isPower()) {
      return image;
    }
    float[] values = image.values().clone();
    for (int i = 0; i < values.length; i++) {
      // Zero is the border of a scene, not the faintest echo.
      values[i] =
          values[i] > 0 ? (float) (10 * Math.log10(Math.max(values[i], LEAST_POWER))) : Float.NaN;
    }
    return new BandImage(image.bands(), image.width(), image.height(), values);
  }

  /** Red, green and blue; for a sensor of one band, of a grey picture, its grey. */
  private BandImage bands(RgbImage image) {
    byte[] rgb = image.rgb();
    boolean one = sensor.channels() == 1;
    float scale = sensor.bands() == null ? 255 : 1;
    int area = image.width() * image.height();
    float[] values = new float[one ? area : 3 * area];
    for (int i = 0; i < area; i++) {
      if (one && (rgb[3 * i] != rgb[3 * i + 1] || rgb[3 * i] != rgb[3 * i + 2])) {
        throw ImageFormatException.of(
            "a coloured picture, 3 bands, where sensor [%s] has one, %s",
            sensor.name(), sensor.bands().names());
      }
      for (int band = 0; band * area < values.length; band++) {
        values[band * area + i] = (rgb[3 * i + band] & 0xff) / scale;
      }
    }
    return new BandImage(one ? 1 : 3, image.width(), image.height(), values);
  }

  /** Interleaved bytes to normalised planes. */
  public PixelTensor normalise(RgbImage image) {
    int area = image.width() * image.height();
    float[] values = new float[3 * area];
    byte[] rgb = image.rgb();
    for (int c = 0; c < 3; c++) {
      float scale = (float) (1 / (255 * sensor.std().get(c)));
      float shift = (float) (-sensor.mean().get(c) / sensor.std().get(c));
      for (int i = 0; i < area; i++) {
        values[c * area + i] = (rgb[3 * i + c] & 0xff) * scale + shift;
      }
    }
    return new PixelTensor(3, image.width(), values);
  }

  /** Bands in the sensor's units to normalised planes; undefined pixels become the mean. */
  public PixelTensor normalise(BandImage image) {
    int area = image.width() * image.height();
    float[] values = new float[image.values().length];
    for (int i = 0; i < values.length; i++) {
      float mean = sensor.mean().get(i / area).floatValue();
      float value = image.values()[i];
      values[i] =
          Float.isFinite(value) ? (value - mean) / sensor.std().get(i / area).floatValue() : 0;
    }
    return new PixelTensor(image.bands(), image.width(), values);
  }
}
