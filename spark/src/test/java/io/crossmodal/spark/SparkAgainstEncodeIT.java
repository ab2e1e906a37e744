/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crossmodal.it.Nodes;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.data.GeoTiffWriter;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What two executors of a core each lose against one {@code encode} of two threads; only where
 * asked, by {@code -Dcrossmodal.spark.chips=2000}: docs/archive.md has the whole command.
 */
final class SparkAgainstEncodeIT {
  private static final int CHIP = 128;
  private static final int COLUMNS = 20;

  /** Time of a run, and processor time of all of its processes but the node. */
  private record Cost(double wall, double processor) {
    Cost minus(Cost other) {
      return new Cost(wall - other.wall, processor - other.processor);
    }
  }

  @Test
  void measure() throws Exception {
    int chips = Integer.getInteger("crossmodal.spark.chips", 0);
    assumeTrue(chips > 0, "measures only with -Dcrossmodal.spark.chips=N");
    String obstacle = SparkProcess.obstacle();
    assumeTrue(obstacle.isEmpty(), obstacle);
    Path folder = Nodes.folder("spark-bench").toAbsolutePath();
    Path few = scene(folder.resolve("few.tif"), Math.ceilDiv(chips, 4 * COLUMNS));
    Path many = scene(folder.resolve("many.tif"), Math.ceilDiv(chips, COLUMNS));
    int more = COLUMNS * (Math.ceilDiv(chips, COLUMNS) - Math.ceilDiv(chips, 4 * COLUMNS));
    try (OpenSearchNode node = PluginNode.start(folder.resolve("opensearch"), 0)) {
      // The difference of two runs: what they take to start is not of interest.
      for (int round = 0; round < 2; round++) {
        Cost one = encode(folder, node, many, round).minus(encode(folder, node, few, round));
        Cost two = spark(folder, node, many, round).minus(spark(folder, node, few, round));
        System.out.printf(
            Locale.ROOT,
            "round %d: encode %.1f chips/s, %.2f processor ms a chip; Spark %.1f chips/s, %.2f"
                + " processor ms a chip%n",
            round,
            more / one.wall,
            1000 * one.processor / more,
            more / two.wall,
            1000 * two.processor / more);
      }
    }
  }

  /** Of so many rows of chips, noise over waves. */
  private static Path scene(Path file, int rows) throws Exception {
    int width = COLUMNS * CHIP;
    int height = rows * CHIP;
    float[] values = new float[3 * width * height];
    for (int i = 0; i < values.length; i++) {
      values[i] = 128 + 100 * (float) Math.sin(i % width / 50.0) + (i * 31L % 27);
    }
    BandImage image = new BandImage(3, width, height, values);
    return Files.write(file, GeoTiffWriter.write(image, GeoTiffWriter.Values.UINT16, null));
  }

  private static List<String> arguments(OpenSearchNode node, Path scene, String index) {
    return List.of(
        "--data",
        scene.toString(),
        "--chip",
        Integer.toString(CHIP),
        "--stretch",
        "0:255",
        "--rgb",
        "1,2,3",
        "--index",
        index,
        "--create-index",
        "--node",
        node.baseUri().toString());
  }

  private static Cost encode(Path folder, OpenSearchNode node, Path scene, int round)
      throws Exception {
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dai.djl.offline=true", "-jar"));
    command.addAll(List.of(System.getProperty("crossmodal.trainer.jar"), "encode"));
    command.addAll(arguments(node, scene, "encode-" + round + scene.getFileName()));
    command.addAll(List.of("--threads", "2"));
    Path output = Files.createTempFile(folder, "encode-", ".txt");
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.environment().put("OMP_NUM_THREADS", "2");
    builder.redirectErrorStream(true).redirectOutput(Redirect.to(output.toFile()));
    return watched(builder.start(), output);
  }

  private static Cost spark(Path folder, OpenSearchNode node, Path scene, int round)
      throws Exception {
    SparkProcess process =
        SparkProcess.start(
            folder, List.of(), arguments(node, scene, "spark-" + round + scene.getFileName()));
    return watched(process.process(), process.outputFile());
  }

  private static Cost watched(Process process, Path output) throws Exception {
    long start = System.nanoTime();
    Map<Long, Duration> processor = new HashMap<>();
    while (!process.waitFor(200, TimeUnit.MILLISECONDS)) {
      Stream.concat(Stream.of(process.toHandle()), process.descendants())
          .forEach(
              each ->
                  each.info()
                      .totalCpuDuration()
                      .ifPresent(time -> processor.put(each.pid(), time)));
    }
    double wall = (System.nanoTime() - start) / 1e9;
    assertEquals(0, process.exitValue(), Files.readString(output));
    Duration all = processor.values().stream().reduce(Duration.ZERO, Duration::plus);
    return new Cost(wall, all.toNanos() / 1e9);
  }
}
