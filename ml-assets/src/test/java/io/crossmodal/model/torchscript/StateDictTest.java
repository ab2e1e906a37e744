/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.fixtures.Seeds;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class StateDictTest {
  private static final long SEED = Seeds.next();
  private static final ModelConfig CONFIG = ModelConfig.micro();

  private static StateDict random(long seed) {
    return StateDict.of(MtgfeArchitecture.build(CONFIG, Weights.random(seed)));
  }

  private static ScriptModule build(Map<String, ScriptTensor> tensors) {
    return Weights.buildExactly(new StateDict(tensors), w -> MtgfeArchitecture.build(CONFIG, w));
  }

  private static void assertRefused(Map<String, ScriptTensor> tensors, String... parts) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> build(tensors)).getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void roundedMatricesHaveHalfOfTheirBits() {
    float[] values = {1, -0.1f, 3e-38f, 65504, 0, 1 + 1f / 256};
    StateDict state =
        new StateDict(
            Map.of("a", ScriptTensor.parameter(values, 2, 3), "b", ScriptTensor.buffer(values, 6)));
    float[] rounded = state.roundedToHalf().tensors().get("a").values();
    for (int i = 0; i < values.length; i++) {
      assertEquals(0, Float.floatToIntBits(rounded[i]) & 0xffff);
      assertEquals(values[i], rounded[i], Math.abs(values[i]) / 256);
    }
    assertEquals(1, rounded[5], "ties to even");
    assertArrayEquals(values, state.roundedToHalf().tensors().get("b").values());
    assertEquals(-0.1f, values[1], "the original stays");
  }

  @Test
  void buildsFromExactlyTheTensorsThatItNeeds() {
    StateDict state = random(SEED);
    StateDict built = StateDict.of(build(state.tensors()));
    assertEquals(state.names(), built.names());
    state.tensors().forEach((name, tensor) -> assertSame(tensor, built.tensors().get(name)));
  }

  @Test
  void namesTheTensorThatIsMissingMisshapenOrLeftOver() {
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(random(SEED).tensors());
    String name = "fusion.layer1.cross_attention.key.weight";
    ScriptTensor taken = tensors.remove(name);
    assertRefused(tensors, "lack", name);
    tensors.put(name, ScriptTensor.parameter(new float[16 * 8], 8, 16));
    assertRefused(tensors, name, "[16, 16]", "[8, 16]");
    tensors.put(name, taken);
    tensors.put("fusion.layer2.norm3.bias", ScriptTensor.parameter(new float[16], 16));
    assertRefused(tensors, "fusion.layer2.norm3.bias");
  }

  @Test
  void exchangedTensorsOfOneShapeAreToldApartByName() {
    StateDict state = random(SEED);
    assertFalse(
        Arrays.equals(
            state.get("text.layer0.attention.query.weight", 16, 16).values(),
            state.get("text.layer0.attention.key.weight", 16, 16).values()));
  }

  @Test
  void aSeedAndANameGiveTheSameValuesWhateverElseIsInTheModel() {
    ModelConfig wider = CONFIG.withVocabularySize(CONFIG.text().vocabularySize() + 100);
    StateDict other = StateDict.of(MtgfeArchitecture.build(wider, Weights.random(SEED)));
    random(SEED)
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!name.equals("text.word")) {
                assertArrayEquals(tensor.values(), other.tensors().get(name).values(), name);
              }
            });
    assertFalse(
        Arrays.equals(
            random(SEED).get("itm.weight", 2, 16).values(),
            random(SEED + 1).get("itm.weight", 2, 16).values()));
  }

  @Test
  void takesASubtreeByItsWholeName() {
    ScriptTensor one = ScriptTensor.buffer(new float[1], 1);
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
    List.of("image", "image.a", "image_rgb.a", "image.b.c").forEach(n -> tensors.put(n, one));
    assertEquals(Set.of("a", "b.c"), new StateDict(tensors).below("image").names());
  }
}
