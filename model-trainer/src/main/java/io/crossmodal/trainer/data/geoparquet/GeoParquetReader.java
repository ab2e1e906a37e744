/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import io.crossmodal.trainer.data.geoparquet.Column.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.example.data.Group;
import org.apache.parquet.example.data.simple.convert.GroupRecordConverter;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.ColumnIOFactory;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.RecordReader;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.locationtech.jts.geom.Coordinate;
import org.locationtech.jts.geom.Geometry;
import org.locationtech.jts.geom.MultiPolygon;
import org.locationtech.jts.geom.Polygon;
import org.locationtech.jts.io.ParseException;
import org.locationtech.jts.io.WKBReader;

/** Reads tables, those that other tools wrote anew among them. Used by one thread. */
public final class GeoParquetReader implements Closeable {
  private final Path path;
  private final ParquetFileReader file;
  private final MessageType schema;
  private final List<Column> columns;
  private final WKBReader wkb = new WKBReader();
  private RecordReader<Group> records;
  private long left;

  private GeoParquetReader(Path path, ParquetFileReader file, List<Column> columns) {
    this.path = path;
    this.file = file;
    this.schema = file.getFileMetaData().getSchema();
    this.columns = List.copyOf(columns);
  }

  /**
   * Opens a file.
   *
   * @param columns that are read where the file has them
   * @throws IllegalArgumentException when it is no Parquet, or damaged
   * @throws IOException when it cannot be read
   */
  public static GeoParquetReader open(Path path, List<Column> columns) throws IOException {
    ParquetReadOptions options =
        ParquetReadOptions.builder(new PlainParquetConfiguration())
            .withCodecFactory(new Codecs())
            .build();
    try {
      return new GeoParquetReader(
          path, ParquetFileReader.open(new LocalInputFile(path), options), columns);
    } catch (RuntimeException e) {
      throw damaged(path, e);
    }
  }

  private static IllegalArgumentException damaged(Path path, RuntimeException e) {
    return new IllegalArgumentException(path + " is no Parquet, or damaged: " + e.getMessage(), e);
  }

  /** Returns how many rows it has. */
  public long size() {
    return file.getRecordCount();
  }

  /** Returns what the file says of itself under a key. */
  public Optional<String> metadata(String key) {
    return Optional.ofNullable(file.getFileMetaData().getKeyValueMetaData().get(key));
  }

  /** A row holds what none of its kind has; the next one can be read. */
  public static final class RowException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    RowException(String message) {
      super(message);
    }

    RowException(String message, Exception cause) {
      super(message, cause);
    }
  }

  /**
   * Returns the next row; empty behind the last.
   *
   * @throws RowException when the row is refused
   * @throws IllegalArgumentException when the file is damaged, or a column holds something else
   */
  public Optional<GeoRow> next() throws IOException {
    try {
      while (left == 0) {
        PageReadStore pages = file.readNextRowGroup();
        if (pages == null) {
          return Optional.empty();
        }
        left = pages.getRowCount();
        records =
            new ColumnIOFactory()
                .getColumnIO(schema)
                .getRecordReader(pages, new GroupRecordConverter(schema));
      }
      left--;
      return Optional.of(row(records.read()));
    } catch (RowException e) {
      throw e;
    } catch (RuntimeException e) {
      throw damaged(path, e);
    }
  }

  private GeoRow row(Group group) {
    Map<String, Object> values = new HashMap<>();
    for (Column column : columns) {
      if (has(group, column.name())) {
        values.put(column.name(), read(column, group));
      }
    }
    List<List<double[]>> polygons =
        has(group, Column.GEOMETRY)
            ? polygons(geometry(group.getBinary(Column.GEOMETRY, 0).getBytes()))
            : List.of();
    return new GeoRow(values, polygons);
  }

  private Geometry geometry(byte[] bytes) {
    try {
      return wkb.read(bytes);
    } catch (ParseException | IllegalArgumentException e) {
      throw new RowException("its geometry is no WKB: " + e.getMessage(), e);
    }
  }

  private static boolean has(Group group, String name) {
    return group.getType().containsField(name) && group.getFieldRepetitionCount(name) > 0;
  }

  private static Object read(Column column, Group group) {
    try {
      return value(column, group);
    } catch (RuntimeException e) {
      throw new RowException("[" + column.name() + "] cannot be read: " + e.getMessage(), e);
    }
  }

  private static Object value(Column column, Group group) {
    String name = column.name();
    Kind kind = column.kind();
    return switch (kind) {
      case TEXT, JSON -> group.getBinary(name, 0).toStringUsingUTF8();
      case NUMBER -> group.getDouble(name, 0);
      case TIME -> time(group, name);
      case BYTES -> group.getBinary(name, 0).getBytes();
      case TEXTS -> {
        List<String> texts = new ArrayList<>();
        for (Element element : elements(group.getGroup(name, 0))) {
          texts.add(element.group.getBinary(0, element.index).toStringUsingUTF8());
        }
        yield texts;
      }
      case FLOATS -> {
        List<Element> elements = elements(group.getGroup(name, 0));
        float[] floats = new float[elements.size()];
        for (int i = 0; i < floats.length; i++) {
          floats[i] = elements.get(i).number();
        }
        yield floats;
      }
      case INTEGERS -> {
        List<Element> elements = elements(group.getGroup(name, 0));
        int[] integers = new int[elements.size()];
        for (int i = 0; i < integers.length; i++) {
          integers[i] = elements.get(i).group.getInteger(0, elements.get(i).index);
        }
        yield integers;
      }
    };
  }

  /**
   * An element of a list: the first field of a group.
   *
   * @param index of its value in this field
   */
  private record Element(Group group, int index) {
    /** Some tools write numbers of 64 bits whatever they were given. */
    float number() {
      return switch (group.getType().getType(0).asPrimitiveType().getPrimitiveTypeName()) {
        case FLOAT -> group.getFloat(0, index);
        case DOUBLE -> (float) group.getDouble(0, index);
        default ->
            throw new IllegalArgumentException(
                "a list of " + group.getType().getType(0) + " where numbers are expected");
      };
    }
  }

  /** Lists are written in three levels today, and in two by older tools. */
  private static List<Element> elements(Group list) {
    Type repeated = list.getType().getType(0);
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < list.getFieldRepetitionCount(0); i++) {
      elements.add(
          repeated.isPrimitive() ? new Element(list, i) : new Element(list.getGroup(0, i), 0));
    }
    return elements;
  }

  private static Instant time(Group group, String name) {
    long value = group.getLong(name, 0);
    if (group.getType().getType(name).getLogicalTypeAnnotation()
        instanceof TimestampLogicalTypeAnnotation stamp) {
      return Instant.EPOCH.plus(
          value,
          switch (stamp.getUnit()) {
            case MILLIS -> ChronoUnit.MILLIS;
            case MICROS -> ChronoUnit.MICROS;
            case NANOS -> ChronoUnit.NANOS;
          });
    }
    throw new IllegalArgumentException("[" + name + "] holds no times");
  }

  private static List<List<double[]>> polygons(Geometry geometry) {
    if (!(geometry instanceof Polygon || geometry instanceof MultiPolygon)) {
      throw new RowException(
          "its geometry is a " + geometry.getGeometryType() + " where polygons are expected");
    }
    List<List<double[]>> rings = new ArrayList<>();
    for (int i = 0; i < geometry.getNumGeometries(); i++) {
      List<double[]> ring = new ArrayList<>();
      Polygon polygon = (Polygon) geometry.getGeometryN(i);
      if (polygon.getNumInteriorRing() > 0) {
        throw new RowException("its geometry has holes, which no footprint of a picture has");
      }
      for (Coordinate at : polygon.getExteriorRing().getCoordinates()) {
        ring.add(new double[] {at.x, at.y});
      }
      rings.add(ring);
    }
    return rings;
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
