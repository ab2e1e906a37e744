/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
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
import java.util.Set;
import java.util.TreeSet;
import java.util.function.IntConsumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.conf.ParquetConfiguration;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.hadoop.ParquetFileWriter;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.LocalOutputFile;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeUnit;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;
import org.locationtech.jts.geom.Coordinate;
import org.locationtech.jts.geom.Envelope;
import org.locationtech.jts.geom.Geometry;
import org.locationtech.jts.geom.GeometryFactory;
import org.locationtech.jts.geom.Polygon;
import org.locationtech.jts.io.ByteOrderValues;
import org.locationtech.jts.io.WKBWriter;

/**
 * Writes a table. Its values are not compressed: embeddings and pictures do not shrink.
 *
 * @see <a href="https://geoparquet.org/releases/v1.1.0/">GeoParquet 1.1.0</a>
 */
public final class GeoParquetWriter implements Closeable {
  /** Of rows that are written together, and held until then. */
  private static final long GROUP_BYTES = 32L << 20;

  private static final List<String> CORNERS = List.of("xmin", "ymin", "xmax", "ymax");

  /** Longitude and latitude in degrees on WGS 84, as PROJ has it in JSON. */
  private static final String CRS84 =
      "{\"$schema\":\"https://proj.org/schemas/v0.7/projjson.schema.json\","
          + "\"type\":\"GeographicCRS\",\"name\":\"WGS 84 longitude-latitude\",\"datum\":{"
          + "\"type\":\"GeodeticReferenceFrame\",\"name\":\"World Geodetic System 1984\","
          + "\"ellipsoid\":{\"name\":\"WGS 84\",\"semi_major_axis\":6378137,"
          + "\"inverse_flattening\":298.257223563}},\"coordinate_system\":{"
          + "\"subtype\":\"ellipsoidal\",\"axis\":[{\"name\":\"Geodetic longitude\","
          + "\"abbreviation\":\"Lon\",\"direction\":\"east\",\"unit\":\"degree\"},"
          + "{\"name\":\"Geodetic latitude\",\"abbreviation\":\"Lat\",\"direction\":\"north\","
          + "\"unit\":\"degree\"}]},\"id\":{\"authority\":\"OGC\",\"code\":\"CRS84\"}}";

  private final ParquetWriter<GeoRow> writer;

  /**
   * Begins a file, in the place of one that is there.
   *
   * @param metadata of the file, by key
   * @throws IOException when it cannot be written
   */
  public GeoParquetWriter(Path file, List<Column> columns, Map<String, String> metadata)
      throws IOException {
    writer =
        new Builder(new LocalOutputFile(file), columns, metadata)
            .withConf(new PlainParquetConfiguration())
            .withWriteMode(ParquetFileWriter.Mode.OVERWRITE)
            .withCompressionCodec(CompressionCodecName.UNCOMPRESSED)
            .withRowGroupSize(GROUP_BYTES)
            .withDictionaryEncoding(false)
            .build();
  }

  /**
   * Writes a row.
   *
   * @throws IOException when it cannot be written
   */
  public void write(GeoRow row) throws IOException {
    writer.write(row);
  }

  /** Writes the end, without which the file is none. */
  @Override
  public void close() throws IOException {
    writer.close();
  }

  private static final class Builder extends ParquetWriter.Builder<GeoRow, Builder> {
    private final List<Column> columns;
    private final Map<String, String> metadata;

    Builder(OutputFile file, List<Column> columns, Map<String, String> metadata) {
      super(file);
      this.columns = List.copyOf(columns);
      this.metadata = Map.copyOf(metadata);
    }

    @Override
    protected Builder self() {
      return this;
    }

    /** Asked for no more, but still abstract. */
    @Override
    @SuppressWarnings("deprecation")
    protected WriteSupport<GeoRow> getWriteSupport(Configuration configuration) {
      return new Support(columns, metadata);
    }

    @Override
    protected WriteSupport<GeoRow> getWriteSupport(ParquetConfiguration configuration) {
      return new Support(columns, metadata);
    }
  }

  private static MessageType schema(List<Column> columns) {
    List<Type> fields = new ArrayList<>();
    for (Column column : columns) {
      fields.add(type(column));
    }
    fields.add(Types.optional(PrimitiveTypeName.BINARY).named(Column.GEOMETRY));
    Types.GroupBuilder<GroupType> bounds = Types.optionalGroup();
    for (String corner : CORNERS) {
      bounds.addField(Types.required(PrimitiveTypeName.DOUBLE).named(corner));
    }
    fields.add(bounds.named(Column.BOUNDS));
    return new MessageType("schema", fields);
  }

  private static Type type(Column column) {
    String name = column.name();
    return switch (column.kind()) {
      case TEXT ->
          Types.optional(PrimitiveTypeName.BINARY)
              .as(LogicalTypeAnnotation.stringType())
              .named(name);
      case JSON ->
          Types.optional(PrimitiveTypeName.BINARY).as(LogicalTypeAnnotation.jsonType()).named(name);
      case TEXTS ->
          Types.optionalList()
              .requiredElement(PrimitiveTypeName.BINARY)
              .as(LogicalTypeAnnotation.stringType())
              .named(name);
      case FLOATS -> Types.optionalList().requiredElement(PrimitiveTypeName.FLOAT).named(name);
      case INTEGERS -> Types.optionalList().requiredElement(PrimitiveTypeName.INT32).named(name);
      case NUMBER -> Types.optional(PrimitiveTypeName.DOUBLE).named(name);
      case TIME ->
          Types.optional(PrimitiveTypeName.INT64)
              .as(LogicalTypeAnnotation.timestampType(true, TimeUnit.MICROS))
              .named(name);
      case BYTES -> Types.optional(PrimitiveTypeName.BINARY).named(name);
    };
  }

  /** Hands rows to the library. */
  private static final class Support extends WriteSupport<GeoRow> {
    private final List<Column> columns;
    private final Map<String, String> metadata;
    private final GeometryFactory geometries = new GeometryFactory();
    private final WKBWriter wkb = new WKBWriter(2, ByteOrderValues.LITTLE_ENDIAN);
    private final Envelope whole = new Envelope();
    private final Set<String> types = new TreeSet<>();
    private RecordConsumer out;

    Support(List<Column> columns, Map<String, String> metadata) {
      this.columns = columns;
      this.metadata = metadata;
    }

    /** Asked for no more, but still abstract. */
    @Override
    @SuppressWarnings("deprecation")
    public WriteContext init(Configuration configuration) {
      return new WriteContext(schema(columns), metadata);
    }

    @Override
    public WriteContext init(ParquetConfiguration configuration) {
      return new WriteContext(schema(columns), metadata);
    }

    @Override
    public void prepareForWrite(RecordConsumer consumer) {
      out = consumer;
    }

    @Override
    public void write(GeoRow row) {
      out.startMessage();
      for (int i = 0; i < columns.size(); i++) {
        Column column = columns.get(i);
        Object value = row.values().get(column.name());
        if (value != null) {
          out.startField(column.name(), i);
          value(column.kind(), value);
          out.endField(column.name(), i);
        }
      }
      if (!row.polygons().isEmpty()) {
        geometry(row.polygons());
      }
      out.endMessage();
    }

    private void value(Kind kind, Object value) {
      switch (kind) {
        case TEXT, JSON -> text((String) value);
        case NUMBER -> out.addDouble((Double) value);
        case TIME -> out.addLong(ChronoUnit.MICROS.between(Instant.EPOCH, (Instant) value));
        case BYTES -> out.addBinary(Binary.fromConstantByteArray((byte[]) value));
        case TEXTS -> {
          List<?> texts = (List<?>) value;
          list(texts.size(), i -> text((String) texts.get(i)));
        }
        case FLOATS -> {
          float[] floats = (float[]) value;
          list(floats.length, i -> out.addFloat(floats[i]));
        }
        case INTEGERS -> {
          int[] integers = (int[]) value;
          list(integers.length, i -> out.addInteger(integers[i]));
        }
      }
    }

    private void text(String text) {
      out.addBinary(Binary.fromString(text));
    }

    private void list(int size, IntConsumer element) {
      out.startGroup();
      if (size > 0) {
        out.startField("list", 0);
        for (int i = 0; i < size; i++) {
          out.startGroup();
          out.startField("element", 0);
          element.accept(i);
          out.endField("element", 0);
          out.endGroup();
        }
        out.endField("list", 0);
      }
      out.endGroup();
    }

    private void geometry(List<List<double[]>> rings) {
      Polygon[] polygons = rings.stream().map(this::polygon).toArray(Polygon[]::new);
      Geometry geometry =
          polygons.length == 1 ? polygons[0] : geometries.createMultiPolygon(polygons);
      types.add(geometry.getGeometryType());
      Envelope bounds = geometry.getEnvelopeInternal();
      whole.expandToInclude(bounds);
      out.startField(Column.GEOMETRY, columns.size());
      out.addBinary(Binary.fromConstantByteArray(wkb.write(geometry)));
      out.endField(Column.GEOMETRY, columns.size());
      double[] corners = corners(bounds);
      out.startField(Column.BOUNDS, columns.size() + 1);
      out.startGroup();
      for (int i = 0; i < corners.length; i++) {
        out.startField(CORNERS.get(i), i);
        out.addDouble(corners[i]);
        out.endField(CORNERS.get(i), i);
      }
      out.endGroup();
      out.endField(Column.BOUNDS, columns.size() + 1);
    }

    private Polygon polygon(List<double[]> ring) {
      return geometries.createPolygon(
          ring.stream().map(at -> new Coordinate(at[0], at[1])).toArray(Coordinate[]::new));
    }

    private static double[] corners(Envelope bounds) {
      return new double[] {bounds.getMinX(), bounds.getMinY(), bounds.getMaxX(), bounds.getMaxY()};
    }

    @Override
    public FinalizedWriteContext finalizeWrite() {
      JsonObject column = new JsonObject();
      column.addProperty("encoding", "WKB");
      JsonArray kinds = new JsonArray();
      types.forEach(kinds::add);
      column.add("geometry_types", kinds);
      column.add("crs", JsonParser.parseString(CRS84));
      column.addProperty("edges", "planar");
      if (!whole.isNull()) {
        JsonArray bounds = new JsonArray();
        for (double corner : corners(whole)) {
          bounds.add(corner);
        }
        column.add("bbox", bounds);
      }
      JsonObject paths = new JsonObject();
      for (String corner : CORNERS) {
        JsonArray path = new JsonArray();
        path.add(Column.BOUNDS);
        path.add(corner);
        paths.add(corner, path);
      }
      JsonObject covering = new JsonObject();
      covering.add(Column.BOUNDS, paths);
      column.add("covering", covering);
      JsonObject geo = new JsonObject();
      geo.addProperty("version", "1.1.0");
      geo.addProperty("primary_column", Column.GEOMETRY);
      JsonObject named = new JsonObject();
      named.add(Column.GEOMETRY, column);
      geo.add("columns", named);
      Map<String, String> end = new HashMap<>();
      end.put("geo", geo.toString());
      return new FinalizedWriteContext(end);
    }
  }
}
