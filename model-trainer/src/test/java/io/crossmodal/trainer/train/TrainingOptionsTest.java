/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.trainer.data.Augmentation;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class TrainingOptionsTest {
  private static TrainingOptions options(
      int steps, int batch, double rate, int warmup, double decay, double clip, double averaging) {
    return new TrainingOptions(
        ModelConfig.Preset.MICRO,
        1,
        steps,
        batch,
        1,
        rate,
        warmup,
        decay,
        clip,
        averaging,
        MicroTraining.ALL,
        Augmentation.JITTER,
        0,
        1,
        1);
  }

  private static void assertRefused(Executable action, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, action).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void theRateWarmsUpAndFallsToAHundredth() {
    TrainingOptions options = options(100, 2, 0.5, 10, 0, 1, 0.9);
    assertEquals(0.05, options.learningRate(0), 1e-12);
    assertEquals(0.25, options.learningRate(4), 1e-12);
    assertEquals(0.5, options.learningRate(9), 1e-12);
    assertEquals(0.5, options.learningRate(10), 1e-12);
    assertEquals(0.5 * 0.505, options.learningRate(55), 1e-12);
    assertEquals(0.005, options.learningRate(100), 1e-12);
    for (int step = 11; step <= 100; step++) {
      assertTrue(options.learningRate(step) < options.learningRate(step - 1));
    }
  }

  @Test
  void thePapersRecipeIsSectionFourTwo() {
    TrainingOptions paper = Recipe.PAPER.options();
    assertEquals(ModelConfig.Preset.BASE, paper.preset());
    assertEquals(new TrainingOptions.Tasks(0, 1, 1, 1, 0, 0.15), paper.tasks());
    assertEquals(Augmentation.RANDAUGMENT, paper.augmentation());
    assertEquals(32, paper.batch() * paper.accumulate());
    assertEquals(1e-4, paper.learningRate());
    assertEquals(0.02, paper.weightDecay());
    assertEquals(1000, paper.warmup());
    // RSICD's 49,140 training captions.
    assertEquals(92_138, Recipe.steps(Recipe.PAPER.epochs(), 49_140, 32));
    assertRefused(() -> Recipe.steps(0, 10, 1), "epochs", "got 0.0");
  }

  @Test
  void withoutWarmUpTheFirstStepHasThePeak() {
    assertEquals(0.5, options(1, 2, 0.5, 0, 0, 1, 0.9).learningRate(0), 1e-12);
  }

  @Test
  void namesTheValueItRefuses() {
    assertRefused(
        () ->
            new TrainingOptions(
                ModelConfig.Preset.MICRO,
                1,
                1,
                2,
                1,
                1,
                0,
                0,
                1,
                0,
                MicroTraining.ALL,
                Augmentation.NONE,
                0,
                1,
                1),
        "mvjrc",
        "NONE",
        "RANDAUGMENT");
    assertRefused(() -> options(0, 2, 1, 0, 0, 1, 0.9), "steps", "got 0");
    assertRefused(() -> options(1, 1, 1, 0, 0, 1, 0.9), "batch", "at least 2", "got 1");
    assertRefused(() -> options(1, 2, 1, -1, 0, 1, 0.9), "warmup", "got -1");
    assertRefused(() -> options(1, 2, 0, 0, 0, 1, 0.9), "learning_rate", "0.0");
    assertRefused(() -> options(1, 2, Double.NaN, 0, 0, 1, 0.9), "learning_rate", "NaN");
    assertRefused(() -> options(1, 2, 1, 0, -1, 1, 0.9), "weight_decay", "-1.0");
    assertRefused(() -> options(1, 2, 1, 0, 0, 0, 0.9), "clip", "0.0");
    assertRefused(() -> options(1, 2, 1, 0, 0, 1, 1.5), "averaging", "[0, 1]", "1.5");
    assertRefused(() -> new TrainingOptions.Tasks(-1, 1, 1, 0, 0, 0), "weight", "-1.0");
    assertRefused(() -> new TrainingOptions.Tasks(0, 0, 0, 0, 0, 0), "itc, itm, mlm and mvjrc");
    assertRefused(() -> new TrainingOptions.Tasks(1, 1, 1, 0, 2, 0), "hard_negatives", "2.0");
    assertRefused(() -> new TrainingOptions.Tasks(1, 1, 1, 0, 0, -1), "mask_probability", "-1.0");
  }
}
