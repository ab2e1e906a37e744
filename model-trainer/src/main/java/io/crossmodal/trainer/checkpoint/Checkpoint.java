/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The tensors of a file by the names that it gives them.
 *
 * @param file where they are
 * @param tensors by name; nothing of them is in memory
 */
record Checkpoint(Path file, Map<String, LazyTensor> tensors) {
  private static final int SNIFFED = 32;

  /**
   * Opens a safetensors file, what PyTorch's {@code torch.save} writes or wrote before 2020, or an
   * ONNX file, told apart by content.
   *
   * @throws CheckpointException when it is none of them, or damaged
   */
  static Checkpoint open(Path file) throws IOException {
    byte[] start;
    try (InputStream in = Files.newInputStream(file)) {
      start = in.readNBytes(SNIFFED);
    }
    String text = new String(start, StandardCharsets.ISO_8859_1);
    Map<String, LazyTensor> tensors;
    // First what no zip and no pickle has there: any bytes may stand before it, a length.
    if (text.startsWith("{", Long.BYTES)) {
      tensors = Safetensors.read(file);
    } else if (text.startsWith("PK")) {
      tensors = TorchZipReader.read(file);
    } else if (text.startsWith("\u0080")) {
      tensors = TorchLegacyReader.read(file);
    } else if (text.startsWith("\b")) {
      // The number of the format is every ONNX file's first field.
      tensors = OnnxReader.read(file);
    } else if (text.startsWith("version https://git-lfs")) {
      throw new CheckpointException(
          file + " is a Git LFS pointer, not the weights: fetch them with git lfs pull");
    } else {
      throw new CheckpointException(
          file + " is neither a safetensors file nor one of torch.save nor ONNX");
    }
    return new Checkpoint(file, withoutPrefix(tensors, "module."));
  }

  /** Takes away the {@code module.} that DataParallel puts before every name. */
  private static Map<String, LazyTensor> withoutPrefix(
      Map<String, LazyTensor> tensors, String prefix) {
    if (!tensors.keySet().stream().allMatch(name -> name.startsWith(prefix))) {
      return tensors;
    }
    Map<String, LazyTensor> renamed = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> renamed.put(name.substring(prefix.length()), tensor));
    return renamed;
  }
}
