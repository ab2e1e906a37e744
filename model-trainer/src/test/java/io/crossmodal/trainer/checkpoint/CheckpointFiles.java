/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes checkpoints byte by byte as other software does, with nothing of what reads them. */
final class CheckpointFiles {
  private CheckpointFiles() {}

  /** How a float is stored, and which float comes back. */
  enum Precision {
    F32("FloatStorage"),
    F16("HalfStorage"),
    BF16("BFloat16Storage");

    private final String storage;

    Precision(String storage) {
      this.storage = storage;
    }

    byte[] encode(float[] values) {
      byte[] encoded = new byte[values.length * (this == F32 ? 4 : 2)];
      ByteBuffer bytes = ByteBuffer.wrap(encoded).order(ByteOrder.LITTLE_ENDIAN);
      for (float value : values) {
        if (this == F32) {
          bytes.putFloat(value);
        } else if (this == F16) {
          bytes.putShort(Float.floatToFloat16(value));
        } else {
          bytes.putShort((short) (Float.floatToIntBits(value) >> 16));
        }
      }
      return encoded;
    }

    /** Makes the values what this precision can hold. */
    void round(Tensors tensors) {
      for (Tensors.Tensor tensor : tensors.byName.values()) {
        float[] values = tensor.values();
        for (int i = 0; i < values.length; i++) {
          if (this == F16) {
            values[i] = Float.float16ToFloat(Float.floatToFloat16(values[i]));
          } else if (this == BF16) {
            values[i] = Float.intBitsToFloat(Float.floatToIntBits(values[i]) & 0xffff0000);
          }
        }
      }
    }
  }

  private static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  // safetensors

  static Path safetensors(Path file, Tensors tensors, Precision precision) throws IOException {
    JsonObject header = new JsonObject();
    JsonObject metadata = new JsonObject();
    metadata.addProperty("format", "pt");
    header.add("__metadata__", metadata);
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    tensors.byName.forEach(
        (name, tensor) -> {
          int begin = data.size();
          data.writeBytes(precision.encode(tensor.values()));
          header.add(name, entry(precision.name(), tensor.shape(), begin, data.size()));
        });
    return safetensors(file, header.toString(), data.toByteArray());
  }

  static JsonObject entry(String dtype, long[] shape, long begin, long end) {
    JsonObject entry = new JsonObject();
    entry.addProperty("dtype", dtype);
    JsonArray extents = new JsonArray();
    for (long extent : shape) {
      extents.add(extent);
    }
    entry.add("shape", extents);
    JsonArray offsets = new JsonArray();
    offsets.add(begin);
    offsets.add(end);
    entry.add("data_offsets", offsets);
    return entry;
  }

  static Path safetensors(Path file, String header, byte[] data) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(buffer(8).putLong(json.length).array());
    out.writeBytes(json);
    out.writeBytes(data);
    return Files.write(file, out.toByteArray());
  }

  // torch.save

  /** The pickle instructions that Python's pickler writes with protocol 2. */
  static final class Pickle {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private int memo;

    Pickle() {
      op(0x80, 2);
    }

    Pickle op(int... codes) {
      for (int code : codes) {
        out.write(code);
      }
      return this;
    }

    Pickle put() {
      // BINPUT, then LONG_BINPUT.
      return memo < 256 ? op('q', memo++) : op('r').bytes(buffer(4).putInt(memo++).array());
    }

    /** Where the next {@link #put} will keep what is on top. */
    int place() {
      return memo;
    }

    Pickle bytes(byte[] bytes) {
      out.writeBytes(bytes);
      return this;
    }

    Pickle global(String module, String name) {
      return op('c').bytes((module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8)).put();
    }

    Pickle text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      return op('X').bytes(buffer(4).putInt(utf8.length).array()).bytes(utf8).put();
    }

    Pickle number(long value) {
      if (value >= 0 && value < 256) {
        return op('K', (int) value);
      }
      if (value >= 0 && value < 65536) {
        return op('M', (int) value & 0xff, (int) value >> 8);
      }
      if (value == (int) value) {
        return op('J').bytes(buffer(4).putInt((int) value).array());
      }
      return op(0x8a, 8).bytes(buffer(8).putLong(value).array());
    }

    Pickle tuple(long... values) {
      op('(');
      for (long value : values) {
        number(value);
      }
      return op('t').put();
    }

    Pickle orderedDict() {
      return global("collections", "OrderedDict").op(')', 'R').put();
    }

    /** {@code _rebuild_tensor_v2(storage, offset, shape, strides, False, OrderedDict())}. */
    Pickle tensor(
        String storage, String key, long size, long offset, long[] shape, long[] strides) {
      return legacyTensor(storage, key, size, offset, shape, strides, false);
    }

    /** The same; before PyTorch 1.6 a storage's id has a sixth part, None. */
    Pickle legacyTensor(
        String storage,
        String key,
        long size,
        long offset,
        long[] shape,
        long[] strides,
        boolean sixth) {
      global("torch._utils", "_rebuild_tensor_v2").op('(', '(').text("storage");
      global("torch", storage).text(key).text("cpu").number(size);
      if (sixth) {
        op('N');
      }
      op('t').put().op('Q');
      number(offset).tuple(shape).tuple(strides).op(0x89).orderedDict();
      return op('t').put().op('R').put();
    }

    byte[] stop() {
      return op('.').out.toByteArray();
    }
  }

  static long[] strides(long... shape) {
    long[] strides = new long[shape.length];
    long stride = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = stride;
      stride *= shape[i];
    }
    return strides;
  }

  /**
   * A state dictionary with its {@code _metadata}, as {@code torch.save(model.state_dict())}.
   *
   * <p>Every third tensor is a {@code Parameter}, and every matrix a transposed view that begins
   * two elements into its storage.
   *
   * @param wrapper null, or the key of the dictionary around it, beside an epoch
   */
  static Path torchZip(Path file, Tensors tensors, Precision precision, String wrapper)
      throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    Pickle pickle = new Pickle();
    if (wrapper != null) {
      pickle.op('}').put().op('(').text("epoch").number(299).text(wrapper);
    }
    pickle.orderedDict().op('(');
    int key = 0;
    for (Map.Entry<String, Tensors.Tensor> entry : tensors.byName.entrySet()) {
      long[] shape = entry.getValue().shape();
      float[] values = entry.getValue().values();
      pickle.text(entry.getKey());
      boolean parameter = key % 3 == 0;
      if (parameter) {
        pickle.global("torch._utils", "_rebuild_parameter").op('(');
      }
      if (shape.length == 2) {
        float[] turned = new float[values.length + 2];
        for (int i = 0; i < values.length; i++) {
          int row = i / (int) shape[1];
          int column = i % (int) shape[1];
          turned[2 + column * (int) shape[0] + row] = values[i];
        }
        values = turned;
        pickle.tensor(
            precision.storage, "" + key, values.length, 2, shape, new long[] {1, shape[0]});
      } else {
        pickle.tensor(precision.storage, "" + key, values.length, 0, shape, strides(shape));
      }
      if (parameter) {
        pickle.op(0x88).orderedDict().op('t').put().op('R').put();
      }
      entries.put("data/" + key++, precision.encode(values));
    }
    pickle.op('u');
    // state_dict() has an attribute with the version of every module.
    pickle.op('}').put().text("_metadata").orderedDict().op('(').text("").op('}').put();
    pickle.text("version").number(1).op('s').op('u').op('s').op('b');
    if (wrapper != null) {
      pickle.op('u');
    }
    entries.put("data.pkl", pickle.stop());
    return zip(file, entries);
  }

  /** A zip as PyTorch writes it: stored entries below a folder, a byte order, a version. */
  static Path zip(Path file, Map<String, byte[]> content) throws IOException {
    List<String> names = new ArrayList<>(content.keySet());
    names.sort((a, b) -> Boolean.compare(b.equals("data.pkl"), a.equals("data.pkl")));
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (String name : names) {
        stored(zip, "pytorch_model/" + name, content.get(name));
      }
      if (!content.containsKey("byteorder")) {
        stored(zip, "pytorch_model/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
      }
      stored(zip, "pytorch_model/version", "3\n".getBytes(StandardCharsets.US_ASCII));
    }
    return file;
  }

  private static void stored(ZipOutputStream zip, String name, byte[] content) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(content.length);
    CRC32 crc = new CRC32();
    crc.update(content);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(content);
    zip.closeEntry();
  }

  // torch.save before PyTorch 1.6

  static final byte[] MAGIC = {
    0x6c, (byte) 0xfc, (byte) 0x9c, 0x46, (byte) 0xf9, 0x20, 0x6a, (byte) 0xa8, 0x50, 0x19
  };

  /** As {@link #torchZip}, in the older container; each matrix is a view two elements in. */
  static Path torchLegacy(Path file, Tensors tensors, Precision precision) throws IOException {
    Pickle content = new Pickle().orderedDict().op('(');
    Map<String, byte[]> storages = new LinkedHashMap<>();
    for (Map.Entry<String, Tensors.Tensor> entry : tensors.byName.entrySet()) {
      long[] shape = entry.getValue().shape();
      int offset = shape.length == 2 ? 2 : 0;
      float[] values = new float[entry.getValue().values().length + offset];
      System.arraycopy(entry.getValue().values(), 0, values, offset, values.length - offset);
      String key = Long.toString(93_824_992_236_885L + storages.size());
      content.text(entry.getKey());
      content.legacyTensor(
          precision.storage, key, values.length, offset, shape, strides(shape), true);
      storages.put(key, precision.encode(values));
    }
    int width = precision == Precision.F32 ? 4 : 2;
    return torchLegacy(file, content.op('u').stop(), storages, width);
  }

  static Path torchLegacy(Path file, byte[] content, Map<String, byte[]> storages, int width)
      throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(new Pickle().op(0x8a, MAGIC.length).bytes(MAGIC).stop());
    out.writeBytes(new Pickle().number(1001).stop());
    Pickle machine = new Pickle().op('}').put().op('(');
    machine.text("protocol_version").number(1001).text("little_endian").op(0x88);
    machine.text("type_sizes").op('}').put().op('(').text("int").number(4).op('u', 'u');
    out.writeBytes(machine.stop());
    out.writeBytes(content);
    Pickle keys = new Pickle().op(']').put().op('(');
    storages.keySet().forEach(keys::text);
    out.writeBytes(keys.op('e').stop());
    for (byte[] storage : storages.values()) {
      out.writeBytes(buffer(8).putLong(storage.length / width).array());
      out.writeBytes(storage);
    }
    return Files.write(file, out.toByteArray());
  }

  // ONNX

  /** A message of protocol buffers, field by field. */
  static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Message varint(long value) {
      long rest = value;
      while ((rest & ~0x7fL) != 0) {
        out.write((int) ((rest & 0x7f) | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
      return this;
    }

    Message number(int field, long value) {
      return varint(field << 3).varint(value);
    }

    Message bytes(int field, byte[] bytes) {
      varint((field << 3) | 2).varint(bytes.length);
      out.writeBytes(bytes);
      return this;
    }

    Message text(int field, String text) {
      return bytes(field, text.getBytes(StandardCharsets.UTF_8));
    }

    Message message(int field, Message message) {
      return bytes(field, message.bytes());
    }

    byte[] bytes() {
      return out.toByteArray();
    }
  }

  /** A TensorProto's name, type and shape. */
  static Message initializer(String name, int type, long... shape) {
    Message tensor = new Message();
    for (long extent : shape) {
      tensor.number(1, extent);
    }
    return tensor.number(2, type).text(8, name);
  }

  static Message node(String operator, String name, String... inputs) {
    Message node = new Message();
    for (String input : inputs) {
      node.text(1, input);
    }
    return node.text(2, name + "_output_0").text(3, name).text(4, operator);
  }

  static byte[] onnx(Message graph) {
    Message operators = new Message().text(1, "").number(2, 11);
    return new Message()
        .number(1, 6)
        .text(2, "pytorch")
        .message(7, graph)
        .message(8, operators)
        .bytes();
  }

  /**
   * As PyTorch exports a model: of each linear layer, which has a bias, the matrix is transposed
   * and named after a number; vectors in single precision are float_data, all else raw_data.
   */
  static Path onnx(Path file, Tensors tensors, Precision precision) throws IOException {
    int type = precision == Precision.F32 ? 1 : precision == Precision.F16 ? 10 : 16;
    Message graph = new Message();
    Message initializers = new Message();
    int number = 1500;
    for (Map.Entry<String, Tensors.Tensor> entry : tensors.byName.entrySet()) {
      String name = entry.getKey();
      long[] shape = entry.getValue().shape();
      float[] values = entry.getValue().values();
      String module = name.replaceAll("\\.weight$", "");
      boolean linear =
          shape.length == 2
              && name.endsWith(".weight")
              && tensors.byName.containsKey(module + ".bias");
      Message tensor;
      if (linear) {
        int out = (int) shape[0];
        int in = (int) shape[1];
        float[] turned = new float[values.length];
        for (int i = 0; i < values.length; i++) {
          turned[i % in * out + i / in] = values[i];
        }
        values = turned;
        String own = "onnx::MatMul_" + number++;
        graph.message(1, node("MatMul", "/" + module.replace('.', '/') + "/MatMul", "before", own));
        tensor = initializer(own, type, in, out);
      } else {
        graph.message(1, node("Add", "/" + module.replace('.', '/') + "/Add", name, "before"));
        tensor = initializer(name, type, shape);
      }
      boolean floats = precision == Precision.F32 && shape.length == 1;
      tensor.bytes(floats ? 4 : 9, precision.encode(values));
      initializers.message(5, tensor);
    }
    graph.text(2, "torch_jit");
    graph.out.writeBytes(initializers.bytes());
    return Files.write(file, onnx(graph));
  }
}
