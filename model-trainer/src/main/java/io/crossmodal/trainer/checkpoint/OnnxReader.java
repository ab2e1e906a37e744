/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import io.crossmodal.trainer.checkpoint.LazyTensor.ElementType;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Reads the weights of an ONNX file: the initializers of its graph.
 *
 * <p>PyTorch's exporter renames the matrix of a linear layer and stores it transposed, in x out:
 * {@code onnx::MatMul_1525}, which the node {@code /encoder/layer.0/attention/self/query/MatMul}
 * multiplies with. It gets its module's name back, {@code
 * encoder.layer.0.attention.self.query.weight}, and is turned to out x in as it is read.
 *
 * <p>The file is walked field by field, and what is no weight is skipped: only names and shapes of
 * weights come into memory, so many at most.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">the format</a>
 */
final class OnnxReader {
  private static final int MAX_NAMED = 100_000;
  private static final int MAX_TEXT = 1000;
  private static final int MAX_RANK = 8;

  /** ONNX's numbers of element types. */
  private static final Map<Long, ElementType> TYPES =
      Map.of(
          1L, ElementType.F32,
          2L, ElementType.U8,
          3L, ElementType.I8,
          5L, ElementType.I16,
          6L, ElementType.I32,
          7L, ElementType.I64,
          9L, ElementType.BOOL,
          10L, ElementType.F16,
          11L, ElementType.F64,
          16L, ElementType.BF16);

  /** A node that multiplies with a matrix: its name, and its second input. */
  private record Product(String node, String matrix) {}

  private final Path file;
  private final ProtobufWire wire;
  private final Map<String, LazyTensor> initializers = new LinkedHashMap<>();
  private final List<Product> products = new ArrayList<>();

  private OnnxReader(Path file, ProtobufWire wire) {
    this.file = file;
    this.wire = wire;
  }

  /**
   * Reads names and shapes.
   *
   * @throws CheckpointException when the file is damaged, or keeps its weights in other files
   */
  static Map<String, LazyTensor> read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      OnnxReader reader = new OnnxReader(file, new ProtobufWire(channel));
      reader.model(channel.size());
      return reader.named();
    } catch (CheckpointException e) {
      throw e;
    } catch (IOException | ArithmeticException e) {
      throw new CheckpointException(file + " is no whole ONNX file: " + e.getMessage(), e);
    }
  }

  private void model(long end) throws IOException {
    boolean graph = false;
    boolean operators = false;
    while (wire.next(end)) {
      if (wire.field() == 7 && !graph) {
        graph = true;
        graph(wire.message());
      } else {
        operators |= wire.field() == 8;
        wire.skip();
      }
    }
    // What PyTorch writes last.
    if (!graph || !operators) {
      throw new IOException("it has no " + (graph ? "operator set" : "graph"));
    }
  }

  private void graph(long end) throws IOException {
    while (wire.next(end)) {
      if (wire.field() == 1) {
        node(wire.message());
      } else if (wire.field() == 5) {
        tensor(wire.message());
      } else {
        wire.skip();
      }
      if (initializers.size() + products.size() > MAX_NAMED) {
        throw new IOException("it has more than " + MAX_NAMED + " weights");
      }
    }
  }

  private void node(long end) throws IOException {
    int inputs = 0;
    String second = "";
    String name = "";
    String operator = "";
    while (wire.next(end)) {
      if (wire.field() == 1 && ++inputs == 2) {
        second = wire.text(MAX_TEXT);
      } else if (wire.field() == 3) {
        name = wire.text(MAX_TEXT);
      } else if (wire.field() == 4) {
        operator = wire.text(MAX_TEXT);
      } else {
        wire.skip();
      }
    }
    if (operator.equals("MatMul") && inputs == 2) {
      products.add(new Product(name, second));
    }
  }

  private void tensor(long end) throws IOException {
    List<Long> shape = new ArrayList<>();
    long type = 0;
    String name = "";
    long at = -1;
    long bytes = 0;
    boolean floats = false;
    String elsewhere = null;
    while (wire.next(end)) {
      switch (wire.field()) {
        case 1 -> wire.numbers(shape, MAX_RANK);
        case 2 -> type = wire.number();
        case 4, 9 -> {
          floats = wire.field() == 4;
          long last = wire.message();
          if (at >= 0) {
            throw new IOException("the values of an initializer stand twice");
          }
          at = wire.position();
          bytes = last - at;
          wire.to(last);
        }
        case 8 -> name = wire.text(MAX_TEXT);
        case 13 -> elsewhere = place(wire.message(), elsewhere);
        case 14 -> elsewhere = wire.number() == 1 && elsewhere == null ? "" : elsewhere;
        default -> wire.skip();
      }
    }
    add(name, type, shape, floats, at, bytes, elsewhere);
  }

  /** Reads an entry of {@code external_data}; that of the key {@code location} names a file. */
  private String place(long end, String before) throws IOException {
    String key = "";
    String value = "";
    while (wire.next(end)) {
      if (wire.field() == 1) {
        key = wire.text(MAX_TEXT);
      } else if (wire.field() == 2) {
        value = wire.text(MAX_TEXT);
      } else {
        wire.skip();
      }
    }
    return key.equals("location") ? value : before == null ? "" : before;
  }

  private void add(
      String name,
      long number,
      List<Long> shape,
      boolean floats,
      long at,
      long bytes,
      String elsewhere)
      throws IOException {
    if (elsewhere != null) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: the values of %s are in another file%s; write all into one: python -c"
                  + " \"import onnx; onnx.save(onnx.load('%s'), 'whole.onnx')\"",
              file,
              name,
              elsewhere.isEmpty() ? "" : ", " + elsewhere,
              file.getFileName()));
    }
    ElementType type = TYPES.get(number);
    if (type == null || (floats && type != ElementType.F32)) {
      throw new CheckpointException(
          String.format(
              Locale.ROOT,
              "%s: %s is of ONNX's data type %d%s; float, float16 and bfloat16 are read",
              file,
              name,
              number,
              floats ? " and has values of float" : ""));
    }
    long expected = Math.multiplyExact(LazyTensor.size(shape), (long) type.bytes());
    if (type.readable() && expected != bytes) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "%s of %s %s needs %d bytes as raw_data or float_data, found %d",
              name,
              type,
              shape,
              expected,
              bytes));
    }
    if (initializers.put(name, LazyTensor.mapped(file, name, type, shape, Math.max(0, at)))
        != null) {
      throw new IOException("the initializer " + name + " stands twice");
    }
  }

  /** Gives the matrices of linear layers the names of their modules. */
  private Map<String, LazyTensor> named() throws IOException {
    Map<String, LazyTensor> named = new LinkedHashMap<>(initializers);
    // Two modules may share a matrix.
    Set<String> renamed = new HashSet<>();
    for (Product product : products) {
      LazyTensor matrix = initializers.get(product.matrix());
      int module = product.node().lastIndexOf("/MatMul");
      if (matrix == null || matrix.shape().size() != 2 || module < 1) {
        continue;
      }
      String path = product.node().substring(0, module);
      String name = (path.startsWith("/") ? path.substring(1) : path).replace('/', '.') + ".weight";
      if (named.put(name, transposed(matrix)) != null) {
        throw new IOException("two matrices are " + name);
      }
      renamed.add(product.matrix());
    }
    named.keySet().removeAll(renamed);
    return named;
  }

  private static LazyTensor transposed(LazyTensor matrix) {
    int rows = Math.toIntExact(matrix.shape().get(0));
    int columns = Math.toIntExact(matrix.shape().get(1));
    return new LazyTensor(
        matrix.type(),
        List.of((long) columns, (long) rows),
        () -> {
          float[] values = matrix.values();
          float[] turned = new float[values.length];
          for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
              turned[j * rows + i] = values[i * columns + j];
            }
          }
          return turned;
        });
  }
}
