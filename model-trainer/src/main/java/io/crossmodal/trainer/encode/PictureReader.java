/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.GeoTiff;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Thumbnails;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.Georeference;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Decodes pictures to what the tower takes and what people see, and tells where they lie.
 * Thread-safe.
 */
final class PictureReader {
  /**
   * Reflectance x 10,000 that is drawn white: that of the true-colour images that ESA delivers with
   * Sentinel-2 products.
   */
  private static final Stretch TRUE_COLOUR = new Stretch(0, 3558, false);

  /** Columns and rows that are read of a chip, at least. */
  private static final int LEAST_READ = 1024;

  private final ImagePreprocessor preprocessor;
  private final SensorConfig sensor;
  private final Look look;
  private final Thumbnails thumbnails;
  private final int most;
  private final CoordinateSystems systems = new CoordinateSystems();

  PictureReader(ImagePreprocessor preprocessor, SensorConfig sensor, Look look) {
    this.preprocessor = preprocessor;
    this.sensor = sensor;
    this.look = look;
    this.thumbnails = new Thumbnails(look.thumbnail());
    int kept = sensor.sampledFrom() == null ? sensor.imageSize() : sensor.sampledFrom();
    this.most = Math.max(LEAST_READ, 4 * kept);
    if (look.changes() && sensor.bands() != null) {
      throw new IllegalArgumentException(
          "sensor ["
              + sensor.name()
              + "] takes measured values, "
              + sensor.bands().names()
              + ", as they are; a stretch and the bands that are red, green and blue are for"
              + " sensors that take colours");
    }
  }

  /**
   * Place of a picture.
   *
   * @param footprint polygons, as {@link Geolocation#footprint} has them
   */
  record Place(Geolocation.Position centre, List<List<Geolocation.Position>> footprint) {}

  /** Returns a place in degrees. */
  Geolocation ground(Georeference georeference) {
    return new Geolocation(georeference, systems);
  }

  /**
   * Returns a place in degrees, with its outline.
   *
   * @throws ImageFormatException as {@link Geolocation} does
   */
  Place place(Georeference georeference) {
    Geolocation ground = ground(georeference);
    return new Place(ground.centre(), ground.footprint());
  }

  /**
   * A picture as the tower takes it and as people see it.
   *
   * @param stretch values that are black and white, where they had to be said
   * @param thumbnail a JPEG in base64; empty for none
   */
  record Seen(PixelTensor pixels, Optional<Stretch> stretch, String thumbnail) {}

  /** Returns the bands that were named as red, green and blue, counted from 0. */
  List<Integer> rgb() {
    return look.rgb();
  }

  /** Returns the name of the sensor that took the pictures. */
  String sensor() {
    return sensor.name();
  }

  /**
   * Decodes a picture's files.
   *
   * @param files one picture, or bands red, green and blue
   * @throws IllegalArgumentException when it cannot, saying why
   */
  Seen picture(List<byte[]> files) {
    if (files.size() > 1) {
      return seen(trueColour(files), Optional.empty());
    }
    byte[] file = files.get(0);
    if (sensor.bands() != null && GeoTiff.isTiff(file)) {
      return seen(GeoTiff.open(file).read());
    }
    Optional<Stretch> range = range(files);
    if (range.isPresent()) {
      TiffScene scene = TiffScene.of(file);
      Window whole = new Window(0, 0, scene.width(), scene.height());
      BandImage values = scene.values(0, whole, most).bands();
      return seen(range.get().apply(values, shown(scene)), range);
    }
    String thumbnail =
        thumbnails.wanted()
            ? thumbnails.of(ImagePreprocessor.preview(file, thumbnails.side()))
            : "";
    return new Seen(preprocessor.preprocess(file), Optional.empty(), thumbnail);
  }

  /**
   * Returns the values of a picture that are black and white; empty where nobody said which, or its
   * samples are colours.
   *
   * @param files as {@link #picture} takes them
   */
  Optional<Stretch> range(List<byte[]> files) {
    byte[] file = files.get(0);
    return files.size() == 1 && look.changes() && GeoTiff.isTiff(file)
        ? range(TiffScene.of(file))
        : Optional.empty();
  }

  private Seen seen(RgbImage colours, Optional<Stretch> stretch) {
    return new Seen(
        preprocessor.normalise(preprocessor.sized(colours)), stretch, thumbnails.of(colours));
  }

  private Seen seen(BandImage bands) {
    PixelTensor pixels = preprocessor.normalise(preprocessor.prepare(bands));
    return new Seen(
        pixels,
        Optional.empty(),
        thumbnails.wanted() ? thumbnails.of(preprocessor.drawn(bands)) : "");
  }

  private RgbImage trueColour(List<byte[]> files) {
    if (sensor.bands() != null) {
      throw new IllegalArgumentException(
          "patches with a file a band are encoded in true colours only, sensor ["
              + sensor.name()
              + "] takes "
              + sensor.bands().names()
              + ": stack them into one GeoTIFF");
    }
    List<BandImage> bands = new ArrayList<>();
    for (byte[] file : files) {
      BandImage band = GeoTiff.open(file).read();
      if (band.bands() != 1
          || (!bands.isEmpty()
              && (band.width() != bands.get(0).width()
                  || band.height() != bands.get(0).height()))) {
        throw new IllegalArgumentException(
            "the files of a patch must have one band each and the same size");
      }
      if (band.undefined() > 0) {
        throw new IllegalArgumentException("the patch has pixels without data");
      }
      bands.add(band);
    }
    int area = bands.get(0).width() * bands.get(0).height();
    float[] values = new float[3 * area];
    for (int c = 0; c < 3; c++) {
      System.arraycopy(bands.get(c).values(), 0, values, c * area, area);
    }
    return TRUE_COLOUR.apply(
        new BandImage(3, bands.get(0).width(), bands.get(0).height(), values), List.of(0, 1, 2));
  }

  /** Returns whether a scene's samples are shown as its file says. */
  private boolean hasOwnColours(Raster scene) {
    return sensor.bands() == null && scene.hasColours() && look.rgb().isEmpty();
  }

  /**
   * Checks, by its header, that a scene can be encoded.
   *
   * @throws ImageFormatException when it cannot, saying what would be
   */
  void check(Raster scene) {
    if (sensor.bands() != null) {
      if (scene.bands() != sensor.channels()) {
        throw new ImageFormatException(
            scene.bands()
                + " bands where sensor ["
                + sensor.name()
                + "] has "
                + sensor.channels()
                + ", "
                + sensor.bands().names()
                + ", in this order");
      }
    } else if (hasOwnColours(scene)) {
      scene.checkColours();
    } else {
      stretch(scene);
      shown(scene);
    }
  }

  private Stretch stretch(Raster scene) {
    if (look.stretch().isEmpty() && !scene.hasColours()) {
      throw new ImageFormatException(
          scene.samples()
              + ": these are measured values. --stretch MIN:MAX says which are black and white,"
              + " such as 0:3000; --stretch 2%:98% takes percentiles of each scene");
    }
    return scene.hasColours() ? Stretch.BYTES : look.stretch().get();
  }

  /** Returns which bands are shown as red, green and blue, or as grey. */
  private List<Integer> shown(Raster scene) {
    if (look.rgb().stream().anyMatch(band -> band >= scene.bands())) {
      throw new ImageFormatException(
          scene.samples()
              + "; --rgb names "
              + look.rgb().stream().map(band -> band + 1).toList()
              + ", counted from 1");
    }
    if (!look.rgb().isEmpty()) {
      return look.rgb();
    }
    if (scene.bands() > 1 && scene.rgb().isEmpty()) {
      throw new ImageFormatException(
          scene.samples()
              + ", and the file says of none that it is red, green or blue: name them, as by --rgb"
              + " 3,2,1");
    }
    return scene.bands() == 1 ? List.of(0) : scene.rgb();
  }

  /**
   * Returns the values of a scene that are black and white; empty where its samples are colours, or
   * its values are taken as they are.
   */
  Optional<Stretch> range(Raster scene) {
    return sensor.bands() != null || hasOwnColours(scene)
        ? Optional.empty()
        : Optional.of(stretch(scene).in(scene, shown(scene)));
  }

  /** Gives the values of a scene that are black and white, found once for all of its windows. */
  @FunctionalInterface
  interface RangeSource {
    Optional<Stretch> get() throws IOException;
  }

  /**
   * A window of a scene.
   *
   * @param noData share of its pixels without data
   * @param cloud share that is cloud, by a band of the scene
   * @param seen empty where one of them is too much
   */
  record Part(double noData, OptionalDouble cloud, Optional<Seen> seen) {}

  /**
   * Decodes a window of a scene.
   *
   * @param level overview that is read
   * @param cutting says what share of the pixels may be without data, or cloud
   * @param ranges gives what {@link #range} does
   * @throws IllegalArgumentException when it cannot, saying why
   */
  Part window(Raster scene, int level, Window window, Cutting cutting, RangeSource ranges)
      throws IOException {
    Optional<Clouds> clouds = cutting.clouds().filter(of -> of.band() >= 0);
    if (clouds.isEmpty() && hasOwnColours(scene) && scene.hasAllData(level, window)) {
      // Nothing is asked of the values, which would be unpacked a second time.
      RgbImage colours = scene.colours(level, window, most);
      return new Part(0, OptionalDouble.empty(), Optional.of(seen(colours, Optional.empty())));
    }
    Raster.Values values = scene.values(level, window, most);
    BandImage bands = values.bands();
    OptionalDouble cloud =
        clouds.isEmpty() ? OptionalDouble.empty() : OptionalDouble.of(clouds.get().share(bands));
    if (values.noData() > cutting.mostNoData()
        || values.noData() == 1
        || (clouds.isPresent() && cloud.orElseThrow() > clouds.get().most())
        || (sensor.bands() != null
            && preprocessor.undefined(bands) > ImagePreprocessor.MAX_UNDEFINED)) {
      return new Part(values.noData(), cloud, Optional.empty());
    }
    if (sensor.bands() != null) {
      return new Part(values.noData(), cloud, Optional.of(seen(bands)));
    }
    Optional<Stretch> range = ranges.get();
    RgbImage colours =
        range.isEmpty()
            ? scene.colours(level, window, most)
            : range.get().apply(bands, shown(scene));
    return new Part(values.noData(), cloud, Optional.of(seen(colours, range)));
  }

  /**
   * Returns where a picture lies, if it is a GeoTIFF that says so.
   *
   * @throws IllegalArgumentException when what it says is damaged, or in a coordinate reference
   *     system that is not read
   */
  Optional<Place> place(byte[] file) {
    if (!GeoTiff.isTiff(file)) {
      return Optional.empty();
    }
    return Georeference.located(GeoTiff.open(file)).map(this::place);
  }
}
