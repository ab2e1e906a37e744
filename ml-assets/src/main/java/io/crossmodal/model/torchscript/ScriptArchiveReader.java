/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.torchscript;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import net.razorvine.pickle.Unpickler;
import net.razorvine.pickle.objects.ClassDict;

/**
 * Reads the tensors of a {@code .pt} archive back, by dotted path, without PyTorch.
 *
 * <p>Only what {@link ScriptArchiveWriter} writes is understood: float32, contiguous, one storage a
 * tensor. Anything else is refused by name.
 */
public final class ScriptArchiveReader {
  /** What a Java array can hold; a damaged length field must not cost more. */
  private static final int MAX_ENTRY_BYTES = Integer.MAX_VALUE - 8;

  static {
    // The library keeps its constructors in a static table; ours are stateless.
    Unpickler.registerConstructor(
        "torch._utils", "_rebuild_tensor_v2", arguments -> new TensorRecord(arguments));
    Unpickler.registerConstructor(
        "collections", "OrderedDict", arguments -> new LinkedHashMap<Object, Object>());
    Unpickler.registerConstructor("torch", "FloatStorage", arguments -> "FloatStorage");
  }

  private static final String CODE = "code/__torch__/";

  private ScriptArchiveReader() {}

  /**
   * Reads a whole archive.
   *
   * @param in a whole archive; read to its end, not closed
   * @return every tensor under its dotted path, in alphabetical order
   * @throws IOException when the bytes are no archive of this kind, saying what was found
   */
  public static StateDict read(InputStream in) throws IOException {
    Map<String, byte[]> entries = entries(in);
    byte[] pickle = entries.get("data.pkl");
    if (pickle == null) {
      throw new IOException("no TorchScript archive: it has no data.pkl");
    }
    // The library keeps attributes in a hash map, so the order of the tree is lost.
    Map<String, ScriptTensor> tensors = new TreeMap<>();
    try {
      collect("", unpickle(pickle), entries, tensors);
    } catch (RuntimeException e) {
      // A damaged pickle ends in whatever exception its nonsense leads to.
      throw new IOException("damaged data.pkl: " + e, e);
    }
    return new StateDict(tensors);
  }

  /**
   * Reads an archive's TorchScript.
   *
   * @param in a whole archive; read to its end, not closed
   * @return text by module name, as {@link MtgfeArchitecture#sources} gives it; whatever else lies
   *     in the archive's folder of code, under its path
   */
  public static Map<String, String> sources(InputStream in) throws IOException {
    Map<String, String> sources = new TreeMap<>();
    entries(in)
        .forEach(
            (name, content) -> {
              if (name.startsWith(CODE)) {
                String path = name.substring(CODE.length());
                sources.put(
                    path.endsWith(".py") ? path.substring(0, path.length() - 3) : path,
                    new String(content, StandardCharsets.UTF_8));
              } else if (name.startsWith("code/")) {
                sources.put(name, new String(content, StandardCharsets.UTF_8));
              }
            });
    return sources;
  }

  private static Map<String, byte[]> entries(InputStream in) throws IOException {
    Map<String, byte[]> entries = new HashMap<>();
    try {
      ZipInputStream zip = new ZipInputStream(in);
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        String name = entry.getName();
        if (entry.getMethod() != ZipEntry.STORED) {
          // As PyTorch writes them; what unpacks could grow beyond any memory.
          throw new IOException(
              name + " is compressed; an archive's entries are stored as they are");
        }
        int slash = name.indexOf('/');
        if (slash >= 0) {
          entries.put(name.substring(slash + 1), content(zip, name));
        }
      }
    } catch (EOFException e) {
      throw new IOException("the archive ends early, perhaps cut short", e);
    }
    return entries;
  }

  private static byte[] content(InputStream in, String name) throws IOException {
    byte[] content = in.readNBytes(MAX_ENTRY_BYTES);
    if (in.read() >= 0) {
      throw new IOException(name + " is longer than " + MAX_ENTRY_BYTES + " bytes");
    }
    return content;
  }

  private static Object unpickle(byte[] pickle) throws IOException {
    Unpickler unpickler =
        new Unpickler() {
          @Override
          protected Object persistentLoad(Object id) {
            return id;
          }

          @Override
          protected Object dispatch(short code) throws IOException {
            if (ScriptArchiveWriter.OPCODES.indexOf(code) < 0) {
              throw new IOException("damaged data.pkl: unexpected opcode " + code);
            }
            if (code == ScriptArchiveWriter.BINARY_UNICODE) {
              checkLength(input);
            }
            return super.dispatch(code);
          }
        };
    try {
      return unpickler.loads(pickle);
    } finally {
      unpickler.close();
    }
  }

  /** The library would allocate whatever a damaged length says. */
  private static void checkLength(InputStream text) throws IOException {
    text.mark(Integer.BYTES);
    byte[] length = text.readNBytes(Integer.BYTES);
    text.reset();
    if (length.length < Integer.BYTES
        || Integer.toUnsignedLong(ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getInt())
            > text.available()) {
      throw new IOException("damaged data.pkl: a text runs beyond the end");
    }
  }

  private static void collect(
      String path, Object value, Map<String, byte[]> entries, Map<String, ScriptTensor> tensors)
      throws IOException {
    if (value instanceof TensorRecord tensor) {
      tensors.put(path, tensor.read(path, entries));
    } else if (value instanceof ClassDict module) {
      for (Map.Entry<String, Object> attribute : module.entrySet()) {
        if (!attribute.getKey().equals("__class__")) {
          String prefix = path.isEmpty() ? "" : path + ".";
          collect(prefix + attribute.getKey(), attribute.getValue(), entries, tensors);
        }
      }
    }
  }

  /** The arguments of {@code _rebuild_tensor_v2}, checked when the storage is looked up. */
  private record TensorRecord(List<Object> arguments) {
    TensorRecord(Object[] arguments) {
      this(List.of(arguments));
    }

    ScriptTensor read(String path, Map<String, byte[]> entries) throws IOException {
      Object[] storage = (Object[]) arguments.get(0);
      long[] shape = longs((Object[]) arguments.get(2));
      // No other tensor shares it, and together they fill much of the heap.
      byte[] bytes = entries.remove("data/" + storage[2]);
      if (bytes == null) {
        throw new IOException("tensor " + path + " has no data/" + storage[2]);
      }
      long size = Arrays.stream(shape).reduce(1, Math::multiplyExact);
      if (bytes.length != size * Float.BYTES) {
        throw new IOException(
            String.format(
                Locale.ROOT,
                "tensor %s of shape %s needs %d bytes of float32, its storage has %d",
                path,
                Arrays.toString(shape),
                size * Float.BYTES,
                bytes.length));
      }
      float[] values = new float[(int) size];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      boolean trainable = (Boolean) arguments.get(4);
      return trainable ? ScriptTensor.parameter(values, shape) : ScriptTensor.buffer(values, shape);
    }

    private static long[] longs(Object[] values) {
      return Arrays.stream(values).mapToLong(v -> ((Number) v).longValue()).toArray();
    }
  }
}
