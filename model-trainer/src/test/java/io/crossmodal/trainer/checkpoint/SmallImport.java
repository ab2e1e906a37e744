/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.trainer.checkpoint.CheckpointFiles.Precision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The base model's shape, made small, and checkpoints for it. */
public final class SmallImport {
  static final int HEADS = 3;
  static final int SIDE = 16;
  static final int IMAGE_LAYERS = 3;

  /** Longer than the model's, as BERT's 512 may be. */
  static final int POSITIONS = 20;

  static final ModelConfig SHAPE =
      new ModelConfig(
          24,
          HEADS,
          40,
          8,
          1e-12,
          new TextConfig(5, 12, 2),
          ImageTowerConfig.visionTransformer(4, IMAGE_LAYERS),
          2,
          List.of(SensorConfig.rgb(SIDE)));

  private SmallImport() {}

  /** Special tokens, letters and their continuations. */
  public static List<String> vocabulary() {
    List<String> words = new ArrayList<>(WordPieceTokenizer.SPECIAL);
    words.add("[unused0]");
    for (char letter = 'a'; letter <= 'z'; letter++) {
      words.add(String.valueOf(letter));
      words.add("##" + letter);
    }
    return words;
  }

  static Path vocabulary(Path folder) throws IOException {
    return Files.write(folder.resolve("vocab.txt"), vocabulary());
  }

  static Tensors bert(long seed, String prefix, boolean old, boolean head) {
    return bert(seed, prefix, old, head, POSITIONS);
  }

  private static Tensors bert(long seed, String prefix, boolean old, boolean head, int positions) {
    return Tensors.bert(
        seed,
        prefix,
        old,
        head,
        SHAPE.text().layers() + SHAPE.fusionLayers(),
        SHAPE.hidden(),
        SHAPE.feedForward(),
        vocabulary().size(),
        positions);
  }

  static Tensors vit(long seed, String prefix) {
    return Tensors.vit(
        seed, prefix, IMAGE_LAYERS, SHAPE.hidden(), SHAPE.feedForward(), 4, tokens());
  }

  static Tensors timm(long seed) {
    return Tensors.timm(seed, IMAGE_LAYERS, SHAPE.hidden(), SHAPE.feedForward(), 4, tokens());
  }

  private static int tokens() {
    return SHAPE.imageTokens(SHAPE.sensors().get(0));
  }

  static InitialModel run(Path bert, Path vision, Path out) throws IOException {
    Files.createDirectories(out);
    return run(SHAPE, CheckpointImport.Choices.NONE, bert, vision, null, out);
  }

  static InitialModel run(
      ModelConfig shape,
      CheckpointImport.Choices choices,
      Path bert,
      Path vision,
      Path fusion,
      Path out)
      throws IOException {
    return new CheckpointImport(shape, choices)
        .run(new CheckpointImport.Parts(vision, bert, fusion, vocabulary(bert.getParent())), out);
  }

  /** Random checkpoints {@code bert.safetensors} and {@code vit.safetensors}, and word pieces. */
  public static Path checkpoints(Path folder, long seed, int positions) throws IOException {
    Files.createDirectories(folder);
    CheckpointFiles.safetensors(
        folder.resolve("bert.safetensors"),
        bert(seed, "bert.", false, true, positions),
        Precision.F32);
    CheckpointFiles.safetensors(
        folder.resolve("vit.safetensors"), vit(seed + 1, "vit."), Precision.F32);
    vocabulary(folder);
    return folder;
  }

  /** Starting weights of random checkpoints. */
  public static InitialModel write(Path folder, long seed) throws IOException {
    checkpoints(folder, seed, POSITIONS);
    return run(
        folder.resolve("bert.safetensors"),
        folder.resolve("vit.safetensors"),
        folder.resolve("initial"));
  }
}
