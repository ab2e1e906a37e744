/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.Precision;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/**
 * The tensors and the code of a {@code .pt} archive that lies in a file, read without PyTorch, and
 * without unpickling anything: the architecture says what its {@code data.pkl} must hold, byte for
 * byte, and {@link ScriptArchiveWriter} in which order the entries stand. So neither a hostile
 * pickle nor a hostile directory of the zip is ever interpreted, and what is held in memory depends
 * on the architecture alone. Tensors are read from the file when they are asked for.
 *
 * <p>Not thread-safe. Closing it ends the use of its tensors.
 */
public final class ScriptArchive implements AutoCloseable {
  private static final int HEADER = 30;
  private static final int SIGNATURE = 0x04034b50;
  private static final int STORED = 0;

  /** Encryption, and sizes that follow the content. */
  private static final int FLAGS = 1 | 8;

  private static final String CODE = "code/__torch__/";

  /** Of all TorchScript of an archive together, many times what this library writes. */
  private static final long MAX_CODE_BYTES = 4 << 20;

  private static final int MAX_SOURCES = 100;

  private final FileChannel channel;
  private final Map<String, ScriptTensor> tensors = new LinkedHashMap<>();
  private final Map<String, String> sources = new LinkedHashMap<>();

  // Where the next entry starts.
  private long position;
  private Entry ahead;

  /** A file that is no archive of the architecture; the message says what was found. */
  public static final class FormatException extends IOException {
    private static final long serialVersionUID = 1L;

    FormatException(String message) {
      super(message);
    }
  }

  /** An entry of the zip. */
  private record Entry(String name, long start, long size) {}

  private ScriptArchive(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * Opens an archive.
   *
   * @param file must stay as it is until this is closed
   * @param architecture what the archive must be of
   * @throws FormatException when the file is no archive of that architecture
   * @throws IOException when the file cannot be read
   */
  public static ScriptArchive open(Path file, Function<Weights, ScriptModule> architecture)
      throws IOException {
    return open(file, architecture, Precision.FP32);
  }

  /**
   * Opens an archive as {@link ScriptArchiveWriter#writeStored} writes it.
   *
   * @param file must stay as it is until this is closed
   * @param architecture what the archive must be of
   * @param precision that its matrices are kept in; they are read as 32-bit floats
   * @throws FormatException when the file is no archive of that architecture
   * @throws IOException when the file cannot be read
   */
  public static ScriptArchive open(
      Path file, Function<Weights, ScriptModule> architecture, Precision precision)
      throws IOException {
    ScriptArchive archive = new ScriptArchive(FileChannel.open(file, StandardOpenOption.READ));
    boolean whole = false;
    try {
      archive.readAll(
          ScriptArchiveWriter.layout(architecture.apply(Weights.SHAPES), precision), precision);
      whole = true;
      return archive;
    } finally {
      if (!whole) {
        archive.close();
      }
    }
  }

  /** Every tensor under its dotted path, in the order of the tree. */
  public StateDict weights() {
    return new StateDict(tensors);
  }

  /**
   * The archive's TorchScript: text by module name, as {@link MtgfeArchitecture#sources} gives it;
   * whatever else lies in the archive's folder of code, under its path.
   */
  public Map<String, String> sources() {
    return Map.copyOf(sources);
  }

  private void readAll(ArchiveLayout layout, Precision precision) throws IOException {
    byte[] pickle = layout.pickle();
    Entry tree = next("data.pkl", "the tree");
    // Longer or shorter, the first byte that differs says why.
    byte[] found = bytes(tree, Math.min(tree.size(), pickle.length));
    compare(layout, found, tree.size());
    for (long code = 0; peek().name().startsWith("code/"); ) {
      Entry entry = next(peek().name(), "code");
      code += entry.size();
      if (sources.size() == MAX_SOURCES) {
        throw new FormatException("the archive holds more than " + MAX_SOURCES + " files of code");
      }
      if (code > MAX_CODE_BYTES) {
        throw new FormatException(
            "the archive's code takes " + code + " bytes, at most " + MAX_CODE_BYTES + " do");
      }
      String name = entry.name();
      String path = name.startsWith(CODE) ? name.substring(CODE.length()) : name;
      String module = path.endsWith(".py") ? path.substring(0, path.length() - 3) : path;
      String text = new String(bytes(entry, entry.size()), StandardCharsets.UTF_8);
      if (sources.put(module, text) != null) {
        throw new FormatException("the archive holds " + name + " twice");
      }
    }
    int index = 0;
    for (Map.Entry<String, ScriptTensor> expected : layout.tensors().entrySet()) {
      long[] shape = expected.getValue().shape();
      Entry data = next("data/" + index++, "tensor " + expected.getKey());
      Precision type = ScriptArchiveWriter.stored(expected.getValue(), precision);
      int width = ScriptArchiveWriter.bytes(type);
      long size = (long) expected.getValue().size() * width;
      if (data.size() != size) {
        throw new FormatException(
            String.format(
                Locale.ROOT,
                "tensor %s of shape %s needs %d bytes of %s, its %s has %d",
                expected.getKey(),
                Arrays.toString(shape),
                size,
                width == Float.BYTES ? "float32" : type,
                data.name(),
                data.size()));
      }
      boolean trainable = layout.trainable(found, expected.getKey());
      tensors.put(
          expected.getKey(),
          ScriptTensor.of(
              (from, into) -> read(data.start() + (long) from * width, type, into),
              trainable,
              shape));
    }
    next("constants.pkl", "the constants");
    next("version", "the format's version");
  }

  private static void compare(ArchiveLayout layout, byte[] found, long size) throws IOException {
    int at = layout.firstDifference(found);
    if (at < layout.pickle().length || size > layout.pickle().length) {
      throw new FormatException(
          String.format(
              Locale.ROOT,
              "data.pkl is not what the config calls for: it differs from byte %d of %d on, where"
                  + " %s should stand",
              at,
              size,
              layout.what(at)));
    }
  }

  private Entry peek() throws IOException {
    if (ahead == null) {
      ahead = header();
    }
    return ahead;
  }

  private Entry next(String name, String what) throws IOException {
    Entry entry = peek();
    ahead = null;
    if (!entry.name().equals(name)) {
      throw new FormatException(
          "the archive should have " + name + ", " + what + ", next, found [" + entry.name() + "]");
    }
    return entry;
  }

  /** Reads the local header at the position; its sizes must stand in it, as our writer does. */
  private Entry header() throws IOException {
    int left = (int) Math.min(HEADER, channel.size() - position);
    ByteBuffer header = ByteBuffer.wrap(bytes(position, left)).order(ByteOrder.LITTLE_ENDIAN);
    if (left < HEADER || header.getInt(0) != SIGNATURE) {
      throw new FormatException(
          position == 0
              ? "no TorchScript archive: no zip that starts with data.pkl"
              : "the archive ends at byte " + position + ", entries are missing");
    }
    String name =
        new String(
            bytes(position + HEADER, Short.toUnsignedInt(header.getShort(26))),
            StandardCharsets.UTF_8);
    // As PyTorch writes them; what unpacks could grow beyond any memory.
    if (header.getShort(8) != STORED) {
      throw new FormatException(
          name + " is compressed; an archive's entries are stored as they are");
    }
    long size = Integer.toUnsignedLong(header.getInt(22));
    if ((header.getShort(6) & FLAGS) != 0
        || Integer.toUnsignedLong(header.getInt(18)) != size
        || size > 4L * (Integer.MAX_VALUE - 8L)) {
      throw new FormatException(name + " does not say its size in its header");
    }
    long start =
        position
            + HEADER
            + Short.toUnsignedInt(header.getShort(26))
            + Short.toUnsignedInt(header.getShort(28));
    if (size > channel.size() - start) {
      throw new FormatException("the archive ends early, perhaps cut short: in " + name);
    }
    position = start + size;
    // Below the archive's one folder, whatever its name.
    return new Entry(name.substring(name.indexOf('/') + 1), start, size);
  }

  private byte[] bytes(Entry entry, long length) throws IOException {
    return bytes(entry.start(), (int) length);
  }

  private byte[] bytes(long from, int length) throws IOException {
    byte[] bytes = new byte[length];
    read(from, ByteBuffer.wrap(bytes));
    return bytes;
  }

  private void read(long from, Precision type, FloatBuffer into) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(into.remaining() * ScriptArchiveWriter.bytes(type))
            .order(ByteOrder.LITTLE_ENDIAN);
    read(from, bytes);
    bytes.flip();
    switch (type) {
      case FP16 -> {
        while (bytes.hasRemaining()) {
          into.put(Float.float16ToFloat(bytes.getShort()));
        }
      }
      case BF16 -> {
        while (bytes.hasRemaining()) {
          into.put(Float.intBitsToFloat(bytes.getShort() << 16));
        }
      }
      default -> into.put(bytes.asFloatBuffer());
    }
  }

  private void read(long from, ByteBuffer into) throws IOException {
    long at = from;
    while (into.hasRemaining()) {
      int count = channel.read(into, at);
      if (count < 0) {
        throw new FormatException("the archive ends early, perhaps cut short");
      }
      at += count;
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
