/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.raster;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.management.ThreadMXBean;
import com.sun.net.httpserver.HttpServer;
import io.crossmodal.model.fixtures.Gdal;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestTiffs;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.Raster;
import io.crossmodal.model.image.Window;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What GDAL reads is what GDAL itself writes out, window by window. */
class GdalRasterTest {
  private static final int WIDTH = 700;
  private static final int HEIGHT = 530;
  private static final Georeference NAD83 =
      new Georeference(26917, WIDTH, HEIGHT, List.of(5e5, 10d, 0d, 4.2e6, 0d, -10d));

  @TempDir Path folder;
  private Path source;

  @BeforeEach
  void write() throws Exception {
    assumeTrue(Gdal.isInstalled(), "gdal_translate is not installed");
    source = folder.resolve("source.tif");
    Files.write(
        source,
        GeoTiffWriter.write(
            TestTiffs.wavesAndMask(WIDTH, HEIGHT), GeoTiffWriter.Values.UINT16, NAD83));
  }

  private FloatBuffer raw(Path file, String options) throws Exception {
    Path raw = folder.resolve("raw.img");
    Gdal.translate(file, raw, "-of ENVI -co INTERLEAVE=BSQ -ot Float32 " + options);
    return ByteBuffer.wrap(Files.readAllBytes(raw)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }

  @ParameterizedTest
  @CsvSource({
    "tif, -co COMPRESS=ZSTD -co TILED=YES, builtin",
    "tif, -co COMPRESS=LERC -co TILED=YES, GDAL",
    "tif, -co COMPRESS=LZMA, GDAL",
    "jp2, -of JP2OpenJPEG -co REVERSIBLE=YES -co QUALITY=100 -co BLOCKXSIZE=256"
        + " -co BLOCKYSIZE=256, GDAL",
    "vrt, -of VRT, GDAL",
    "img, -of HFA, GDAL",
    "tif, -ot Int32, builtin",
    "tif, -ot Float64 -co INTERLEAVE=BAND, builtin"
  })
  void readsAsGdalDoes(String suffix, String options, String reader) throws Exception {
    Path file = folder.resolve("scene." + suffix);
    Gdal.translate(source, file, options);
    FloatBuffer expected = raw(file, "");
    SplittableRandom random = new SplittableRandom(Seeds.next());
    try (RasterFile auto = Rasters.of(Rasters.Choice.AUTO).open(file);
        RasterFile gdal = Rasters.of(Rasters.Choice.GDAL).open(file)) {
      assertTrue(auto.reader().startsWith(reader), auto.reader());
      assertTrue(gdal.reader().startsWith("GDAL "), gdal.reader());
      assertEquals(Optional.of(NAD83), gdal.place());
      assertEquals(Optional.of(NAD83), auto.place());
      for (int i = 0; i < 6; i++) {
        int x = random.nextInt(WIDTH - 60);
        int y = random.nextInt(HEIGHT - 60);
        int width = 1 + random.nextInt(WIDTH - x);
        int height = 1 + random.nextInt(HEIGHT - y);
        Window window = new Window(x, y, width, height);
        for (Raster raster : List.of(auto.raster(), gdal.raster())) {
          BandImage found = raster.values(0, window, WIDTH).bands();
          assertEquals(4, found.bands());
          for (int p = 0; p < found.values().length; p++) {
            int band = p / (width * height);
            int row = p / width % height;
            int at = (band * HEIGHT + y + row) * WIDTH + x + p % width;
            assertEquals(expected.get(at), found.values()[p], "value " + p + " of " + window);
          }
        }
      }
    }
  }

  /** Overviews, thinned windows, masks, opacity, no-data values and colours, as here. */
  @ParameterizedTest
  @CsvSource({
    "cog, -of COG -co COMPRESS=DEFLATE -co BLOCKSIZE=128",
    "mask, -ot Byte -b 1 -b 2 -b 3 -mask 4 -colorinterp red;green;blue"
        + " --config GDAL_TIFF_INTERNAL_MASK YES",
    "alpha, -ot Byte -co PHOTOMETRIC=RGB -co ALPHA=YES -co COMPRESS=DEFLATE",
    "no-data, -ot Int16 -b 4 -a_nodata 0",
    "grey, -ot Byte -b 1",
    "colours, -ot Byte -b 1 -b 2 -b 3 -co PHOTOMETRIC=RGB"
  })
  void readsAsThisProjectsReaderDoes(String name, String options) throws Exception {
    Path file = folder.resolve(name + ".tif");
    Gdal.translate(source, file, options.replace(';', ','));
    SplittableRandom random = new SplittableRandom(Seeds.next());
    try (RasterFile own = Rasters.of(Rasters.Choice.BUILTIN).open(file);
        RasterFile gdal = Rasters.of(Rasters.Choice.GDAL).open(file)) {
      Raster a = own.raster();
      Raster b = gdal.raster();
      assertEquals(a.bands(), b.bands());
      assertEquals(a.levels(), b.levels());
      assertEquals(a.hasColours(), b.hasColours());
      assertEquals(a.rgb(), b.rgb());
      assertEquals(own.files(), gdal.files());
      for (int i = 0; i < 8; i++) {
        Window window = new Window(random.nextInt(400), random.nextInt(300), 230, 200);
        int level = random.nextInt(a.levels());
        int most = 50 + random.nextInt(200);
        Raster.Values expected = a.values(level, window, most);
        Raster.Values found = b.values(level, window, most);
        assertEquals(expected.noData(), found.noData(), 1e-9);
        assertArrayEquals(expected.bands().values(), found.bands().values());
        if (a.hasColours() && (a.bands() == 1 || !a.rgb().isEmpty())) {
          assertArrayEquals(
              a.colours(level, window, most).rgb(), b.colours(level, window, most).rgb());
        }
      }
    }
  }

  /** A mask, and a place where the file has none, are read where they lie beside it. */
  @Test
  void readsWhatLiesBesideATiff() throws Exception {
    Path plain = folder.resolve("plain.tif");
    Gdal.translate(source, plain, "-b 1 -co PROFILE=BASELINE");
    Files.deleteIfExists(folder.resolve("plain.tif.aux.xml"));
    Rasters auto = Rasters.of(Rasters.Choice.AUTO);
    try (RasterFile file = auto.open(plain)) {
      assertEquals("builtin", file.reader());
      assertEquals(Optional.empty(), file.place());
    }
    Files.writeString(folder.resolve("plain.tfw"), "10\n0\n0\n-10\n500005\n4199995\n");
    try (RasterFile file = auto.open(plain)) {
      assertEquals(NAD83.affine(), file.place().orElseThrow().affine());
    }
    Path masked = folder.resolve("masked.tif");
    Gdal.translate(source, masked, "-b 1 -b 2 -b 3 -mask 4");
    assertTrue(Files.isRegularFile(folder.resolve("masked.tif.msk")));
    float[] mask = new float[WIDTH * HEIGHT];
    raw(source, "-b 4").get(mask);
    int hidden = 0;
    for (float value : mask) {
      hidden += value == 0 ? 1 : 0;
    }
    Window whole = new Window(0, 0, WIDTH, HEIGHT);
    try (RasterFile file = auto.open(masked)) {
      assertEquals(
          (double) hidden / mask.length, file.raster().values(0, whole, WIDTH).noData(), 1e-9);
    }
    ImageFormatException refused =
        assertThrows(
            ImageFormatException.class, () -> Rasters.of(Rasters.Choice.BUILTIN).open(masked));
    assertTrue(refused.getMessage().contains("masked.tif.msk"), refused.getMessage());
  }

  /**
   * Bands that GDAL writes by default as colours with opacity, and says of which that they are
   * none.
   */
  @Test
  void aMaskOfThreeBandsWithoutColoursIsRead() throws Exception {
    Path file = folder.resolve("mask.tif");
    Gdal.translate(
        source, file, "-ot Byte -b 1 -b 2 -b 3 -mask 4 --config GDAL_TIFF_INTERNAL_MASK YES");
    Window whole = new Window(0, 0, WIDTH, HEIGHT);
    try (RasterFile own = Rasters.of(Rasters.Choice.BUILTIN).open(file);
        RasterFile gdal = Rasters.of(Rasters.Choice.GDAL).open(file)) {
      Raster.Values expected = own.raster().values(0, whole, WIDTH);
      Raster.Values found = gdal.raster().values(0, whole, WIDTH);
      assertEquals(3, found.bands().bands());
      assertArrayEquals(expected.bands().values(), found.bands().values());
      assertEquals(expected.noData(), found.noData(), 1e-9);
    }
  }

  @Test
  void signedBytesKeepTheirSign() throws Exception {
    Path plain = folder.resolve("bytes.tif");
    Gdal.translate(source, plain, "-ot Byte -b 1 -scale");
    byte[] tiff = Files.readAllBytes(plain);
    Path file = folder.resolve("signed.tif");
    ByteBuffer fields = ByteBuffer.wrap(tiff).order(ByteOrder.LITTLE_ENDIAN);
    int directory = fields.getInt(4);
    for (int i = 0; i < fields.getShort(directory); i++) {
      if (fields.getShort(directory + 2 + 12 * i) == 339) {
        fields.putShort(directory + 2 + 12 * i + 8, (short) 2);
      }
    }
    Files.write(file, tiff);
    Window window = new Window(10, 20, 300, 200);
    try (RasterFile own = Rasters.of(Rasters.Choice.BUILTIN).open(file);
        RasterFile gdal = Rasters.of(Rasters.Choice.GDAL).open(file)) {
      float[] expected = own.raster().values(0, window, WIDTH).bands().values();
      boolean negative = false;
      for (float value : expected) {
        negative |= value < 0;
      }
      assertTrue(negative);
      assertFalse(gdal.raster().hasColours());
      assertArrayEquals(expected, gdal.raster().values(0, window, WIDTH).bands().values());
    }
  }

  /** A server of one file, ranges of it among them, that is busy at the second request. */
  private static HttpServer serve(String path, byte[] file) throws IOException {
    AtomicInteger requests = new AtomicInteger();
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        path,
        exchange -> {
          try (exchange) {
            String range = exchange.getRequestHeaders().getFirst("Range");
            if (requests.incrementAndGet() == 2) {
              exchange.sendResponseHeaders(503, -1);
            } else if (exchange.getRequestMethod().equals("HEAD") || range == null) {
              exchange.getResponseHeaders().add("Accept-Ranges", "bytes");
              exchange.getResponseHeaders().add("Content-Length", String.valueOf(file.length));
              exchange.sendResponseHeaders(
                  200, exchange.getRequestMethod().equals("HEAD") ? -1 : file.length);
              if (!exchange.getRequestMethod().equals("HEAD")) {
                exchange.getResponseBody().write(file);
              }
            } else {
              String[] ends = range.substring(6).split("-", -1);
              int from = Integer.parseInt(ends[0]);
              int to = Math.min(file.length, Integer.parseInt(ends[1]) + 1);
              exchange
                  .getResponseHeaders()
                  .add("Content-Range", "bytes " + from + "-" + (to - 1) + "/" + file.length);
              exchange.sendResponseHeaders(206, to - from);
              exchange.getResponseBody().write(file, from, to - from);
            }
          }
        });
    server.start();
    return server;
  }

  private void assertReadsAlike(Rasters rasters, String name) throws IOException {
    assertTrue(rasters.takes(Path.of(name)));
    try (RasterFile remote = rasters.open(Path.of(name));
        RasterFile local = rasters.open(source)) {
      assertEquals(List.of(), remote.files());
      assertEquals(local.place(), remote.place());
      Window window = new Window(600, 480, 90, 45);
      assertArrayEquals(
          local.raster().values(0, window, WIDTH).bands().values(),
          remote.raster().values(0, window, WIDTH).bands().values());
    }
  }

  /**
   * A scene behind HTTP, in which a URL keeps its two slashes; what fails passingly is repeated.
   */
  @Test
  void readsOverHttp() throws Exception {
    HttpServer server = serve("/scene.tif", Files.readAllBytes(source));
    try {
      String base = "/vsicurl/http://127.0.0.1:" + server.getAddress().getPort();
      Rasters rasters = Rasters.of(Rasters.Choice.AUTO);
      assertReadsAlike(rasters, base + "/scene.tif");
      ImageFormatException missing =
          assertThrows(ImageFormatException.class, () -> rasters.open(Path.of(base + "/none.tif")));
      assertTrue(missing.getMessage().contains("404"), missing.getMessage());
    } finally {
      server.stop(0);
    }
  }

  /**
   * Answers requests for ranges of one object as an object store does. GDAL takes an object's size
   * from Content-Range, spelt so; the JDK's server spells it otherwise.
   */
  private static void store(ServerSocket server, String key, byte[] object) {
    while (!server.isClosed()) {
      try (Socket client = server.accept()) {
        BufferedReader in =
            new BufferedReader(
                new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII));
        String request = in.readLine();
        int from = 0;
        int to = object.length;
        for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
          Matcher range = Pattern.compile("(?i)range: bytes=(\\d+)-(\\d+)").matcher(line);
          if (range.matches()) {
            from = Integer.parseInt(range.group(1));
            to = Math.min(object.length, Integer.parseInt(range.group(2)) + 1);
          }
        }
        OutputStream out = client.getOutputStream();
        boolean found = request != null && request.startsWith("GET " + key + " ");
        List<String> head =
            found
                ? List.of(
                    "HTTP/1.1 206 Partial Content",
                    "Content-Range: bytes " + from + "-" + (to - 1) + "/" + object.length,
                    "Content-Length: " + (to - from))
                : List.of("HTTP/1.1 404 Not Found", "Content-Length: 0");
        String lines = String.join("\r\n", head) + "\r\nConnection: close\r\n\r\n";
        out.write(lines.getBytes(StandardCharsets.US_ASCII));
        out.write(object, from, found ? to - from : 0);
        out.flush();
      } catch (IOException e) {
        // The client went, or the test is over.
      }
    }
  }

  /** A scene in an object store, as GDAL's variables of the environment name one. */
  @Test
  void readsFromAnObjectStore() throws Exception {
    byte[] object = Files.readAllBytes(source);
    try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
      Thread.ofVirtual().start(() -> store(server, "/bucket/2024/scene.tif", object));
      String variables =
          "AWS_S3_ENDPOINT=127.0.0.1:"
              + server.getLocalPort()
              + " AWS_NO_SIGN_REQUEST=YES AWS_HTTPS=NO AWS_VIRTUAL_HOSTING=FALSE";
      // The environment of this process cannot be changed, that of its programs can.
      Path bin = program("gdalinfo", "exec env " + variables + " gdalinfo \"$@\"");
      program("gdal_translate", "exec env " + variables + " gdal_translate \"$@\"");
      Rasters rasters = Rasters.of(Rasters.Choice.AUTO, bin.toString());
      assertReadsAlike(rasters, "/vsis3/bucket/2024/scene.tif");
      ImageFormatException missing =
          assertThrows(
              ImageFormatException.class,
              () -> rasters.open(Path.of("/vsis3/bucket/2024/none.tif")));
      assertTrue(missing.getMessage().contains("none.tif"), missing.getMessage());
    }
  }

  /** Of a scene without overviews that is looked at as a whole, most is never read into memory. */
  @Test
  void aLargeWindowIsReadAsSmallAsItIsAskedFor() throws Exception {
    Path large = folder.resolve("large.vrt");
    Gdal.translate(source, large, "-of VRT -outsize 8000 6000");
    FloatBuffer expected = raw(large, "-outsize 100 100 -r nearest");
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (RasterFile file = Rasters.of(Rasters.Choice.GDAL).open(large)) {
      long before = threads.getCurrentThreadAllocatedBytes();
      BandImage found = file.raster().values(0, new Window(0, 0, 8000, 6000), 100).bands();
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(allocated < 32 << 20, allocated + " bytes for " + found.width() + " columns");
      assertEquals(List.of(100, 100), List.of(found.width(), found.height()));
      for (int i = 0; i < found.values().length; i++) {
        assertEquals(expected.get(i), found.values()[i], 0, "value " + i);
      }
    }
  }

  /** Of a damaged file, what is whole is read; what is not is refused by one exception a block. */
  @Test
  void losesOnlyWhatIsDamaged() throws Exception {
    Path tiled = folder.resolve("tiled.tif");
    Gdal.translate(
        source, tiled, "-co COMPRESS=DEFLATE -co TILED=YES -co BLOCKXSIZE=256 -co BLOCKYSIZE=256");
    byte[] file = Files.readAllBytes(tiled);
    // The last of three by three, by field 324 of a little-endian TIFF.
    ByteBuffer tiff = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int directory = tiff.getInt(4);
    int damaged = 0;
    for (int i = 0; i < tiff.getShort(directory); i++) {
      int field = directory + 2 + 12 * i;
      if (tiff.getShort(field) == 324) {
        damaged = tiff.getInt(tiff.getInt(field + 8) + 4 * 8);
      }
    }
    Arrays.fill(file, damaged, damaged + 100, (byte) 0xff);
    Files.write(tiled, file);
    try (RasterFile gdal = Rasters.of(Rasters.Choice.GDAL).open(tiled)) {
      gdal.raster().values(0, new Window(0, 0, 256, 256), WIDTH);
      gdal.raster().values(0, new Window(256, 256, 100, 100), WIDTH);
      Window lost = new Window(600, 520, 10, 10);
      ImageFormatException first =
          assertThrows(ImageFormatException.class, () -> gdal.raster().values(0, lost, WIDTH));
      assertTrue(first.getMessage().contains("status 1: ERROR"), first.getMessage());
      Window crossing = new Window(450, 450, 100, 80);
      assertSame(
          first,
          assertThrows(ImageFormatException.class, () -> gdal.raster().values(0, crossing, WIDTH)));
    }
  }

  private Path program(String name, String script) throws IOException {
    Path bin = Files.createDirectories(folder.resolve("bin"));
    Path file = bin.resolve(name);
    Files.writeString(file, "#!/bin/sh\n" + script + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    return bin;
  }

  /** A program has a time and a number of bytes, and what it says when it fails is told. */
  @Test
  void programsAreBounded() throws Exception {
    List<String> endless = List.of("/bin/sh", "-c", "while :; do echo 0123456789; done");
    Duration minute = Duration.ofMinutes(1);
    String more =
        assertThrows(
                ImageFormatException.class,
                () -> io.crossmodal.trainer.raster.Gdal.run(endless, false, 1000, minute))
            .getMessage();
    assertTrue(more.contains("writes more than the 1000 bytes"), more);
    List<String> silent = List.of("/bin/sleep", "100000");
    String late =
        assertThrows(
                IOException.class,
                () ->
                    io.crossmodal.trainer.raster.Gdal.run(
                        silent, false, 1000, Duration.ofSeconds(1)))
            .getMessage();
    assertTrue(late.contains("sleep did not end within 1 s"), late);
    Path bin =
        program(
            "gdalinfo",
            "[ \"$1\" = --version ] && echo 'GDAL 9.9, released' && exit 0\n"
                + "yes chatter | head -100000 >&2; echo 'ERROR 4: no such thing' >&2; exit 3");
    program("gdal_translate", "exit 0");
    Rasters rasters = Rasters.of(Rasters.Choice.GDAL, bin + ":/usr/bin:/bin");
    String said = assertThrows(ImageFormatException.class, () -> rasters.open(source)).getMessage();
    assertTrue(said.startsWith("gdalinfo ended with status 3: "), said);
    String missing =
        assertThrows(
                IllegalArgumentException.class,
                () -> Rasters.of(Rasters.Choice.GDAL, folder.toString()))
            .getMessage();
    assertTrue(missing.contains("gdal-bin"), missing);
    Path jp2 = folder.resolve("x.jp2");
    Files.write(jp2, new byte[] {0, 0, 0, 12, 'j', 'P', ' ', ' ', 13, 10, (byte) 0x87, 10});
    Rasters none = Rasters.of(Rasters.Choice.AUTO, folder.toString());
    String alone = assertThrows(ImageFormatException.class, () -> none.open(jp2)).getMessage();
    assertTrue(alone.contains("JPEG 2000") && alone.contains("gdal-bin"), alone);
  }

  @Test
  void namesWhatSaysNoPlace() throws Exception {
    Path points = folder.resolve("points.vrt");
    Gdal.translate(
        source,
        points,
        "-of VRT -a_srs EPSG:4326 -gcp 0 0 10 50 -gcp 700 0 11 50 -gcp 0 530 10 49");
    try (RasterFile file = Rasters.of(Rasters.Choice.GDAL).open(points)) {
      String refused = assertThrows(ImageFormatException.class, file::place).getMessage();
      assertTrue(refused.contains("ground control points"), refused);
    }
    Path complex = folder.resolve("complex.tif");
    Gdal.translate(source, complex, "-ot CFloat32");
    String refused =
        assertThrows(
                ImageFormatException.class, () -> Rasters.of(Rasters.Choice.AUTO).open(complex))
            .getMessage();
    assertTrue(refused.contains("complex numbers"), refused);
  }

  @Test
  void findsTheSystemsOwnNumber() {
    String base = "BASEGEOGCRS[\"a ] b\",ID[\"EPSG\",4326]]";
    assertEquals(32617, GdalHeader.epsg("PROJCRS[\"x\"," + base + ",ID[\"EPSG\",32617]]"));
    assertEquals(0, GdalHeader.epsg("PROJCRS[\"x\"," + base + "]"));
    assertEquals(
        25832,
        GdalHeader.epsg(
            "COMPOUNDCRS[\"x\",PROJCRS[\"y\"," + base + ",ID[\"EPSG\",25832]],VERTCRS[\"z\"]]"));
    assertEquals(4269, GdalHeader.epsg("GEOGCS[\"NAD83\",AUTHORITY[\"EPSG\",\"4269\"]]"));
    assertEquals(0, GdalHeader.epsg("ENGCRS[\"local\"]"));
  }
}
