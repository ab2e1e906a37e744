/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.trainer.data.Augmentation;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrainingOptionsTest {
  private static TrainingOptions options(
      int steps, int batch, double rate, int warmup, double decay, double clip, double averaging) {
    return MicroTraining.with(
        MicroTraining.options(1, 1, MicroTraining.ALL, 1, 1),
        "steps",
        steps,
        "batch",
        batch,
        "optimiser",
        new Optimiser(rate, warmup, decay, clip, averaging));
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
  void negativesAreNotDrawnByAFilterThatNobodyTrains() {
    TrainingOptions.Tasks tasks = new TrainingOptions.Tasks(0, 1, 0, 0, 0.5, 0.15, 1);
    assertRefused(
        () -> MicroTraining.options(1, 10, tasks, 0.5, 1), "hard_negatives", "itc", "0.5");
    // Nothing is drawn without ITM.
    MicroTraining.options(1, 10, new TrainingOptions.Tasks(0, 0, 1, 0, 0.5, 0.15, 1), 0.5, 1);
  }

  private static TrainingOptions staged(
      TrainingOptions.Tasks tasks, TrainingOptions.Stages stages) {
    return MicroTraining.options(1, 100, tasks, stages, 0.5, 1);
  }

  @Test
  void aStagedRunTrainsTheFilterOnSmallImagesFirst() {
    TrainingOptions options =
        staged(MicroTraining.ALL, new TrainingOptions.Stages(0.6, 0.5, 0.4, 8));
    assertEquals(60, options.joining());
    assertEquals(List.of(1, 1, 2, 2), sample(options::views, 0, 59, 60, 99));
    assertEquals(List.of(8, 8, 16, 16), sample(step -> options.side(step, 16), 0, 39, 40, 99));
    // Two cycles, the second to half the peak; MicroTraining warms up for two steps.
    assertEquals(0.25, options.learningRate(0), 1e-12);
    assertEquals(0.5, options.learningRate(1), 1e-12);
    assertEquals(0.005, options.learningRate(59), 0.002);
    assertEquals(0.125, options.learningRate(60), 1e-12);
    assertEquals(0.25, options.learningRate(61), 1e-12);
    assertEquals(0.0025, options.learningRate(100), 1e-12);
    assertEquals(0, staged(MicroTraining.ALL, TrainingOptions.Stages.NONE).joining());
  }

  private static List<Integer> sample(IntUnaryOperator of, int... steps) {
    return Arrays.stream(steps).map(of).boxed().toList();
  }

  private static TrainingOptions with(
      TrainingOptions.Tasks tasks, TrainingOptions.Momentum momentum) {
    return MicroTraining.options(1, 100, tasks, momentum, TrainingOptions.Stages.NONE, 0.5, 1);
  }

  @Test
  void namesTheMomentumItRefuses() {
    assertRefused(() -> new TrainingOptions.Momentum(-1, 0), "queue", "got -1");
    assertRefused(() -> new TrainingOptions.Momentum(0, 1.5), "soft_targets", "1.5");
    assertRefused(
        () -> with(MicroTraining.ALL, new TrainingOptions.Momentum(12, 0)), "batch of 8", "12");
    TrainingOptions.Tasks fusion = new TrainingOptions.Tasks(0, 1, 0, 0, 0, 0, 1);
    assertRefused(
        () -> with(fusion, new TrainingOptions.Momentum(0, 0.4)), "soft_targets", "itc", "0.0");
    assertRefused(() -> with(fusion, new TrainingOptions.Momentum(8, 0)), "queue", "itc");
    assertEquals(TrainingOptions.Momentum.NONE, Recipe.PAPER.options().momentum());
    assertEquals(TrainingOptions.Stages.NONE, Recipe.PAPER.options().stages());
  }

  @Test
  void namesTheStageItRefuses() {
    assertRefused(() -> new TrainingOptions.Stages(1.1, 1, 0, 0), "filter_alone", "1.1");
    assertRefused(() -> new TrainingOptions.Stages(0, 0, 0, 0), "second_peak", "got 0.0");
    assertRefused(() -> new TrainingOptions.Stages(0, 1, -1, 8), "small_images", "-1.0");
    assertRefused(() -> new TrainingOptions.Stages(0, 1, 0.5, 0), "small_side", "got 0");
    TrainingOptions.Tasks fusion = new TrainingOptions.Tasks(0, 1, 0, 0, 0, 0, 1);
    assertRefused(
        () -> staged(fusion, new TrainingOptions.Stages(0.5, 1, 0, 0)), "filter_alone", "itc");
  }

  @Test
  void thePapersRecipeIsSectionFourTwo() {
    TrainingOptions paper = Recipe.PAPER.options();
    assertEquals(ModelConfig.Preset.BASE, paper.preset());
    assertEquals(new TrainingOptions.Tasks(0, 1, 1, 1, 0, 0.15, 1), paper.tasks());
    assertEquals(Augmentation.RANDAUGMENT, paper.regularisation().augmentation());
    assertEquals(32, paper.batch() * paper.accumulate());
    assertEquals(1e-4, paper.optimiser().learningRate());
    assertEquals(0.02, paper.optimiser().weightDecay());
    assertEquals(1000, paper.optimiser().warmup());
    // RSICD's 49,140 training captions.
    assertEquals(92_138, Recipe.steps(Recipe.PAPER.epochs(), 49_140, 32));
    assertRefused(() -> Recipe.steps(0, 10, 1), "epochs", "got 0.0");
  }

  /** What the recipes were before they were data. */
  @Test
  void recipesAreWhatRecordedResultsWereMadeWith() {
    assertEquals(
        new TrainingOptions(
            ModelConfig.Preset.BASE,
            1,
            1,
            32,
            1,
            1,
            Precision.FP32,
            new Optimiser(1e-4, 1000, 0.02, 1e9, 0),
            new TrainingOptions.Tasks(0, 1, 1, 1, 0, 0.15, 1),
            TrainingOptions.Momentum.NONE,
            TrainingOptions.Stages.NONE,
            new TrainingOptions.Regularisation(Augmentation.RANDAUGMENT, 0.1, 0, 0),
            1,
            1000,
            new Validation.Options(null, 0, Validation.Ships.BEST),
            TrainingOptions.Parts.NONE,
            null,
            new TrainingOptions.Tokens(null, null)),
        Recipe.PAPER.options());
    assertEquals(
        new TrainingOptions(
            ModelConfig.Preset.TINY,
            1,
            1,
            64,
            1,
            16,
            Precision.FP32,
            new Optimiser(8e-4, 100, 0.02, 1, 0.995),
            new TrainingOptions.Tasks(1, 1, 1, 0, 0.5, 0.25, 1),
            TrainingOptions.Momentum.NONE,
            TrainingOptions.Stages.NONE,
            new TrainingOptions.Regularisation(Augmentation.JITTER, 0, 0, 0.03),
            3,
            250,
            new Validation.Options(null, 0, Validation.Ships.BEST),
            TrainingOptions.Parts.NONE,
            null,
            new TrainingOptions.Tokens(null, null)),
        Recipe.SCRATCH.options());
    assertEquals(
        new TrainingOptions(
            ModelConfig.Preset.COMPACT,
            1,
            1,
            128,
            1,
            16,
            Precision.FP32,
            new Optimiser(1.5e-3, 100, 0.08, 1, 0.998),
            new TrainingOptions.Tasks(1, 1, 0.5, 0, 0.5, 0.25, 1),
            TrainingOptions.Momentum.NONE,
            new TrainingOptions.Stages(0.58, 0.5, 0.435, 64),
            new TrainingOptions.Regularisation(Augmentation.AERIAL, 0.1, 0, 0.1),
            3,
            250,
            new Validation.Options(null, 0, Validation.Ships.BEST),
            TrainingOptions.Parts.NONE,
            null,
            new TrainingOptions.Tokens(null, null)),
        Recipe.PHOTOGRAPHS.options());
  }

  @Test
  void anOptionHasANameWhereverItStands() {
    TrainingOptions base = Recipe.SCRATCH.options();
    TrainingOptions changed = MicroTraining.with(base, "itc", 2, "seed", 5L, "small_side", 9);
    assertEquals(2, changed.tasks().itc());
    assertEquals(5, changed.seed());
    assertEquals(9, changed.stages().smallSide());
    assertEquals(base, MicroTraining.with(changed, "itc", 1, "seed", 1L, "small_side", 0));
    assertRefused(() -> MicroTraining.with(base, "itcc", 1), "unknown option [itcc]", "itc,");
    assertRefused(() -> MicroTraining.with(base, "batch", null), "[batch] has no value");
  }

  @Test
  void everyOptionButTheStartHasHelpAndAValueInEachRecipe() {
    Set<String> options = new HashSet<>(OptionRecords.types(TrainingOptions.class).keySet());
    options.remove("initial");
    assertEquals(options, OptionRecords.help(TrainingOptions.class).keySet());
    for (Recipe recipe : Recipe.values()) {
      assertEquals(options, OptionRecords.recipe(TrainingOptions.class, recipe.name()).keySet());
    }
  }

  @Test
  void withoutWarmUpTheFirstStepHasThePeak() {
    assertEquals(0.5, options(1, 2, 0.5, 0, 0, 1, 0.9).learningRate(0), 1e-12);
  }

  private static TrainingOptions options(Precision precision, Augmentation augmentation) {
    return MicroTraining.with(
        MicroTraining.options(1, 1, MicroTraining.ALL, 1, 1),
        "precision",
        precision,
        "augmentation",
        augmentation);
  }

  @ParameterizedTest
  @EnumSource(names = {"FP16", "INT8"})
  void refusesPrecisionsInWhichNothingIsTrained(Precision precision) {
    assertRefused(
        () -> options(precision, Augmentation.JITTER),
        "precision",
        "FP32 or BF16",
        precision.name());
  }

  @Test
  void namesTheValueItRefuses() {
    assertRefused(() -> options(Precision.FP32, Augmentation.NONE), "mvjrc", "NONE", "RANDAUGMENT");
    assertRefused(() -> options(0, 2, 1, 0, 0, 1, 0.9), "steps", "got 0");
    assertRefused(() -> options(1, 1, 1, 0, 0, 1, 0.9), "batch", "at least 2", "got 1");
    assertRefused(() -> options(1, 2, 1, -1, 0, 1, 0.9), "warmup", "got -1");
    assertRefused(() -> options(1, 2, 0, 0, 0, 1, 0.9), "learning_rate", "0.0");
    assertRefused(() -> options(1, 2, Double.NaN, 0, 0, 1, 0.9), "learning_rate", "NaN");
    assertRefused(() -> options(1, 2, 1, 0, -1, 1, 0.9), "weight_decay", "-1.0");
    assertRefused(() -> options(1, 2, 1, 0, 0, 0, 0.9), "clip", "0.0");
    assertRefused(() -> options(1, 2, 1, 0, 0, 1, 1.5), "averaging", "[0, 1]", "1.5");
    assertRefused(() -> new TrainingOptions.Tasks(-1, 1, 1, 0, 0, 0, 1), "weight", "-1.0");
    assertRefused(() -> new TrainingOptions.Tasks(0, 0, 0, 0, 0, 0, 1), "itc, itm, mlm and mvjrc");
    assertRefused(() -> new TrainingOptions.Tasks(1, 1, 1, 0, 2, 0, 1), "hard_negatives", "2.0");
    assertRefused(
        () -> new TrainingOptions.Tasks(1, 1, 1, 0, 0, -1, 1), "mask_probability", "-1.0");
  }
}
