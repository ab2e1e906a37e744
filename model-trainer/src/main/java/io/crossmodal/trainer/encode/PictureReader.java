/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.GeoTiff;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.trainer.data.Georeference;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Decodes a picture's files to what the tower takes, and tells where it lies. Thread-safe. */
final class PictureReader {
  /**
   * Reflectance x 10,000 that is drawn white: that of the true-colour images that ESA delivers with
   * Sentinel-2 products.
   */
  private static final float WHITE = 3558;

  private final ImagePreprocessor preprocessor;
  private final SensorConfig sensor;

  PictureReader(ImagePreprocessor preprocessor, SensorConfig sensor) {
    this.preprocessor = preprocessor;
    this.sensor = sensor;
  }

  /**
   * Place of a picture.
   *
   * @param footprint its corners, counter-clockwise
   */
  record Place(Geolocation.Position centre, List<Geolocation.Position> footprint) {}

  /**
   * Decodes a picture's files to what the tower takes.
   *
   * @param files one picture, or bands red, green and blue
   * @throws IllegalArgumentException when it cannot, saying why
   */
  PixelTensor pixels(List<byte[]> files) {
    if (files.size() == 1) {
      return preprocessor.preprocess(files.get(0));
    }
    if (sensor.bands() != null) {
      throw new IllegalArgumentException(
          "patches with a file a band are encoded in true colours only, sensor ["
              + sensor.name()
              + "] takes "
              + sensor.bands().names()
              + ": stack them into one GeoTIFF");
    }
    return preprocessor.normalise(preprocessor.sized(trueColour(files)));
  }

  private static RgbImage trueColour(List<byte[]> files) {
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
    byte[] rgb = new byte[3 * area];
    for (int c = 0; c < 3; c++) {
      float[] values = bands.get(c).values();
      for (int i = 0; i < area; i++) {
        rgb[3 * i + c] = (byte) Math.round(Math.max(0, Math.min(255, values[i] * 255 / WHITE)));
      }
    }
    return new RgbImage(bands.get(0).width(), bands.get(0).height(), rgb);
  }

  /**
   * Returns where a picture lies, if it is a GeoTIFF that says so.
   *
   * @throws IllegalArgumentException when what it says is damaged, or in a coordinate reference
   *     system that is not read
   */
  static Optional<Place> place(byte[] file) {
    if (!GeoTiff.isTiff(file)) {
      return Optional.empty();
    }
    return Georeference.of(GeoTiff.open(file))
        .map(Geolocation::new)
        .map(ground -> new Place(ground.centre(), ground.footprint()));
  }
}
