/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import com.google.errorprone.annotations.FormatMethod;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.RgbImage;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.Locale;
import java.util.RandomAccess;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.IntStream;

/**
 * Decoded pictures in a temporary file, as a list: a picture is read each time that it is asked
 * for, by any thread. They take 12 bytes each of the heap; what is read often stays in the memory
 * that the operating system has to spare.
 *
 * <p>The file is deleted when the list is closed, at the latest when the process ends; where the
 * system allows it, the file has no name from the start. Read by position, not mapped: Java 21 has
 * no way to end a mapping, and until that ends neither is the room on the disk given back.
 *
 * <p>The list's owner closes it; so does a thread that is interrupted while it reads. A file that
 * cannot be read is an {@link UncheckedIOException}.
 *
 * @param <P> their type
 */
public final class StoredPictures<P> extends AbstractList<P>
    implements RandomAccess, AutoCloseable {
  /** Where the file lies of a command that has no run folder: the system's temporary folder. */
  static final Path TEMPORARY = Path.of(System.getProperty("java.io.tmpdir"));

  /** How a picture lies in the file. */
  interface Form<P> {
    /** Pictures of colours: width, height, then the bytes. */
    Form<RgbImage> RGB =
        new Form<>() {
          @Override
          public ByteBuffer bytes(RgbImage picture) {
            byte[] rgb = picture.rgb();
            return ByteBuffer.allocate(2 * Integer.BYTES + rgb.length)
                .putInt(picture.width())
                .putInt(picture.height())
                .put(rgb)
                .flip();
          }

          @Override
          public RgbImage picture(ByteBuffer bytes) {
            int width = bytes.getInt();
            int height = bytes.getInt();
            byte[] rgb = new byte[bytes.remaining()];
            bytes.get(rgb);
            return new RgbImage(width, height, rgb);
          }
        };

    /** Pictures of bands: bands, width, height, then the values to the bit. */
    Form<BandImage> BANDS =
        new Form<>() {
          @Override
          public ByteBuffer bytes(BandImage picture) {
            float[] values = picture.values();
            ByteBuffer bytes =
                ByteBuffer.allocate(3 * Integer.BYTES + Float.BYTES * values.length)
                    .putInt(picture.bands())
                    .putInt(picture.width())
                    .putInt(picture.height());
            bytes.asFloatBuffer().put(values);
            return bytes.rewind();
          }

          @Override
          public BandImage picture(ByteBuffer bytes) {
            int bands = bytes.getInt();
            int width = bytes.getInt();
            int height = bytes.getInt();
            float[] values = new float[bytes.remaining() / Float.BYTES];
            bytes.asFloatBuffer().get(values);
            return new BandImage(bands, width, height, values);
          }
        };

    ByteBuffer bytes(P picture);

    P picture(ByteBuffer bytes);
  }

  private final Path path;
  private final FileChannel file;
  private final Form<P> form;
  private final long[] offsets;
  private final int[] lengths;

  private StoredPictures(Path path, FileChannel file, Form<P> form, long[] offsets, int[] lengths) {
    this.path = path;
    this.file = file;
    this.form = form;
    this.offsets = offsets;
    this.lengths = lengths;
  }

  @Override
  public int size() {
    return offsets.length;
  }

  @Override
  public P get(int index) {
    ByteBuffer bytes = ByteBuffer.allocate(lengths[index]);
    try {
      while (bytes.hasRemaining()) {
        if (file.read(bytes, offsets[index] + bytes.position()) < 0) {
          throw new EOFException("the file ends before");
        }
      }
    } catch (IOException e) {
      throw failed(
          e,
          "cannot read picture %d, %d bytes from byte %d of %s",
          index,
          lengths[index],
          offsets[index],
          path);
    }
    return form.picture(bytes.flip());
  }

  @Override
  public void close() {
    try {
      file.close();
    } catch (IOException e) {
      throw failed(e, "cannot close %s", path);
    }
  }

  @FormatMethod
  private static UncheckedIOException failed(IOException e, String what, Object... named) {
    return new UncheckedIOException(String.format(Locale.ROOT, what, named) + " (" + e + ")", e);
  }

  /**
   * Takes pictures by their numbers, in any order and from any thread, and makes the list.
   *
   * @param <P> their type
   */
  static final class Writer<P> implements AutoCloseable {
    private final Path path;
    private final FileChannel file;
    private final Form<P> form;
    private final long[] offsets;
    private final int[] lengths;
    private final AtomicLong end;
    private boolean handedOver;

    /** Makes a writer to an open file, which is its to close, behind what the file has. */
    Writer(Path path, FileChannel file, Form<P> form, int numbers) throws IOException {
      this.path = path;
      this.file = file;
      this.form = form;
      this.end = new AtomicLong(file.size());
      this.offsets = new long[numbers];
      this.lengths = new int[numbers];
    }

    /**
     * Makes a file to write to.
     *
     * @param folder to make it in
     * @param numbers below which pictures are numbered
     * @throws UncheckedIOException where it cannot be made
     */
    static <P> Writer<P> in(Path folder, Form<P> form, int numbers) {
      try {
        Path path = Files.createTempFile(folder, "pictures-", ".tmp");
        FileChannel file =
            FileChannel.open(
                path,
                StandardOpenOption.READ,
                StandardOpenOption.WRITE,
                StandardOpenOption.DELETE_ON_CLOSE);
        return new Writer<>(path, file, form, numbers);
      } catch (IOException e) {
        throw failed(e, "cannot make a file for decoded pictures in %s", folder);
      }
    }

    /**
     * Stores a picture.
     *
     * @param number used once
     * @throws UncheckedIOException where it cannot be written: the disk may be full
     */
    void put(int number, P picture) {
      ByteBuffer bytes = form.bytes(picture);
      int length = bytes.remaining();
      long offset = end.getAndAdd(length);
      try {
        while (bytes.hasRemaining()) {
          file.write(bytes, offset + bytes.position());
        }
      } catch (IOException e) {
        throw failed(
            e,
            "cannot write %d bytes of decoded pictures behind %d to %s, make room there: %d"
                + " pictures need about %d bytes",
            length,
            offset,
            path,
            lengths.length,
            (long) length * lengths.length);
      }
      offsets[number] = offset;
      lengths[number] = length;
    }

    /** Returns the pictures that were put, by rising number; nothing can be put any more. */
    StoredPictures<P> written() {
      int[] there = IntStream.range(0, lengths.length).filter(i -> lengths[i] > 0).toArray();
      handedOver = true;
      return new StoredPictures<>(
          path,
          file,
          form,
          Arrays.stream(there).mapToLong(i -> offsets[i]).toArray(),
          Arrays.stream(there).map(i -> lengths[i]).toArray());
    }

    /** Deletes the file where no list has it. */
    @Override
    public void close() {
      if (!handedOver) {
        try {
          file.close();
        } catch (IOException e) {
          throw failed(e, "cannot close %s", path);
        }
      }
    }
  }
}
