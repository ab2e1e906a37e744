/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.Model;
import ai.djl.engine.EngineException;
import ai.djl.ndarray.BaseNDManager;
import ai.djl.ndarray.NDManager;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.tokens.TokenBlock;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What outlives a call: native resources, and other models in the same JVM. */
class FusionModelLifetimeTest {
  private static final long SEED = Seeds.next();

  @TempDir Path scratch;

  private FusionModel load(long seed) throws Exception {
    return FusionModel.load(TestBundles.random("micro", ModelConfig.micro(), seed), scratch);
  }

  private static PixelTensor picture() {
    float[] values = new float[3 * 16 * 16];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(i);
    }
    return new PixelTensor(3, 16, values);
  }

  /** Encodes, scores and draws once: embeddings, the logits of the pair and a weight. */
  private static float[] run(FusionModel model) {
    Encoding text = model.encodeTexts(List.of(model.bundle().tokenizer().tokenize("a b"))).get(0);
    Encoding image = model.encodeImages("rgb", List.of(picture())).get(0);
    PairLogits logits = model.score(List.of(text.tokens()), List.of(image.tokens()));
    WordPatchWeights weights =
        model.attention(List.of(text.tokens()), List.of(image.tokens())).get(0);
    return new float[] {
      text.embedding()[0],
      image.embedding()[0],
      logits.itm()[0],
      logits.biEncoder()[0],
      weights.cls(0)
    };
  }

  /** They belong to everybody in the JVM, other copies of DJL included. */
  @Test
  void leavesNoSystemPropertyBehind() throws Exception {
    Properties before = new Properties();
    before.putAll(System.getProperties());
    try (FusionModel model = load(SEED)) {
      run(model);
    }
    assertEquals(before, System.getProperties());
  }

  /** What a manager holds: arrays, sub-managers and whatever else is closed with it. */
  private static int held(NDManager manager) throws ReflectiveOperationException {
    Field resources = BaseNDManager.class.getDeclaredField("resources");
    resources.setAccessible(true);
    return ((Map<?, ?>) resources.get(manager)).size();
  }

  private static Object field(Object of, String name) throws ReflectiveOperationException {
    Field field = of.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field.get(of);
  }

  @Test
  void callsLeaveNothingNativeBehind() throws Exception {
    try (FusionModel model = load(SEED)) {
      NDManager own = ((Model) field(field(model, "torch"), "model")).getNDManager();
      NDManager system = own.getParentManager();
      run(model);
      int before = held(own);
      int beforeInSystem = held(system);
      for (int i = 0; i < 170; i++) { // four calls each
        run(model);
      }
      assertEquals(before, held(own));
      assertEquals(beforeInSystem, held(system));
    }
  }

  /** Failed calls are part of a node's day, for what a device does not take at once is halved. */
  @Test
  void failedCallsLeaveNothingNativeBehind() throws Exception {
    // Ids beyond the vocabulary, on which the engine breaks off.
    List<String> words = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    for (int i = 0; i < 100; i++) {
      words.add("w" + i);
    }
    TokenizedText foreign = new WordPieceTokenizer(words, 16).tokenize("w97 w98 w99 w97 w98");
    List<TokenizedText> batch = Collections.nCopies(20_000, foreign);
    long bytes = 20_000L * foreign.length() * Long.BYTES;
    try (FusionModel model = load(SEED)) {
      failingCall(model, batch);
      long before = resident();
      int calls = (int) ((2L << 30) / bytes);
      for (int i = 0; i < calls; i++) {
        failingCall(model, batch);
      }
      long grown = resident() - before;
      // The heap may grow meanwhile, by far less.
      assertTrue(
          grown < 1L << 30, calls + " calls of " + bytes + " bytes left " + grown + " bytes");
    }
  }

  private static void failingCall(FusionModel model, List<TokenizedText> batch) {
    assertThrows(EngineException.class, () -> model.encodeTexts(batch));
  }

  /** Bytes of this process in memory. */
  private static long resident() throws IOException {
    return 4096 * Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ", -1)[1]);
  }

  /** The launcher gives a node half of its heap, and whoever exhausts it ends the process. */
  @Test
  void callsTakeNoDirectMemory() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:MaxDirectMemorySize=128k",
                "--enable-native-access=ALL-UNNAMED",
                "-Dai.djl.offline=true",
                "-cp",
                System.getProperty("java.class.path"),
                FusionModelLifetimeTest.class.getName(),
                scratch.toString())
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
  }

  /** Calls whose inputs and outputs take megabytes each, in a process of its own. */
  public static void main(String[] arguments) throws Exception {
    ModelBundle bundle = TestBundles.random("micro", ModelConfig.micro().withPreRanker(true), SEED);
    try (FusionModel model = FusionModel.load(bundle, Path.of(arguments[0]))) {
      int batch = 2000;
      List<TokenBlock> images = new ArrayList<>();
      model
          .encodeImages("rgb", Collections.nCopies(batch, picture()))
          .forEach(encoding -> images.add(encoding.tokens()));
      List<TokenBlock> texts = new ArrayList<>();
      model
          .encodeTexts(Collections.nCopies(batch, bundle.tokenizer().tokenize("a b c d e f g")))
          .forEach(encoding -> texts.add(encoding.tokens()));
      model.score(texts, images);
      model.preRank(texts, images);
      model.attention(texts, images);
      model.maxSim(images.subList(0, 1), new int[batch], images);
    }
  }

  @Test
  void whatAKilledProcessLeftIsDeleted() throws Exception {
    Path left = Files.createFile(scratch.resolve("model-123.pt"));
    Path other = Files.createFile(scratch.resolve("other.pt"));
    FusionModel.deleteLeftovers(scratch);
    assertFalse(Files.exists(left));
    assertTrue(Files.exists(other));
    FusionModel.deleteLeftovers(scratch.resolve("not-there"));
  }

  @Test
  void aClosedModelIsGone() throws Exception {
    NDManager system;
    int before;
    try (NDManager base = NDManager.newBaseManager("PyTorch")) {
      system = base.getParentManager();
      before = held(system);
    }
    for (int i = 0; i < 3; i++) {
      load(SEED).close();
    }
    assertEquals(before - 1, held(system));
  }

  @Test
  void twoModelsDoNotDisturbEachOther() throws Exception {
    try (FusionModel one = load(SEED)) {
      float[] alone = run(one);
      try (FusionModel other = load(SEED + 1)) {
        float[] others = run(other);
        assertNotEquals(alone[2], others[2]);
        for (int i = 0; i < 5; i++) {
          assertArrayEquals(alone, run(one));
          assertArrayEquals(others, run(other));
        }
      }
      assertArrayEquals(alone, run(one), "after the other was closed");
    }
  }
}
