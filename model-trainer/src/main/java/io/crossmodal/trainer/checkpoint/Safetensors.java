/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.google.gson.annotations.SerializedName;
import com.google.gson.reflect.TypeToken;
import io.crossmodal.trainer.checkpoint.LazyTensor.ElementType;
import java.io.EOFException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Reads and writes safetensors: eight bytes of header length, a JSON header, the tensors' bytes.
 *
 * <p>Read, it is checked as the format's own description asks: no byte of the file belongs to two
 * tensors or to none. A tensor is mapped into memory when its values are asked for.
 *
 * <p>Written are float32 tensors of any size, one in memory at a time. DJL's writer counts bytes in
 * an int, and a base model with its optimiser's moments has more than an int counts.
 */
public final class Safetensors {
  /** The format's own limit. */
  private static final int MAX_HEADER_BYTES = 100_000_000;

  private static final String METADATA = "__metadata__";
  private static final Gson GSON = new GsonBuilder().setStrictness(Strictness.STRICT).create();

  private static final Gson WRITTEN = new GsonBuilder().disableHtmlEscaping().create();

  /** Bytes on the way to the file; a multiple of a float's. */
  private static final int CHUNK = 1 << 20;

  /** A tensor's entry in the header, as JSON has it: Gson would make 2 of an extent of 2.5. */
  private record JsonEntry(
      String dtype,
      List<BigDecimal> shape,
      @SerializedName("data_offsets") List<BigDecimal> offsets) {}

  /** A tensor's entry, checked; {@code begin} and {@code end} count from behind the header. */
  private record Entry(ElementType type, List<Long> shape, long begin, long end) {}

  private Safetensors() {}

  /**
   * Reads the header.
   *
   * @throws CheckpointException when the file is damaged, saying where
   */
  public static Map<String, LazyTensor> read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      long length = channel.size();
      long header = channel.size() < Long.BYTES ? 0 : bytes(channel, 0, Long.BYTES).getLong(0);
      if (header < 2 || header > Math.min(MAX_HEADER_BYTES, length - Long.BYTES)) {
        throw damaged(file, "its header should have " + header + " bytes, the file has " + length);
      }
      byte[] json = new byte[(int) header];
      bytes(channel, Long.BYTES, (int) header).get(json);
      return tensors(file, json, Long.BYTES + header, length);
    } catch (ArithmeticException | JsonParseException e) {
      // Gson's and Math's own; the entries are checked below.
      throw damaged(file, "header: " + e.getMessage());
    }
  }

  private static Map<String, LazyTensor> tensors(Path file, byte[] json, long data, long length)
      throws CheckpointException {
    // A map of Gson's refuses a name that stands twice; a JsonObject would take the last.
    Map<String, JsonElement> header =
        GSON.fromJson(
            new String(json, StandardCharsets.UTF_8),
            new TypeToken<LinkedHashMap<String, JsonElement>>() {}.getType());
    if (header == null) {
      throw damaged(file, "its header is empty");
    }
    Map<String, Entry> entries = new LinkedHashMap<>();
    for (Map.Entry<String, JsonElement> member : header.entrySet()) {
      if (!member.getKey().equals(METADATA)) {
        entries.put(member.getKey(), entry(file, member.getKey(), member.getValue()));
      }
    }
    checkCover(file, entries, length - data);
    Map<String, LazyTensor> tensors = new LinkedHashMap<>();
    entries.forEach(
        (name, entry) ->
            tensors.put(
                name,
                LazyTensor.mapped(file, name, entry.type(), entry.shape(), data + entry.begin())));
    return tensors;
  }

  private static Entry entry(Path file, String name, JsonElement json) throws CheckpointException {
    JsonEntry raw = GSON.fromJson(json, JsonEntry.class);
    if (raw == null
        || raw.dtype() == null
        || !isCounts(raw.shape())
        || !isCounts(raw.offsets())
        || raw.offsets().size() != 2) {
      throw damaged(file, name + " needs dtype, shape and two data_offsets, got " + json);
    }
    ElementType type =
        ElementType.of(raw.dtype())
            .orElseThrow(() -> damaged(file, name + " is of the unknown dtype " + raw.dtype()));
    Entry entry =
        new Entry(
            type,
            raw.shape().stream().map(BigDecimal::longValueExact).toList(),
            raw.offsets().get(0).longValueExact(),
            raw.offsets().get(1).longValueExact());
    long expected = Math.multiplyExact(LazyTensor.size(entry.shape()), type.bytes());
    if (entry.end() - entry.begin() != expected) {
      throw damaged(
          file,
          String.format(
              Locale.ROOT,
              "%s of %s %s needs %d bytes, its data_offsets give %d",
              name,
              type,
              entry.shape(),
              expected,
              entry.end() - entry.begin()));
    }
    return entry;
  }

  private static boolean isCounts(List<BigDecimal> values) {
    return values != null && values.stream().allMatch(value -> value != null && isCount(value));
  }

  private static boolean isCount(BigDecimal value) {
    return value.signum() >= 0 && value.stripTrailingZeros().scale() <= 0;
  }

  /** Checks that every byte behind the header belongs to exactly one tensor. */
  private static void checkCover(Path file, Map<String, Entry> entries, long length)
      throws CheckpointException {
    List<Map.Entry<String, Entry>> sorted = new ArrayList<>(entries.entrySet());
    sorted.sort(
        Comparator.comparing((Map.Entry<String, Entry> e) -> e.getValue().begin())
            .thenComparing(e -> e.getValue().end()));
    long end = 0;
    for (Map.Entry<String, Entry> entry : sorted) {
      long begin = entry.getValue().begin();
      if (begin != end) {
        throw damaged(
            file,
            String.format(
                Locale.ROOT,
                "%s begins at byte %d, %s the tensor before it, which ends at %d",
                entry.getKey(),
                begin,
                begin < end ? "inside" : "behind a gap after",
                end));
      }
      end = entry.getValue().end();
    }
    if (end != length) {
      throw damaged(
          file,
          String.format(
              Locale.ROOT,
              "its tensors need %d bytes, there are %d; it may be cut short: fetch it again",
              end,
              length));
    }
  }

  private static ByteBuffer bytes(FileChannel channel, long position, int count)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes, position + bytes.position()) < 0) {
        throw new EOFException("the file became shorter while it was read");
      }
    }
    return bytes.flip();
  }

  private static CheckpointException damaged(Path file, String what) {
    return new CheckpointException(file + " is no whole safetensors file: " + what);
  }

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
              "dtype", ElementType.F32.name(),
              "shape", entry.getValue().shape(),
              "data_offsets", List.of(begin, end)));
    }
    StringBuilder json = new StringBuilder(WRITTEN.toJson(header));
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
