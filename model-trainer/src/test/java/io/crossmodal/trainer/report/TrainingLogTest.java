/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingLogTest {
  @TempDir Path folder;

  private static String line(int step, double itc, double speed) {
    return "{\"step\":"
        + step
        + ",\"losses\":{\"total\":"
        + (itc + 1)
        + ",\"itc\":"
        + itc
        + "},\"steps_per_second\":"
        + speed
        + "}";
  }

  @Test
  void aResumedRunCountsAsItWasTakenLast() throws Exception {
    Files.write(
        folder.resolve("metrics.jsonl"),
        List.of(
            line(50, 4, 1),
            line(100, 3, 1),
            "{\"step\":100,\"validation\":{\"mr\":12.5}}",
            line(150, 9, 1),
            line(100, 2.5, 2),
            "{\"step\":1"));
    TrainingLog log = TrainingLog.read(folder);
    assertEquals(Map.of("mr", new TreeMap<>(Map.of(100, 12.5))), log.validation());
    assertEquals(new TreeMap<>(Map.of(50, 4.0, 100, 2.5, 150, 9.0)), log.losses().get("itc"));
    assertEquals(List.of("total", "itc"), List.copyOf(log.losses().keySet()));
    assertEquals(new TreeMap<>(Map.of(50, 1.0, 100, 2.0, 150, 1.0)), log.stepsPerSecond());
  }

  @Test
  void namesTheLineThatIsNone() throws Exception {
    Path run = Files.createDirectories(folder.resolve("broken"));
    Path file =
        Files.write(
            run.resolve("metrics.jsonl"), List.of(line(50, 4, 1), "nothing", line(1, 1, 1)));
    String message = assertThrows(IOException.class, () -> TrainingLog.read(run)).getMessage();
    assertTrue(message.contains(file + ", line 2"), message);
    assertEquals(Map.of(), TrainingLog.read(folder.resolve("not-yet")).losses());
  }

  @Test
  void optionsKeepTheirOrderAndNesting() throws Exception {
    Path file =
        Files.writeString(
            folder.resolve("options.json"), "{\"seed\":1,\"tasks\":{\"itc\":0.5},\"list\":[1,2]}");
    assertEquals("{seed=1, tasks.itc=0.5, list=[1,2]}", TrainingLog.options(file).toString());
    Files.writeString(file, "{");
    String message = assertThrows(IOException.class, () -> TrainingLog.options(file)).getMessage();
    assertTrue(message.contains("options.json"), message);
  }
}
