/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TokenProjection;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Absorbed cross-attention against the projected one, which {@code nn.py} spells out. */
class AbsorbedAttentionTest {
  private static final int H = 24;

  private static final String PROBE =
      """
      class Probe(Module):
        attention : __torch__.nn.MultiHeadAttention
        def absorbed(self, x: Tensor, y: Tensor) -> Tensor:
          return __torch__.absorbed.read(self.attention, x, y)
        def projected(self, x: Tensor, y: Tensor) -> Tensor:
          return self.attention(x, y, None)
        def chosen(self, x: Tensor, y: Tensor) -> Tensor:
          return __torch__.absorbed.attend(self.attention, x, y)
        def forward(self, x: Tensor) -> Tensor:
          return x
      """;

  @TempDir Path folder;

  private static ModelConfig config(int heads) {
    return new ModelConfig(
        H,
        heads,
        20,
        8,
        1e-6,
        new TextConfig(10, 6, 2, TextConfig.Kind.MEAN),
        ImageTowerConfig.visionTransformer(4, 1),
        2,
        List.of(SensorConfig.rgb(16)));
  }

  private static NDArray random(NDManager manager, SplittableRandom random, long... shape) {
    Shape extents = new Shape(shape);
    float[] values = new float[(int) extents.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return manager.create(values, extents);
  }

  @ParameterizedTest
  @ValueSource(ints = {H, 1, 10})
  void equalsTheProjectedOne(int read) throws Exception {
    long seed = new SplittableRandom().nextLong();
    SplittableRandom random = new SplittableRandom(seed);
    for (int heads : new int[] {1, 3, 8}) {
      ModelConfig config =
          read == H
              ? config(heads)
              : config(heads).withTokenProjection(new TokenProjection(read, null));
      // Biases too are random: training moves them off 0.
      Weights weights = (name, init, shape) -> Weights.random(seed).get(name, wide(), shape);
      ScriptModule root =
          new ScriptModule("probe.Probe")
              .with("attention", Layers.attention(weights, "attention", H, read, heads, 0));
      Map<String, String> sources = MtgfeArchitecture.sources(config);
      sources.put("probe", PROBE);
      try (OutputStream out = Files.newOutputStream(folder.resolve("probe.pt"))) {
        ScriptArchiveWriter.write(out, root, sources);
      }
      try (Model model = Model.newInstance("probe", "PyTorch")) {
        model.load(folder, "probe");
        for (int trial = 0; trial < 40; trial++) {
          int b = 1 + random.nextInt(4);
          int n = 1 + random.nextInt(12);
          int m = 1 + random.nextInt(80);
          boolean sharedText = random.nextInt(3) == 0;
          boolean sharedImage = !sharedText && random.nextInt(3) == 0;
          String message = "seed " + seed + " trial " + trial + " " + List.of(heads, b, n, m);
          try (NDManager manager = model.getNDManager().newSubManager()) {
            NDArray x = random(manager, random, sharedText ? 1 : b, n, H);
            NDArray y = random(manager, random, sharedImage ? 1 : b, m, read);
            NDArray expected = run(model, manager, "projected", x, y);
            for (String method : List.of("absorbed", "chosen")) {
              NDArray actual = run(model, manager, method, x, y);
              assertEquals(expected.getShape(), actual.getShape(), message);
              assertArrayEquals(expected.toFloatArray(), actual.toFloatArray(), 2e-5f, message);
            }
          }
        }
      }
    }
  }

  private static Weights.Init wide() {
    return Weights.Init.normal(0.3);
  }

  private static NDArray run(Model model, NDManager manager, String method, NDArray x, NDArray y) {
    NDArray selector = manager.create(0f);
    selector.setName("module_method:" + method);
    NDList result =
        model
            .getBlock()
            .forward(new ParameterStore(manager, false), new NDList(x, y, selector), false);
    result.attach(manager);
    return result.singletonOrThrow();
  }
}
