/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The fields of a directory of a TIFF or BigTIFF file, or of the TIFF inside an EXIF block. A
 * field's values are read, and checked to lie within the file, when they are asked for.
 *
 * @see <a href="https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf">TIFF 6.0, section
 *     2</a>
 */
final class TiffDirectory {
  private static final int CLASSIC = 42;
  private static final int BIG = 43;

  /** Bytes of a value of each type, from BYTE, which is 1, to IFD8; 0: no such type. */
  private static final int[] SIZES = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};

  /** Of one field; the places of a million tiles take eight. */
  private static final long MAX_BYTES = 64L << 20;

  private static final int MAX_ENTRIES = 0xffff;

  private final TiffSource file;
  private final ByteOrder order;
  private final boolean big;
  private final Map<Integer, Field> fields = new HashMap<>();

  /** Place of the next directory; 0 for none. */
  private final long next;

  /**
   * An entry.
   *
   * @param at where its values begin in the file
   */
  private record Field(int type, long count, long at) {}

  /**
   * Reads the entries of the first directory of a file in memory.
   *
   * @throws ImageFormatException when there is no directory, or the file ends within
   */
  TiffDirectory(byte[] bytes) {
    this(TiffSource.of(bytes), 0);
  }

  /**
   * Reads the entries.
   *
   * @param place of the directory; 0 for the first
   * @throws ImageFormatException when there is no directory, or the file ends within
   */
  TiffDirectory(TiffSource file, long place) {
    this.file = file;
    byte[] head = head(file);
    if (!isTiff(head)) {
      throw FileKind.TIFF.damaged("it has no header");
    }
    order = head[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
    ByteBuffer header = ByteBuffer.wrap(head).order(order);
    big = header.getShort(2) == BIG;
    long start = place > 0 ? place : big ? header.getLong(8) : unsigned(header.getInt(4));
    if (start < 0 || start >= file.size()) {
      throw FileKind.TIFF.damaged("an offset of %d in a file of %d bytes", start, file.size());
    }
    int countBytes = big ? Long.BYTES : Short.BYTES;
    int entryBytes = big ? 20 : 12;
    long first = start + countBytes;
    if (first > file.size()) {
      throw FileKind.TIFF.damaged("it ends within its directory");
    }
    ByteBuffer counted = buffer(start, countBytes);
    long entries = big ? counted.getLong(0) : Short.toUnsignedInt(counted.getShort(0));
    if (entries < 0 || entries > Math.min(MAX_ENTRIES, (file.size() - first) / entryBytes)) {
      throw FileKind.TIFF.damaged("its directory ends beyond its end");
    }
    ByteBuffer table = buffer(first, (int) entries * entryBytes);
    for (int i = 0; i < entries; i++) {
      int entry = i * entryBytes;
      int type = Short.toUnsignedInt(table.getShort(entry + 2));
      long count = big ? table.getLong(entry + 4) : unsigned(table.getInt(entry + 4));
      int inline = entry + (big ? 12 : 8);
      if (type < SIZES.length && SIZES[type] > 0 && count > 0) {
        boolean fits = count <= (big ? Long.BYTES : Integer.BYTES) / SIZES[type];
        long far = big ? table.getLong(inline) : unsigned(table.getInt(inline));
        fields.putIfAbsent(
            Short.toUnsignedInt(table.getShort(entry)),
            new Field(type, count, fits ? first + inline : far));
      }
    }
    long behind = first + entries * entryBytes;
    int nextBytes = big ? Long.BYTES : Integer.BYTES;
    // Some programs end a file right behind its only directory.
    if (behind > file.size() - nextBytes) {
      next = 0;
    } else {
      ByteBuffer follows = buffer(behind, nextBytes);
      next = big ? follows.getLong(0) : unsigned(follows.getInt(0));
    }
  }

  private static byte[] head(TiffSource file) {
    int length = (int) Math.min(16, file.size());
    TiffSource.Slice slice = file.slice(0, length);
    return Arrays.copyOfRange(slice.bytes(), slice.from(), slice.from() + length);
  }

  private ByteBuffer buffer(long at, int length) {
    TiffSource.Slice slice = file.slice(at, length);
    return ByteBuffer.wrap(slice.bytes(), slice.from(), length).slice().order(order);
  }

  /** Returns where the next directory is, of an overview or a mask say; 0 for none. */
  long next() {
    return next;
  }

  /** Returns whether these bytes begin as a TIFF or BigTIFF does. */
  static boolean isTiff(byte[] bytes) {
    if (bytes.length < 8 || bytes[0] != bytes[1] || (bytes[0] != 'I' && bytes[0] != 'M')) {
      return false;
    }
    int low = bytes[bytes[0] == 'I' ? 2 : 3];
    return bytes[bytes[0] == 'I' ? 3 : 2] == 0
        && (low == CLASSIC || (low == BIG && bytes.length >= 16));
  }

  private static long unsigned(int number) {
    return Integer.toUnsignedLong(number);
  }

  ByteOrder order() {
    return order;
  }

  boolean has(int tag) {
    return fields.containsKey(tag);
  }

  /**
   * Returns how many values a field has; 0 where it is missing.
   *
   * @throws ImageFormatException when they lie beyond the file's end
   */
  int count(int tag) {
    Field field = fields.get(tag);
    if (field == null) {
      return 0;
    }
    long room = file.size() - field.at;
    if (field.at < 0 || room < 0 || field.count > room / SIZES[field.type]) {
      throw FileKind.TIFF.damaged(
          "field %d has %d values at %d in a file of %d bytes",
          tag, field.count, field.at, file.size());
    }
    if (field.count > MAX_BYTES / SIZES[field.type]) {
      throw FileKind.TIFF.refused(
          "%d values in field %d; read are up to %d bytes", field.count, tag, MAX_BYTES);
    }
    return (int) field.count;
  }

  /**
   * A field's first value, as a whole number.
   *
   * @throws ImageFormatException when it is none
   */
  long number(int tag, long absent) {
    if (count(tag) == 0) {
      return absent;
    }
    Field field = fields.get(tag);
    return number(tag, field, buffer(field.at, SIZES[field.type]), 0);
  }

  /** All values of a field that has some. */
  private ByteBuffer values(Field field) {
    return buffer(field.at, (int) field.count * SIZES[field.type]);
  }

  /** A field's values as whole numbers; none where it is missing. */
  long[] numbers(int tag) {
    long[] numbers = new long[count(tag)];
    Field field = fields.get(tag);
    ByteBuffer values = numbers.length == 0 ? null : values(field);
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = number(tag, field, values, i);
    }
    return numbers;
  }

  private static long number(int tag, Field field, ByteBuffer values, int i) {
    int at = i * SIZES[field.type];
    return switch (field.type) {
      case 1, 7 -> Byte.toUnsignedLong(values.get(at));
      case 6 -> values.get(at);
      case 3 -> Short.toUnsignedLong(values.getShort(at));
      case 8 -> values.getShort(at);
      case 4, 13 -> unsigned(values.getInt(at));
      case 9 -> values.getInt(at);
      case 16, 17, 18 -> values.getLong(at);
      default ->
          throw FileKind.TIFF.damaged("field %d has type %d, no whole number", tag, field.type);
    };
  }

  /** A field's values; none where it is missing. */
  double[] decimals(int tag) {
    double[] decimals = new double[count(tag)];
    Field field = fields.get(tag);
    ByteBuffer values = decimals.length == 0 ? null : values(field);
    for (int i = 0; i < decimals.length; i++) {
      int at = i * SIZES[field.type];
      decimals[i] =
          switch (field.type) {
            case 5 -> (double) unsigned(values.getInt(at)) / unsigned(values.getInt(at + 4));
            case 10 -> (double) values.getInt(at) / values.getInt(at + 4);
            case 11 -> values.getFloat(at);
            case 12 -> values.getDouble(at);
            default -> number(tag, field, values, i);
          };
    }
    return decimals;
  }

  /** A field's bytes, in the file's order; none where it is missing. */
  byte[] bytes(int tag) {
    if (count(tag) == 0) {
      return new byte[0];
    }
    ByteBuffer values = values(fields.get(tag));
    byte[] bytes = new byte[values.remaining()];
    values.get(bytes);
    return bytes;
  }

  /** A field of text, without the zero that ends it; empty where it is missing. */
  String text(int tag) {
    return new String(bytes(tag), StandardCharsets.US_ASCII).replace("\0", "").trim();
  }
}
