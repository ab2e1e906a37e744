/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.RandomAccess;

/**
 * Items of a catalogue in the order they were added, kept in a file: eight bytes each stay in
 * memory, however large the catalogue is. They are all listed before the first is used, for a
 * server's pages are not there any more when it is the turn of the last. Thread-safe.
 */
public final class StacItems extends AbstractList<StacItem> implements RandomAccess, Closeable {
  private final FileChannel file;
  private long[] ends = new long[64];
  private int size;

  private StacItems(FileChannel file) {
    this.file = file;
  }

  /**
   * Makes an empty list.
   *
   * @param path of its file, which must not be there yet and is deleted when the list is closed
   */
  public static StacItems at(Path path) throws IOException {
    return new StacItems(
        FileChannel.open(
            path,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE,
            StandardOpenOption.DELETE_ON_CLOSE));
  }

  @Override
  public synchronized int size() {
    return size;
  }

  /** Writes an item behind the others; a full disk is an {@link IOException}. */
  synchronized void append(StacItem item) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      write(item, out);
    }
    ByteBuffer left = ByteBuffer.wrap(bytes.toByteArray());
    long end = end(size) + left.remaining();
    while (left.hasRemaining()) {
      file.write(left, end - left.remaining());
    }
    if (size == ends.length) {
      ends = Arrays.copyOf(ends, 2 * size);
    }
    ends[size++] = end;
  }

  /** Returns where the first so many items end. */
  private long end(int items) {
    return items == 0 ? 0 : ends[items - 1];
  }

  /**
   * Reads an item.
   *
   * @throws UncheckedIOException when the file cannot be read
   */
  @Override
  public StacItem get(int index) {
    ByteBuffer bytes;
    long from;
    synchronized (this) {
      Objects.checkIndex(index, size);
      from = end(index);
      bytes = ByteBuffer.allocate((int) (ends[index] - from));
    }
    try {
      while (bytes.hasRemaining()) {
        if (file.read(bytes, from + bytes.position()) < 0) {
          throw new EOFException("the list of items was cut short");
        }
      }
      try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes.array()))) {
        return read(in);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("reading item " + index + " of the catalogue's list", e);
    }
  }

  private static void write(StacItem item, DataOutputStream out) throws IOException {
    text(item.id(), out);
    text(item.collection(), out);
    text(item.href(), out);
    time(item.when().datetime(), out);
    time(item.when().start(), out);
    time(item.when().end(), out);
    text(item.taker().platform(), out);
    text(item.taker().constellation(), out);
    texts(item.taker().instruments(), out);
    out.writeDouble(item.gsd().orElse(Double.NaN));
    out.writeDouble(item.cloudCover().orElse(Double.NaN));
    out.writeInt(item.epsg().orElse(-1));
    out.writeInt(item.rings().size());
    for (List<Double> ring : item.rings()) {
      out.writeInt(ring.size());
      for (double degrees : ring) {
        out.writeDouble(degrees);
      }
    }
    text(item.updated(), out);
    out.writeInt(item.assets().size());
    for (StacItem.Asset asset : item.assets()) {
      text(asset.key(), out);
      text(asset.href().toString(), out);
      text(asset.type(), out);
      texts(asset.roles(), out);
      text(asset.checksum(), out);
      out.writeLong(asset.size().orElse(-1));
    }
  }

  private static StacItem read(DataInputStream in) throws IOException {
    String id = text(in);
    String collection = text(in);
    String href = text(in);
    StacItem.When when = new StacItem.When(time(in), time(in), time(in));
    StacItem.Taker taker = new StacItem.Taker(text(in), text(in), texts(in));
    double gsd = in.readDouble();
    double cloudCover = in.readDouble();
    int epsg = in.readInt();
    List<List<Double>> rings = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) {
      List<Double> ring = new ArrayList<>();
      for (int numbers = in.readInt(); numbers > 0; numbers--) {
        ring.add(in.readDouble());
      }
      rings.add(ring);
    }
    String updated = text(in);
    List<StacItem.Asset> assets = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) {
      String key = text(in);
      URI at = URI.create(text(in));
      String type = text(in);
      List<String> roles = texts(in);
      String checksum = text(in);
      long size = in.readLong();
      assets.add(
          new StacItem.Asset(
              key,
              at,
              type,
              roles,
              checksum,
              size < 0 ? OptionalLong.empty() : OptionalLong.of(size)));
    }
    return new StacItem(
        id,
        collection,
        href,
        when,
        taker,
        optional(gsd),
        optional(cloudCover),
        epsg < 0 ? OptionalInt.empty() : OptionalInt.of(epsg),
        rings,
        updated,
        assets);
  }

  private static OptionalDouble optional(double number) {
    return Double.isNaN(number) ? OptionalDouble.empty() : OptionalDouble.of(number);
  }

  private static void text(String text, DataOutputStream out) throws IOException {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    out.writeInt(bytes.length);
    out.write(bytes);
  }

  private static String text(DataInputStream in) throws IOException {
    return new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8);
  }

  private static void texts(List<String> texts, DataOutputStream out) throws IOException {
    out.writeInt(texts.size());
    for (String text : texts) {
      text(text, out);
    }
  }

  private static List<String> texts(DataInputStream in) throws IOException {
    List<String> texts = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) {
      texts.add(text(in));
    }
    return texts;
  }

  private static void time(Optional<Instant> time, DataOutputStream out) throws IOException {
    out.writeBoolean(time.isPresent());
    if (time.isPresent()) {
      text(time.get().toString(), out);
    }
  }

  private static Optional<Instant> time(DataInputStream in) throws IOException {
    return in.readBoolean() ? Optional.of(Instant.parse(text(in))) : Optional.empty();
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
