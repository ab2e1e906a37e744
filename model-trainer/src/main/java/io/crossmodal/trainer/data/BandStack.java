/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.TiffScene;
import io.crossmodal.model.image.Window;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;

/**
 * Makes one scene of several, a file a band, as satellites' products have them: a BigTIFF of
 * floating-point numbers of 32 bits, uncompressed, band by band, NaN where there is no data. Some
 * rows at a time are held.
 *
 * @see <a
 *     href="https://web.archive.org/web/2024/http://www.awaresystems.be/imaging/tiff/bigtiff.html">
 *     BigTIFF</a>
 */
public final class BandStack implements Closeable {
  private static final int ROWS = 256;
  private static final int HEADER_BYTES = 16;
  private static final int ENTRY_BYTES = 20;

  private static final int SHORT = 3;
  private static final int LONG = 4;
  private static final int DOUBLE = 12;
  private static final int LONG8 = 16;

  private static final int GEO_KEYS = 34735;

  /** GeoTIFF: scale, tie points, transformation, keys and their doubles. */
  private static final List<Integer> PLACE = List.of(33550, 33922, 34264, GEO_KEYS, 34736);

  private final List<TiffScene> bands = new ArrayList<>();
  private final int width;
  private final int height;

  /**
   * Opens files of a band each.
   *
   * @throws ImageFormatException when one is no TIFF of one band, or not as large as the first, or
   *     lies elsewhere
   */
  public BandStack(List<Path> files) throws IOException {
    try {
      for (Path file : files) {
        bands.add(TiffScene.open(file));
      }
      TiffScene first = bands.get(0);
      width = first.width();
      height = first.height();
      for (int i = 0; i < bands.size(); i++) {
        check(i + 1, bands.get(i), first);
      }
    } catch (IOException | RuntimeException e) {
      close();
      throw e;
    }
  }

  private static void check(int number, TiffScene band, TiffScene first) {
    if (band.bands() != 1) {
      throw new ImageFormatException(
          "file " + number + " of a stack has " + band.samples() + "; one band a file is expected");
    }
    if (band.width() != first.width() || band.height() != first.height()) {
      throw new ImageFormatException(
          "file "
              + number
              + " of a stack has "
              + band.width()
              + " x "
              + band.height()
              + " pixels, the first "
              + first.width()
              + " x "
              + first.height()
              + ": choose bands of one resolution");
    }
    for (int tag : PLACE) {
      if (!Arrays.equals(band.numbers(tag), first.numbers(tag))) {
        throw new ImageFormatException("file " + number + " of a stack lies elsewhere");
      }
    }
  }

  /** Returns how many bytes the stack will have, about. */
  public long bytes() {
    return (long) width * height * Float.BYTES * bands.size() + (1 << 16);
  }

  /**
   * Writes the stack.
   *
   * @throws ImageFormatException when a file is damaged
   */
  public void write(Path file) throws IOException {
    int strips = Math.ceilDiv(height, ROWS);
    long[] offsets = new long[strips * bands.size()];
    long[] lengths = new long[offsets.length];
    try (FileChannel out =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      out.position(HEADER_BYTES);
      ByteBuffer strip =
          ByteBuffer.allocate(Math.min(ROWS, height) * width * Float.BYTES)
              .order(ByteOrder.LITTLE_ENDIAN);
      for (int i = 0; i < offsets.length; i++) {
        int y = i % strips * ROWS;
        int rows = Math.min(ROWS, height - y);
        Window window = new Window(0, y, width, rows);
        float[] values =
            bands.get(i / strips).values(0, window, Math.max(width, rows)).bands().values();
        strip.clear();
        strip.asFloatBuffer().put(values);
        strip.limit(values.length * Float.BYTES);
        offsets[i] = out.position();
        lengths[i] = strip.limit();
        write(strip, out);
      }
      long directory = out.position();
      write(directory(directory, offsets, lengths), out);
      ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      header.put((byte) 'I').put((byte) 'I').putShort((short) 43).putShort((short) 8);
      header.putShort((short) 0).putLong(directory).flip();
      out.position(0);
      write(header, out);
    }
  }

  private static void write(ByteBuffer bytes, FileChannel out) throws IOException {
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }

  /** A value of a directory: numbers of a type. */
  private record Entry(int type, double[] numbers) {
    int bytes() {
      return numbers.length * (type == SHORT ? Short.BYTES : type == LONG ? Integer.BYTES : 8);
    }

    void write(ByteBuffer out) {
      for (double number : numbers) {
        switch (type) {
          case SHORT -> out.putShort((short) (int) number);
          case LONG -> out.putInt((int) (long) number);
          case DOUBLE -> out.putDouble(number);
          default -> out.putLong((long) number);
        }
      }
    }
  }

  private ByteBuffer directory(long at, long[] offsets, long[] lengths) {
    int count = bands.size();
    boolean colours = count == 3;
    Map<Integer, Entry> entries = new TreeMap<>();
    entries.put(256, new Entry(LONG, new double[] {width}));
    entries.put(257, new Entry(LONG, new double[] {height}));
    entries.put(258, repeated(Float.SIZE, count));
    entries.put(259, repeated(1, 1));
    // Three are red, green and blue; of others nothing is said.
    entries.put(262, repeated(colours ? 2 : 1, 1));
    entries.put(273, new Entry(LONG8, numbers(offsets)));
    entries.put(277, repeated(count, 1));
    entries.put(278, new Entry(LONG, new double[] {ROWS}));
    entries.put(279, new Entry(LONG8, numbers(lengths)));
    entries.put(284, repeated(2, 1));
    if (!colours && count > 1) {
      entries.put(338, repeated(0, count - 1));
    }
    entries.put(339, repeated(3, count));
    for (int tag : PLACE) {
      double[] numbers = bands.get(0).numbers(tag);
      if (numbers.length > 0) {
        entries.put(tag, new Entry(tag == GEO_KEYS ? SHORT : DOUBLE, numbers));
      }
    }
    int own = Long.BYTES + entries.size() * ENTRY_BYTES + Long.BYTES;
    int others = entries.values().stream().mapToInt(Entry::bytes).filter(size -> size > 8).sum();
    ByteBuffer out = ByteBuffer.allocate(own + others).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer values = out.slice(own, others).order(ByteOrder.LITTLE_ENDIAN);
    out.putLong(entries.size());
    entries.forEach(
        (tag, entry) -> {
          out.putShort((short) (int) tag).putShort((short) entry.type);
          out.putLong(entry.numbers.length);
          int end = out.position() + Long.BYTES;
          if (entry.bytes() > Long.BYTES) {
            out.putLong(at + own + values.position());
            entry.write(values);
          } else {
            entry.write(out);
          }
          out.position(end);
        });
    out.putLong(0);
    return out.clear();
  }

  private static Entry repeated(int value, int count) {
    return new Entry(SHORT, IntStream.range(0, count).mapToDouble(i -> value).toArray());
  }

  private static double[] numbers(long[] longs) {
    return Arrays.stream(longs).asDoubleStream().toArray();
  }

  @Override
  public void close() throws IOException {
    for (TiffScene band : bands) {
      band.close();
    }
  }
}
