/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.zip.CRC32;

/**
 * Damages picture files: bytes anywhere, and what the formats are made of (PNG's chunks with their
 * check sums, JPEG's segments, TIFF's fields), so that a damaged file gets past the first check.
 */
final class PictureMutations {
  private static final int[] TIFF_TAGS = {
    256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 332,
    338, 339, 347, 530, 532, 33550, 33922, 34264, 34675, 34735, 42113
  };

  private static final int[] NUMBERS = {
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    12,
    15,
    16,
    17,
    24,
    28,
    31,
    32,
    33,
    64,
    127,
    128,
    255,
    256,
    4096,
    9999,
    10_000,
    10_001,
    32_767,
    32_768,
    32_773,
    32_946,
    65_535,
    65_536,
    1 << 24,
    0x7fffffff,
    -1
  };

  private final SplittableRandom random;
  private final List<byte[]> files;

  PictureMutations(SplittableRandom random, List<byte[]> files) {
    this.random = random;
    this.files = files;
  }

  /** A damaged copy of one of the files. */
  byte[] next() {
    byte[] file = pick().clone();
    for (int hits = 1 + random.nextInt(2) * random.nextInt(3);
        hits > 0 && file.length > 16;
        hits--) {
      file = random.nextInt(3) == 0 ? bytes(file) : structure(file);
    }
    return file;
  }

  private byte[] pick() {
    return files.get(random.nextInt(files.size()));
  }

  private int number() {
    return NUMBERS[random.nextInt(NUMBERS.length)];
  }

  private byte[] structure(byte[] file) {
    try {
      if (PngFile.isPng(file)) {
        return png(file);
      }
      return TiffDirectory.isTiff(file) ? tiff(file) : jpeg(file);
    } catch (IndexOutOfBoundsException e) {
      // Too damaged already to have a structure.
      return bytes(file);
    }
  }

  private byte[] bytes(byte[] file) {
    int at = random.nextInt(random.nextBoolean() ? file.length : Math.min(200, file.length));
    int length = random.nextInt(Math.min(64, file.length - at) + 1);
    switch (random.nextInt(7)) {
      case 0 -> file[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> file[at] = (byte) random.nextInt(256);
      case 2 -> Arrays.fill(file, at, at + length, (byte) (random.nextBoolean() ? 0 : 255));
      case 3 -> {
        return Arrays.copyOf(file, at);
      }
      case 4 -> {
        return joined(Arrays.copyOf(file, at), Arrays.copyOfRange(file, at + length, file.length));
      }
      case 5 -> {
        byte[] other = pick();
        int from = random.nextInt(other.length);
        return joined(Arrays.copyOf(file, at), Arrays.copyOfRange(other, from, other.length));
      }
      default -> {
        if (at + 4 <= file.length) {
          ByteBuffer.wrap(file)
              .order(random.nextBoolean() ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN)
              .putInt(at, number());
        }
      }
    }
    return file;
  }

  private static byte[] joined(byte[]... parts) {
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      whole.writeBytes(part);
    }
    return whole.toByteArray();
  }

  /** Leaves out, repeats, moves or changes one of several parts, of which the first is kept. */
  private byte[] parts(List<byte[]> parts) {
    if (parts.size() < 2) {
      return joined(parts.toArray(byte[][]::new));
    }
    int at = random.nextInt(1, parts.size());
    switch (random.nextInt(4)) {
      case 0 -> parts.remove(at);
      case 1 -> parts.add(at, parts.get(random.nextInt(1, parts.size())));
      case 2 -> Collections.swap(parts, at, random.nextInt(1, parts.size()));
      default -> {}
    }
    return joined(parts.toArray(byte[][]::new));
  }

  private byte[] png(byte[] file) {
    List<byte[]> parts = new ArrayList<>(List.of(Arrays.copyOf(file, 8)));
    ByteBuffer buffer = ByteBuffer.wrap(file);
    for (int at = 8; at + 12 <= file.length; ) {
      int end = at + 12 + Math.clamp(buffer.getInt(at), 0, file.length - at - 12);
      parts.add(Arrays.copyOfRange(file, at, end));
      at = end;
    }
    if (random.nextInt(4) == 0) {
      String[] names = {"tRNS", "PLTE", "iCCP", "eXIf", "gAMA", "cHRM", "sRGB", "IDAT", "ABCD"};
      byte[] content = new byte[random.nextInt(40)];
      for (int i = 0; i < content.length; i++) {
        content[i] = (byte) random.nextInt(256);
      }
      byte[] chunk = new byte[content.length + 12];
      ByteBuffer.wrap(chunk)
          .putInt(content.length)
          .put(
              names[random.nextInt(names.length)].getBytes(
                  java.nio.charset.StandardCharsets.US_ASCII))
          .put(content);
      parts.add(Math.min(parts.size(), random.nextInt(2, 4)), chunk);
    }
    for (int i = 1; i < parts.size(); i++) {
      byte[] chunk = parts.get(i);
      int length = chunk.length - 12;
      if (length > 0 && random.nextInt(parts.size()) == 0) {
        int at = 8 + random.nextInt(length);
        if (at + 4 <= 8 + length && random.nextBoolean()) {
          ByteBuffer.wrap(chunk).putInt(at, number());
        } else {
          chunk[at] = (byte) random.nextInt(256);
        }
      }
      CRC32 sum = new CRC32();
      sum.update(chunk, 4, length + 4);
      ByteBuffer.wrap(chunk).putInt(8 + length, (int) sum.getValue());
    }
    return parts(parts);
  }

  private byte[] jpeg(byte[] file) {
    List<byte[]> parts = new ArrayList<>(List.of(Arrays.copyOf(file, 2)));
    int from = 2;
    for (int at = 3; at + 1 < file.length; at++) {
      boolean marker = file[at] == (byte) 0xff && file[at + 1] != 0 && file[at + 1] != (byte) 0xff;
      if (marker && (file[at + 1] & 0xf8) != 0xd0) {
        parts.add(Arrays.copyOfRange(file, from, at));
        from = at;
      }
    }
    parts.add(Arrays.copyOfRange(file, from, file.length));
    byte[] part = parts.get(random.nextInt(parts.size()));
    if (part.length > 4) {
      int at = random.nextInt(2, Math.min(part.length - 1, 24));
      if (random.nextBoolean()) {
        ByteBuffer.wrap(part).putShort(at, (short) number());
      } else {
        part[at] = (byte) random.nextInt(256);
      }
      if (random.nextInt(8) == 0) {
        part[1] = (byte) (0xc0 + random.nextInt(64));
      }
    }
    return parts(parts);
  }

  private byte[] tiff(byte[] file) {
    ByteBuffer buffer =
        ByteBuffer.wrap(file)
            .order(file[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
    boolean big = buffer.getShort(2) == 43;
    int start = big ? (int) buffer.getLong(8) : buffer.getInt(4);
    int entries = buffer.getShort(start) & 0xff;
    if (big) {
      entries = (int) buffer.getLong(start);
    }
    int entry = start + (big ? 8 : 2) + random.nextInt(Math.max(1, entries)) * (big ? 20 : 12);
    int value = entry + (big ? 12 : 8);
    int type = buffer.getShort(entry + 2);
    switch (random.nextInt(6)) {
      case 0 -> buffer.putShort(entry, (short) TIFF_TAGS[random.nextInt(TIFF_TAGS.length)]);
      case 1 -> buffer.putShort(entry + 2, (short) random.nextInt(20));
      case 2 -> buffer.putInt(entry + 4 + (big && file[0] == 'M' ? 4 : 0), number());
      default -> {
        if (type == 3 && random.nextInt(4) > 0) {
          buffer.putShort(value, (short) number());
        } else if (random.nextInt(3) > 0) {
          buffer.putInt(value, number());
        } else {
          // Where its values lie: an offset of a strip, a number of bits.
          int far = Math.floorMod(buffer.getInt(value), file.length - 4);
          buffer.putInt(far, random.nextBoolean() ? number() : random.nextInt(file.length));
        }
      }
    }
    return file;
  }
}
