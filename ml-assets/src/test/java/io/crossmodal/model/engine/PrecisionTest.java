/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Device;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Golden;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Models in less than 32 bits, against the same models in fp32. */
class PrecisionTest {
  @TempDir Path scratch;

  private FusionModel load(ModelBundle bundle, Precision precision) throws Exception {
    return FusionModel.load(bundle, scratch, Device.cpu(), precision);
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "INT8"})
  void everyMethodAnswersNearlyAsInFp32(Precision precision) throws Exception {
    everyMethodAnswersNearlyAsInFp32(ModelConfig.micro(), precision);
  }

  /**
   * Norms that are folded into matrices. In bfloat16 this one, of random weights, lies at the very
   * tolerance.
   */
  @ParameterizedTest
  @EnumSource(names = {"FP16", "INT8"})
  void anEfficientNetAnswersNearlyAsInFp32(Precision precision) throws Exception {
    ImageTowerConfig lite =
        ImageTowerConfig.efficientNetLite(
            8,
            List.of(
                new ImageTowerConfig.Stage(8, 2, 5, 1),
                new ImageTowerConfig.Stage(8, 1, 3, 4),
                new ImageTowerConfig.Stage(16, 2, 5, 3)),
            24,
            true);
    everyMethodAnswersNearlyAsInFp32(ModelConfig.micro().withImage(lite), precision);
  }

  private void everyMethodAnswersNearlyAsInFp32(ModelConfig shape, Precision precision)
      throws Exception {
    ModelBundle bundle =
        TestBundles.write(
            TestBundles.random("micro", shape.withPreRanker(true), 1),
            scratch.resolve("micro.zip"),
            List.of("a b", "c d e"));
    try (FusionModel exact = load(bundle, Precision.FP32);
        FusionModel reduced = load(bundle, precision)) {
      Golden.Deviation deviation = reduced.goldenDeviation();
      System.out.println(precision + " of micro: " + deviation);
      assertTrue(deviation.withinTolerance(), deviation.toString());
      assertTrue(
          deviation.embedding() + deviation.logit() > 0, "another precision gives other numbers");
      assertEquals(precision, reduced.precision());
      assertTrue(reduced.weightBytes() < exact.weightBytes());

      List<TokenizedText> texts = List.of(bundle.tokenizer().tokenize("a b c"));
      TokenBlock text = exact.encodeTexts(texts).get(0).tokens();
      TokenBlock read = reduced.encodeTexts(texts).get(0).tokens();
      assertArrayEquals(text.values(), read.values(), 0.1f);
      ModelConfig config = bundle.manifest().config();
      TokenBlock image =
          new TokenBlock(
              config.imageTokens(config.sensors().get(0)), config.hidden(), ones(config));
      List<TokenBlock> one = List.of(text);
      List<TokenBlock> other = List.of(image);
      assertArrayEquals(exact.preRank(one, other), reduced.preRank(one, other), 0.1f);
      assertArrayEquals(
          exact.attention(one, other).get(0).values(),
          reduced.attention(one, other).get(0).values(),
          0.01f);
    }
  }

  private static float[] ones(ModelConfig config) {
    float[] values = new float[config.imageTokens(config.sensors().get(0)) * config.hidden()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(i);
    }
    return values;
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "INT8"})
  void theShippedModelStaysWithinTheTolerance(Precision precision) throws Exception {
    ModelBundle bundle = ModelBundle.demo();
    try (FusionModel reduced = load(bundle, precision)) {
      System.out.println(precision + " of scenes-tiny: " + reduced.goldenDeviation());
      assertNotNull(reduced.device());
    }
  }

  @Test
  void whatIsTooCoarseIsRefused() throws Exception {
    ModelBundle plain =
        TestBundles.write(
            TestBundles.random("micro", ModelConfig.micro(), 1),
            scratch.resolve("micro.zip"),
            List.of("a b", "c d e"));
    Map<String, ScriptTensor> weights = new LinkedHashMap<>(plain.weights().tensors());
    // The difference of two large numbers, of which 8 bits keep nothing.
    ScriptTensor itm = weights.get("itm.weight"); // (2, H)
    float[] large = itm.values().clone();
    for (int i = 0; i < large.length; i++) {
      large[i] += 1000 * itm.values()[large.length / 2 + i % (large.length / 2)];
    }
    weights.put("itm.weight", ScriptTensor.parameter(large, itm.shape()));
    ModelBundle bundle =
        TestBundles.write(
            ModelBundle.of(
                "coarse",
                plain.manifest().config(),
                plain.words(),
                new StateDict(weights),
                Calibration.NONE,
                plain.manifest().training(),
                List.of()),
            scratch.resolve("coarse.zip"),
            List.of("a b", "c d e", "f g", "h"));
    String message =
        assertThrows(BundleException.class, () -> load(bundle, Precision.BF16)).getMessage();
    assertTrue(message.contains("BF16 is too coarse"), message);
    assertFalse(message.contains("NaN"), message);
    load(bundle, Precision.FP32).close();
  }
}
