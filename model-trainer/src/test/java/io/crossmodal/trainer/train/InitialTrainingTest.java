/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.Weights.Init;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.checkpoint.SmallImport;
import io.crossmodal.trainer.data.CaptionedDataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Training from imported weights. */
class InitialTrainingTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;

  private static TrainingOptions options(double learningRate) {
    return MicroTraining.options(SEED, 1, MicroTraining.ALL, learningRate, 1);
  }

  @Test
  void startsFromTheWeightsAndTheVocabularyAndInsistsOnThem() throws Exception {
    CaptionedDataset scenes =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 8, 0, 0, SEED));
    InitialModel initial = SmallImport.write(folder.resolve("one"), SEED);
    Path run = folder.resolve("run");
    // A step so small that every weight still shows where it began.
    TrainingOptions options = options(1e-12);
    ModelBundle trained =
        TrainingRun.openFrom(initial, run, options).train(scenes, "imported", step -> {});
    assertEquals(initial.config(), trained.manifest().config());
    assertEquals(SmallImport.vocabulary(), trained.words());
    assertEquals(SmallImport.vocabulary(), Files.readAllLines(run.resolve("vocab.txt")));
    InitialModel.Start start = initial.start(SEED);
    for (Map.Entry<String, ScriptTensor> entry : trained.weights().tensors().entrySet()) {
      String name = entry.getKey();
      float[] found = entry.getValue().values();
      if (!initial.origin().anew().contains("model." + name)) {
        long[] shape = entry.getValue().shape();
        float[] expected = start.get("model." + name, Init.constant(Double.NaN), shape).values();
        assertArrayEquals(expected, found, 1e-6f, name);
      }
      for (float value : found) {
        assertTrue(Float.isFinite(value), name);
      }
    }

    TrainingOptions kept = TrainingRun.options(run);
    assertEquals(initial.sha256(), kept.initial());
    assertNull(kept.preset());
    TrainingRun.openFrom(InitialModel.read(folder.resolve("one/initial")), run, options);
    InitialModel other = SmallImport.write(folder.resolve("other"), SEED + 1);
    assertRefused(() -> TrainingRun.openFrom(other, run, options), other.sha256());
    assertRefused(() -> TrainingRun.open(run, options), initial.sha256());
  }

  private static void assertRefused(Executable action, String part) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    assertTrue(message.contains("run of other options") && message.contains(part), message);
  }

  @Test
  void optionsNameOneShape() {
    TrainingOptions random = options(1e-3);
    assertNull(random.initial());
    TrainingOptions imported = random.withInitial("00");
    assertNull(imported.preset());
    assertEquals("00", imported.initial());
    String message =
        assertThrows(IllegalArgumentException.class, () -> random.withInitial(null)).getMessage();
    assertTrue(message.contains("either preset or initial"), message);
    assertFalse(List.of(random).contains(imported));
  }
}
