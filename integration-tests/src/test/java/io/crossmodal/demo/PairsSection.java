/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.it.CrossModalClient.Tile;
import io.crossmodal.trainer.evaluate.EvaluationTable;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import me.tongfei.progressbar.ProgressBar;

/**
 * The part of the demo in which radar pictures find optical ones and back: real pairs of Sentinel-1
 * and Sentinel-2 (OMBRIA) from places that the shipped model {@code sentinel-pairs} has not seen.
 */
final class PairsSection {
  private static final String INDEX = "pairs";
  private static final String MODEL = "sentinel-pairs";
  static final List<String> SENSORS = List.of("s1", "s2");

  private final List<String> places;
  private final List<Search> searches;

  /**
   * One picture that was searched by.
   *
   * @param place it shows
   * @param hits pictures of the other sensor
   */
  private record Search(String place, String sensor, List<Hit> hits) {
    private String other() {
      return SENSORS.get(1 - SENSORS.indexOf(sensor));
    }

    private int rank() {
      return Example.rank(hits, id(other(), place));
    }
  }

  private PairsSection(List<String> places, List<Search> searches) {
    this.places = places;
    this.searches = searches;
  }

  private static String id(String sensor, String place) {
    return sensor + "-" + place;
  }

  static Path file(String sensor, String place) throws IOException {
    try {
      return Path.of(Objects.requireNonNull(PairsSection.class.getResource("pairs")).toURI())
          .resolve(sensor)
          .resolve(place + ".jpg");
    } catch (URISyntaxException e) {
      throw new IOException(e);
    }
  }

  private static List<String> places() throws IOException {
    try (Stream<Path> files = Files.list(file("s1", "any").getParent())) {
      return files
          .map(file -> file.getFileName().toString().replaceFirst("[.]jpg$", ""))
          .sorted()
          .toList();
    }
  }

  /** Indexes the pictures of both sensors, searches by each, and prints how often it is found. */
  static PairsSection of(CrossModalClient client) throws IOException {
    List<String> places = places();
    List<Tile> tiles = new ArrayList<>();
    for (String place : places) {
      for (String sensor : SENSORS) {
        tiles.add(new Tile(id(sensor, place), sensor, file(sensor, place)));
      }
    }
    List<Search> searches = new ArrayList<>();
    try (ProgressBar bar = new ProgressBar("radar and optical", 2L * tiles.size())) {
      client.indexTiles(INDEX, MODEL, tiles);
      bar.stepTo(tiles.size());
      for (String place : places) {
        for (String sensor : SENSORS) {
          searches.add(search(client, place, sensor, places.size()));
          bar.step();
        }
      }
    }
    PairsSection section = new PairsSection(places, searches);
    section.print();
    return section;
  }

  private static Search search(CrossModalClient client, String place, String sensor, int most)
      throws IOException {
    String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(file(sensor, place)));
    String wanted = SENSORS.get(1 - SENSORS.indexOf(sensor));
    return new Search(place, sensor, client.searchByTile(INDEX, bytes, sensor, wanted, most));
  }

  /** Returns how often the pictures of a sensor find those of their places by the other. */
  EvaluationTable.Retrieval found(String sensor) {
    return EvaluationTable.Retrieval.of(
        searches.stream()
            .filter(search -> search.sensor().equals(sensor))
            .mapToInt(Search::rank)
            .toArray());
  }

  private void print() {
    System.out.printf(
        Locale.ROOT,
        "%nRank of the picture of the same place by the other sensor, %d places that %s has not"
            + " seen%n",
        places.size(),
        MODEL);
    System.out.println("                           R@1    R@5   R@10");
    for (String sensor : SENSORS) {
      EvaluationTable.Retrieval r = found(sensor);
      System.out.printf(
          Locale.ROOT,
          "%-24s %6.1f %6.1f %6.1f%n",
          sensor.equals("s1") ? "radar finds optical" : "optical finds radar",
          r.r1(),
          r.r5(),
          r.r10());
    }
    System.out.println();
  }
}
