/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.function.Consumer;

/**
 * An archive in the engine: its calls, and all of its native memory.
 *
 * <p>A batch is computed in pieces. Arrays of one piece live in a sub-manager that is closed before
 * the next one begins, also where the engine breaks off, so nothing native outlives a call. What
 * goes in and comes out passes through memory that the engine allocates: the JVM's direct memory,
 * which the garbage collector alone gives back, has no part in it. Not thread-safe.
 */
final class TorchModel implements AutoCloseable {
  private final Model model;
  private final long stagedBytes;
  private long copyNanos;

  /**
   * Makes a model that is still to be {@linkplain #load loaded}, and needs to be closed anyway.
   *
   * @param device where it computes; null for the engine's own choice
   * @param stagedBytes of one piece's inputs or outputs, but for a single item that is larger
   * @throws ai.djl.engine.EngineException when there is no PyTorch engine
   */
  TorchModel(String name, Device device, long stagedBytes) {
    this.model = Model.newInstance(name, device, "PyTorch");
    this.stagedBytes = stagedBytes;
  }

  /** Loads a TorchScript archive, which may be deleted afterwards. */
  void load(Path archive) throws IOException, MalformedModelException {
    model.load(archive.toAbsolutePath().getParent(), archive.getFileName().toString());
    JniUtils.enableInferenceMode(block());
  }

  private PtSymbolBlock block() {
    return (PtSymbolBlock) model.getBlock();
  }

  Device device() {
    return model.getNDManager().getDevice();
  }

  @Override
  public void close() {
    model.close();
  }

  /** Computes the items {@code from .. to - 1} of a batch. */
  interface Piece {
    void compute(Call call, int from, int to);
  }

  /**
   * Computes a batch in as few pieces as the staged memory allows.
   *
   * @param bytes of one item's inputs or outputs, whichever are more
   */
  void inPieces(int items, long bytes, Piece piece) {
    inPieces(items, items, bytes, piece);
  }

  /**
   * Computes a batch in pieces.
   *
   * @param most items of a piece, for another reason than the staged memory
   */
  void inPieces(int items, int most, long bytes, Piece piece) {
    int step = (int) Math.max(1, Math.min(most, stagedBytes / bytes));
    for (int from = 0; from < items; from += step) {
      try (NDManager arrays = model.getNDManager().newSubManager()) {
        piece.compute(new Call(arrays), from, Math.min(items, from + step));
      }
    }
  }

  /** One piece of work; all arrays are freed with it. */
  final class Call {
    private final NDManager arrays;

    private Call(NDManager arrays) {
      this.arrays = arrays;
    }

    /**
     * Makes an array in the engine's own memory, which the heap fills in place; on a GPU a copy of
     * that.
     *
     * @param fill writes all values; must not keep the buffer, which is gone with the array
     * @throws IllegalArgumentException when it takes 2 GiB or more, which no view can span
     */
    NDArray array(DataType type, Consumer<ByteBuffer> fill, long... extents) {
      long start = System.nanoTime();
      Shape shape = new Shape(extents);
      long bytes = shape.size() * type.getNumOfBytes();
      if (bytes > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "an array of " + shape + " takes " + bytes + " bytes, at most 2 GiB pass at once");
      }
      NDArray host = arrays.create(shape, type, Device.cpu());
      fill.accept(host.toByteBuffer(true));
      NDArray array = host.toDevice(device(), false);
      if (array != host) {
        host.close();
      }
      countCopy(start);
      return array;
    }

    /**
     * Calls a method of the archive. Its arguments are freed whatever happens; DJL's own {@code
     * forward} leaves them behind when the engine breaks off.
     */
    NDArray run(String method, NDArray... inputs) {
      turnProfilingOff();
      IValue[] arguments = new IValue[inputs.length];
      try {
        for (int i = 0; i < inputs.length; i++) {
          arguments[i] = IValue.from((PtNDArray) inputs[i]);
        }
        try (IValue result = IValueUtils.runMethod(block(), method, arguments)) {
          return result.toTensor((PtNDManager) arrays);
        }
      } finally {
        for (IValue argument : arguments) {
          if (argument != null) {
            argument.close();
          }
        }
      }
    }
  }

  /**
   * Turns TorchScript's profiling graph executor off for the calling thread.
   *
   * <p>It re-optimises for each new input shape, and a search brings a new text length or batch
   * size all the time (docs/decisions/0003). The switch is local to a thread, so whoever calls a
   * model sets it first. DJL's property {@code ai.djl.pytorch.graph_optimizer}, which DJL obeys at
   * every call, would do that too, but it belongs to every copy of DJL in the JVM
   * (docs/decisions/0035).
   */
  private static void turnProfilingOff() {
    JniUtils.setGraphExecutorOptimize(false);
  }

  /** A view of an array's values, or of a copy of them where a GPU has them; gone with its call. */
  static FloatBuffer floats(NDArray array) {
    return array.toType(DataType.FLOAT32, false).toByteBuffer(true).asFloatBuffer();
  }

  /** Counts the time since {@code start}, of {@link System#nanoTime}, as spent on copying. */
  void countCopy(long start) {
    copyNanos += System.nanoTime() - start;
  }

  /** Returns the nanoseconds counted since this was last asked. */
  long takeCopyNanos() {
    long taken = copyNanos;
    copyNanos = 0;
    return taken;
  }
}
