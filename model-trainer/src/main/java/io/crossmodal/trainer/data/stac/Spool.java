/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * A folder for files that are fetched, used and deleted; they have at most so many bytes together.
 * Thread-safe.
 */
public final class Spool implements Closeable {
  private static final int ATTEMPTS = 10;

  private final Path folder;
  private final long limit;
  private long used;
  private int leases;

  /** Who waits for all of the room; no other gets any meanwhile. */
  private int greedy;

  /** Whether a lease waits for more. */
  private boolean growing;

  private int files;

  /** Where the process is ended in the middle, nothing is left either. */
  private final Thread atExit = new Thread(this::delete, "spool");

  private Spool(Path folder, long limit) {
    this.folder = folder;
    this.limit = limit;
  }

  /**
   * Makes a folder of its own.
   *
   * @param parent where; made where it is not there
   * @param limit bytes, above 0
   */
  public static Spool in(Path parent, long limit) throws IOException {
    if (limit < 1) {
      throw new IllegalArgumentException("a spool holds at least a byte, got " + limit);
    }
    Files.createDirectories(parent);
    Spool spool = new Spool(Files.createTempDirectory(parent, "crossmodal-spool"), limit);
    Runtime.getRuntime().addShutdownHook(spool.atExit);
    return spool;
  }

  /**
   * Waits until there is room for files.
   *
   * @param bytes of all that the lease will hold; 0 where that is not known, then it grows
   * @throws IOException when there will never be
   */
  synchronized Lease lease(long bytes) throws IOException, InterruptedException {
    if (bytes > limit) {
      throw tooLarge(bytes);
    }
    while (greedy > 0 || (leases > 0 && used + bytes > limit)) {
      wait();
    }
    long free = Files.getFileStore(folder).getUsableSpace();
    if (bytes > free) {
      throw new IOException(
          String.format(
              Locale.ROOT,
              "%d bytes are to be fetched, the disk of %s has %d left: free some, or name another"
                  + " folder with --spool",
              bytes,
              folder,
              free));
    }
    leases++;
    used += bytes;
    return new Lease(bytes);
  }

  /** Waits until nobody else has any room, and takes all of it. */
  synchronized Lease leaseAll() throws InterruptedException {
    greedy++;
    try {
      while (leases > 0) {
        wait();
      }
    } finally {
      greedy--;
      notifyAll();
    }
    leases++;
    used = limit;
    return new Lease(limit);
  }

  /** Others have what would be needed now. */
  static final class FullException extends IOException {
    private static final long serialVersionUID = 1L;

    FullException() {
      super("others have the room of the spool");
    }
  }

  private IOException tooLarge(long bytes) {
    return new IOException(
        String.format(
            Locale.ROOT,
            "%d bytes are to be fetched, the spool may hold %d; raise --spool-limit",
            bytes,
            limit));
  }

  /** Returns the path of a file that lives as long as the spool and is not counted. */
  Path own(String name) {
    return folder.resolve(name);
  }

  /** Room for some files. */
  final class Lease implements Closeable {
    private final List<Path> paths = new ArrayList<>();
    private long reserved;
    private boolean closed;

    Lease(long reserved) {
      this.reserved = reserved;
    }

    /**
     * Returns the path of a file to write.
     *
     * @param suffix such as ".tif"
     */
    Path file(String suffix) {
      synchronized (Spool.this) {
        Path path = folder.resolve(files++ + suffix);
        paths.add(path);
        return path;
      }
    }

    /**
     * Takes room for so many bytes in all.
     *
     * @throws FullException when there is none now
     * @throws IOException when there will never be
     */
    void grow(long bytes) throws IOException {
      synchronized (Spool.this) {
        if (bytes > limit) {
          throw tooLarge(bytes);
        }
        if (lacks(bytes)) {
          throw new FullException();
        }
        take(Math.max(bytes, reserved));
      }
    }

    /**
     * Likewise, but waits until others have let go, and keeps meanwhile what is there.
     *
     * @throws FullException when another lease waits so: two would wait for each other
     */
    void growPatiently(long bytes) throws IOException, InterruptedException {
      synchronized (Spool.this) {
        while (bytes <= limit && lacks(bytes)) {
          if (growing) {
            throw new FullException();
          }
          growing = true;
          try {
            Spool.this.wait();
          } finally {
            growing = false;
          }
        }
        grow(bytes);
      }
    }

    /** Gives back what is more than the files have. */
    void settle() throws IOException {
      synchronized (Spool.this) {
        long bytes = 0;
        for (Path path : paths) {
          bytes += Files.size(path);
        }
        take(bytes);
        Spool.this.notifyAll();
      }
    }

    private boolean lacks(long bytes) {
      return bytes > reserved && used + bytes - reserved > limit;
    }

    private void take(long bytes) {
      used += bytes - reserved;
      reserved = bytes;
    }

    /** Deletes the files. */
    @Override
    public void close() throws IOException {
      synchronized (Spool.this) {
        if (closed) {
          return;
        }
        closed = true;
        try {
          for (Path path : paths) {
            Files.deleteIfExists(path);
          }
        } finally {
          take(0);
          leases--;
          Spool.this.notifyAll();
        }
      }
    }
  }

  /** Deletes the folder and what is left in it. */
  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The process is ending, and this runs anyway.
    }
    delete();
  }

  private synchronized void delete() {
    IOException failure = null;
    // Somebody who does not know of the end yet may write one file more.
    for (int i = 0; i < ATTEMPTS && Files.isDirectory(folder); i++) {
      try (Stream<Path> left = Files.list(folder)) {
        for (Path path : left.toList()) {
          Files.deleteIfExists(path);
        }
        Files.delete(folder);
        return;
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw new UncheckedIOException("emptying the spool " + folder, failure);
    }
  }
}
