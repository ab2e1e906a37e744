/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Writes the lines that a {@code _bulk} request takes. */
public final class NdjsonSink implements DocumentSink {
  private final OutputStream out;
  private final DocumentFormat format;
  private final Listener listener;
  private long position;

  /**
   * Writes to a stream, which {@link #close} closes.
   *
   * @param position bytes that it has already
   */
  public NdjsonSink(OutputStream out, long position, DocumentFormat format, Listener listener) {
    this.out = out;
    this.position = position;
    this.format = format;
    this.listener = listener;
  }

  /**
   * Goes on with a file.
   *
   * @param position bytes of it that the journal knows; what lies behind them is cut off
   */
  public static NdjsonSink file(Path file, long position, DocumentFormat format, Listener listener)
      throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    channel.truncate(position).position(position);
    return new NdjsonSink(Channels.newOutputStream(channel), position, format, listener);
  }

  @Override
  public void send(List<Document> documents) throws IOException {
    byte[] lines = format.lines(documents);
    out.write(lines);
    // Standard output keeps its failures to itself.
    if (out instanceof PrintStream printed && printed.checkError()) {
      throw new IOException("standard output was closed");
    }
    position += lines.length;
    listener.kept(documents, position);
  }

  @Override
  public void finish() {}

  @Override
  public void close() throws IOException {
    out.close();
  }
}
