/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** The bytes of a TIFF file, in memory or on a disk. Thread-safe. */
interface TiffSource {
  /**
   * Bytes of the file, which lie in an array from a place on; not to be changed.
   *
   * @param from index of the first
   */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Slice(byte[] bytes, int from) {}

  /** Returns how many bytes the file has. */
  long size();

  /**
   * Returns some of the file's bytes.
   *
   * @throws ImageFormatException when they do not all lie in the file
   * @throws UncheckedIOException when they cannot be read
   */
  Slice slice(long at, int length);

  /** Returns a file that is in memory; its bytes are kept, not copied. */
  static TiffSource of(byte[] file) {
    return new TiffSource() {
      @Override
      public long size() {
        return file.length;
      }

      @Override
      public Slice slice(long at, int length) {
        check(this, at, length);
        return new Slice(file, (int) at);
      }
    };
  }

  /** Returns a file that is read where it lies; who opened the channel closes it. */
  static TiffSource of(FileChannel channel) throws IOException {
    long size = channel.size();
    return new TiffSource() {
      @Override
      public long size() {
        return size;
      }

      @Override
      public Slice slice(long at, int length) {
        check(this, at, length);
        ByteBuffer bytes = ByteBuffer.allocate(length);
        try {
          while (bytes.hasRemaining()) {
            if (channel.read(bytes, at + bytes.position()) < 0) {
              throw FileKind.TIFF.damaged("it became shorter while it was read");
            }
          }
        } catch (IOException e) {
          throw new UncheckedIOException("reading a TIFF", e);
        }
        return new Slice(bytes.array(), 0);
      }
    };
  }

  private static void check(TiffSource source, long at, int length) {
    if (at < 0 || length < 0 || at > source.size() - length) {
      throw FileKind.TIFF.damaged(
          "%d bytes at %d in a file of %d bytes", length, at, source.size());
    }
  }
}
