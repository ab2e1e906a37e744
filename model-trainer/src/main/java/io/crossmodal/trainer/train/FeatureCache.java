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
import java.util.function.LongUnaryOperator;

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
  private final LongUnaryOperator start;
  private final FileChannel channel;

  private FeatureCache(Path file, List<Integer> shape, int pictures, LongUnaryOperator start)
      throws IOException {
    this.shape = List.copyOf(shape);
    this.pictures = pictures;
    this.start = start;
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
    LongUnaryOperator start = row -> row * values;
    complete(file, start, (long) pictures * views, CALL, computation, progress);
    return new FeatureCache(file, shape, pictures, start);
  }

  /**
   * The same for rows of lengths of their own, such as texts.
   *
   * @param width of each of a row's tokens
   * @param lengths of the rows, in tokens
   * @param call rows of one call of the model
   */
  public static FeatureCache open(
      Path file, int width, int[] lengths, int call, Computation computation, LongConsumer progress)
      throws IOException {
    long[] starts = new long[lengths.length + 1];
    for (int row = 0; row < lengths.length; row++) {
      starts[row + 1] = starts[row] + (long) width * lengths[row];
    }
    LongUnaryOperator start = row -> starts[(int) row];
    complete(file, start, lengths.length, call, computation, progress);
    return new FeatureCache(file, List.of(width), lengths.length, start);
  }

  /**
   * Appends what a file lacks.
   *
   * @param start the number of values before a row
   */
  private static void complete(
      Path file,
      LongUnaryOperator start,
      long count,
      int call,
      Computation computation,
      LongConsumer progress)
      throws IOException {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      long done = wholeRows(start, count, channel.size() / Short.BYTES);
      channel.truncate(Short.BYTES * start.applyAsLong(done));
      channel.position(channel.size());
      ByteBuffer bytes = ByteBuffer.allocate(0);
      while (done < count) {
        long to = Math.min(count, done + call);
        int size = (int) (Short.BYTES * (start.applyAsLong(to) - start.applyAsLong(done)));
        if (bytes.capacity() < size) {
          bytes = ByteBuffer.allocateDirect(size).order(ByteOrder.LITTLE_ENDIAN);
        }
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
              (Short.BYTES * start.applyAsLong(count)) >> 20,
              e.getMessage()),
          e);
    }
  }

  /** Returns how many rows lie in the first so many values, at most all. */
  private static long wholeRows(LongUnaryOperator start, long count, long values) {
    long low = 0;
    long high = count;
    while (low < high) {
      long middle = low + (high - low + 1) / 2;
      if (start.applyAsLong(middle) <= values) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  private static int values(List<Integer> shape) {
    return shape.stream().reduce(1, Math::multiplyExact);
  }

  /** Returns the shape of a row, or of a token where rows have several. */
  public List<Integer> shape() {
    return shape;
  }

  /** Returns how many pictures, or texts, it has rows of. */
  public int pictures() {
    return pictures;
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
    long row = (long) view * pictures + picture;
    readFirst(row, (int) (start.applyAsLong(row + 1) - start.applyAsLong(row)), into, at);
  }

  /** Copies the first so many values of a row. */
  void readFirst(long row, int values, float[] into, int at) {
    ByteBuffer bytes = ByteBuffer.allocate(Short.BYTES * values).order(ByteOrder.LITTLE_ENDIAN);
    long first = Short.BYTES * start.applyAsLong(row);
    try {
      while (bytes.hasRemaining()) {
        if (channel.read(bytes, first + bytes.position()) < 0) {
          throw new EOFException("kept features end before the end of row " + row);
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
