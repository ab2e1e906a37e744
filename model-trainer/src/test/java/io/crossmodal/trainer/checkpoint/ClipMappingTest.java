/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.trainer.checkpoint.ClipMapping.Clip;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * CLIP checkpoints of the folder {@code fixtures/clip} below the property {@code
 * crossmodal.shared}, against what open_clip computes from them.
 */
class ClipMappingTest {
  private static final String GELU = "openclip-gelu-b/model.pt";
  private static final String QUICK = "openclip-quickgelu/open_clip_model.safetensors";
  private static final String TRAINING = "openclip-training-checkpoint/epoch_3.pt";
  private static final String HUGGING_FACE = "huggingface-quickgelu/model.safetensors";

  @TempDir Path folder;

  private static Path shared(String name) {
    Path file =
        Path.of(System.getProperty("crossmodal.shared", "shared")).resolve("fixtures/clip/" + name);
    if (!Files.exists(file)) {
      System.out.println("skipped: no " + file + " (set -Dcrossmodal.shared)");
    }
    Assumptions.assumeTrue(Files.exists(file));
    return file;
  }

  private static ClipDetails said(Integer heads, Integer textHeads, Activation activation) {
    return ClipDetails.of(
        new ClipDetails.Tower(heads, activation, null),
        new ClipDetails.Tower(textHeads, activation, null));
  }

  private static Clip read(String name) throws Exception {
    ClipDetails details =
        switch (name) {
          case GELU -> ClipConfigs.read(shared("openclip-gelu-b/open_clip_config.json"));
          case QUICK -> ClipConfigs.read(shared("openclip-quickgelu/open_clip_config.json"));
          case HUGGING_FACE -> ClipConfigs.read(shared("huggingface-quickgelu/config.json"));
          default -> said(3, 2, Activation.QUICK_GELU);
        };
    return ClipMapping.read(Checkpoint.open(shared(name)), details);
  }

  private static Map<String, LazyTensor> golden(String name) throws Exception {
    String folder = name.equals(GELU) ? "openclip-gelu-b" : "openclip-quickgelu";
    return Safetensors.read(shared(folder + "/golden.safetensors"));
  }

  /** Largest differences from the golden values, by their names. */
  private Map<String, Double> differences(ModelConfig config, Clip clip, String name)
      throws Exception {
    Map<String, LazyTensor> golden = golden(name);
    long images = golden.get("pixels").shape().get(0);
    int side = config.sensors().get(0).imageSize();
    int texts = golden.get("tokens").shape().get(0).intValue();
    Path folderOfGolden = shared(name.equals(GELU) ? "openclip-gelu-b" : "openclip-quickgelu");
    int h = config.hidden();
    Map<String, Double> differences = new LinkedHashMap<>();
    try (ScriptRunner runner = ScriptRunner.of(config, clip.weights(), folder)) {
      float[] image =
          runner.run("encode_image_rgb", golden.get("pixels").values(), images, 3, side, side);
      differences.put(
          "image_tokens_projected", largest(golden.get("image_tokens_projected"), image));
      int m = image.length / (int) images / h;
      float[] imageCls = everyNth(image, m, h);
      differences.put(
          "image_embedding",
          largest(golden.get("image_embedding"), runner.run("filter_image", imageCls, images, h)));
      int[] ids = ids(folderOfGolden.resolve("golden.safetensors"), texts * 77);
      float[] text = runner.encodeTexts(ids, texts, 77);
      float[] textCls = everyNth(text, 77, h);
      differences.put(
          "text_embedding",
          largest(golden.get("text_embedding"), runner.run("filter_text", textCls, texts, h)));
      float[] logits = runner.filterLogits(textCls, imageCls, h); // (T, B)
      float[] turned = new float[logits.length];
      for (int i = 0; i < logits.length; i++) {
        turned[(int) (i % images) * texts + (int) (i / images)] = logits[i];
      }
      differences.put("logits", largest(golden.get("logits"), turned));
    }
    return differences;
  }

  /** Token ids, which the file has as 32-bit integers and no reader of weights reads. */
  private static int[] ids(Path file, int count) throws Exception {
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int header = (int) data.getLong(0);
    String json = new String(bytes, 8, header, StandardCharsets.UTF_8);
    int begin =
        JsonParser.parseString(json)
            .getAsJsonObject()
            .getAsJsonObject("tokens")
            .getAsJsonArray("data_offsets")
            .get(0)
            .getAsInt();
    int[] ids = new int[count];
    data.position(8 + header + begin);
    data.asIntBuffer().get(ids);
    return ids;
  }

  private static float[] everyNth(float[] rows, int n, int h) {
    float[] first = new float[rows.length / n];
    for (int i = 0; i < first.length / h; i++) {
      System.arraycopy(rows, i * n * h, first, i * h, h);
    }
    return first;
  }

  private static double largest(LazyTensor expected, float[] found) throws Exception {
    float[] values = expected.values();
    assertEquals(values.length, found.length);
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      assertTrue(Float.isFinite(found[i]));
      largest = Math.max(largest, Math.abs(values[i] - found[i]));
    }
    return largest;
  }

  @ParameterizedTest
  @ValueSource(strings = {GELU, QUICK, TRAINING, HUGGING_FACE})
  void computesWhatOpenClipComputes(String name) throws Exception {
    Clip clip = read(name);
    Map<String, Double> differences = differences(clip.config(), clip, name);
    System.out.println(name + " differs by at most " + differences);
    differences.forEach((what, off) -> assertTrue(off < 1e-4, what + " is off by " + off));
    assertEquals(List.of(), clip.source().unused());
    assertEquals(List.of(), clip.guesses());
  }

  /** Whatever else is right, the activation alone shows. */
  @Test
  void theOtherActivationFailsTheGoldenValues() throws Exception {
    ClipDetails wrong = said(3, 2, Activation.GELU);
    Clip clip = ClipMapping.read(Checkpoint.open(shared(QUICK)), wrong);
    Map<String, Double> differences = differences(clip.config(), clip, QUICK);
    System.out.println("GELU for QuickGELU differs by " + differences);
    assertTrue(differences.get("image_embedding") > 1e-3, differences.toString());
    assertTrue(differences.get("text_embedding") > 1e-3, differences.toString());
  }
}
