/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.trainer.cli.CrossModal;
import io.crossmodal.trainer.encode.Scenes;
import io.crossmodal.trainer.encode.SourceImage;
import io.crossmodal.trainer.encode.TargetIndex;
import io.crossmodal.trainer.encode.TokenForm;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

final class JobTest {
  private static final TargetIndex INDEX =
      new TargetIndex("archive", "", TokenForm.INT8, true, true);

  private static List<String> options(String... words) {
    return Job.options(CrossModal.commandLine(new SparkEncode()).parseArgs(words));
  }

  /** Executors read the same options as the driver, but for secrets and files. */
  @Test
  void executorsAreToldWhatWasGiven() {
    List<String> told =
        options(
            "--data",
            "scenes",
            "--index",
            "archive",
            "--portion",
            "9",
            "--restart",
            "--chip",
            "256",
            "--stride=192",
            "--rgb",
            "3,2,1",
            "--stretch",
            "2%:98%",
            "--create-index",
            "--user",
            "me",
            "--password",
            "secret",
            "--ca",
            "ca.pem",
            "--bundle",
            "model.zip",
            "--node",
            "https://a:1",
            "--insecure");
    assertEquals(
        List.of(
            "--data=scenes",
            "--chip=256",
            "--stride=192",
            "--rgb=3,2,1",
            "--stretch=2%:98%",
            "--create-index",
            "--node=https://a:1",
            "--insecure"),
        told);
    Job job = new Job(told, Map.of(), "Basic secret", INDEX, true, 2);
    assertFalse(job.toString().contains("secret"), job.toString());
    assertEquals(256, job.arguments().cutting().orElseThrow().chip());
    assertEquals(List.of(2, 1, 0), job.arguments().options(2).look().rgb());
    assertTrue(job.arguments().bundleFile().isEmpty());
  }

  /** What cannot be read fails a task that is tried again, and is a problem in the end. */
  @Test
  void theLastAttemptIsNotFollowed() {
    SparkConf conf = new SparkConf(false).setMaster("spark://host:7077");
    assertTrue(Attempts.isFollowed(conf, 0));
    assertTrue(Attempts.isFollowed(conf, 2));
    assertFalse(Attempts.isFollowed(conf, 3));
    assertFalse(Attempts.isFollowed(conf.set("spark.task.maxFailures", "1"), 0));
    assertFalse(Attempts.isFollowed(new SparkConf(false).setMaster("local[4]"), 0));
  }

  /** Portions of a scene follow each other, none is larger than asked for. */
  @Test
  void portionsCoverAScene() {
    SourceImage image =
        new SourceImage(
            "one.tif",
            List.of(Path.of("one.tif")),
            List.of(),
            Optional.empty(),
            List.of(),
            Optional.empty());
    for (int chips = 1; chips < 300; chips++) {
      List<Portion> portions = Portion.ofScene(new Scenes.Listed(image, chips, "", ""), 64);
      int next = 0;
      for (Portion portion : portions) {
        assertEquals(next, portion.from());
        next = portion.to();
        int size = portion.to() - portion.from();
        assertTrue(size > 0 && size <= 64, size + " of " + chips);
      }
      assertEquals(chips, next);
      assertEquals((chips + 63) / 64, portions.size());
    }
    List<Portion> pictures = Portion.ofPictures(new ArrayList<>(List.of(image, image, image)), 2);
    assertEquals(List.of(2, 1), pictures.stream().map(each -> each.pictures().size()).toList());
  }

  /** An executor has one task at a time, which has all of its cores. */
  @Test
  void aTaskHasItsExecutorToItself() {
    Map<String, Integer> threads =
        Map.of("local-cluster[2,3,1024]", 3, "local[4]", 4, "local", 1, "yarn", 1, "local[2,3]", 2);
    threads.forEach(
        (master, expected) -> {
          SparkConf conf =
              ExecutorResources.configure(new SparkConf(false).set("spark.master", master));
          assertEquals(expected, ExecutorResources.threads(conf), master);
          assertEquals(expected, conf.getInt("spark.executor.cores", 0), master);
          assertEquals(
              Integer.toString(expected), conf.get("spark.executorEnv.OMP_NUM_THREADS"), master);
        });
    SparkConf said =
        ExecutorResources.configure(
            new SparkConf(false).set("spark.master", "yarn").set("spark.executor.cores", "8"));
    assertEquals(8, said.getInt("spark.task.cpus", 0));
  }

  @Test
  void saysWhatIsWrongBeforeAnythingBegins() {
    assertRefused("--portion and --progress must be at least 1", "--portion", "0");
    assertRefused("--chip and --chip-metres", "--chip", "64", "--chip-metres", "640");
    assertRefused("does not exist");
    assertThrows(CommandLine.MissingParameterException.class, () -> options("--data", "x"));
  }

  private static void assertRefused(String message, String... more) {
    List<String> words = new ArrayList<>(List.of("--data", "no-such-folder", "--index", "x"));
    words.addAll(List.of(more));
    StringWriter err = new StringWriter();
    CommandLine line = CrossModal.commandLine(new SparkEncode());
    line.setErr(new PrintWriter(err, true));
    assertEquals(2, line.execute(words.toArray(String[]::new)), err.toString());
    assertTrue(err.toString().contains(message), err.toString());
  }
}
