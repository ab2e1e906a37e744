/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.checkpoint.InitialModel;
import io.crossmodal.trainer.data.Augmentation;
import io.crossmodal.trainer.data.CaptionedDataset;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training over features that a frozen part of the tower has made beforehand. */
class FeatureTrainingTest {
  private static final long SEED = MicroTraining.seed();
  private static final List<String> BOTTOM =
      List.of("model.image_rgb.stem.", "model.image_rgb.stage0.", "model.image_rgb.stage1.");

  @TempDir static Path folder;
  private static CaptionedDataset scenes;

  @BeforeAll
  static void generate() throws Exception {
    scenes = MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 16, 0, 0, SEED));
  }

  private static InitialModel start(ImageTowerConfig image) throws Exception {
    ModelBundle bundle = MicroTraining.towers(image, TextConfig.Kind.BERT_MEAN, scenes, SEED);
    Path file = folder.resolve(image.kind() + ".zip");
    BundleWriter.write(bundle, file, List.of("a road"));
    return InitialModel.read(file);
  }

  private static TrainingOptions options(int featureViews, Augmentation augmentation) {
    return MicroTraining.with(
        MicroTraining.options(
            SEED, 4, new TrainingOptions.Tasks(1, 1, 1, 0, 0.5, 0.15, 1), 1e-3, 4),
        "dropout",
        0.0,
        "augmentation",
        augmentation,
        "parts",
        new TrainingOptions.Parts(Map.of(), BOTTOM, true, featureViews));
  }

  private static Map<String, ScriptTensor> trained(String run, TrainingOptions options)
      throws Exception {
    return TrainingRun.openFrom(start(MicroTraining.EFFICIENT_NET), folder.resolve(run), options)
        .train(scenes, run, step -> {})
        .weights()
        .tensors();
  }

  /** Features of the picture as it is, and the whole tower over it: the same but for rounding. */
  @Test
  void trainingOverFeaturesIsTrainingOverPictures() throws Exception {
    Map<String, ScriptTensor> whole = trained("whole", options(0, Augmentation.NONE));
    Map<String, ScriptTensor> features = trained("features", options(1, Augmentation.NONE));
    for (Map.Entry<String, ScriptTensor> entry : whole.entrySet()) {
      float[] expected = entry.getValue().values();
      float[] found = features.get(entry.getKey()).values();
      // Adam's first steps are as long for a gradient that rounding makes as for any other.
      double sum = 0;
      for (int i = 0; i < expected.length; i++) {
        sum += Math.abs(expected[i] - found[i]);
      }
      assertTrue(sum / expected.length < 2e-4, entry.getKey() + " " + sum / expected.length);
    }
  }

  @Test
  void changedViewsAreDrawnAndTheBottomStays() throws Exception {
    Map<String, ScriptTensor> one = trained("one", options(1, Augmentation.AERIAL));
    Map<String, ScriptTensor> four = trained("four", options(4, Augmentation.AERIAL));
    Map<String, ScriptTensor> again = trained("again", options(4, Augmentation.AERIAL));
    int changed = 0;
    for (String name : one.keySet()) {
      assertArrayEquals(four.get(name).values(), again.get(name).values(), name);
      changed += Arrays.equals(one.get(name).values(), four.get(name).values()) ? 0 : 1;
      if (BOTTOM.stream().anyMatch(("model." + name)::startsWith)) {
        assertArrayEquals(one.get(name).values(), four.get(name).values(), name);
      }
    }
    assertTrue(changed > 10, changed + " tensors learn from other views");
  }

  @Test
  void aTowerThatCannotBeCutIsRefused() throws Exception {
    TrainingOptions options =
        MicroTraining.with(
            options(1, Augmentation.NONE),
            "parts",
            new TrainingOptions.Parts(Map.of(), List.of(), false, 1));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    TrainingRun.openFrom(
                            start(MicroTraining.CONVOLUTIONAL), folder.resolve("uncut"), options)
                        .train(scenes, "uncut", step -> {}))
            .getMessage();
    assertTrue(message.contains("CONVOLUTIONAL") && message.contains("feature_views 0"), message);
  }

  /** What the recipe says of parts fits what import makes of the preset's. */
  @Test
  void theRecipesPartsAreTheModels() {
    TrainingOptions aerial = Recipe.AERIAL.options();
    StateDict state =
        StateDict.of(
            new ScriptModule("training.Training")
                .with("model", MtgfeArchitecture.build(aerial.preset().config(), Weights.SHAPES)));
    aerial.parts().check(state);
    assertEquals(11, ModelConfig.Preset.AERIAL.config().image().lastReduction());
    for (String name : state.names()) {
      boolean bottom = name.matches("model\\.image_rgb\\.(stem|stage([0-9]|10))\\..*");
      boolean frozenText = name.matches("model\\.text\\.(word|position|norm|layer[0-2])\\b.*");
      boolean frozen = bottom || frozenText || name.startsWith("model.filter.image.");
      assertEquals(frozen, aerial.parts().frozen(name), name);
      if (name.startsWith("model.text.layer3")) {
        assertEquals(0.1, aerial.parts().factor(name), name);
      }
    }
  }
}
