/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ImageTowerConfig.Stage;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.TestClips;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BundleCostTest {
  @TempDir Path folder;

  private List<String> cost(ModelBundle bundle, List<String> texts) throws Exception {
    Path file = folder.resolve("model.zip");
    TestBundles.write(bundle, file, texts);
    try (FusionModel model = FusionModel.load(ModelBundle.read(file), folder)) {
      List<String> lines = BundleCost.measure(model, file, 3, 1);
      assertTrue(
          lines
              .get(1)
              .startsWith("weights: " + String.format(Locale.ROOT, "%.1f", Files.size(file) / 1e6)),
          lines.get(1));
      return lines;
    }
  }

  private static String line(List<String> lines, String start) {
    return lines.stream()
        .filter(line -> line.startsWith(start))
        .findFirst()
        .orElse("none " + lines);
  }

  @Test
  void anyBundleHasItsCost() throws Exception {
    List<String> clip = cost(TestClips.bundle("clip", 3), List.of("a pond"));
    // 16 x 4 bytes; a header of 20, 10 scales and 10 x 16 bytes.
    String document = line(clip, "rgb, a document:");
    assertTrue(document.contains("embedding 64 bytes (16 x float32)"), document);
    assertTrue(document.contains("(10 x 16)"), document);
    assertTrue(document.contains("thumbnail of 192 pixels about 8192"), document);
    assertTrue(line(clip, "rgb, 3 at a time").contains("% of the peak"), clip + "");
    assertTrue(line(clip, "a query of").contains("ms"), clip + "");
    assertTrue(line(clip, "memory:").contains("MB") || line(clip, "memory:").contains("not known"));
    assertTrue(clip.stream().noneMatch(one -> one.startsWith("fusion")), clip + "");

    ModelBundle micro = TestBundles.random("micro", ModelConfig.micro(), 3);
    assertTrue(line(cost(micro, List.of("a b")), "fusion of 128").contains("ms"));

    ModelConfig sensors =
        ModelConfig.ofSensors(
            16,
            2,
            32,
            8,
            ImageTowerConfig.convolutional(List.of(8), List.of(new Stage(16, 2))),
            List.of(SensorConfig.rgb(16)));
    List<String> alone = cost(TestBundles.random("sensors", sensors, 3), List.of());
    assertTrue(alone.stream().noneMatch(one -> one.startsWith("a query")), alone + "");
  }

  @Test
  void refusesNoRounds() throws Exception {
    assertThrows(
        IllegalArgumentException.class, () -> BundleCost.measure(null, folder, 0, 1).size());
  }

  /** Against counts that are published, or done by hand. */
  @Test
  void flopsAreTheProducts() {
    TransformerConfig vision = new TransformerConfig(768, 12, 3072, Activation.GELU);
    TransformerConfig words = new TransformerConfig(512, 8, 2048, Activation.GELU);
    ModelConfig b32 =
        ModelConfig.ofTowers(
            512,
            1e-5,
            new TextConfig(49_408, 77, 12, TextConfig.Kind.CLIP, words),
            ImageTowerConfig.clip(32, 12, vision),
            List.of(SensorConfig.clip(224)));
    TowerFlops flops = new TowerFlops(b32);
    // OpenCLIP's model_profile: 4.40 and 2.97 GMACs; the projection is here of all tokens.
    assertEquals(8.80e9, flops.image(b32.sensors().get(0)), 0.15e9);
    assertEquals(5.94e9, flops.text(77), 0.25e9);
    // ResNet-50 at 224 pixels: 4.09 GMACs (He et al. 2016: 3.8, without the stride moved).
    ModelConfig resnet =
        ModelConfig.ofSensors(
            64, 2, 64, 64, ImageTowerConfig.resnet50(), List.of(SensorConfig.rgb(224)));
    assertEquals(8.18e9, new TowerFlops(resnet).image(resnet.sensors().get(0)), 0.2e9);
    // EfficientNet-Lite0 at 224: 0.407 GMACs, here with the finer tokens.
    ModelConfig lite = ModelConfig.aerial();
    assertEquals(0.81e9, new TowerFlops(lite).image(lite.sensors().get(0)), 0.12e9);
    // By hand: a stem 3 -> 8 at 8 x 8, a stage of 8 -> 16 and two of 16 -> 16 at 4 x 4, and 16 x
    // 16.
    ModelConfig micro = ModelConfig.micro();
    double byHand =
        2.0 * (9 * 3 * 8 * 64 + 9 * 8 * 16 * 16 + 2 * 9 * 16 * 16 * 16 + 16 * 16 * 16 + 16 * 16);
    assertEquals(byHand, new TowerFlops(micro).image(micro.sensors().get(0)), 1);
  }
}
