/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Remembers what a sink has kept, so that a run which was killed at any moment goes on where it
 * was.
 *
 * <p>A text file: a line that says for which target it is; then for each group of documents a line
 * {@code <id> <stamp>} each and a line {@code = <position>}. A group without its last line was cut
 * off; it does not count, and its documents are sent again under the same ids. Thread-safe.
 */
public final class Journal implements Closeable {
  private static final String HEADER = "crossmodal encode 1 ";
  private static final Pattern ENTRY = Pattern.compile("([0-9a-f]{32}) ([0-9a-f]{32})");
  private static final Pattern END = Pattern.compile("= (\\d{1,18})");

  private final FileChannel file;
  private final Set<String> ids = ConcurrentHashMap.newKeySet();
  private final Set<String> stamps = ConcurrentHashMap.newKeySet();
  private long position;

  private Journal(FileChannel file) {
    this.file = file;
  }

  /** Returns a journal that is forgotten. */
  public static Journal none() {
    return new Journal(null);
  }

  /**
   * Opens a journal, or begins one where there is none or the one there is for another target: ids
   * come from contents, so starting over costs time but no document is there twice.
   *
   * @param target what the documents' sink and form depend on, one line
   * @param written bytes that the sink's output has, for those that have a length; what the journal
   *     knows beyond them was lost
   * @param forget what it knows, whatever the output has
   * @throws IOException when another process has it open, the file is something else, or there is
   *     an output already that this journal does not know
   */
  public static Journal open(Path path, String target, long written, boolean forget)
      throws IOException {
    if (path.toAbsolutePath().getParent() != null) {
      Files.createDirectories(path.toAbsolutePath().getParent());
    }
    FileChannel file =
        FileChannel.open(
            path, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      lock(path, file);
      Journal journal = new Journal(file);
      journal.read(path, HEADER + target, written, forget);
      return journal;
    } catch (IOException | RuntimeException e) {
      file.close();
      throw e;
    }
  }

  private static void lock(Path path, FileChannel file) throws IOException {
    FileLock lock;
    try {
      lock = file.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new IOException("another run is writing the journal " + path + "; wait for its end");
    }
  }

  private void read(Path path, String header, long written, boolean forget) throws IOException {
    // Read by lines of its own making: a damaged byte must not end in an exception of a decoder.
    // And through this channel: on POSIX systems closing any other of the file ends the lock.
    String text =
        new String(Channels.newInputStream(file).readAllBytes(), StandardCharsets.ISO_8859_1);
    String first = text.lines().findFirst().orElse("");
    if (!text.isEmpty() && !first.startsWith(HEADER)) {
      throw new IOException(path + " is no journal of encode; name another file");
    }
    boolean known = !forget && text.startsWith(header + "\n");
    if (written > 0 && !known && !forget) {
      throw new IOException(
          "the output is there already and the journal "
              + path
              + " does not know it; name another output, or delete it");
    }
    long good = 0;
    if (known) {
      good = header.length() + 1L;
      List<Matcher> group = new ArrayList<>();
      int from = header.length() + 1;
      for (int to = text.indexOf('\n', from); to >= 0; to = text.indexOf('\n', from)) {
        String line = text.substring(from, to);
        from = to + 1;
        Matcher entry = ENTRY.matcher(line);
        Matcher end = END.matcher(line);
        if (entry.matches()) {
          group.add(entry);
        } else if (end.matches() && Long.parseLong(end.group(1)) <= written) {
          group.forEach(
              kept -> {
                ids.add(kept.group(1));
                stamps.add(kept.group(2));
              });
          group.clear();
          position = Long.parseLong(end.group(1));
          good = from;
        } else {
          break;
        }
      }
    }
    file.truncate(good).position(good);
    if (good == 0) {
      append(header + "\n");
    }
  }

  private void append(String text) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1));
    while (bytes.hasRemaining()) {
      file.write(bytes);
    }
  }

  /** Returns whether the file of this stamp was kept. */
  boolean holdsFile(String stamp) {
    return stamps.contains(stamp);
  }

  /** Returns whether the document was kept. */
  boolean holds(String id) {
    return ids.contains(id);
  }

  /** Returns how many documents were kept. */
  public int size() {
    return ids.size();
  }

  /** Returns the length of the sink's output with all that was kept. */
  public long position() {
    return position;
  }

  /** Notes what was kept. */
  synchronized void add(List<Document> kept, long newPosition) throws IOException {
    if (file != null) {
      StringBuilder group = new StringBuilder();
      for (Document document : kept) {
        group.append(document.id()).append(' ').append(document.stamp()).append('\n');
      }
      append(group.append("= ").append(newPosition).append('\n').toString());
    }
    position = newPosition;
    for (Document document : kept) {
      ids.add(document.id());
      stamps.add(document.stamp());
    }
  }

  /**
   * Notes that all of a file is kept, whose parts are noted one by one.
   *
   * @param stamp of the file
   */
  synchronized void addFile(String stamp) throws IOException {
    if (file != null && stamps.add(stamp)) {
      append(stamp + " " + stamp + "\n= " + position + "\n");
    }
  }

  @Override
  public void close() throws IOException {
    if (file != null) {
      file.close();
    }
  }
}
