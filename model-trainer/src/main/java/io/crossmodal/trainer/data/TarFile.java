/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Reads a tar file's regular files in their order: ustar, with the long names and sizes of GNU and
 * of POSIX 2001 (pax). Links, devices and folders are passed over.
 */
final class TarFile {
  private static final int BLOCK = 512;
  private static final int MAX_NAMES = 1 << 16;

  private TarFile() {}

  /** Is given each regular file. */
  @FunctionalInterface
  interface Visitor {
    /**
     * Visits a file.
     *
     * @param content of {@code size} bytes; what is left of it is passed over
     */
    void file(String name, long size, InputStream content) throws IOException;
  }

  /** The bytes of one entry. */
  private static final class Content extends InputStream {
    private final InputStream in;
    private long left;

    Content(InputStream in, long size) {
      this.in = in;
      this.left = size;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] to, int from, int length) throws IOException {
      if (length == 0) {
        return 0;
      }
      if (left == 0) {
        return -1;
      }
      int read = in.read(to, from, (int) Math.min(length, left));
      if (read < 0) {
        throw new EOFException("cut short, " + left + " bytes of an entry are missing");
      }
      left -= read;
      return read;
    }
  }

  /**
   * Visits all files.
   *
   * @throws IOException when the file is no tar, or cut short
   */
  static void read(Path tar, Visitor visitor) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(tar))) {
      String longName = null;
      Long longSize = null;
      while (true) {
        byte[] header = in.readNBytes(BLOCK);
        if (header.length < BLOCK) {
          throw new EOFException("cut short, there is no end of the archive");
        }
        if (Arrays.equals(header, new byte[BLOCK])) {
          return;
        }
        check(header);
        char type = (char) header[156];
        long size = longSize == null || type == 'x' || type == 'L' ? size(header) : longSize;
        try (Content content = new Content(in, size)) {
          if (type == 'x' || type == 'L') {
            if (size > MAX_NAMES) {
              throw new IOException("a header of " + size + " bytes");
            }
            byte[] names = content.readAllBytes();
            if (type == 'L') {
              longName = text(names, 0, names.length);
            } else {
              String path = pax(names, "path");
              String bytes = pax(names, "size");
              longName = path == null ? longName : path;
              longSize = bytes == null ? null : Long.valueOf(bytes);
            }
          } else {
            if (type == '0' || type == 0 || type == '7') {
              visitor.file(longName == null ? name(header) : longName, size, content);
            }
            if (type != 'g') {
              longName = null;
              longSize = null;
            }
          }
          content.transferTo(OutputStream.nullOutputStream());
        }
        in.skipNBytes((BLOCK - size % BLOCK) % BLOCK);
      }
    } catch (NumberFormatException e) {
      throw new IOException("a number in a header is none: " + e.getMessage(), e);
    }
  }

  private static void check(byte[] header) throws IOException {
    int sum = 0;
    for (int i = 0; i < BLOCK; i++) {
      sum += i >= 148 && i < 156 ? ' ' : header[i] & 0xff;
    }
    if (sum != Integer.parseInt(text(header, 148, 8).strip(), 8)) {
      throw new IOException("damaged: a header's checksum is another");
    }
  }

  private static long size(byte[] header) throws IOException {
    // Above 8 GiB GNU writes it in base 256.
    long size =
        (header[124] & 0x80) != 0
            ? ByteBuffer.wrap(header, 128, 8).getLong()
            : Long.parseLong(text(header, 124, 12).strip(), 8);
    if (size < 0) {
      throw new IOException("an entry of " + size + " bytes");
    }
    return size;
  }

  private static String name(byte[] header) {
    String name = text(header, 0, 100);
    boolean ustar = text(header, 257, 6).equals("ustar");
    String folder = ustar ? text(header, 345, 155) : "";
    return folder.isEmpty() ? name : folder + "/" + name;
  }

  /** Returns the text before a zero byte. */
  private static String text(byte[] bytes, int from, int length) {
    int end = from;
    while (end < from + length && bytes[end] != 0) {
      end++;
    }
    return new String(bytes, from, end - from, StandardCharsets.UTF_8);
  }

  /** Returns the value of a pax record, "length key=value\n"; null where there is none. */
  private static String pax(byte[] records, String key) {
    for (String record : new String(records, StandardCharsets.UTF_8).split("\n")) {
      String entry = record.substring(record.indexOf(' ') + 1);
      if (entry.startsWith(key + "=")) {
        return entry.substring(key.length() + 1);
      }
    }
    return null;
  }
}
