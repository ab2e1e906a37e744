/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * The files of a CLIP: its weights, and what lies beside them.
 *
 * @param weights the opened checkpoint
 * @param folder where it lies
 */
record ClipFiles(Checkpoint weights, Path folder) {
  private static final long MAX_JSON_BYTES = 16 << 20;

  static final String OPEN_CLIP_CONFIG = "open_clip_config.json";
  static final String CONFIG = "config.json";
  static final String PIXELS = "preprocessor_config.json";
  static final String IDS = "vocab.json";
  private static final String MERGES = "merges.txt";
  private static final String DOCUMENT = "tokenizer.json";
  private static final String PACKED = "bpe_simple_vocab_16e6.txt.gz";

  /** Names that hubs give the same weights in several containers, the one to take first. */
  private static final List<String> KNOWN =
      List.of(
          "open_clip_model.safetensors",
          "open_clip_pytorch_model.bin",
          "model.safetensors",
          "pytorch_model.bin",
          "open_clip_model.safetensors" + Checkpoint.INDEX,
          "model.safetensors" + Checkpoint.INDEX,
          "pytorch_model.bin" + Checkpoint.INDEX);

  private static final List<String> ENDINGS =
      List.of(".safetensors", ".bin", ".pt", ".pth", ".ckpt");

  /**
   * Finds the weights.
   *
   * @param source a file of weights, or a folder with one
   * @throws CheckpointException when there are none or several, naming them
   */
  static ClipFiles find(Path source) throws IOException {
    if (!Files.exists(source)) {
      throw new NoSuchFileException(source.toString());
    }
    if (!Files.isDirectory(source)) {
      return new ClipFiles(Checkpoint.open(source), source.toAbsolutePath().getParent());
    }
    for (String name : KNOWN) {
      if (Files.isRegularFile(source.resolve(name))) {
        return new ClipFiles(Checkpoint.open(source.resolve(name)), source);
      }
    }
    List<Path> found;
    try (Stream<Path> all = Files.list(source)) {
      found =
          all.filter(
                  file ->
                      ENDINGS.stream().anyMatch(end -> file.getFileName().toString().endsWith(end)))
              .sorted()
              .toList();
    }
    List<Checkpoint> clips = new ArrayList<>();
    for (Path file : found) {
      // One that cannot be read is none of a folder's only one, which then says why.
      Checkpoint checkpoint = found.size() == 1 ? Checkpoint.open(file) : readable(file);
      if (checkpoint != null && (found.size() == 1 || ClipMapping.isClip(checkpoint))) {
        clips.add(checkpoint);
      }
    }
    if (clips.size() != 1) {
      throw new CheckpointException(
          source
              + " should hold the weights of one CLIP in a file that ends in one of "
              + ENDINGS
              + ", found "
              + (clips.isEmpty() ? found : clips.stream().map(Checkpoint::file).toList())
              + "; name the file");
    }
    return new ClipFiles(clips.get(0), source);
  }

  private static Checkpoint readable(Path file) throws IOException {
    try {
      return Checkpoint.open(file);
    } catch (CheckpointException e) {
      return null;
    }
  }

  /**
   * Returns a file's bytes.
   *
   * @throws CheckpointException when there are more than such a file has
   */
  static byte[] read(Path file, long most) throws IOException {
    if (Files.size(file) > most) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s has %d bytes, more than the %d that such a file has at most",
              file,
              Files.size(file),
              most));
    }
    return Files.readAllBytes(file);
  }

  /** Returns the text of a JSON file that lies beside weights; see {@link #read}. */
  static String json(Path file) throws IOException {
    return new String(read(file, MAX_JSON_BYTES), StandardCharsets.UTF_8);
  }

  /** Returns the config beside the weights that has their names' form, else any; null for none. */
  Path config() {
    return ClipMapping.isHuggingFace(weights)
        ? first(CONFIG, OPEN_CLIP_CONFIG)
        : first(OPEN_CLIP_CONFIG, CONFIG);
  }

  /** Returns Hugging Face's file of pixels; null where there is none. */
  Path pixels() {
    return first(PIXELS);
  }

  /** Returns the tokenizer's file, of the library that the weights are of first; null for none. */
  Path tokenizer() {
    return ClipMapping.isHuggingFace(weights)
        ? first(DOCUMENT, MERGES, PACKED)
        : first(PACKED, DOCUMENT, MERGES);
  }

  private Path first(String... names) {
    return Stream.of(names)
        .map(folder::resolve)
        .filter(Files::isRegularFile)
        .findFirst()
        .orElse(null);
  }
}
