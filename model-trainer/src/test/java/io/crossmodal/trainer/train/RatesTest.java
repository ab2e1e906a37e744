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

import ai.djl.ndarray.NDManager;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Parts of a model that learn more slowly or not at all, and training on from a bundle. */
class RatesTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;
  private static CaptionedDataset scenes;
  private static ModelBundle start;
  private static Path file;

  @BeforeAll
  static void startingBundle() throws Exception {
    scenes = MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 8, 0, 0, SEED));
    start =
        TrainingRun.open(folder.resolve("start"), options(1, TrainingOptions.Parts.NONE))
            .train(scenes, "start", step -> {});
    file = folder.resolve("start.zip");
    BundleWriter.write(start, file, List.of("a road"));
  }

  /** No decay, warm-up or average, so that a first step is the rate alone, but for its sign. */
  private static TrainingOptions options(int steps, TrainingOptions.Parts parts) {
    return MicroTraining.with(
        MicroTraining.options(SEED, steps, MicroTraining.ALL, 1e-3, steps),
        "optimiser",
        new Optimiser(1e-3, 0, 0, 1, 0),
        "parts",
        parts);
  }

  private static Map<String, ScriptTensor> trained(String run, int steps, TrainingOptions.Parts p)
      throws Exception {
    return TrainingRun.openFrom(InitialModel.read(file), folder.resolve(run), options(steps, p))
        .train(scenes, run, step -> {})
        .weights()
        .tensors();
  }

  @Test
  void frozenPartsStayToTheBitAndTheRestMoves() throws Exception {
    TrainingOptions.Parts parts =
        new TrainingOptions.Parts(Map.of(), List.of("model.text."), false, 0);
    Map<String, ScriptTensor> after = trained("frozen", 3, parts);
    for (Map.Entry<String, ScriptTensor> entry : start.weights().tensors().entrySet()) {
      float[] before = entry.getValue().values();
      float[] now = after.get(entry.getKey()).values();
      if (entry.getKey().startsWith("text.")) {
        assertArrayEquals(before, now, entry.getKey());
      } else if (entry.getKey().endsWith(".weight")) {
        assertFalse(Arrays.equals(before, now), entry.getKey());
      }
    }
  }

  /** Or every backward pass would run through what stays as it is. */
  @Test
  void frozenPartsHaveNoGradient() throws Exception {
    TrainingOptions options =
        options(1, new TrainingOptions.Parts(Map.of(), List.of("model.text."), false, 0));
    InitialModel initial = InitialModel.read(file);
    CaptionTask task = new CaptionTask(options, initial.config(), initial.start(SEED), folder);
    try (TrainableScript script = new TrainableScript(task.root(), task.sources(), folder);
        DecodedImages<RgbImage> decoded =
            DecodedImages.decode(
                scenes.split(Split.TRAIN),
                new ImagePreprocessor(initial.config().sensors().get(0)),
                0)) {
      script.freeze(name -> !task.trains(name));
      CaptionSet set =
          new CaptionSet(
              options,
              decoded,
              new WordPieceTokenizer(initial.vocabulary(), initial.config().text().maxTokens()),
              initial.config().sensors().get(0));
      try (NDManager manager = script.manager().newSubManager()) {
        TrainingTask.Call call =
            task.forward(manager, set.batch(0), 0, new FeatureQueue(manager, 0, 1));
        script.backward(manager, call.method(), call.inputs());
      }
      // DJL's first forward pass has asked for all of them again.
      script
          .parameters()
          .forEach((name, value) -> assertEquals(task.trains(name), value.hasGradient(), name));
    }
  }

  @Test
  void aFactorOfOneHalfIsHalfTheFirstStep() throws Exception {
    Map<String, ScriptTensor> whole = trained("whole", 1, TrainingOptions.Parts.NONE);
    Map<String, ScriptTensor> half =
        trained(
            "half",
            1,
            new TrainingOptions.Parts(Map.of("model.fusion.", 0.5), List.of(), false, 0));
    for (Map.Entry<String, ScriptTensor> entry : start.weights().tensors().entrySet()) {
      float[] before = entry.getValue().values();
      float[] one = whole.get(entry.getKey()).values();
      float[] other = half.get(entry.getKey()).values();
      double factor = entry.getKey().startsWith("fusion.") ? 0.5 : 1;
      for (int i = 0; i < before.length; i++) {
        assertEquals(factor * (one[i] - before[i]), other[i] - before[i], 1e-6, entry.getKey());
      }
    }
  }

  @Test
  void trainingGoesOnFromABundle() throws Exception {
    InitialModel initial = InitialModel.read(file);
    assertEquals(start.manifest().config(), initial.config());
    assertEquals(start.words(), initial.vocabulary());
    // Everything frozen but the heads that only training has: what comes out is what went in.
    Map<String, ScriptTensor> after =
        trained("bundle", 1, new TrainingOptions.Parts(Map.of(), List.of("model."), true, 0));
    assertEquals(start.weights().tensors().keySet(), after.keySet());
    start
        .weights()
        .tensors()
        .forEach((name, t) -> assertArrayEquals(t.values(), after.get(name).values(), name));
  }

  @Test
  void anUnknownPrefixIsRefusedWithThoseThatThereAre() {
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    trained(
                        "unknown",
                        1,
                        new TrainingOptions.Parts(Map.of(), List.of("model.txt"), false, 0)))
            .getMessage();
    assertTrue(message.contains("[model.txt]") && message.contains("model.text.word"), message);
  }

  @Test
  void theLongestPrefixCounts() {
    TrainingOptions.Parts parts =
        new TrainingOptions.Parts(Map.of("model.", 0.5, "model.text.", 0.1), List.of(), false, 0);
    assertEquals(0.1, parts.factor("model.text.word"));
    assertEquals(0.5, parts.factor("model.itm.bias"));
    assertEquals(1, parts.factor("mlm.bias"));
  }
}
