/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The tensors of a file by the names that it gives them.
 *
 * @param file where they are
 * @param tensors by name; nothing of them is in memory
 */
record Checkpoint(Path file, Map<String, LazyTensor> tensors) {
  /** Of weights in several parts. */
  static final String INDEX = ".index.json";

  private static final int SNIFFED = 32;
  private static final long MAX_INDEX_BYTES = 16 << 20;
  private static final int MAX_PARTS = 1024;

  /**
   * Opens a safetensors file, what PyTorch's {@code torch.save} writes or wrote before 2020, or an
   * ONNX file, told apart by content; or by its name Hugging Face's index of several such files.
   *
   * @throws CheckpointException when it is none of them, or damaged
   */
  static Checkpoint open(Path file) throws IOException {
    if (file.getFileName().toString().endsWith(INDEX)) {
      return parts(file);
    }
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
          String.format(
              Locale.ROOT,
              "%s is neither a safetensors file nor one of torch.save nor ONNX: it %s",
              file,
              start.length == 0
                  ? "is empty"
                  : "begins with [" + text.replaceAll("[^ -~]", "?") + "]"));
    }
    return new Checkpoint(file, withoutPrefix(tensors, "module."));
  }

  /** Opens the parts that an index names, which lie beside it. */
  private static Checkpoint parts(Path index) throws IOException {
    if (Files.size(index) > MAX_INDEX_BYTES) {
      throw new CheckpointException(index + " is larger than an index of weights is");
    }
    Map<String, LazyTensor> tensors = new LinkedHashMap<>();
    Map<String, Checkpoint> parts = new HashMap<>();
    try {
      JsonObject names =
          JsonParser.parseString(Files.readString(index))
              .getAsJsonObject()
              .getAsJsonObject("weight_map");
      for (Map.Entry<String, JsonElement> entry : names.entrySet()) {
        String name = entry.getValue().getAsString();
        if (!parts.containsKey(name)) {
          Path file = index.resolveSibling(name);
          // Another folder's file is none of this model.
          if (!file.getFileName().toString().equals(name) || parts.size() == MAX_PARTS) {
            throw new CheckpointException(
                String.format(
                    Locale.ROOT,
                    "%s names a part [%.100s]; a part lies beside it, and there are at most %d",
                    index,
                    name,
                    MAX_PARTS));
          }
          if (!Files.isRegularFile(file) || name.endsWith(INDEX)) {
            throw new CheckpointException(
                String.format(
                    Locale.ROOT,
                    "%s names a part [%.100s] that is not there: fetch all of them",
                    index,
                    name));
          }
          parts.put(name, open(file));
        }
        LazyTensor tensor = parts.get(name).tensors().get(entry.getKey());
        if (tensor == null) {
          throw new CheckpointException(
              String.format(
                  Locale.ROOT,
                  "%s says that [%.100s] has %s, which it has not: the parts are of"
                      + " two models",
                  index,
                  name,
                  entry.getKey()));
        }
        tensors.put(entry.getKey(), tensor);
      }
    } catch (JsonParseException
        | IllegalStateException
        | ClassCastException
        | NullPointerException
        | InvalidPathException
        | UnsupportedOperationException e) {
      throw new CheckpointException(
          index + " is no index of weights: it needs weight_map, from names to files", e);
    }
    return new Checkpoint(index, withoutPrefix(tensors, "module."));
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
