/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.trainer.checkpoint.ClipMapping.Clip;
import io.crossmodal.trainer.checkpoint.LazyTensor.ElementType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checkpoints made here: image 24 wide, 4 + 1 patches of 4; text 20 wide; joint space of 16. */
class ClipNamesTest {
  private static final ClipDetails SAID =
      ClipDetails.of(
          new ClipDetails.Tower(3, Activation.GELU, null),
          new ClipDetails.Tower(2, Activation.QUICK_GELU, null));

  @TempDir Path folder;

  private final Map<String, LazyTensor> open = openClip();

  private static void put(Map<String, LazyTensor> into, String name, long... shape) {
    SplittableRandom random = new SplittableRandom(name.hashCode());
    float[] values = new float[(int) Arrays.stream(shape).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    into.put(name, computed(values, shape));
  }

  private static LazyTensor computed(float[] values, long... shape) {
    return LazyTensor.computed(Arrays.stream(shape).boxed().toList(), () -> values);
  }

  private static Map<String, LazyTensor> openClip() {
    Map<String, LazyTensor> t = new LinkedHashMap<>();
    put(t, "visual.class_embedding", 24);
    put(t, "visual.positional_embedding", 5, 24);
    put(t, "visual.conv1.weight", 24, 3, 4, 4);
    put(t, "visual.proj", 24, 16);
    put(t, "token_embedding.weight", 60, 20);
    put(t, "positional_embedding", 9, 20);
    put(t, "text_projection", 20, 16);
    put(t, "logit_scale");
    for (String norm : List.of("visual.ln_pre", "visual.ln_post")) {
      put(t, norm + ".weight", 24);
      put(t, norm + ".bias", 24);
    }
    put(t, "ln_final.weight", 20);
    put(t, "ln_final.bias", 20);
    layer(t, "visual.transformer.resblocks.0.", 24, 40);
    layer(t, "visual.transformer.resblocks.1.", 24, 40);
    layer(t, "transformer.resblocks.0.", 20, 28);
    return t;
  }

  private static void layer(Map<String, LazyTensor> t, String layer, int w, int f) {
    for (String norm : List.of("ln_1", "ln_2")) {
      put(t, layer + norm + ".weight", w);
      put(t, layer + norm + ".bias", w);
    }
    put(t, layer + "attn.in_proj_weight", 3L * w, w);
    put(t, layer + "attn.in_proj_bias", 3L * w);
    put(t, layer + "attn.out_proj.weight", w, w);
    put(t, layer + "attn.out_proj.bias", w);
    put(t, layer + "mlp.c_fc.weight", f, w);
    put(t, layer + "mlp.c_fc.bias", f);
    put(t, layer + "mlp.c_proj.weight", w, f);
    put(t, layer + "mlp.c_proj.bias", w);
  }

  private static Clip read(Map<String, LazyTensor> tensors, ClipDetails details) throws Exception {
    return ClipMapping.read(new Checkpoint(Path.of("clip.pt"), tensors), details);
  }

  private String refused(ClipDetails details) {
    return assertThrows(CheckpointException.class, () -> read(open, details)).getMessage();
  }

  @Test
  void shapesAreReadAndBuffersAreKnown() throws Exception {
    open.put("attn_mask", computed(new float[81], 9, 9));
    open.put("position_ids", new LazyTensor(ElementType.I64, List.of(9L), null));
    Clip clip = read(open, SAID);
    assertEquals(16, clip.config().hidden());
    assertEquals(16, clip.config().embeddingDimension());
    assertEquals(8, clip.config().sensor("rgb").imageSize());
    assertEquals(
        new TransformerConfig(24, 3, 40, Activation.GELU), clip.config().image().transformer());
    assertEquals(
        new TransformerConfig(20, 2, 28, Activation.QUICK_GELU),
        clip.config().text().transformer());
    assertEquals(2, clip.config().image().layers());
    assertEquals(1, clip.config().text().layers());
    assertEquals(9, clip.config().text().maxTokens());
    assertEquals(60, clip.config().text().vocabularySize());
    assertEquals(List.of("attn_mask", "position_ids"), clip.source().unused());
    float[] proj = open.get("visual.proj").values();
    float[] project = clip.tensors().get("model.image_rgb.project").values();
    assertEquals(proj[5 * 16 + 7], project[7 * 24 + 5]);
    float[] fused = open.get("transformer.resblocks.0.attn.in_proj_weight").values();
    assertArrayEquals(
        Arrays.copyOfRange(fused, 20 * 20, 2 * 20 * 20),
        clip.tensors().get("model.text.layer0.attention.key.weight").values());
  }

  @Test
  void missingAndUnknownTensorsAreListed() {
    open.remove("ln_final.bias");
    put(open, "visual.proj", 24, 17);
    put(open, "visual.transformer.resblocks.0.ls_1.gamma", 24);
    String message = refused(SAID);
    assertTrue(message.contains("ln_final.bias is missing"), message);
    assertTrue(message.contains("visual.proj must be [24, 16], found [24, 17]"), message);
    assertTrue(message.contains("ls_1.gamma is unknown"), message);
  }

  /** Two models in one file, as a merge that went wrong leaves them. */
  @Test
  void aMixtureOfTwoModelsIsRefused() {
    put(open, "vision_model.embeddings.class_embedding", 24);
    put(open, "text_model.final_layer_norm.weight", 20);
    String message = refused(SAID);
    assertTrue(message.contains("vision_model.embeddings.class_embedding is unknown"), message);
    assertTrue(message.contains("text_model.final_layer_norm.weight is unknown"), message);
  }

  @Test
  void whatNoShapeTellsMustBeSaid() {
    String message = refused(ClipDetails.NONE);
    assertTrue(message.contains("activation") && message.contains("quick_gelu"), message);
    ClipDetails.Tower gelu = new ClipDetails.Tower(null, Activation.GELU, null);
    message = refused(ClipDetails.of(gelu, gelu));
    assertTrue(message.contains("how many heads its image tower has, which is 24"), message);
  }

  @Test
  void otherModelsAreRefusedByTheirNames() {
    Map.of(
            "logit_bias", "SigLIP",
            "text_decoder.x", "CoCa",
            "visual.layer1.0.x", "ResNet",
            "visual.trunk.x", "timm",
            "visual.blocks.x", "EVA",
            "bert.x", "Chinese-CLIP",
            "positional_embedding_res", "Long-CLIP",
            "text.cls_emb", "class token",
            "text.transformer.x", "another kind")
        .forEach(
            (name, part) -> {
              Map<String, LazyTensor> other = new LinkedHashMap<>(open);
              put(other, name, 1);
              String message =
                  assertThrows(CheckpointException.class, () -> read(other, SAID)).getMessage();
              assertTrue(message.contains(part), message);
            });
  }

  @Test
  void aConfigOfAnotherModelIsRefused() throws Exception {
    Path config = folder.resolve("config.json");
    Files.writeString(
        config,
        "{\"embed_dim\": 16, \"vision_cfg\": {\"width\": 32, \"layers\": 2}, \"text_cfg\": {}}");
    String message = refused(ClipConfigs.read(config));
    assertTrue(message.contains("its config says image.width 32, its tensors 24"), message);
    for (String json :
        List.of(
            "{\"model_type\": \"siglip\"}",
            "{\"vision_cfg\": {\"layers\": [3, 4]}, \"text_cfg\": {}}",
            "{\"vision_cfg\": {\"no_ln_pre\": true}, \"text_cfg\": {}}",
            "{\"vision_cfg\": {\"width\": \"x\"}, \"text_cfg\": {}}",
            "{\"vision_cfg\": {\"width\": 8, \"head_width\": 0}, \"text_cfg\": {}}",
            "[]",
            "{")) {
      Files.writeString(config, json);
      assertThrows(CheckpointException.class, () -> ClipConfigs.read(config), json);
    }
  }

  /** Of the same tensors, so that nothing else would tell. */
  @Test
  void optionsOfOtherNetsAreRefusedByTheirNames() throws Exception {
    Path config = folder.resolve("config.json");
    String vision = "{\"vision_cfg\": {%s}, \"text_cfg\": {}}";
    String text = "{\"vision_cfg\": {}, \"text_cfg\": {%s}}";
    Map<String, String> options =
        Map.of(
            "\"pool_type\": \"avg\"", vision,
            "\"image_size\": [32, 64]", vision,
            "\"norm_kwargs\": {\"elementwise_affine\": false}", vision,
            "\"of_tomorrow\": 3", vision,
            "\"width\": 1e20", vision,
            "\"pool_type\": \"last\"", text,
            "\"tokenizer_kwargs\": {\"clean\": \"canonicalize\"}", text,
            "\"hf_tokenizer_name\": \"roberta-base\"", text,
            "\"proj_bias\": true", text,
            "\"heads\": 2.5", text);
    for (Map.Entry<String, String> option : options.entrySet()) {
      Files.writeString(config, String.format(Locale.ROOT, option.getValue(), option.getKey()));
      String message =
          assertThrows(CheckpointException.class, () -> ClipConfigs.read(config)).getMessage();
      String name = option.getKey().split("\"", -1)[1];
      assertTrue(message.contains(config + " has " + name + " ["), message);
    }
    for (String plain :
        List.of("\"pool_type\": \"tok\"", "\"patch_dropout\": 0.5", "\"layers\": 2")) {
      Files.writeString(config, String.format(Locale.ROOT, vision, plain));
      ClipConfigs.read(config);
    }
  }

  /** The token that a text's embedding is taken at, where a config says which. */
  @Test
  void aConfigSaysTheEndToken() throws Exception {
    Path config = folder.resolve("config.json");
    String openClip = "{\"vision_cfg\": {}, \"text_cfg\": {\"pool_type\": \"eos\", \"eos_id\": 7}}";
    String library = "{\"model_type\": \"clip\", \"text_config\": {\"eos_token_id\": %d}}";
    Map<String, List<String>> expected =
        Map.of(
            openClip,
            List.of("its config says text.end 7, its tokenizer 9"),
            String.format(Locale.ROOT, library, 8),
            List.of("its config says text.end 8, its tokenizer 9"),
            // By which the library means the largest id of a text.
            String.format(Locale.ROOT, library, 2),
            List.of(),
            String.format(Locale.ROOT, library, 9),
            List.of());
    for (Map.Entry<String, List<String>> each : expected.entrySet()) {
      Files.writeString(config, each.getKey());
      assertEquals(
          each.getValue(),
          ClipConfigs.read(config).contradictions(Map.of(ClipDetails.END, 9)),
          each.getKey());
    }
  }
}
