/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.geoparquet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.data.geoparquet.Column.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class GeoParquetTest {
  private static final List<Column> COLUMNS =
      List.of(
          new Column("id", Kind.TEXT),
          new Column("about", Kind.JSON),
          new Column("labels", Kind.TEXTS),
          new Column("embedding", Kind.FLOATS),
          new Column("window", Kind.INTEGERS),
          new Column("resolution", Kind.NUMBER),
          new Column("acquired", Kind.TIME),
          new Column("tokens", Kind.BYTES));

  /** Python that reads it, where there is one: GeoPandas, DuckDB and PyArrow. */
  private static final String PYTHON = System.getProperty("crossmodal.python", "python3");

  @TempDir Path folder;

  private static List<double[]> square(double x, double y) {
    return List.of(
        new double[] {x, y},
        new double[] {x + 1, y},
        new double[] {x + 1, y + 1},
        new double[] {x, y + 1},
        new double[] {x, y});
  }

  private static GeoRow full() {
    return new GeoRow(
        Map.of(
            "id",
            "a",
            "about",
            "{\"platform\":\"sentinel-2b\"}",
            "labels",
            List.of("Water", "Wälder"),
            "embedding",
            new float[] {0.1f, -2.5f, Float.MIN_VALUE},
            "window",
            new int[] {0, 128, 64, 64},
            "resolution",
            0.3,
            "acquired",
            Instant.parse("2024-05-01T08:20:30.125Z"),
            "tokens",
            new byte[] {0, 1, -1, 127, -128}),
        List.of(square(10, 50)));
  }

  private Path write(String name, List<GeoRow> rows) throws IOException {
    Path file = folder.resolve(name);
    try (GeoParquetWriter writer =
        new GeoParquetWriter(file, COLUMNS, Map.of("crossmodal", "{}"))) {
      for (GeoRow row : rows) {
        writer.write(row);
      }
    }
    return file;
  }

  private static List<GeoRow> read(Path file) throws IOException {
    List<GeoRow> rows = new ArrayList<>();
    try (GeoParquetReader reader = GeoParquetReader.open(file, COLUMNS)) {
      for (Optional<GeoRow> row = reader.next(); row.isPresent(); row = reader.next()) {
        rows.add(row.get());
      }
      assertEquals(rows.size(), reader.size());
    }
    return rows;
  }

  private static void assertSame(GeoRow expected, GeoRow found) {
    assertEquals(expected.values().keySet(), found.values().keySet());
    assertArrayEquals(
        expected.values().keySet().stream().sorted().map(expected.values()::get).toArray(),
        expected.values().keySet().stream().sorted().map(found.values()::get).toArray());
    assertArrayEquals(
        expected.polygons().stream().map(List::toArray).toArray(),
        found.polygons().stream().map(List::toArray).toArray());
  }

  private static final GeoRow EMPTY = new GeoRow(Map.of("id", "b"), List.of());
  private static final GeoRow TWO =
      new GeoRow(
          Map.of("id", "c", "labels", List.of(), "embedding", new float[0]),
          List.of(square(179, -1), square(-180, -1)));

  @Test
  void rowsComeBackAsTheyWere() throws Exception {
    List<GeoRow> found = read(write("a.parquet", List.of(full(), EMPTY, TWO)));
    assertEquals(3, found.size());
    assertSame(full(), found.get(0));
    assertSame(EMPTY, found.get(1));
    assertSame(TWO, found.get(2));
    assertEquals(List.of(), read(write("none.parquet", List.of())));
  }

  @Test
  void manyGroupsOfRowsAreReadOneAfterAnother() throws Exception {
    List<GeoRow> rows = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      byte[] tokens = new byte[1 << 20];
      Arrays.fill(tokens, (byte) i);
      rows.add(new GeoRow(Map.of("id", "r" + i, "tokens", tokens), List.of(square(i, i))));
    }
    List<GeoRow> found = read(write("large.parquet", rows));
    assertEquals(40, found.size());
    for (int i = 0; i < 40; i++) {
      assertSame(rows.get(i), found.get(i));
    }
  }

  @Test
  void theFileSaysWhatItIs() throws Exception {
    Path file = write("a.parquet", List.of(full(), EMPTY, TWO));
    try (GeoParquetReader reader = GeoParquetReader.open(file, COLUMNS)) {
      assertEquals(Optional.of("{}"), reader.metadata("crossmodal"));
      JsonObject geo =
          JsonParser.parseString(reader.metadata("geo").orElseThrow()).getAsJsonObject();
      assertEquals("1.1.0", geo.get("version").getAsString());
      JsonObject column = geo.getAsJsonObject("columns").getAsJsonObject("geometry");
      assertEquals("WKB", column.get("encoding").getAsString());
      assertEquals("[\"MultiPolygon\",\"Polygon\"]", column.get("geometry_types").toString());
      assertEquals("[-180.0,-1.0,180.0,51.0]", column.get("bbox").toString());
      assertEquals(
          "CRS84", column.getAsJsonObject("crs").getAsJsonObject("id").get("code").getAsString());
    }
  }

  @Test
  void whatIsNoParquetIsSaidSo() throws Exception {
    Path text = Files.writeString(folder.resolve("text.parquet"), "id,embedding\n1,2\n");
    assertTrue(refusal(text).contains("is no Parquet, or damaged"));
    byte[] whole = Files.readAllBytes(write("a.parquet", List.of(full())));
    Path cut = Files.write(folder.resolve("cut.parquet"), Arrays.copyOf(whole, whole.length / 2));
    assertTrue(refusal(cut).contains("is no Parquet, or damaged"));
    Path empty = Files.write(folder.resolve("empty.parquet"), new byte[0]);
    assertTrue(refusal(empty).contains("is no Parquet, or damaged"));
  }

  private static String refusal(Path file) {
    return assertThrows(IllegalArgumentException.class, () -> read(file)).getMessage();
  }

  private static boolean hasModules() throws InterruptedException {
    try {
      return new ProcessBuilder(PYTHON, "-c", "import geopandas, duckdb, pyarrow")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /** Values as GeoPandas, DuckDB and PyArrow have them; and files that DuckDB wrote anew. */
  @Test
  void otherToolsReadItAndWriteWhatIsRead() throws Exception {
    boolean there = hasModules();
    if (!there) {
      System.out.println(
          "not checked with GeoPandas and DuckDB: "
              + PYTHON
              + " has not geopandas, duckdb and pyarrow; -Dcrossmodal.python=FILE names one that"
              + " has");
    }
    assumeTrue(there);
    Path file = write("a.parquet", List.of(full(), EMPTY, TWO));
    Path script = folder.resolve("check.py");
    Files.writeString(
        script,
        """
        import sys, json, geopandas, duckdb, pyarrow.parquet as pq
        path, out = sys.argv[1:3]
        frame = geopandas.read_parquet(path)
        assert frame.crs.to_string() == 'OGC:CRS84', frame.crs
        a = frame.iloc[0]
        assert a.geometry.wkt == 'POLYGON ((10 50, 11 50, 11 51, 10 51, 10 50))', a.geometry.wkt
        assert frame.iloc[1].geometry is None
        assert frame.iloc[2].geometry.geom_type == 'MultiPolygon'
        assert [float(v) for v in a.embedding] == [0.10000000149011612, -2.5, 1.401298464324817e-45]
        assert list(a.labels) == ['Water', 'W\\u00e4lder'] and list(a.window) == [0, 128, 64, 64]
        assert a.tokens == bytes([0, 1, 255, 127, 128]) and a.resolution == 0.3
        assert a.acquired.isoformat() == '2024-05-01T08:20:30.125000+00:00', a.acquired
        table = pq.read_table(path)
        assert str(table.schema.field('embedding').type).startswith('list<element: float'), table.schema
        db = duckdb.connect()
        rows = db.execute(
            "select id, embedding, labels, \\"window\\", bbox.xmin, epoch_ms(acquired) from '" + path
            + "' order by id").fetchall()
        assert rows[0] == ('a', [0.10000000149011612, -2.5, 1.401298464324817e-45],
            ['Water', 'W\\u00e4lder'], [0, 128, 64, 64], 10.0, 1714551630125), rows[0]
        for codec in ['snappy', 'zstd', 'gzip', 'lz4_raw', 'uncompressed']:
            db.execute("copy (select * from '" + path + "' where id <> 'c') to '" + out + codec
                + ".parquet' (format parquet, compression " + codec + ")")
        pq.write_table(table, out + 'arrow.parquet', compression='zstd')
        db.execute("copy (select * from '" + path + "' where id = 'a') to '" + out
            + "kept.parquet' (format parquet, kv_metadata {crossmodal: '{}'})")
        """);
    Process python =
        new ProcessBuilder(PYTHON, script.toString(), file.toString(), folder + "/out-")
            .redirectErrorStream(true)
            .start();
    String said = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, python.waitFor(), said);
    for (String codec : List.of("snappy", "zstd", "gzip", "lz4_raw", "uncompressed")) {
      List<GeoRow> again = read(folder.resolve("out-" + codec + ".parquet"));
      assertEquals(2, again.size());
      assertSame(full(), again.get(0));
      assertSame(EMPTY, again.get(1));
    }
    List<GeoRow> arrow = read(folder.resolve("out-arrow.parquet"));
    assertSame(full(), arrow.get(0));
    assertSame(TWO, arrow.get(2));
    for (String name : List.of("arrow", "kept")) {
      Path kept = folder.resolve("out-" + name + ".parquet");
      try (GeoParquetReader reader = GeoParquetReader.open(kept, COLUMNS)) {
        assertEquals(Optional.of("{}"), reader.metadata("crossmodal"), name);
      }
    }
  }
}
