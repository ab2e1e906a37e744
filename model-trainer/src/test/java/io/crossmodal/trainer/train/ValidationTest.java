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

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.data.CaptionedDataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ValidationTest {
  private static final long SEED = MicroTraining.seed();
  private static final TrainingOptions.Tasks ITC = new TrainingOptions.Tasks(1, 0, 0, 0, 0, 0, 1);

  @TempDir static Path folder;
  private static CaptionedDataset scenes;

  @BeforeAll
  static void generate() throws Exception {
    scenes = MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 24, 8, 0, SEED));
  }

  private static TrainingOptions options(
      TrainingOptions.Tasks tasks, int steps, Integer every, int patience, Validation.Ships ships) {
    return MicroTraining.with(
        MicroTraining.options(SEED, steps, tasks, 1e-3, 4),
        "validation",
        new Validation.Options(every, patience, ships));
  }

  private static ModelBundle train(String run, TrainingOptions options) throws Exception {
    return TrainingRun.open(folder.resolve(run), options).train(scenes, "micro", step -> {});
  }

  private static void interruptAt(String run, TrainingOptions options, int end) {
    assertThrows(
        CancellationException.class,
        () ->
            TrainingRun.open(folder.resolve(run), options)
                .train(
                    scenes,
                    "micro",
                    step -> {
                      if (step == end) {
                        throw new CancellationException();
                      }
                    }));
  }

  private static Map<String, float[]> weights(ModelBundle bundle) throws Exception {
    return bundle.weights().tensors().entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, tensor -> tensor.getValue().values()));
  }

  private static void assertSame(ModelBundle expected, ModelBundle found) throws Exception {
    Map<String, float[]> values = weights(found);
    weights(expected).forEach((name, tensor) -> assertArrayEquals(tensor, values.get(name), name));
  }

  private static SortedMap<Integer, JsonObject> validations(String run) throws Exception {
    SortedMap<Integer, JsonObject> validations = new TreeMap<>();
    RunFolder.metrics(folder.resolve(run))
        .forEach(
            (step, line) -> {
              if (line.has("validation")) {
                validations.put(step, line.getAsJsonObject("validation"));
              }
            });
    return validations;
  }

  /** Dropout and all tasks on, so that anything that were disturbed would show. */
  @Test
  void aRunIsTheSameWithAndWithout() throws Exception {
    ModelBundle without =
        train("without", options(MicroTraining.ALL, 7, 0, 0, Validation.Ships.LAST));
    ModelBundle with = train("with", options(MicroTraining.ALL, 7, 2, 0, Validation.Ships.LAST));
    assertSame(without, with);
    assertEquals(List.of(2, 4, 6, 7), List.copyOf(validations("with").keySet()));
    assertEquals(Map.of(), validations("without"));
    assertFalse(Files.exists(folder.resolve("without").resolve("best.zip")));
  }

  @Test
  void anInterruptedRunValidatesAndShipsWhatAWholeOneDoes() throws Exception {
    TrainingOptions options = options(ITC, 11, 3, 0, Validation.Ships.BEST);
    ModelBundle whole = train("whole", options);
    interruptAt("resumed", options, 3); // where a validation is due, which is made up for
    assertEquals(Map.of(), validations("resumed"));
    interruptAt("resumed", options, 7);
    assertEquals(List.of(3, 6), List.copyOf(validations("resumed").keySet()));
    ModelBundle resumed = train("resumed", options);
    assertEquals(validations("whole"), validations("resumed"));
    assertEquals(List.of(3, 6, 9, 11), List.copyOf(validations("whole").keySet()));
    assertSame(whole, resumed);
    // A run that has ended ships the same again.
    assertSame(whole, train("resumed", options));
  }

  @Test
  void whatIsAskedForShips() throws Exception {
    int steps = 24;
    ModelBundle best = train("best", options(ITC, steps, 4, 0, Validation.Ships.BEST));
    int chosen = 0;
    double most = -1;
    for (Map.Entry<Integer, JsonObject> found : validations("best").entrySet()) {
      double figure = found.getValue().get("mr").getAsDouble();
      assertTrue(figure <= found.getValue().get("mr_aware").getAsDouble());
      if (figure >= most) {
        most = figure;
        chosen = found.getKey();
      }
    }
    double epochs = best.manifest().training().epochs();
    assertEquals(chosen * 8 / 120.0, epochs, 1e-9, "the best is of step " + chosen);
    assertEquals("micro", best.manifest().id());
    assertSame(ModelBundle.read(folder.resolve("best").resolve("best.zip")), best);
    ModelBundle last = train("last", options(ITC, steps, 4, 0, Validation.Ships.LAST));
    assertEquals(steps * 8 / 120.0, last.manifest().training().epochs(), 1e-9);
  }

  /** Nothing learns at a rate of almost 0, so no later validation is better than the first. */
  @Test
  void patienceEndsARunAndKeepsItEnded() throws Exception {
    TrainingOptions options =
        MicroTraining.with(
            options(ITC, 40, 2, 3, Validation.Ships.BEST), "learning_rate", 1e-12, "dropout", 0.0);
    List<Integer> steps = new ArrayList<>();
    TrainingRun.open(folder.resolve("patient"), options).train(scenes, "micro", steps::add);
    // The statistics of batch norms move even so, and with them the figures.
    int validations = 0;
    int worse = 0;
    double best = Double.NEGATIVE_INFINITY;
    for (String line : Files.readAllLines(folder.resolve("patient/metrics.jsonl"))) {
      JsonObject figures =
          JsonParser.parseString(line).getAsJsonObject().getAsJsonObject("validation");
      if (figures != null) {
        assertTrue(worse < 3, "goes on after three that were no better, seed " + SEED);
        double figure = figures.entrySet().iterator().next().getValue().getAsDouble();
        worse = figure > best ? 0 : worse + 1;
        best = Math.max(best, figure);
        validations++;
      }
    }
    assertTrue(worse == 3 || validations == 20, "ends before, seed " + SEED);
    assertEquals(2 * validations, steps.size());
    steps.clear();
    TrainingRun.open(folder.resolve("patient"), options).train(scenes, "micro", steps::add);
    assertEquals(List.of(), steps);
  }

  /** The bi-encoder's figures say nothing of a fusion that has hardly begun. */
  @Test
  void aFusionIsGivenTimeBeforeAModelIsChosen() {
    TrainingOptions.Stages stages = new TrainingOptions.Stages(0.5, 1, 0, 0);
    assertEquals(15, MicroTraining.options(1, 20, MicroTraining.ALL, stages, 1e-3, 5).judgedFrom());
    assertEquals(0, MicroTraining.options(1, 20, ITC, 1e-3, 5).judgedFrom());
  }

  @Test
  void theIntervalIsAnEpochOrATwentiethOfTheRun() {
    Validation.Options open = new Validation.Options(null, 0, Validation.Ships.BEST);
    assertEquals(316, open.every(4000, 316));
    assertEquals(200, open.every(4000, 63.2));
    assertEquals(1, open.every(3, 0.1));
    assertEquals(7, new Validation.Options(7, 0, Validation.Ships.BEST).every(4000, 316));
    assertThrows(
        IllegalArgumentException.class, () -> new Validation.Options(-1, 0, Validation.Ships.BEST));
  }

  @Test
  void aLineSaysWhatAUserWatches() throws Exception {
    List<TrainingLoop.Metrics> told = new ArrayList<>();
    TrainingRun.open(folder.resolve("told"), options(ITC, 5, 5, 0, Validation.Ships.LAST))
        .train(
            scenes,
            "micro",
            new TrainingRun.Progress() {
              @Override
              public void measured(TrainingLoop.Metrics metrics) {
                told.add(metrics);
              }

              @Override
              public void stepped(int taken) {}
            });
    assertEquals(5, told.size());
    JsonObject line = RunFolder.metrics(folder.resolve("told")).get(5);
    assertTrue(line.get("gradient_norm").getAsDouble() > 0, line.toString());
    double rate = options(ITC, 5, 5, 0, Validation.Ships.LAST).learningRate(4);
    assertEquals(rate, line.get("learning_rate").getAsDouble(), 1e-12);
    double temperature = line.get("temperature").getAsDouble();
    assertTrue(temperature > 0.01 && temperature < 1, line.toString());
    double speed = line.get("steps_per_second").getAsDouble();
    assertEquals(8 * speed, line.get("pictures_per_second").getAsDouble(), 1e-6 * speed);
    String brief = told.get(4).brief();
    for (String part : List.of("total ", "itc ", "rate ", "norm ", "temperature ", "/s")) {
      assertTrue(brief.contains(part), brief);
    }
    assertFalse(brief.contains("mlm"), brief);
  }
}
