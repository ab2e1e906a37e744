/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.function.LongConsumer;

/**
 * What a frozen part of a model makes of some views of each picture, in half precision in a file:
 * computed once, read row by row in every step, no part of it on the heap.
 *
 * <p>The file grows row by row, so a run that was killed goes on where it was: its length says how
 * many rows are whole.
 */
public final class FeatureCache implements AutoCloseable {
  /**
   * Rows of one call of the model: with more, tensors of the first layers outgrow what the
   * allocator keeps, and every call pays for fresh pages (twice the time at 32).
   */
  private static final int CALL = 4;

  /** Computes features. */
  @FunctionalInterface
  public interface Computation {
    /**
     * Returns the features of rows, one behind the other.
     *
     * @param from number of the first row
     * @param to behind the last
     */
    float[] of(long from, long to) throws IOException;
  }

  private final List<Integer> shape;
  private final int pictures;
  private final FileChannel channel;

  private FeatureCache(Path file, List<Integer> shape, int pictures) throws IOException {
    this.shape = List.copyOf(shape);
    this.pictures = pictures;
    this.channel = FileChannel.open(file, StandardOpenOption.READ);
  }

  /**
   * Computes what a file lacks and opens it.
   *
   * @param file made where it is absent
   * @param shape of a row
   * @param pictures P; rows are view by view, those of a view in the order of the pictures
   * @param views V
   * @param progress told the rows that are done, of P x V; may throw to end it there
   * @throws IOException where the disk is full, naming the file and what it needs
   */
  public static FeatureCache open(
      Path file,
      List<Integer> shape,
      int pictures,
      int views,
      Computation computation,
      LongConsumer progress)
      throws IOException {
    int values = values(shape);
    long rowBytes = (long) Short.BYTES * values;
    long count = (long) pictures * views;
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      long done = channel.size() / rowBytes;
      channel.truncate(done * rowBytes);
      channel.position(done * rowBytes);
      ByteBuffer bytes =
          ByteBuffer.allocateDirect((int) (CALL * rowBytes)).order(ByteOrder.LITTLE_ENDIAN);
      while (done < count) {
        long to = Math.min(count, done + CALL);
        bytes.clear();
        for (float value : computation.of(done, to)) {
          bytes.putShort(Float.floatToFloat16(value));
        }
        bytes.flip();
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        done = to;
        progress.accept(done);
      }
    } catch (IOException e) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "cannot write %s, which needs %,d MB (%s)",
              file,
              (count * rowBytes) >> 20,
              e.getMessage()),
          e);
    }
    return new FeatureCache(file, shape, pictures);
  }

  private static int values(List<Integer> shape) {
    return shape.stream().reduce(1, Math::multiplyExact);
  }

  /** Returns the shape of a row. */
  public List<Integer> shape() {
    return shape;
  }

  /** Returns how many values a row has. */
  public int values() {
    return values(shape);
  }

  /**
   * Copies the features of a view of a picture.
   *
   * @param into from {@code at} on
   */
  public void read(int picture, int view, float[] into, int at) {
    int values = values();
    ByteBuffer bytes = ByteBuffer.allocate(Short.BYTES * values).order(ByteOrder.LITTLE_ENDIAN);
    long first = ((long) view * pictures + picture) * bytes.capacity();
    try {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, first + bytes.position()) < 0) {
          throw new EOFException("kept features end before row " + first / bytes.capacity());
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    ShortBuffer halves = bytes.flip().asShortBuffer();
    for (int i = 0; i < values; i++) {
      into[at + i] = Float.float16ToFloat(halves.get(i));
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
