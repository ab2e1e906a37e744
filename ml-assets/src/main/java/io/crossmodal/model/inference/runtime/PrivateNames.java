/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.runtime;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Gives an unpacked libtorch names of its own, so that another libtorch, which another plugin loads
 * into the process later, does not get mixed with it (docs/decisions/0035).
 *
 * <p>The dynamic linker takes a library that is needed by its soname from what is loaded already,
 * wherever that lies, and keeps one copy in the process of each symbol that is bound as {@code
 * STB_GNU_UNIQUE}, an inline function's static variables. So both are changed, in place, in the
 * dynamic section and in the dynamic symbols: "System V Application Binary Interface", chapters 4
 * and 5.
 */
final class PrivateNames {
  private static final int HEADER = 64;
  private static final int SECTION = 64;
  private static final int DYNAMIC = 6;
  private static final int DYNAMIC_SYMBOLS = 11;
  private static final int NEEDED = 1;
  private static final int SONAME = 14;
  private static final int GLOBAL = 1;
  private static final int UNIQUE = 10;

  /** In the place of "lib": a name keeps its length. */
  private static final byte[] PREFIX = "cm-".getBytes(StandardCharsets.US_ASCII);

  private final FileChannel file;
  private final ByteBuffer sections;

  private PrivateNames(FileChannel file) throws IOException {
    this.file = file;
    ByteBuffer header = read(0, HEADER);
    // Magic, 64 bits, little-endian.
    if (header.getInt(0) != 0x464c457f || header.get(4) != 2 || header.get(5) != 1) {
      throw new IOException("no 64-bit little-endian ELF file");
    }
    this.sections =
        read(header.getLong(40), (long) SECTION * Short.toUnsignedInt(header.getShort(60)));
  }

  /**
   * Changes a library.
   *
   * @return how many names and symbols were not private before
   * @throws IOException when it is no ELF file for a 64-bit little-endian machine
   */
  static int apply(Path library) throws IOException {
    try (FileChannel file =
        FileChannel.open(library, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      PrivateNames names = new PrivateNames(file);
      int changed = 0;
      for (int section = 0; section < names.sections.limit(); section += SECTION) {
        changed +=
            switch (names.sections.getInt(section + 4)) {
              case DYNAMIC -> names.rename(section);
              case DYNAMIC_SYMBOLS -> names.unbind(section);
              default -> 0;
            };
      }
      return changed;
    }
  }

  /** Renames the library and those of its kind that it needs. */
  private int rename(int dynamic) throws IOException {
    ByteBuffer entries = content(dynamic);
    int strings = sections.getInt(dynamic + 40) * SECTION;
    int changed = 0;
    for (int at = 0; at + 16 <= entries.limit(); at += 16) {
      long tag = entries.getLong(at);
      if (tag == NEEDED || tag == SONAME) {
        long offset = entries.getLong(at + 8);
        long longest = Math.min(64, sections.getLong(strings + 32) - offset);
        long position = sections.getLong(strings + 24) + offset;
        ByteBuffer name = read(position, longest);
        String ended = StandardCharsets.ISO_8859_1.decode(name.duplicate()).toString();
        if (NativeRuntime.TORCH.contains(ended.substring(0, Math.max(0, ended.indexOf('\0'))))) {
          write(ByteBuffer.wrap(PREFIX), position);
          changed++;
        }
      }
    }
    return changed;
  }

  private int unbind(int symbols) throws IOException {
    ByteBuffer table = content(symbols);
    int changed = 0;
    for (int info = 4; info < table.limit(); info += 24) {
      int value = Byte.toUnsignedInt(table.get(info));
      if (value >> 4 == UNIQUE) {
        table.put(info, (byte) ((GLOBAL << 4) | (value & 15)));
        changed++;
      }
    }
    write(table, sections.getLong(symbols + 24));
    return changed;
  }

  private ByteBuffer content(int section) throws IOException {
    return read(sections.getLong(section + 24), sections.getLong(section + 32));
  }

  private ByteBuffer read(long position, long length) throws IOException {
    if (position < 0 || length < 0 || position > file.size() - length) {
      throw new EOFException("the ELF file ends before its tables");
    }
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(length)).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      if (file.read(bytes, position + bytes.position()) < 0) {
        throw new EOFException("the ELF file ends before its tables");
      }
    }
    return bytes.flip();
  }

  private void write(ByteBuffer bytes, long position) throws IOException {
    while (bytes.hasRemaining()) {
      file.write(bytes, position + bytes.position());
    }
  }
}
