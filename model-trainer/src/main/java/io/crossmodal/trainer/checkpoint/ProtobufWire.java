/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.checkpoint;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Protocol buffers' wire format, read forwards; every length is held to its message's end. */
final class ProtobufWire {
  private static final int VARINT = 0;
  private static final int BYTES = 2;
  private static final int WINDOW = 1 << 16;

  private final FileChannel channel;
  private final ByteBuffer window = ByteBuffer.allocate(WINDOW).limit(0);

  /** Where the window begins in the file. */
  private long start;

  /** Where the message ends that {@link #next} was last asked about. */
  private long end;

  private int field;

  private int type;

  ProtobufWire(FileChannel channel) {
    this.channel = channel;
  }

  /** Returns the number of the field that {@link #next} has found. */
  int field() {
    return field;
  }

  /** Returns where the next byte is in the file. */
  long position() {
    return start + window.position();
  }

  /** Goes to a place in the file. */
  void to(long place) {
    if (place >= start && place <= start + window.limit()) {
      window.position((int) (place - start));
    } else {
      start = place;
      window.limit(0);
    }
  }

  private byte get() throws IOException {
    if (position() >= end) {
      throw new EOFException("it ends early, or a length in it is wrong, at byte " + position());
    }
    if (!window.hasRemaining()) {
      start = position();
      window.clear();
      if (channel.read(window, start) <= 0) {
        throw new EOFException("it became shorter while it was read");
      }
      window.flip();
    }
    return window.get();
  }

  /** Reads a field's number and type; false at the end of the message. */
  boolean next(long messageEnd) throws IOException {
    end = messageEnd;
    if (position() == end) {
      return false;
    }
    long tag = varint();
    type = (int) (tag & 7);
    field = (int) Math.min(tag >>> 3, Integer.MAX_VALUE);
    if (field == 0) {
      throw new IOException("a field 0 at byte " + position());
    }
    return true;
  }

  private long varint() throws IOException {
    long value = 0;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      byte next = get();
      value |= (next & 0x7fL) << shift;
      if (next >= 0) {
        return value;
      }
    }
    throw new IOException("a number of more than 64 bits at byte " + position());
  }

  private void require(int expected) throws IOException {
    if (type != expected) {
      throw new IOException("field " + field + " has the type " + type + ", not " + expected);
    }
  }

  /** Reads a whole number. */
  long number() throws IOException {
    require(VARINT);
    return varint();
  }

  /** Adds the numbers of a repeated field, which may be packed. */
  void numbers(List<Long> into, int most) throws IOException {
    if (type == VARINT) {
      into.add(varint());
    } else {
      long outer = end;
      long last = message();
      end = last;
      while (position() < last && into.size() <= most) {
        into.add(varint());
      }
      end = outer;
    }
    if (into.size() > most || into.stream().anyMatch(number -> number < 0)) {
      throw new IOException("an initializer of the shape " + into);
    }
  }

  /** Returns where bytes end that begin here. */
  long message() throws IOException {
    require(BYTES);
    long length = varint();
    if (length < 0 || length > end - position()) {
      throw new EOFException(
          "it ends early, or a length of " + length + " is wrong, at byte " + position());
    }
    return position() + length;
  }

  /** Reads a text of at most so many bytes. */
  String text(int most) throws IOException {
    long last = message();
    if (last - position() > most) {
      throw new IOException("a name of " + (last - position()) + " bytes");
    }
    byte[] bytes = new byte[(int) (last - position())];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = get();
    }
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Passes over the field's value. */
  void skip() throws IOException {
    switch (type) {
      case VARINT -> varint();
      case 1 -> pass(Long.BYTES);
      case BYTES -> to(message());
      case 5 -> pass(Integer.BYTES);
      default -> throw new IOException("field " + field + " has the type " + type);
    }
  }

  private void pass(int bytes) throws IOException {
    if (bytes > end - position()) {
      throw new EOFException("it ends early at byte " + position());
    }
    to(position() + bytes);
  }
}
