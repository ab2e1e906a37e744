/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The oracle itself, against numbers worked out by hand: two values a token, one head. */
class ReferenceFusionTest {
  private static final ModelConfig CONFIG =
      new ModelConfig(
          2,
          1,
          1,
          2,
          1e-12,
          new TextConfig(5, 3, 1),
          ImageTowerConfig.visionTransformer(1, 1),
          2,
          List.of(SensorConfig.rgb(1)));

  /** Norms of weight 1, everything else 0. */
  private final Map<String, ScriptTensor> weights = new LinkedHashMap<>();

  ReferenceFusionTest() {
    MtgfeArchitecture.build(
        CONFIG,
        (name, init, shape) -> {
          float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
          Arrays.fill(values, name.matches(".*norm\\d?\\.weight") ? 1 : 0);
          ScriptTensor tensor = ScriptTensor.parameter(values, shape);
          weights.put(name, tensor);
          return tensor;
        });
  }

  private void set(String name, double... values) {
    float[] live = weights.get(name).values();
    assertEquals(live.length, values.length, name);
    for (int i = 0; i < live.length; i++) {
      live[i] = (float) values[i];
    }
  }

  private PairLogits score(TokenBlock text, TokenBlock image) {
    return new ReferenceFusion(CONFIG, new StateDict(weights)).score(text, image);
  }

  @Test
  void crossAttentionWeighsTheImagesTokens() {
    // Layer 0 leaves (1, -1) alone: a layer norm of two values gives (1, -1) or (-1, 1). In layer 1
    // the text's one token asks with q = (1, 0), the keys are (ln 3 sqrt 2, 0) and (0, 0): the
    // weights are 3/4 and 1/4. The values are the image's second numbers, 8 and -4, into the
    // output's second number: 8 3/4 - 4/4 = 5, so the sum is (1, -1 + 5) and its norm (-1, 1).
    set("fusion.layer1.cross_attention.query.weight", 1, 0, 0, 0);
    set("fusion.layer1.cross_attention.key.weight", 1, 0, 0, 0);
    set("fusion.layer1.cross_attention.value.weight", 0, 0, 0, 1);
    set("fusion.layer1.cross_attention.output.weight", 1, 0, 0, 1);
    set("itm.weight", 1, 0, 0, 1); // no match: first number, match: second
    set("itm.bias", 0.25, 0.5);
    TokenBlock text = new TokenBlock(1, 2, new float[] {1, -1});
    float key = (float) (Math.log(3) * Math.sqrt(2));
    TokenBlock image = new TokenBlock(2, 2, new float[] {key, 8, 0, -4});
    assertEquals(2.25f, score(text, image).itm()[0], 1e-5);
    // With the values 4 and -20 it is -2: the norm stays (1, -1).
    TokenBlock other = new TokenBlock(2, 2, new float[] {key, 4, 0, -20});
    assertEquals(-1.75f, score(text, other).itm()[0], 1e-5);
  }

  @Test
  void attentionIsTheMeanOverHeadsOfTheLastLayerButOne() {
    // Layer 0 asks with q = (1, 0) and finds the keys (ln 3 sqrt 2, 0) and (0, 0): 3/4 and 1/4.
    // Layer 1, the last one, has no say.
    set("fusion.layer0.cross_attention.query.weight", 1, 0, 0, 0);
    set("fusion.layer0.cross_attention.key.weight", 1, 0, 0, 0);
    set("fusion.layer1.cross_attention.query.weight", 9, 9, 9, 9);
    TokenBlock text = new TokenBlock(1, 2, new float[] {1, -1});
    TokenBlock image =
        new TokenBlock(2, 2, new float[] {(float) (Math.log(3) * Math.sqrt(2)), 8, 0, -4});
    WordPatchWeights weights =
        new ReferenceFusion(CONFIG, new StateDict(this.weights)).attention(text, image);
    assertEquals(0.75f, weights.cls(0), 1e-6);
    assertArrayEquals(new float[] {0.25f}, weights.patches(0), 1e-6f);
  }

  @Test
  void theFilterIsACosineOverATemperature() {
    set("filter.text.weight", 1, 0, 0, 1);
    set("filter.image.weight", 0, 1, 1, 0);
    set("filter.log_scale", Math.log(10));
    TokenBlock text = new TokenBlock(2, 2, new float[] {3, 4, 9, 9}); // [CLS] alone counts
    TokenBlock image = new TokenBlock(1, 2, new float[] {2, 0}); // exchanged: (0, 2)
    assertEquals(8f, score(text, image).filter()[0], 1e-5);
    set("filter.log_scale", 10); // e^10 is cut to 100
    assertEquals(80f, score(text, image).filter()[0], 1e-4);
  }

  @Test
  void geluAndTheFeedForwardNetwork() {
    // inner = first number = 1, gelu(1) = 0.841345; added to the second: (1, -1 + 3 * 0.841345).
    for (int layer = 0; layer < 2; layer++) {
      set("fusion.layer" + layer + ".feed_forward.inner.weight", 1, 0);
    }
    set("fusion.layer1.feed_forward.outer.weight", 0, 1.0 / 0.841345 * 2);
    // -1 + 2 = 1: both numbers are equal but for rounding, so their norm would be noise; add 1.
    set("fusion.layer1.feed_forward.outer.bias", 0, 1);
    set("fusion.layer1.norm3.weight", 0, 1);
    set("itm.weight", 0, 0, 0, 1);
    TokenBlock text = new TokenBlock(1, 2, new float[] {1, -1});
    TokenBlock image = new TokenBlock(1, 2, new float[2]);
    assertEquals(1f, score(text, image).itm()[0], 1e-5);
    set("fusion.layer1.feed_forward.outer.bias", 0, -0.1);
    assertEquals(-1f, score(text, image).itm()[0], 1e-3);
  }
}
