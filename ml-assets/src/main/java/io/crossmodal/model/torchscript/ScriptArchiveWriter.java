/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import io.crossmodal.model.Precision;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Writes a module tree and its TorchScript sources as a {@code .pt} archive that libtorch, DJL and
 * Python's {@code torch.jit.load} open.
 *
 * <p>The archive is a zip of stored entries below one folder: {@code data.pkl} (pickle protocol 2,
 * the object tree), {@code code/__torch__/<module>.py}, {@code data/<n>} (raw little-endian
 * tensors), {@code constants.pkl} (an empty tuple) and {@code version}. The layout follows
 * PyTorch's <a
 * href="https://github.com/pytorch/pytorch/blob/v2.7.1/torch/csrc/jit/docs/serialization.md">
 * serialization.md</a>. Entries carry a fixed time, so equal models give equal bytes.
 */
public final class ScriptArchiveWriter {
  /** Archive format 3: the newest that needs neither alignment nor debug files. */
  private static final String VERSION = "3\n";

  private static final String FOLDER = "model/";

  /** Of the buffer that values pass on their way into an archive. */
  private static final int ENCODED_BYTES = 1 << 16;

  // Pickle protocol 2, https://docs.python.org/3/library/pickletools.html
  private static final int PROTO = 0x80;
  private static final int MARK = '(';
  private static final int STOP = '.';
  private static final int TUPLE = 't';
  private static final int EMPTY_TUPLE = ')';
  private static final int EMPTY_DICT = '}';
  private static final int SET_ITEMS = 'u';
  private static final int BUILD = 'b';
  private static final int REDUCE = 'R';
  private static final int GLOBAL = 'c';
  private static final int NEW_OBJECT = 0x81;
  static final int NEW_TRUE = 0x88;
  static final int NEW_FALSE = 0x89;
  private static final int LONG1 = 0x8a;
  private static final int BINARY_UNICODE = 'X';
  private static final int BINARY_FLOAT = 'G';
  private static final int BINARY_INT = 'J';
  private static final int BINARY_INT1 = 'K';
  private static final int BINARY_PERSISTENT_ID = 'Q';

  private final ByteArrayOutputStream pickle = new ByteArrayOutputStream();

  /** By dotted path, in the order of their entries. */
  private final Map<String, ScriptTensor> tensors = new LinkedHashMap<>();

  /** Where in the pickle the tensors' flags of a gradient stand, by path. */
  private final Map<String, Integer> flags = new LinkedHashMap<>();

  /** Where in the pickle an attribute starts. */
  private final NavigableMap<Integer, String> attributes = new TreeMap<>();

  private final Precision precision;

  /** Whether the weights are to be kept, not to be run. */
  private final boolean stored;

  private ScriptArchiveWriter(Precision precision, boolean stored) {
    this.precision = precision;
    this.stored = stored;
  }

  /**
   * Writes a whole archive.
   *
   * @param out where the archive goes; flushed, not closed
   * @param root the object that {@code load} returns
   * @param sources TorchScript text by module name, such as {@code nn}; every type in the tree must
   *     be declared in one of them
   */
  public static void write(OutputStream out, ScriptModule root, Map<String, String> sources)
      throws IOException {
    write(out, root, sources, Precision.FP32);
  }

  /**
   * Writes a whole archive.
   *
   * @param precision bf16 and fp16: of all tensors; int8: the tensors of {@code packed.Linear}
   *     become a state of weight and bias, for the sources to pack
   */
  static void write(
      OutputStream out, ScriptModule root, Map<String, String> sources, Precision precision)
      throws IOException {
    ScriptArchiveWriter writer = new ScriptArchiveWriter(precision, false);
    writer.tree(root);
    writer.zip(out, sources);
  }

  /**
   * Writes an archive that keeps weights, not one that is run in that precision.
   *
   * @param precision FP32, or FP16 or BF16 of tensors of at least two extents; vectors, such as
   *     biases and a temperature, take no space
   */
  public static void writeStored(
      OutputStream out, ScriptModule root, Map<String, String> sources, Precision precision)
      throws IOException {
    ScriptArchiveWriter writer = new ScriptArchiveWriter(precision, true);
    writer.tree(root);
    writer.zip(out, sources);
  }

  /**
   * Returns what an archive of {@link #writeStored} must look like; no tensor's values are asked
   * for.
   */
  static ArchiveLayout layout(ScriptModule root, Precision precision) {
    ScriptArchiveWriter writer = new ScriptArchiveWriter(precision, true);
    writer.tree(root);
    return new ArchiveLayout(
        writer.pickle.toByteArray(), writer.tensors, writer.flags, writer.attributes);
  }

  /** Returns the type of a tensor of {@link #writeStored}. */
  static Precision stored(ScriptTensor tensor, Precision precision) {
    return tensor.shape().length > 1 ? precision : Precision.FP32;
  }

  private void tree(ScriptModule root) {
    op(PROTO).op(2);
    value("", root);
    op(STOP);
  }

  private void zip(OutputStream out, Map<String, String> sources) throws IOException {
    ZipOutputStream zip = new ZipOutputStream(new BufferedOutputStream(out, 1 << 20));
    entry(zip, "data.pkl", pickle.toByteArray());
    for (Map.Entry<String, String> source : sources.entrySet()) {
      entry(
          zip,
          "code/__torch__/" + source.getKey() + ".py",
          source.getValue().getBytes(StandardCharsets.UTF_8));
    }
    int index = 0;
    for (ScriptTensor tensor : tensors.values()) {
      data(zip, "data/" + index++, tensor);
    }
    entry(zip, "constants.pkl", new byte[] {(byte) PROTO, 2, EMPTY_TUPLE, STOP});
    entry(zip, "version", VERSION.getBytes(StandardCharsets.UTF_8));
    zip.finish();
    zip.flush();
  }

  /** Twice over the values: a stored entry's checksum stands before its content. */
  private void data(ZipOutputStream zip, String name, ScriptTensor tensor) throws IOException {
    CRC32 crc = new CRC32();
    Precision type = type(tensor);
    tensor.forEachPiece(
        piece -> encode(type, piece, (bytes, length) -> crc.update(bytes, 0, length)));
    startEntry(zip, name, (long) tensor.size() * bytes(type), crc);
    tensor.forEachPiece(
        piece -> encode(type, piece, (bytes, length) -> zip.write(bytes, 0, length)));
    zip.closeEntry();
  }

  /** Takes encoded values: the first {@code length} bytes. */
  @FunctionalInterface
  private interface Encoded {
    void accept(byte[] bytes, int length) throws IOException;
  }

  private static void encode(Precision type, FloatBuffer values, Encoded encoded)
      throws IOException {
    byte[] array = new byte[ENCODED_BYTES];
    ByteBuffer bytes = ByteBuffer.wrap(array).order(ByteOrder.LITTLE_ENDIAN);
    while (values.hasRemaining()) {
      bytes.clear();
      while (values.hasRemaining() && bytes.hasRemaining()) {
        float value = values.get();
        switch (type) {
          case FP32, INT8 -> bytes.putInt(Float.floatToRawIntBits(value));
          case FP16 -> bytes.putShort(Float.floatToFloat16(value));
          case BF16 -> bytes.putShort(toBfloat16(value));
        }
      }
      encoded.accept(array, bytes.position());
    }
  }

  private Precision type(ScriptTensor tensor) {
    return stored ? stored(tensor, precision) : precision;
  }

  /** Returns the bytes of a value in an archive. */
  static int bytes(Precision type) {
    return type == Precision.BF16 || type == Precision.FP16 ? Short.BYTES : Float.BYTES;
  }

  /** The upper half of the bits, rounded to the nearest, ties to even. */
  static short toBfloat16(float value) {
    int bits = Float.floatToIntBits(value);
    int half = 0x7fff + ((bits >>> 16) & 1);
    return (short) ((Float.isNaN(value) ? bits : bits + half) >>> 16);
  }

  private static void entry(ZipOutputStream zip, String name, byte[] content) throws IOException {
    CRC32 crc = new CRC32();
    crc.update(content);
    startEntry(zip, name, content.length, crc);
    zip.write(content);
    zip.closeEntry();
  }

  private static void startEntry(ZipOutputStream zip, String name, long size, CRC32 crc)
      throws IOException {
    ZipEntry entry = new ZipEntry(FOLDER + name);
    entry.setMethod(ZipEntry.STORED);
    entry.setTimeLocal(FixedTime.EPOCH);
    entry.setSize(size);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
  }

  private void value(String path, Object value) {
    attributes.putIfAbsent(pickle.size(), path);
    if (value instanceof Boolean flag) {
      bool(flag);
    } else if (value instanceof Long number) {
      integer(number);
    } else if (value instanceof Double number) {
      op(BINARY_FLOAT);
      pickle.writeBytes(ByteBuffer.allocate(Double.BYTES).putDouble(number).array());
    } else if (value instanceof ScriptTensor tensor) {
      tensor(path, tensor);
    } else if (value instanceof ScriptModule module) {
      module(path, module);
    } else {
      throw new IllegalArgumentException("cannot write a " + value.getClass().getName());
    }
  }

  private void module(String path, ScriptModule module) {
    int dot = module.type().lastIndexOf('.');
    global("__torch__." + module.type().substring(0, dot), module.type().substring(dot + 1));
    op(EMPTY_TUPLE).op(NEW_OBJECT);
    if (precision == Precision.INT8 && module.type().equals("packed.Linear")) {
      op(MARK);
      value(path + ".weight", module.attributes().get("weight"));
      value(path + ".bias", module.attributes().get("bias"));
      op(TUPLE).op(BUILD);
      return;
    }
    op(EMPTY_DICT).op(MARK);
    module
        .attributes()
        .forEach(
            (name, value) -> {
              String child = path.isEmpty() ? name : path + "." + name;
              attributes.put(pickle.size(), child);
              text(name);
              value(child, value);
            });
    op(SET_ITEMS).op(BUILD);
  }

  /** {@code torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, requires_grad, hooks)}. */
  private void tensor(String path, ScriptTensor tensor) {
    int id = tensors.size();
    tensors.put(path, tensor);
    global("torch._utils", "_rebuild_tensor_v2");
    op(MARK).op(MARK);
    text("storage");
    global("torch", storage(type(tensor)));
    text(Integer.toString(id));
    text("cpu");
    integer(tensor.size());
    op(TUPLE).op(BINARY_PERSISTENT_ID);
    integer(0);
    long[] shape = tensor.shape();
    tuple(shape);
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= shape[i];
    }
    tuple(strides);
    // A reduced model is for inference alone, and the packing of linear layers takes no gradients.
    flags.put(path, pickle.size());
    bool(tensor.trainable() && (stored || precision == Precision.FP32));
    global("collections", "OrderedDict");
    op(EMPTY_TUPLE).op(REDUCE).op(TUPLE).op(REDUCE);
  }

  private static String storage(Precision type) {
    return switch (type) {
      case FP32, INT8 -> "FloatStorage";
      case FP16 -> "HalfStorage";
      case BF16 -> "BFloat16Storage";
    };
  }

  private void tuple(long[] values) {
    op(MARK);
    for (long value : values) {
      integer(value);
    }
    op(TUPLE);
  }

  private void integer(long value) {
    if (value >= 0 && value < 256) {
      op(BINARY_INT1).op((int) value);
    } else if (value == (int) value) {
      op(BINARY_INT);
      littleEndian(value, Integer.BYTES);
    } else {
      op(LONG1).op(Long.BYTES);
      littleEndian(value, Long.BYTES);
    }
  }

  private void text(String value) {
    byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
    op(BINARY_UNICODE);
    littleEndian(utf8.length, Integer.BYTES);
    pickle.writeBytes(utf8);
  }

  private void global(String module, String name) {
    op(GLOBAL);
    pickle.writeBytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private void bool(boolean value) {
    op(value ? NEW_TRUE : NEW_FALSE);
  }

  private void littleEndian(long value, int bytes) {
    for (int i = 0; i < bytes; i++) {
      op((int) (value >> (8 * i)) & 0xff);
    }
  }

  private ScriptArchiveWriter op(int code) {
    pickle.write(code);
    return this;
  }
}
