/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The folder of one worker, locked for as long as it lives: two would delete each other's files.
 * The lock ends with the process, however that ends.
 */
final class DataFolder implements AutoCloseable {
  private final FileChannel file;

  private DataFolder(FileChannel file) {
    this.file = file;
  }

  /**
   * Locks a folder; made where there is none.
   *
   * @throws IOException when another worker has it, or it cannot be written
   */
  static DataFolder lock(Path directory) throws IOException {
    Files.createDirectories(directory);
    FileChannel file =
        FileChannel.open(
            directory.resolve("worker.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    FileLock lock;
    try {
      lock = file.tryLock();
    } catch (OverlappingFileLockException e) {
      // By this very process.
      lock = null;
    }
    if (lock == null) {
      file.close();
      throw new IOException(
          "another worker uses the folder [" + directory + "]: give each one its own --data");
    }
    return new DataFolder(file);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
