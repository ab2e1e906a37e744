/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.trainer.data.Georeference;
import io.crossmodal.trainer.raster.EpsgTable;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.locationtech.proj4j.BasicCoordinateTransform;
import org.locationtech.proj4j.CRSFactory;
import org.locationtech.proj4j.CoordinateReferenceSystem;
import org.locationtech.proj4j.Proj4jException;
import org.locationtech.proj4j.ProjCoordinate;

/**
 * Coordinate reference systems by their EPSG numbers, as Proj4J's table has them, or GDAL's where
 * it is installed; looked up once each. Shifts between datums are those of three or seven
 * parameters; grids of shifts are not read, so an old national datum may be off by some metres.
 * Thread-safe.
 */
final class CoordinateSystems {
  private final Map<Integer, Optional<Known>> known = new ConcurrentHashMap<>();

  /**
   * A system.
   *
   * @param system as Proj4J has it
   * @param ground metres on the ground along one of its units, about; 0 where that depends on the
   *     place, as for degrees and Mercator's metres
   */
  record Known(CoordinateReferenceSystem system, double ground) {}

  /**
   * Returns the system of a number.
   *
   * @throws ImageFormatException when there is none, or none that is computed
   */
  Known of(int epsg) {
    if (epsg == 0) {
      throw new ImageFormatException(
          "its coordinate reference system has no EPSG number: gdalwarp -t_srs EPSG:326NN IN OUT,"
              + " or gdal_translate -a_srs EPSG:NNNN IN OUT where it is known to be that of a"
              + " number");
    }
    return known
        .computeIfAbsent(epsg, CoordinateSystems::read)
        .orElseThrow(
            () ->
                new ImageFormatException(
                    "the coordinate reference system EPSG:"
                        + epsg
                        + " is not known, or not computed: gdalwarp -t_srs EPSG:326NN IN OUT warps"
                        + " the picture to a zone of UTM"));
  }

  private static Optional<Known> read(int epsg) {
    CRSFactory factory = new CRSFactory();
    String name = "EPSG:" + epsg;
    // The library throws what it likes for numbers and words that it does not know.
    try {
      return Optional.of(of(factory.createFromName(name)));
    } catch (RuntimeException unknown) {
      try {
        return EpsgTable.parameters(epsg)
            .map(parameters -> of(factory.createFromParameters(name, parameters)));
      } catch (RuntimeException e) {
        return Optional.empty();
      }
    }
  }

  private static Known of(CoordinateReferenceSystem system) {
    boolean varies = system.isGeographic() || system.getParameterString().contains("+proj=merc");
    return new Known(system, varies ? 0 : 1 / system.getProjection().getFromMetres());
  }

  /**
   * Returns the longitude (x) and latitude (y) of a place, WGS 84.
   *
   * @param x east, or longitude
   * @param y north, or latitude
   * @throws ImageFormatException when the system is not known
   * @throws Proj4jException when the place is beyond the system's reach
   */
  ProjCoordinate degrees(int epsg, double x, double y) {
    CoordinateReferenceSystem from = of(epsg).system;
    ProjCoordinate degrees = new ProjCoordinate();
    new BasicCoordinateTransform(from, of(Georeference.WGS84).system)
        .transform(new ProjCoordinate(x, y), degrees);
    return degrees;
  }
}
