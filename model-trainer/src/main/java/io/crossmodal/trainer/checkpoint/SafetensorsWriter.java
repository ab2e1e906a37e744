/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Writes float32 safetensors of any size, one tensor in memory at a time.
 *
 * <p>Not DJL's writer: that one counts bytes in an int, and a base model with its optimiser's
 * moments has more than an int counts.
 */
public final class SafetensorsWriter {
  private static final Gson GSON = new GsonBuilder().disableHtmlEscaping().create();

  /** Bytes on the way to the file; a multiple of a float's. */
  private static final int CHUNK = 1 << 20;

  private SafetensorsWriter() {}

  /**
   * Writes tensors in the order given.
   *
   * @throws CheckpointException when a value is no finite number, naming its tensor
   */
  public static void write(Path file, Map<String, LazyTensor> tensors) throws IOException {
    Map<String, Object> header = new LinkedHashMap<>();
    long end = 0;
    for (Map.Entry<String, LazyTensor> entry : tensors.entrySet()) {
      long begin = end;
      end += entry.getValue().size() * Float.BYTES;
      header.put(
          entry.getKey(),
          Map.of(
              "dtype", LazyTensor.ElementType.F32.name(),
              "shape", entry.getValue().shape(),
              "data_offsets", List.of(begin, end)));
    }
    StringBuilder json = new StringBuilder(GSON.toJson(header));
    // Aligned data can be mapped as floats by whoever reads it.
    json.append(" ".repeat((Long.BYTES - utf8(json).length % Long.BYTES) % Long.BYTES));
    byte[] bytes = utf8(json);
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer start =
          ByteBuffer.allocate(Long.BYTES + bytes.length).order(ByteOrder.LITTLE_ENDIAN);
      drain(channel, start.putLong(bytes.length).put(bytes));
      ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
      for (Map.Entry<String, LazyTensor> entry : tensors.entrySet()) {
        write(channel, chunk, entry.getKey(), entry.getValue());
      }
      // Whoever moves the file over an older one must not lose both to a power cut.
      channel.force(true);
    }
  }

  private static byte[] utf8(CharSequence text) {
    return text.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void write(FileChannel channel, ByteBuffer chunk, String name, LazyTensor tensor)
      throws IOException {
    float[] values = tensor.values();
    if (values.length != tensor.size()) {
      throw new IllegalStateException(
          name + tensor.shape() + " came with " + values.length + " values");
    }
    for (float value : values) {
      if (!Float.isFinite(value)) {
        throw new CheckpointException(
            String.format(Locale.ROOT, "%s holds %s, which is no weight", name, value));
      }
      if (!chunk.hasRemaining()) {
        drain(channel, chunk);
      }
      chunk.putFloat(value);
    }
    drain(channel, chunk);
  }

  private static void drain(FileChannel channel, ByteBuffer buffer) throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
    buffer.clear();
  }
}
