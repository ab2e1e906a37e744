/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.torchscript.Weights.Init;
import io.crossmodal.trainer.checkpoint.CheckpointFiles.Precision;
import io.crossmodal.trainer.checkpoint.CheckpointImport.Choices;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which layers go where, and what of a model's shape is the checkpoints'. */
class ImportPartsTest {
  private static final long SEED = MicroTraining.seed();

  /** As wide as its embeddings; {@link SmallImport#SHAPE} is not. */
  private static final ModelConfig SQUARE =
      new ModelConfig(
          24,
          3,
          40,
          24,
          1e-12,
          new TextConfig(5, 12, 2, TextConfig.Kind.BERT_MEAN),
          ImageTowerConfig.efficientNetLite0(),
          3,
          List.of(SensorConfig.rgb(32)));

  @TempDir Path folder;

  private static Tensors bert(long seed, int layers, int width) {
    return Tensors.bert(
        seed,
        "bert.",
        false,
        true,
        layers,
        width,
        5 * width / 3,
        SmallImport.vocabulary().size(),
        SmallImport.POSITIONS);
  }

  private Path write(String name, Tensors tensors) throws IOException {
    return CheckpointFiles.safetensors(folder.resolve(name), tensors, Precision.F32);
  }

  private Path vit() throws IOException {
    return write("vit", SmallImport.vit(SEED, "vit."));
  }

  private InitialModel run(ModelConfig shape, Choices choices, Path text, Path image, Path fusion)
      throws IOException {
    return SmallImport.run(shape, choices, text, image, fusion, folder.resolve("out"));
  }

  private static Choices layers(Integer text, List<Integer> fusion) {
    return new Choices(text, fusion, null, null);
  }

  private static void assertLayer(
      InitialModel initial, String target, Tensors bert, int layer, int width) {
    assertArrayEquals(
        bert.get("bert.encoder.layer." + layer + ".intermediate.dense.weight").values(),
        initial
            .start(0)
            .get(target + ".feed_forward.inner.weight", Init.constant(0), 5 * width / 3, width)
            .values(),
        target);
  }

  private String assertRefused(ModelConfig shape, Choices choices, Tensors bert, String... parts)
      throws IOException {
    Path text = write("bert", bert);
    Path image = vit();
    String message =
        assertThrows(CheckpointException.class, () -> run(shape, choices, text, image, null))
            .getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
    return message;
  }

  @Test
  void layersGoWhereTheyAreAskedTo() throws Exception {
    Tensors bert = bert(SEED, 7, 24);
    Path text = write("bert", bert);
    InitialModel next = run(SmallImport.SHAPE, Choices.NONE, text, vit(), null);
    assertLayer(next, "model.text.layer1", bert, 1, 24);
    assertLayer(next, "model.fusion.layer0", bert, 2, 24);
    assertLayer(next, "model.fusion.layer1", bert, 3, 24);
    assertEquals(2, next.config().fusionLayers());

    InitialModel chosen = run(SmallImport.SHAPE, layers(3, List.of(6, 3, 5)), text, vit(), null);
    assertEquals(3, chosen.config().text().layers());
    assertEquals(3, chosen.config().fusionLayers());
    assertLayer(chosen, "model.text.layer2", bert, 2, 24);
    assertLayer(chosen, "model.fusion.layer0", bert, 6, 24);
    assertLayer(chosen, "model.fusion.layer1", bert, 3, 24);
    assertLayer(chosen, "model.fusion.layer2", bert, 5, 24);
    List<String> unused = chosen.origin().sources().get(0).unused();
    assertTrue(
        unused.contains("bert.encoder.layer.4.* (16 tensors, a layer that is not taken)"),
        unused.toString());
    assertEquals(1, unused.stream().filter(line -> line.contains("not taken")).count());
  }

  @Test
  void theFusionEncoderMayComeFromAnotherFile() throws Exception {
    Tensors bert = bert(SEED, 2, 24);
    Tensors other = bert(SEED + 1, 5, 24);
    InitialModel initial =
        run(
            SmallImport.SHAPE,
            layers(null, List.of(1, 4)),
            write("bert", bert),
            vit(),
            write("other", other));
    assertLayer(initial, "model.text.layer1", bert, 1, 24);
    assertLayer(initial, "model.fusion.layer0", other, 1, 24);
    assertLayer(initial, "model.fusion.layer1", other, 4, 24);
    assertArrayEquals(
        bert.get("bert.embeddings.word_embeddings.weight").values(),
        initial.start(0).get("model.text.word", Init.constant(0), 58, 24).values());
    assertArrayEquals(
        other.get("cls.predictions.bias").values(),
        initial.start(0).get("mlm.bias", Init.constant(0), 58).values());
    String report = initial.origin().toString();
    for (String part :
        List.of(
            "BERT of the text tower bert: 37 tensors",
            "BERT of the fusion encoder other: 37 tensors",
            "bert.embeddings.* (5 tensors, for another file is the text tower's)",
            "bert.encoder.layer.0.* (16 tensors, a layer that is not taken)",
            "cls.predictions.* (6 tensors, for another file is the fusion encoder's)")) {
      assertTrue(report.contains(part), report);
    }
  }

  @Test
  void refusesLayersThatAreNotThere() throws Exception {
    assertRefused(
        SmallImport.SHAPE,
        layers(null, List.of(2, 9)),
        bert(SEED, 4, 24),
        "at least 10 layers, for layers [2, 9] start the fusion encoder, counted from 0; found 4");
    assertRefused(
        SmallImport.SHAPE,
        layers(5, List.of(0, 1)),
        bert(SEED, 4, 24),
        "at least 5 layers, for the first 5 layers start the text tower; found 4");
    assertRefused(
        SmallImport.SHAPE,
        layers(null, List.of(2)),
        bert(SEED, 4, 24),
        "make no model: fusion_layers must be");
    Path text = write("bert", bert(SEED, 4, 24));
    for (List<Integer> wrong : List.of(List.of(2, 2), List.of(-1, 2))) {
      assertTrue(
          assertThrows(
                  IllegalArgumentException.class,
                  () -> run(SmallImport.SHAPE, layers(null, wrong), text, vit(), null))
              .getMessage()
              .contains("each once, got " + wrong));
    }
  }

  @Test
  void widthsAreTheCheckpointsAndHeadsThePublishedOnes() throws Exception {
    Path net = write("net", EfficientNets.lite0(SEED));
    InitialModel wide = run(SQUARE, Choices.NONE, write("bert", bert(SEED, 5, 384)), net, null);
    assertEquals(384, wide.config().hidden());
    assertEquals(640, wide.config().feedForward());
    assertEquals(12, wide.config().heads());
    assertEquals(384, wide.config().embeddingDimension());
    assertEquals(SmallImport.vocabulary().size(), wide.config().text().vocabularySize());
    assertEquals(TextConfig.Kind.BERT_MEAN, wide.config().text().kind());

    Path odd = write("bert", bert(SEED, 5, 30));
    String message =
        assertThrows(CheckpointException.class, () -> run(SQUARE, Choices.NONE, odd, net, null))
            .getMessage();
    assertTrue(message.contains("30 wide") && message.contains("--heads"), message);
    Choices five = new Choices(null, null, 5, null);
    assertEquals(5, run(SQUARE, five, odd, net, null).config().heads());
    Choices four = new Choices(null, null, 4, null);
    message =
        assertThrows(CheckpointException.class, () -> run(SQUARE, four, odd, net, null))
            .getMessage();
    assertTrue(message.contains("hidden 30 is not divisible by heads 4"), message);
  }

  @Test
  void projectionsStartAsTheIdentityWhereTheyCan() throws Exception {
    Path net = write("net", EfficientNets.lite0(SEED));
    InitialModel square = run(SQUARE, Choices.NONE, write("bert", bert(SEED, 5, 24)), net, null);
    assertEquals(List.of("model.filter.image"), square.origin().identities());
    assertTrue(square.origin().anew().contains("model.filter.text.weight"));
    float[] weight =
        square.start(SEED).get("model.filter.image.weight", Init.constant(7), 24, 24).values();
    for (int i = 0; i < weight.length; i++) {
      assertEquals(i % 25 == 0 ? 1f : 0f, weight[i]);
    }
    assertArrayEquals(
        new float[24],
        square.start(SEED).get("model.filter.image.bias", Init.constant(7), 24).values());
    String report = InitialModel.read(folder.resolve("out")).origin().toString();
    assertTrue(report.contains("start as the identity: model.filter.image\n"), report);
    InitialModel narrow =
        run(SmallImport.SHAPE, Choices.NONE, write("bert", bert(SEED, 4, 24)), vit(), null);
    assertEquals(List.of(), narrow.origin().identities());
    assertTrue(narrow.origin().anew().contains("model.filter.image.weight"));
    // A folder that an older version has written says nothing of identities.
    Path json = folder.resolve("out").resolve("config.json");
    String whole = Files.readString(json);
    String old = whole.replaceAll(",\\s*\"identities\": \\[\\]", "");
    assertTrue(old.length() < whole.length(), whole);
    Files.writeString(json, old);
    assertEquals(List.of(), InitialModel.read(folder.resolve("out")).origin().identities());
  }

  @Test
  void theImageTowersKindIsToldByItsNames() throws Exception {
    Path text = write("bert", bert(SEED, 5, 24));
    InitialModel net =
        run(SQUARE, Choices.NONE, text, write("net", EfficientNets.lite0(SEED)), null);
    assertEquals(ImageTowerConfig.Kind.EFFICIENTNET_LITE, net.config().image().kind());
    assertEquals(Collections.nCopies(3, 127 / 255.0), net.config().sensor("rgb").mean());
    assertEquals(Collections.nCopies(3, 128 / 255.0), net.config().sensor("rgb").std());

    // A transformer of another patch, depth and size than the shape's; part of something larger.
    Tensors deep = new Tensors(0);
    Tensors.vit(SEED, "", 2, 24, 40, 2, 10)
        .byName
        .forEach((name, tensor) -> deep.byName.put("backbone.vit." + name, tensor));
    deep.byName.keySet().removeIf(name -> name.contains("classifier"));
    InitialModel vit = run(SmallImport.SHAPE, Choices.NONE, text, write("vit", deep), null);
    assertEquals(ImageTowerConfig.visionTransformer(2, 2), vit.config().image());
    assertEquals(6, vit.config().sensor("rgb").imageSize());
    assertEquals(SensorConfig.rgb(6), vit.config().sensor("rgb"));
  }

  // Word pieces.

  private List<String> vocabulary(String json) throws IOException {
    return VocabularyFile.read(Files.writeString(folder.resolve("tokenizer.json"), json));
  }

  private static String tokenizer(List<String> words, String normalizer, String model) {
    List<String> entries = new ArrayList<>();
    for (int i = 0; i < words.size(); i++) {
      entries.add("\"" + words.get(i) + "\": " + i);
    }
    Collections.reverse(entries);
    return "{\n\"added_tokens\": [{\"id\": 0, \"content\": \"[PAD]\"}],\n\"normalizer\": "
        + normalizer
        + ", \"model\": {"
        + model
        + "\"vocab\": {"
        + String.join(",\n", entries)
        + "}}}";
  }

  @Test
  void wordPiecesComeFromATokenizersFileToo() throws Exception {
    List<String> words = SmallImport.vocabulary();
    String wordPiece = "\"type\": \"WordPiece\", \"continuing_subword_prefix\": \"##\", ";
    String bert = "{\"type\": \"BertNormalizer\", \"lowercase\": true, \"strip_accents\": null}";
    String good = tokenizer(words, bert, wordPiece);
    assertEquals(words, vocabulary(good));
    assertEquals(words, vocabulary(tokenizer(words, "null", wordPiece)));

    String[][] refused = {
      {good.replace("WordPiece", "Unigram"), "Unigram", "WordPiece with ##"},
      {good.replace("\"##\"", "\"@@\""), "prefix @@"},
      {good.replace("true", "false"), "upper case"},
      {good.replace("\"strip_accents\": null", "\"strip_accents\": false"), "accents"},
      {good.replace("\"a\": 6", "\"a\": 7"), "each once"},
      {good.replace("\"a\": 6", "\"a\": 600"), "[a] has 600"},
      {good.replace("\"a\": 6", "\"a\": 6.5"), "no whole number"},
      {good.replace("\"a\": 6", "\"a\": \"x\""), "no whole number"},
      {good.replace("\"a\": 6", "\"London\": 6"), "cased vocabulary", "[London]"},
      {good.replace("\"[MASK]\"", "\"mask\""), "[MASK]"},
      {good.replace("\"content\": \"[PAD]\"", "\"content\": \"<s>\""), "adds the token [<s>]"},
      {good.substring(0, good.length() - 3), "no tokenizer.json"},
      {"{}", "type absent"},
      {"{\"model\": [1]}", "no tokenizer.json"}
    };
    for (String[] each : refused) {
      String message =
          assertThrows(CheckpointException.class, () -> vocabulary(each[0])).getMessage();
      assertTrue(message.contains("tokenizer.json"), message);
      for (String part : List.of(each).subList(1, each.length)) {
        assertTrue(message.contains(part), message);
      }
    }
  }
}
