/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The fields of the first directory of a TIFF or BigTIFF file, or of the TIFF inside an EXIF block.
 * A field's values are read, and checked to lie within the file, when they are asked for.
 *
 * @see <a href="https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf">TIFF 6.0, section
 *     2</a>
 */
final class TiffDirectory {
  private static final int CLASSIC = 42;
  private static final int BIG = 43;

  /** Bytes of a value of each type, from BYTE, which is 1, to IFD8; 0: no such type. */
  private static final int[] SIZES = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};

  private final ByteBuffer file;
  private final boolean big;
  private final Map<Integer, Field> fields = new HashMap<>();

  /**
   * An entry.
   *
   * @param at where its values begin in the file
   */
  private record Field(int type, long count, long at) {}

  /**
   * Reads the entries.
   *
   * @throws ImageFormatException when there is no directory, or the file ends within
   */
  TiffDirectory(byte[] bytes) {
    if (!isTiff(bytes)) {
      throw FileKind.TIFF.damaged("it has no header");
    }
    file =
        ByteBuffer.wrap(bytes)
            .order(bytes[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    big = file.getShort(2) == BIG;
    try {
      int start = within(big ? file.getLong(8) : unsigned(file.getInt(4)));
      long entries = big ? file.getLong(start) : Short.toUnsignedInt(file.getShort(start));
      int entryBytes = big ? 20 : 12;
      int first = start + (big ? 8 : 2);
      if (entries < 0 || entries > (bytes.length - first) / entryBytes) {
        throw FileKind.TIFF.damaged("its directory ends beyond its end");
      }
      for (int i = 0; i < entries; i++) {
        int entry = first + i * entryBytes;
        int type = Short.toUnsignedInt(file.getShort(entry + 2));
        long count = big ? file.getLong(entry + 4) : unsigned(file.getInt(entry + 4));
        int inline = entry + (big ? 12 : 8);
        if (type < SIZES.length && SIZES[type] > 0 && count > 0) {
          boolean fits = count <= (big ? Long.BYTES : Integer.BYTES) / SIZES[type];
          long far = big ? file.getLong(inline) : unsigned(file.getInt(inline));
          fields.putIfAbsent(
              Short.toUnsignedInt(file.getShort(entry)),
              new Field(type, count, fits ? inline : far));
        }
      }
    } catch (IndexOutOfBoundsException | BufferUnderflowException e) {
      throw FileKind.TIFF.damaged(e, "it ends within its directory");
    }
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

  private int within(long at) {
    if (at < 0 || at >= file.limit()) {
      throw FileKind.TIFF.damaged("an offset of %d in a file of %d bytes", at, file.limit());
    }
    return (int) at;
  }

  ByteOrder order() {
    return file.order();
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
    long room = file.limit() - field.at;
    if (field.at < 0 || room < 0 || field.count > room / SIZES[field.type]) {
      throw FileKind.TIFF.damaged(
          "field %d has %d values at %d in a file of %d bytes",
          tag, field.count, field.at, file.limit());
    }
    return (int) field.count;
  }

  /**
   * A field's first value, as a whole number.
   *
   * @throws ImageFormatException when it is none
   */
  long number(int tag, long absent) {
    return count(tag) == 0 ? absent : number(tag, fields.get(tag), 0);
  }

  /** A field's values as whole numbers; none where it is missing. */
  long[] numbers(int tag) {
    long[] numbers = new long[count(tag)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = number(tag, fields.get(tag), i);
    }
    return numbers;
  }

  private long number(int tag, Field field, int i) {
    int at = (int) field.at + i * SIZES[field.type];
    return switch (field.type) {
      case 1, 7 -> Byte.toUnsignedLong(file.get(at));
      case 6 -> file.get(at);
      case 3 -> Short.toUnsignedLong(file.getShort(at));
      case 8 -> file.getShort(at);
      case 4, 13 -> unsigned(file.getInt(at));
      case 9 -> file.getInt(at);
      case 16, 17, 18 -> file.getLong(at);
      default ->
          throw FileKind.TIFF.damaged("field %d has type %d, no whole number", tag, field.type);
    };
  }

  /** A field's values; none where it is missing. */
  double[] decimals(int tag) {
    double[] decimals = new double[count(tag)];
    for (int i = 0; i < decimals.length; i++) {
      Field field = fields.get(tag);
      int at = (int) field.at + i * SIZES[field.type];
      decimals[i] =
          switch (field.type) {
            case 5 -> (double) unsigned(file.getInt(at)) / unsigned(file.getInt(at + 4));
            case 10 -> (double) file.getInt(at) / file.getInt(at + 4);
            case 11 -> file.getFloat(at);
            case 12 -> file.getDouble(at);
            default -> number(tag, field, i);
          };
    }
    return decimals;
  }

  /** A field's bytes, in the file's order; none where it is missing. */
  byte[] bytes(int tag) {
    byte[] bytes = new byte[count(tag) == 0 ? 0 : count(tag) * SIZES[fields.get(tag).type]];
    if (bytes.length > 0) {
      file.get((int) fields.get(tag).at, bytes);
    }
    return bytes;
  }

  /** A field of text, without the zero that ends it; empty where it is missing. */
  String text(int tag) {
    return new String(bytes(tag), StandardCharsets.US_ASCII).replace("\0", "").trim();
  }
}
