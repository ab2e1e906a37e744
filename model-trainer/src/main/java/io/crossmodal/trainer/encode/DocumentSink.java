/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.trainer.encode.DocumentFormat.Document;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;

/** Takes documents to an index or a file. Used by one thread. */
public interface DocumentSink extends Closeable {

  /** Is told what became of documents, by any thread. */
  interface Listener {
    /**
     * Is told of documents that were kept for good.
     *
     * @param position how long the output is with them, for those that have a length; else 0
     */
    void kept(List<Document> documents, long position) throws IOException;

    /** Is told of a document that was refused for good. */
    void refused(Document document, String reason);
  }

  /**
   * Hands documents over. Returns before they are kept, and not before there is room for them.
   *
   * @throws IOException when this sink takes no more; what was kept has been told
   */
  void send(List<Document> documents) throws IOException, InterruptedException;

  /** Waits until all is kept or refused. Throws as {@link #send}. */
  void finish() throws IOException, InterruptedException;

  /** Gives up what is still on its way. */
  @Override
  void close() throws IOException;
}
