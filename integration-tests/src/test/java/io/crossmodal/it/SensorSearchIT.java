/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.it.CrossModalClient.Hit;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.opensearch.client.ResponseException;

/** Radar finds optical and back, on a real node, with a model that learned it a moment ago. */
final class SensorSearchIT {
  private static final int PLACES = 50;
  private static final int FIRST = 5;

  // By chance 10 %.
  private static final int LEAST_PERCENT = 40;

  private static OpenSearchNode node;
  private static SensorArchive archive;

  @BeforeAll
  static void start() throws Exception {
    Path folder = Nodes.folder("sensors");
    node = PluginNode.start(folder.resolve("opensearch"), 0);
    archive =
        SensorArchive.create(
            folder, new CrossModalClient(node.client()), "tiles", PLACES, step -> {});
  }

  @AfterAll
  static void stop() throws Exception {
    if (node != null) {
      node.close();
    }
  }

  /**
   * Returns the percent of the places that are among the first hits of a search by a mirrored tile
   * of them.
   */
  private static double found(String sensor, String wanted, boolean rescore) throws Exception {
    int found = 0;
    for (int place = 0; place < archive.places(); place++) {
      List<Hit> hits = archive.search(archive.mirrored(sensor, place), sensor, wanted, rescore);
      assertEquals(archive.places(), hits.size());
      double before = 2;
      for (Hit hit : hits) {
        assertTrue(hit.id().startsWith(wanted), hit.id());
        assertTrue(rescore ? hit.score() >= 1 : hit.score() <= 1, hit.toString());
        assertTrue(hit.score() <= before, "sorted");
        before = hit.score();
      }
      String partner = SensorArchive.id(wanted, place);
      if (hits.subList(0, FIRST).stream().anyMatch(hit -> hit.id().equals(partner))) {
        found++;
      }
    }
    return 100.0 * found / archive.places();
  }

  @Test
  void allFourDirectionsFindTheSamePlace() throws Exception {
    for (String sensor : SensorArchive.SENSORS) {
      for (String wanted : SensorArchive.SENSORS) {
        for (boolean rescore : new boolean[] {false, true}) {
          double found = found(sensor, wanted, rescore);
          String what =
              String.format(
                  Locale.ROOT,
                  "%s -> %s, %s: %.0f %% among the first %d of %d",
                  sensor,
                  wanted,
                  rescore ? "patch by patch" : "kNN",
                  found,
                  FIRST,
                  archive.places());
          System.out.println(what);
          assertTrue(found >= LEAST_PERCENT, what);
        }
      }
    }
  }

  /** Without a filter both sensors' k nearest are in one list of probabilities. */
  @Test
  void bothSensorsAreInOneList() throws Exception {
    List<Hit> hits = archive.search(archive.mirrored("s1", 3), "s1", null, false);
    assertEquals(2 * archive.places(), hits.size());
    assertTrue(hits.stream().allMatch(hit -> hit.score() > 0 && hit.score() < 1));
    List<Hit> rescored = archive.search(archive.mirrored("s1", 3), "s1", null, true);
    assertEquals(2 * archive.places(), rescored.size());
    assertTrue(rescored.stream().allMatch(hit -> hit.score() >= 1));
  }

  /** Text finds radar tiles by a tower that joined a model with text a moment ago. */
  @Test
  void textFindsRadarTiles() throws Exception {
    TextAndRadar tiles =
        TextAndRadar.create(
            Nodes.folder("text-and-radar"), new CrossModalClient(node.client()), "described");
    for (String sensor : TextAndRadar.SENSORS) {
      for (boolean rescore : new boolean[] {false, true}) {
        int found = 0;
        for (int place = 0; place < tiles.places(); place++) {
          for (String caption : tiles.captions(place)) {
            List<Hit> hits = tiles.search(caption, sensor, rescore);
            assertEquals(tiles.places(), hits.size());
            for (Hit hit : hits) {
              assertTrue(hit.id().startsWith(sensor), hit.id());
              assertTrue(rescore ? hit.score() >= 1 : hit.score() <= 1, hit.toString());
            }
            String own = SensorArchive.id(sensor, place);
            if (hits.subList(0, FIRST).stream().anyMatch(hit -> hit.id().equals(own))) {
              found++;
            }
          }
        }
        double percent = 100.0 * found / tiles.texts();
        double chance = 100.0 * FIRST / tiles.places();
        String what =
            String.format(
                Locale.ROOT,
                "text -> %s, %s: %.0f %% among the first %d of %d, by chance %.0f %%",
                sensor,
                rescore ? "fused" : "kNN",
                percent,
                FIRST,
                tiles.places(),
                chance);
        System.out.println(what);
        assertTrue(percent >= 2 * chance, what);
      }
    }
    List<Hit> both = tiles.search("a ship", null, true);
    assertEquals(2 * tiles.places(), both.size());
  }

  @Test
  void whatIsNoTileOfTheSensorIsRefused() {
    for (boolean rescore : new boolean[] {false, true}) {
      ResponseException bands =
          assertThrows(
              ResponseException.class,
              () -> archive.search(archive.mirrored("s1", 0), "s2", null, rescore));
      assertEquals(400, bands.getResponse().getStatusLine().getStatusCode());
      assertTrue(bands.getMessage().contains("2 bands where sensor [s2] has 10"), bands.toString());
      ResponseException sensor =
          assertThrows(
              ResponseException.class,
              () -> archive.search(archive.mirrored("s1", 0), "rgb", null, rescore));
      assertEquals(400, sensor.getResponse().getStatusLine().getStatusCode());
      assertTrue(sensor.getMessage().contains("unknown sensor [rgb]"), sensor.toString());
    }
  }
}
