/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Messages;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.SensorConfig.Resize.Fit;
import io.crossmodal.model.bundle.ModelManifest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.OpenSearchParseException;
import org.opensearch.common.geo.GeometryParser;
import org.opensearch.geometry.Geometry;
import org.opensearch.geometry.LinearRing;
import org.opensearch.geometry.Polygon;
import org.opensearch.geometry.Rectangle;
import org.opensearch.search.lookup.SourceLookup;

/**
 * Where the patches of a picture lie on the ground: its footprint, divided as the picture is. North
 * is taken to be up, by less than half of a right angle.
 */
final class PatchGround {
  /** 1e-7 degrees, a centimetre. */
  private static final double DIGITS = 1e7;

  /** How far from square a picture may be whose model sees its middle, or adds a margin. */
  private static final double SQUARE = 0.02;

  // Upper left, lower left, lower right, upper right; {longitude, latitude}.
  private final double[][] corners;

  private PatchGround(double[][] corners) {
    this.corners = corners;
  }

  /** A footprint that does not say where patches lie; its message is for the hit. */
  static final class UnknownException extends Exception {
    private static final long serialVersionUID = 1L;

    private UnknownException(String message) {
      super(message);
    }
  }

  /**
   * Reads a document's footprint.
   *
   * @param field with a value as a {@code geo_shape} takes it: GeoJSON or WKT
   * @param doc in the leaf
   * @throws UnknownException saying why the patches' place is not known
   */
  static PatchGround read(ModelManifest model, LeafReaderContext leaf, int doc, String field)
      throws UnknownException {
    SourceLookup source = new SourceLookup();
    source.setSegmentAndDocument(leaf, doc);
    Object value = source.extractValue(field, null);
    if (value == null) {
      throw new UnknownException(
          "the document has no footprint in field [" + Messages.excerpt(field) + "]");
    }
    Geometry geometry;
    try {
      geometry = new GeometryParser(true, true, true).parseGeometry(value);
    } catch (OpenSearchParseException | IllegalArgumentException e) {
      throw new UnknownException(
          "field [" + Messages.excerpt(field) + "] holds no shape: " + e.getMessage());
    }
    PatchGround ground = of(geometry, field);
    ground.checkSeen(model);
    return ground;
  }

  /**
   * Divides a footprint.
   *
   * @param geometry a rectangle or a quadrilateral
   * @param field of it, for messages
   */
  static PatchGround of(Geometry geometry, String field) throws UnknownException {
    List<double[]> ring = new ArrayList<>();
    if (geometry instanceof Rectangle box) {
      ring.add(new double[] {box.getMinX(), box.getMaxY()});
      ring.add(new double[] {box.getMinX(), box.getMinY()});
      ring.add(new double[] {box.getMaxX(), box.getMinY()});
      ring.add(new double[] {box.getMaxX(), box.getMaxY()});
      if (box.getMinX() > box.getMaxX()) {
        throw overTheDateLine(field);
      }
    } else if (geometry instanceof Polygon polygon && polygon.getNumberOfHoles() == 0) {
      LinearRing outer = polygon.getPolygon();
      // The last point repeats the first.
      for (int i = 0; i < outer.length() - 1; i++) {
        ring.add(new double[] {outer.getX(i), outer.getY(i)});
      }
    }
    if (ring.size() != 4) {
      throw new UnknownException(
          String.format(
              Locale.ROOT,
              "the footprint in field [%s] is no quadrilateral, so that the picture's corners are"
                  + " not known: it is a %s%s",
              Messages.excerpt(field),
              geometry.type().name().toLowerCase(Locale.ROOT),
              ring.isEmpty() ? "" : " of " + ring.size() + " corners"));
    }
    return new PatchGround(fromTheUpperLeft(ring, field));
  }

  private static UnknownException overTheDateLine(String field) {
    return new UnknownException(
        "the footprint in field [" + Messages.excerpt(field) + "] lies over the date line");
  }

  /** Returns the corners counter-clockwise, from the one in the north-west. */
  private static double[][] fromTheUpperLeft(List<double[]> ring, String field)
      throws UnknownException {
    double area = 0;
    double west = Double.POSITIVE_INFINITY;
    double east = Double.NEGATIVE_INFINITY;
    double middleX = 0;
    double middleY = 0;
    for (int i = 0; i < 4; i++) {
      double[] a = ring.get(i);
      double[] b = ring.get((i + 1) % 4);
      area += a[0] * b[1] - b[0] * a[1];
      west = Math.min(west, a[0]);
      east = Math.max(east, a[0]);
      middleX += a[0] / 4;
      middleY += a[1] / 4;
    }
    if (east - west > 180 || west < -180 || east > 180) {
      throw overTheDateLine(field);
    }
    if (area == 0) {
      throw new UnknownException(
          "the footprint in field [" + Messages.excerpt(field) + "] has no area");
    }
    // A degree of longitude is shorter than one of latitude.
    double shrink = Math.cos(Math.toRadians(middleY));
    int first = 0;
    double most = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < 4; i++) {
      double northWest = (ring.get(i)[1] - middleY) - (ring.get(i)[0] - middleX) * shrink;
      if (northWest > most) {
        most = northWest;
        first = i;
      }
    }
    double[][] corners = new double[4][];
    for (int i = 0; i < 4; i++) {
      corners[i] = ring.get(Math.floorMod(area > 0 ? first + i : first - i, 4));
    }
    return corners;
  }

  /** Refuses a picture of which the model did not see all and nothing else. */
  private void checkSeen(ModelManifest model) throws UnknownException {
    for (SensorConfig sensor : model.config().sensors()) {
      if (sensor.resize() != null && sensor.resize().fit() != Fit.SQUASH) {
        double shrink = Math.cos(Math.toRadians((corners[0][1] + corners[2][1]) / 2));
        double wide = length(0, 3, shrink) + length(1, 2, shrink);
        double high = length(0, 1, shrink) + length(3, 2, shrink);
        if (Math.abs(wide - high) > SQUARE * Math.max(wide, high)) {
          throw new UnknownException(
              String.format(
                  Locale.ROOT,
                  "model [%s] makes pictures square by [%s], and this one is not square, so that"
                      + " its patches are no parts of the footprint",
                  model.id(),
                  sensor.resize().fit().name().toLowerCase(Locale.ROOT)));
        }
      }
    }
  }

  private double length(int from, int to, double shrink) {
    return Math.hypot(
        (corners[to][0] - corners[from][0]) * shrink, corners[to][1] - corners[from][1]);
  }

  /**
   * Returns a GeoJSON feature collection of all patches, row by row from the upper left.
   *
   * @param grid patches of a side
   * @param weights of each word for each patch, (words, grid x grid)
   */
  Map<String, Object> features(int grid, List<float[]> weights) {
    List<Object> features = new ArrayList<>(grid * grid);
    for (int patch = 0; patch < grid * grid; patch++) {
      int row = patch / grid;
      int column = patch % grid;
      List<Object> ring =
          List.of(
              at(column, row, grid),
              at(column, row + 1, grid),
              at(column + 1, row + 1, grid),
              at(column + 1, row, grid),
              at(column, row, grid));
      List<Object> ofWords = new ArrayList<>(weights.size());
      for (float[] word : weights) {
        ofWords.add(word[patch]);
      }
      features.add(
          object(
              "type",
              "Feature",
              "geometry",
              object("type", "Polygon", "coordinates", List.of(ring)),
              "properties",
              object("patch", patch, "weights", ofWords)));
    }
    return object("type", "FeatureCollection", "features", features);
  }

  private List<Object> at(int column, int row, int grid) {
    double right = (double) column / grid;
    double down = (double) row / grid;
    double[] position = new double[2];
    for (int i = 0; i < 2; i++) {
      double left = (1 - down) * corners[0][i] + down * corners[1][i];
      double onTheRight = (1 - down) * corners[3][i] + down * corners[2][i];
      position[i] = Math.round(((1 - right) * left + right * onTheRight) * DIGITS) / DIGITS;
    }
    return List.of(position[0], position[1]);
  }

  private static Map<String, Object> object(Object... entries) {
    Map<String, Object> object = new LinkedHashMap<>();
    for (int i = 0; i < entries.length; i += 2) {
      object.put((String) entries[i], entries[i + 1]);
    }
    return object;
  }
}
