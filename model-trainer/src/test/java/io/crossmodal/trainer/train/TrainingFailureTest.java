/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.engine.EngineException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.CaptionedDataset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs that end before their last step, and what is left of them. */
class TrainingFailureTest {
  private static final long SEED = MicroTraining.seed();
  private static final Path SHELL = Path.of("/bin/bash");

  @TempDir static Path folder;
  private static Path json;
  private static CaptionedDataset scenes;

  @BeforeAll
  static void generate() throws Exception {
    json = MicroTraining.scenes(folder.resolve("scenes"), 16, 4, 4, SEED);
    scenes = MicroTraining.read(json);
  }

  private static TrainingOptions options(long seed) {
    return MicroTraining.options(seed, 6, MicroTraining.ALL, 1e-3, 2);
  }

  private static ModelBundle train(Path run, TrainingRun.Progress progress) throws Exception {
    return TrainingRun.open(run, options(SEED)).train(scenes, "micro", progress);
  }

  private static void assertResumes(Path run) throws Exception {
    ModelBundle whole = train(folder.resolve(run.getFileName() + "-whole"), step -> {});
    ModelBundle resumed = train(run, step -> assertTrue(step > 2, "resumed at step " + step));
    for (String name : whole.weights().names()) {
      assertArrayEquals(
          whole.weights().tensors().get(name).values(),
          resumed.weights().tensors().get(name).values(),
          name);
    }
    try (Stream<Path> files = Files.list(run)) {
      List<String> left =
          files.map(Path::getFileName).map(Path::toString).filter(f -> f.endsWith(".tmp")).toList();
      assertEquals(List.of(), left);
    }
  }

  private static void assertEnds(String name, RuntimeException failure, String... said)
      throws Exception {
    assertEnds(
        name,
        () -> {
          throw failure;
        },
        said);
  }

  private static void assertEnds(String name, Runnable failure, String... said) throws Exception {
    Path run = folder.resolve(name);
    TrainingException e =
        assertThrows(
            TrainingException.class,
            () ->
                train(
                    run,
                    step -> {
                      if (step == 3) {
                        failure.run();
                      }
                    }));
    assertTrue(e.getMessage().startsWith("ended at step 3: "), e.getMessage());
    assertTrue(e.getMessage().contains(run.resolve("checkpoint.safetensors").toString()));
    for (String part : said) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
    assertResumes(run);
  }

  @Test
  void withoutMemoryForJavaTheLastCheckpointStays() throws Exception {
    assertEnds(
        "heap",
        () -> {
          throw new OutOfMemoryError("Java heap space");
        },
        "Java heap space",
        "-Xmx",
        "smaller batch");
  }

  @Test
  void withoutMemoryForLibtorchTheLastCheckpointStays() throws Exception {
    assertEnds(
        "native",
        new EngineException("DefaultCPUAllocator: can't allocate memory"),
        "can't allocate memory",
        "smaller batch");
  }

  /** Checkpoints are due after steps 2, 4 and 6. */
  @Test
  void whoeverEndsARunLosesNoStep() throws Exception {
    Path run = folder.resolve("cancelled");
    assertThrows(
        CancellationException.class,
        () ->
            train(
                run,
                step -> {
                  if (step == 3) {
                    throw new CancellationException();
                  }
                }));
    List<Integer> steps = new ArrayList<>();
    ModelBundle resumed = train(run, steps::add);
    assertEquals(List.of(4, 5, 6), steps);
    ModelBundle whole = train(folder.resolve("cancelled-whole"), step -> {});
    for (String name : whole.weights().names()) {
      assertArrayEquals(
          whole.weights().tensors().get(name).values(),
          resumed.weights().tensors().get(name).values(),
          name);
    }
  }

  private static void stopAt(int last, Path run) {
    assertThrows(
        IllegalStateException.class,
        () ->
            train(
                run,
                step -> {
                  if (step == last) {
                    throw new IllegalStateException();
                  }
                }));
  }

  /** The half line is what a full disk leaves of a line. */
  @Test
  void aHalfLineOfMetricsIsDropped() throws Exception {
    Path run = folder.resolve("half");
    stopAt(5, run);
    Path metrics = run.resolve("metrics.jsonl");
    Files.writeString(metrics, "{\"step\":1,\"losses\":{}}\n{\"step\":2,\"los");
    train(run, step -> {});
    List<String> lines = Files.readAllLines(metrics);
    assertEquals(2, lines.size(), lines.toString());
    assertTrue(lines.get(1).startsWith("{\"step\":6,"), lines.toString());
  }

  /** A process that may write no file as long as a checkpoint; no disk has to be filled for it. */
  @Test
  void withoutRoomOnTheDiskTheLastCheckpointStays() throws Exception {
    if (!Files.isExecutable(SHELL)) {
      System.out.println("skipped: no " + SHELL + ", whose ulimit this test needs");
      Assumptions.abort();
    }
    Path run = folder.resolve("full");
    stopAt(3, run);
    Path checkpoint = run.resolve("checkpoint.safetensors");
    byte[] before = Files.readAllBytes(checkpoint);
    String said = trainInAProcess(run, before.length / 1024 / 2);
    assertTrue(said.contains("TrainingException: ended at step 4: cannot write to " + run), said);
    assertTrue(said.contains("Make room there") && said.contains(checkpoint.toString()), said);
    assertArrayEquals(before, Files.readAllBytes(checkpoint));
    assertResumes(run);
  }

  private static String trainInAProcess(Path run, long kibibytes) throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    ProcessBuilder builder =
        new ProcessBuilder(
            SHELL.toString(),
            "-c",
            "ulimit -f " + kibibytes + " && exec \"$@\"",
            "bash",
            java,
            "--enable-native-access=ALL-UNNAMED",
            "-XX:-UsePerfData",
            "-Dai.djl.offline=true",
            "-Dcrossmodal.seed=" + SEED,
            "-cp",
            System.getProperty("java.class.path"),
            Continued.class.getName(),
            json.toString(),
            run.toString());
    Map<String, String> environment = builder.environment();
    environment.put("OMP_NUM_THREADS", "1");
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertFalse(process.waitFor() == 0, said);
    return said;
  }

  /** What the process runs. */
  static final class Continued {
    private Continued() {}

    public static void main(String[] arguments) throws Exception {
      TrainingRun.open(Path.of(arguments[1]), options(SEED))
          .train(MicroTraining.read(Path.of(arguments[0])), "micro", step -> {});
    }
  }
}
