/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.it.Nodes;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The jar on two executors, against a real node. */
final class SparkEncodeIT {
  private static final int WIDTH = 1280;
  private static final int HEIGHT = 640;
  private static final int CHIP = 64;
  private static final int SCENES = 3;
  private static final int CHIPS = SCENES * (WIDTH / CHIP) * (HEIGHT / CHIP);
  private static final long SEED = 41;

  private static Path folder;
  private static OpenSearchNode node;

  private SparkProcess running;

  @BeforeAll
  static void start() throws Exception {
    String obstacle = SparkProcess.obstacle();
    assumeTrue(obstacle.isEmpty(), obstacle);
    folder = Nodes.folder("spark").toAbsolutePath();
    node = PluginNode.start(folder.resolve("opensearch"), 0);
    Path scenes = Files.createDirectory(folder.resolve("scenes"));
    for (int i = 0; i < SCENES; i++) {
      Files.write(scenes.resolve("scene-" + i + ".tif"), scene(i));
    }
    Files.copy(scenes.resolve("scene-0.tif"), scenes.resolve("the-first-again.tif"));
    Files.writeString(scenes.resolve("broken.tif"), "no scene");
  }

  @AfterAll
  static void stop() throws IOException {
    if (node != null) {
      node.close();
    }
  }

  @AfterEach
  void end() {
    if (running != null) {
      running.kill();
    }
  }

  private static byte[] scene(int number) {
    SplittableRandom random = new SplittableRandom(SEED + number);
    float[] values = new float[3 * WIDTH * HEIGHT];
    for (int i = 0; i < values.length; i++) {
      int x = i % WIDTH;
      values[i] = 1000 + 900 * (float) Math.sin((number + 1) * x / 60.0) + random.nextInt(1000);
    }
    return GeoTiffWriter.write(
        new BandImage(3, WIDTH, HEIGHT, values),
        GeoTiffWriter.Values.UINT16,
        new Georeference(
            32617,
            WIDTH,
            HEIGHT,
            List.of(500_000d + 20_000 * number, 10d, 0d, 4_200_000d, 0d, -10d)));
  }

  private SparkProcess encode(String index, List<String> conf, String... more) throws IOException {
    List<String> arguments = new ArrayList<>();
    arguments.addAll(List.of("--data", folder.resolve("scenes").toString()));
    arguments.addAll(List.of("--chip", Integer.toString(CHIP), "--stretch", "0:3000"));
    arguments.addAll(List.of("--rgb", "1,2,3", "--index", index));
    arguments.addAll(List.of("--node", node.baseUri().toString()));
    arguments.addAll(List.of("--portion", "50", "--progress", "1"));
    arguments.addAll(List.of(more));
    running = SparkProcess.start(folder, conf, arguments);
    return running;
  }

  private static JsonObject call(String method, String path, String json) throws IOException {
    return Nodes.json(node, method, path, json);
  }

  /** Returns how many documents there are; 0 where there is no index yet. */
  private static int count(String index) throws IOException {
    call("POST", "/" + index + "*/_refresh", null);
    return call("GET", "/" + index + "*/_count", null).get("count").getAsInt();
  }

  /** Returns the scene and the window of each document. */
  private static List<String> windows(String index) throws IOException {
    JsonObject found =
        call(
            "POST",
            "/" + index + "/_search",
            "{\"size\":10000,\"_source\":[\"scene\",\"window\",\"thumbnail\"]}");
    List<String> windows = new ArrayList<>();
    for (JsonElement hit : found.getAsJsonObject("hits").getAsJsonArray("hits")) {
      JsonObject source = hit.getAsJsonObject().getAsJsonObject("_source");
      assertTrue(source.has("thumbnail"), source.toString());
      windows.add(source.get("scene").getAsString() + " " + source.get("window"));
    }
    return windows;
  }

  private static Set<String> expectedWindows() {
    Set<String> windows = new TreeSet<>();
    for (int i = 0; i < SCENES; i++) {
      for (int y = 0; y < HEIGHT; y += CHIP) {
        for (int x = 0; x < WIDTH; x += CHIP) {
          windows.add("scene-" + i + ".tif [" + x + "," + y + "," + CHIP + "," + CHIP + "]");
        }
      }
    }
    return windows;
  }

  /** Returns a number of the last line that says how far it is. */
  private static int counted(String output, String what) {
    String last =
        output.lines().filter(line -> line.contains(" left out")).toList().stream()
            .filter(line -> line.contains(" encoded, "))
            .reduce((first, second) -> second)
            .orElseThrow(() -> new AssertionError(output));
    String before = last.substring(0, last.indexOf(" " + what));
    return Integer.parseInt(before.substring(before.lastIndexOf(' ') + 1).replace(",", ""));
  }

  /**
   * An executor is killed in the middle: what it was at is done by others. A run after that, with
   * tasks that run twice, finds all of it; one after some are gone sends these.
   */
  @Test
  void everyChipIsThereOnceThoughAnExecutorDies() throws Exception {
    SparkProcess first = encode("archive", List.of(), "--create-index");
    int there = 0;
    while (there < CHIPS / 6) {
      assertFalse(first.ends(), () -> "ended too early: " + output(first));
      there = count("archive");
    }
    assertTrue(there < CHIPS, "killed after the end: " + there);
    List<ProcessHandle> executors = first.executors();
    assertEquals(2, executors.size(), () -> output(first));
    assertTrue(executors.get(0).destroyForcibly());
    executors.get(0).onExit().join();
    assertEquals(3, first.status(), () -> output(first));

    String output = first.output();
    assertTrue(output.contains(CHIPS + " chips in "), output);
    assertTrue(output.contains("not cut, with the bytes of another: 1 of these scenes"), output);
    assertNamesTheBrokenScene(output);
    assertEquals(CHIPS, counted(output, "encoded") + counted(output, "there before"), output);
    assertEquals(1, counted(output, "left out"), output);
    assertTrue(output.contains("of all threads together"), output);
    assertEquals(CHIPS, count("archive"));
    List<String> windows = windows("archive");
    assertEquals(CHIPS, windows.size());
    assertEquals(expectedWindows(), new TreeSet<>(windows));

    JsonObject gone =
        call(
            "POST",
            "/archive/_delete_by_query",
            "{\"query\":{\"term\":{\"scene\":\"scene-1.tif\"}}}");
    int deleted = gone.get("deleted").getAsInt();
    assertEquals(CHIPS / SCENES, deleted);
    List<String> eager =
        List.of(
            "spark.speculation=true",
            "spark.speculation.quantile=0.01",
            "spark.speculation.multiplier=1.01",
            "spark.speculation.minTaskRuntime=1ms",
            "spark.speculation.interval=10ms");
    SparkProcess again = encode("archive", eager);
    assertEquals(3, again.status(), () -> output(again));
    assertEquals(
        CHIPS,
        counted(again.output(), "encoded") + counted(again.output(), "there before"),
        again.output());
    assertEquals(CHIPS, count("archive"));
    assertEquals(expectedWindows(), new TreeSet<>(windows("archive")));
  }

  /** Too many problems end it before anything is sent. */
  @Test
  void problemsAreCountedOverTheWholeJob() throws Exception {
    SparkProcess strict = encode("strict", List.of(), "--create-index", "--allow-problems", "0");
    assertEquals(2, strict.status(), () -> output(strict));
    String output = strict.output();
    assertTrue(output.contains("cannot be encoded (0 problems allowed): 1"), output);
    assertNamesTheBrokenScene(output);
    assertEquals(0, count("strict"));
  }

  /** Where GDAL is installed its words come before ours. */
  private static void assertNamesTheBrokenScene(String output) {
    assertTrue(
        output.lines().anyMatch(l -> l.contains("broken.tif: ") && l.contains("no picture")),
        output);
  }

  private static String output(SparkProcess process) {
    try {
      return process.output();
    } catch (IOException e) {
      return e.toString();
    }
  }
}
