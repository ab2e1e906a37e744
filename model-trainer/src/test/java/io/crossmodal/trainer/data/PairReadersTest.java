/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.model.BandInput;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PairReadersTest {
  private static final SensorSource RADAR = SensorSource.parse("s1=VV,VH@decibel");
  private static final SensorSource OPTICAL = SensorSource.parse("s2=B04,B03@as_stored");
  private static final Georeference HERE = place(32634, 600_000);

  @TempDir private Path folder;

  private static Georeference place(int epsg, double x) {
    return new Georeference(epsg, 24, 24, List.of(x, 10.0, 0.0, 4_900_000.0, 0.0, -10.0));
  }

  private static BandImage flat(int bands, int side, float value) {
    float[] values = new float[bands * side * side];
    Arrays.fill(values, value);
    return new BandImage(bands, side, side, values);
  }

  private String write(String name, BandImage image, Georeference place) throws IOException {
    Files.write(
        folder.resolve(name), GeoTiffWriter.write(image, GeoTiffWriter.Values.FLOAT32, place));
    return name;
  }

  @BeforeEach
  void goodTiles() throws IOException {
    write("s1.tif", flat(2, 24, -12), HERE);
    write("s2.tif", flat(2, 24, 900), HERE);
  }

  private PairDataset read(int allowed, String... lines) throws IOException {
    Path table = folder.resolve("pairs.csv");
    Files.write(table, List.of(lines));
    return PairsCsvReader.read(
        table,
        RADAR,
        OPTICAL,
        new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, allowed));
  }

  private static void assertSays(Exception e, String... parts) {
    for (String part : parts) {
      assertTrue(e.getMessage().contains(part), part + " in " + e.getMessage());
    }
  }

  @Test
  void aTable() throws IOException {
    PairDataset pairs =
        read(
            0,
            "id,s2,s1,labels,group,split",
            "a,s2.tif,s1.tif,water;forest,g1,train",
            "\"b, c\",s2.tif,s1.tif,,g2,test");
    assertEquals(Set.of("water", "forest"), pairs.pairs().get(0).labels());
    assertEquals("b, c", pairs.pairs().get(1).id());
    assertEquals(Split.TEST, pairs.pairs().get(1).split());
    DecodedPairs decoded = DecodedPairs.decode(pairs, Split.TRAIN, 16);
    assertEquals(-12, decoded.first().get(0).value(1, 7, 7), 1e-5f);
    assertEquals(900, decoded.second().get(0).value(0, 7, 7), 1e-3f);
  }

  @Test
  void badRowsAreListedSkippedOrRefused() throws IOException {
    String[] lines = {
      "id,s1,s2,group,split",
      "a,s1.tif,s2.tif,g1,train",
      "a,s1.tif,s2.tif,g1,train",
      "b,none.tif,s2.tif,g2,train",
      "c,../s1.tif,s2.tif,g3,train",
      "d,s1.tif,s2.tif,g1,test",
      "e,s1.tif,s2.tif,g4,later",
      "f,s1.tif"
    };
    assertSays(
        assertThrows(InvalidDatasetException.class, () -> read(5, lines)),
        "6 problems",
        "repeats the id a",
        "there is no file",
        "points outside",
        "its group g1 in train",
        "later",
        "line 8 has 2 cells, not 5");
    PairDataset pairs = read(6, lines);
    assertEquals(1, pairs.pairs().size());
    assertEquals(0, pairs.problemsLeft());
    assertSays(
        assertThrows(InvalidDatasetException.class, () -> read(0, "id,s1,other", "a,b,c")),
        "no column [s2]");
  }

  @Test
  void rowsOfOnePlace() throws IOException {
    String[] lines = {
      "id,s1,s2,place", "7_before,s1.tif,s2.tif,x", "7_after,s1.tif,s2.tif,y", "8,s1.tif,s2.tif,x"
    };
    assertEquals(List.of("x", "y", "x"), places(read(0, lines)));
    assertEquals(List.of("x", "y", "x"), places(readBy("place", Optional.empty())));
    assertEquals(List.of("7", "7", "8"), places(readBy("id=(\\d+)(?:_.*)?", Optional.empty())));
    assertSays(
        assertThrows(InvalidDatasetException.class, () -> readBy("id=(\\d+)_.*", Optional.empty())),
        "8 has [8] in column id, which does not match (\\d+)_.*");
    assertSays(
        assertThrows(InvalidDatasetException.class, () -> readBy("where", Optional.empty())),
        "no column [where]");
    for (String wrong : List.of("=(.*)", "id=", "id=(", "id=(.)(.)")) {
      assertSays(
          assertThrows(IllegalArgumentException.class, () -> PairsCsvReader.Place.parse(wrong)),
          "COLUMN=REGEX",
          "[" + wrong + "]");
    }
  }

  @Test
  void rowsWithoutPlaceLieApart() throws IOException {
    assertEquals(
        List.of("a", "b"), places(read(0, "id,s1,s2", "a,s1.tif,s2.tif", "b,s1.tif,s2.tif")));
  }

  /** What a held-out file's own splits say does not count then, nor that a group has two. */
  @Test
  void allRowsInOneSplit() throws IOException {
    read(1, "id,s1,s2,group,split", "a,s1.tif,s2.tif,g,train", "b,s1.tif,s2.tif,g,test");
    PairDataset pairs = readBy("id", Optional.of(Split.TEST));
    assertEquals(2, pairs.split(Split.TEST).size());
  }

  private PairDataset readBy(String place, Optional<Split> split) throws IOException {
    return PairsCsvReader.read(
        folder.resolve("pairs.csv"),
        RADAR,
        OPTICAL,
        new PairsCsvReader.Options(
            Optional.empty(),
            Optional.of(PairsCsvReader.Place.parse(place)),
            split,
            Split.Shares.DEFAULT,
            1,
            0));
  }

  private static List<String> places(PairDataset pairs) {
    return pairs.pairs().stream().map(PairDataset.TilePair::place).toList();
  }

  @Test
  void badTilesAreListedSkippedOrRefused() throws IOException {
    BandImage holes = flat(2, 24, -12);
    Arrays.fill(holes.values(), 0, 24 * 12, Float.NaN);
    BandImage few = flat(2, 24, -12);
    few.values()[9] = Float.NaN;
    byte[] whole = Files.readAllBytes(folder.resolve("s1.tif"));
    Files.write(folder.resolve("cut.tif"), Arrays.copyOf(whole, whole.length / 2));
    Map<String, String> bad = new HashMap<>();
    bad.put(write("three.tif", flat(3, 24, 1), HERE), "3 bands");
    bad.put(write("one.tif", flat(1, 24, 1), HERE), "1 bands");
    bad.put(write("holes.tif", holes, HERE), "no data at 50 %");
    bad.put(write("empty.tif", flat(2, 24, Float.NaN), HERE), "no data at 100 %");
    bad.put(write("zone.tif", flat(2, 24, 1), place(32633, 600_000)), "same ground");
    bad.put(write("moved.tif", flat(2, 24, 1), place(32634, 600_240)), "same ground");
    bad.put(write("size.tif", flat(2, 20, 1), null), "one size");
    bad.put("cut.tif", "cut short");
    write("few.tif", few, HERE);
    List<String> lines = new ArrayList<>(List.of("id,s1,s2,split", "few,few.tif,s2.tif,train"));
    bad.keySet().forEach(file -> lines.add(file + "," + file + ",s2.tif,train"));
    PairDataset strict = read(0, lines.toArray(String[]::new));
    String message =
        assertThrows(
                InvalidDatasetException.class, () -> DecodedPairs.decode(strict, Split.TRAIN, 16))
            .getMessage();
    assertTrue(message.contains(bad.size() + " problems"), message);
    bad.forEach(
        (file, reason) ->
            assertTrue(
                message.lines().anyMatch(l -> l.contains(file) && l.contains(reason)),
                file + ": " + reason + " in " + message));
    PairDataset lenient = read(bad.size(), lines.toArray(String[]::new));
    DecodedPairs decoded = DecodedPairs.decode(lenient, Split.TRAIN, 16);
    assertEquals(1, decoded.pairs().size());
    assertEquals(bad.size(), decoded.problems().size());
  }

  @Test
  void bandsAreChosenByTheirPlaceInAFile() throws IOException {
    float[] values = new float[5 * 24 * 24];
    for (int i = 0; i < values.length; i++) {
      int band = i / (24 * 24);
      values[i] = band;
    }
    write("stack.tif", new BandImage(5, 24, 24, values), HERE);
    Path table = folder.resolve("pairs.csv");
    Files.write(table, List.of("s1,s2,split", "s1.tif,stack.tif,train"));
    PairsCsvReader.Options options =
        new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0);
    DecodedPairs pairs =
        DecodedPairs.decode(
            PairsCsvReader.read(
                table, RADAR, SensorSource.parse("s2=B04:5,B02:2@as_stored"), options),
            Split.TRAIN,
            24);
    assertEquals(4, pairs.second().get(0).value(0, 3, 3));
    assertEquals(1, pairs.second().get(0).value(1, 3, 3));
    PairDataset missing =
        PairsCsvReader.read(table, RADAR, SensorSource.parse("s2=B04:6@as_stored"), options);
    assertSays(
        assertThrows(
            InvalidDatasetException.class, () -> DecodedPairs.decode(missing, Split.TRAIN, 24)),
        "has 5 bands, band 6 is wanted");
    assertThrows(
        IllegalArgumentException.class, () -> SensorSource.parse("s2=B04:6,B03@as_stored"));
    assertSays(
        assertThrows(IllegalArgumentException.class, () -> SensorSource.parse("s2=B04")),
        "decibel");
    assertSays(
        assertThrows(IllegalArgumentException.class, () -> SensorSource.parse("s3")), "rgb, s1");
    assertEquals(SensorSource.S1, SensorSource.parse("s1"));
    assertEquals(SensorSource.S2, SensorSource.of(SensorConfig.s2(24)));
    assertEquals(SensorSource.parse("rgb"), SensorSource.of(SensorConfig.rgb(24)));
    assertTrue(SensorSource.RGB.isPicture() && SensorSource.RGB.input() == null);
    assertTrue(BandInput.Values.POWER_TO_DECIBEL.radar());
  }

  @Test
  void groupsAreNeverCut() {
    List<String> groups = new ArrayList<>();
    for (int group = 0; group < 30; group++) {
      for (int i = 0; i <= group; i++) {
        groups.add("g" + group);
      }
    }
    Map<String, Split> dealt =
        PairsCsvReader.deal(groups, new Split.Shares(0.7, 0.1, 0.2), System.nanoTime());
    assertEquals(30, dealt.size());
    double test = groups.stream().filter(g -> dealt.get(g) == Split.TEST).count();
    assertEquals(0.2, test / groups.size(), 0.05);
  }

  /** Version 1: patches in one folder a sensor, 43 classes in JSON; bands of three resolutions. */
  @Test
  void bigEarthNetOne() throws IOException {
    Path s2 = Files.createDirectories(folder.resolve("v1/BigEarthNet-v1.0/P2"));
    Path s1 = Files.createDirectories(folder.resolve("v1/BigEarthNet-S1-v1.0/P1"));
    bands(s1, "P1", SensorSource.S1);
    bands(s2, "P2", SensorSource.S2);
    Files.writeString(
        s2.resolve("P2_labels_metadata.json"),
        "{\"labels\": [\"Sea and ocean\", \"Salines\", \"Airports\", \"Coastal lagoons\"]}");
    Files.writeString(folder.resolve("train.csv"), "P2,P1\nP9,P1\n");
    Map<Split, Path> lists = Map.of(Split.TRAIN, folder.resolve("train.csv"));
    assertSays(
        assertThrows(
            InvalidDatasetException.class,
            () -> BigEarthNetReader.read(folder.resolve("v1"), lists, 0)),
        "no folder P9");
    PairDataset pairs = BigEarthNetReader.read(folder.resolve("v1"), lists, 1);
    assertEquals(Set.of("Marine waters", "Coastal wetlands"), pairs.pairs().get(0).labels());
    DecodedPairs decoded = DecodedPairs.decode(pairs, Split.TRAIN, 32);
    assertEquals(10, decoded.second().get(0).bands());
    assertEquals(3, decoded.second().get(0).value(3, 5, 5), 1e-5f);
    Files.delete(s1.resolve("P1_VH.tif"));
    assertSays(
        assertThrows(
            InvalidDatasetException.class,
            () -> BigEarthNetReader.read(folder.resolve("v1"), lists, 1)),
        "P1 lacks band VH");
  }

  /** Version 2: a folder deeper, and a table with 19 classes. */
  @Test
  void bigEarthNetTwo() throws IOException {
    Path s2 = Files.createDirectories(folder.resolve("v2/BigEarthNet-S2/T33UUP/Q2"));
    Path s1 = Files.createDirectories(folder.resolve("v2/BigEarthNet-S1/33UUP/Q1"));
    bands(s1, "Q1", SensorSource.S1);
    bands(s2, "Q2", SensorSource.S2);
    Path table = folder.resolve("metadata.csv");
    Files.writeString(
        table,
        "patch_id,labels,split,country,s1_name\n"
            + "Q2,\"Arable land;Land principally occupied by agriculture, with significant areas of"
            + " natural vegetation\",validation,Austria,Q1\n");
    PairDataset pairs = BigEarthNetReader.read(folder.resolve("v2"), table, 0);
    assertEquals(Split.VAL, pairs.pairs().get(0).split());
    assertEquals(2, pairs.pairs().get(0).labels().size());
    assertEquals(1, DecodedPairs.decode(pairs, Split.VAL, 32).pairs().size());
  }

  private static void bands(Path folder, String patch, SensorSource sensor) throws IOException {
    for (int band = 0; band < sensor.bands().size(); band++) {
      boolean coarse = sensor.bands().get(band).name().matches("B05|B06|B07|B8A|B11|B12");
      int side = coarse ? 12 : 24;
      double metres = coarse ? 20 : 10;
      Files.write(
          folder.resolve(patch + "_" + sensor.bands().get(band).name() + ".tif"),
          GeoTiffWriter.write(
              flat(1, side, band),
              GeoTiffWriter.Values.UINT16,
              new Georeference(32633, side, side, List.of(4e5, metres, 0.0, 5e6, 0.0, -metres))));
    }
  }

  @Test
  void labelsAreGathered() {
    assertEquals(
        Optional.of("Urban fabric"), BigEarthNetReader.nineteen("Continuous urban fabric"));
    assertEquals(Optional.empty(), BigEarthNetReader.nineteen("Airports"));
  }

  @Test
  void realBigEarthNetPatches() throws IOException {
    Path root =
        Path.of(System.getProperty("crossmodal.shared", "../../shared"))
            .resolve("data/georef/bigearthnet-v1");
    if (!Files.isDirectory(root)) {
      System.out.println("skipped: " + root + " is absent");
    }
    assumeTrue(Files.isDirectory(root));
    Path list = folder.resolve("real.csv");
    Files.write(
        list,
        List.of(
            "S2A_MSIL2A_20170613T101031_87_48,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48",
            "S2A_MSIL2A_20170617T113321_36_85,S1A_IW_GRDH_1SDV_20170617T064724_29UPU_36_85",
            "S2A_MSIL2A_20170617T113321_36_85,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48"));
    PairDataset pairs = BigEarthNetReader.read(root, Map.of(Split.TEST, list), 1);
    DecodedPairs decoded = DecodedPairs.decode(pairs, Split.TEST, 120);
    assertEquals(2, decoded.pairs().size());
    assertSays(new IllegalStateException(decoded.problems().get(0)), "same ground");
    assertEquals(
        Set.of(
            "Arable land",
            "Land principally occupied by agriculture, with significant areas of natural"
                + " vegetation"),
        decoded.pairs().get(0).labels());
  }
}
