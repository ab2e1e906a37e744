/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ingest;

import io.crossmodal.plugin.inference.encoding.QueryInput;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;

/**
 * Bounds the work that waits for the threads which decode documents, over all bulks of a node. The
 * bytes of a bulk do not: a PNG of 300 kB may have 100 million pixels, most of a second of a core.
 * Thread-safe.
 */
public final class DecodingBudget {
  // Each picture is work, however small: so their number is bounded too.
  private static final long LEAST = 1L << 16;

  private final long most;
  private final AtomicLong taken = new AtomicLong();

  /**
   * @param most pixels, of {@link CrossModalSettings#MAX_PIXELS}
   */
  public DecodingBudget(long most) {
    this.most = most;
  }

  /** Share of a value in the budget, until it is encoded or has failed. */
  interface Share extends AutoCloseable {
    /** Gives it back; once only, however often it is called. */
    @Override
    void close();
  }

  /**
   * Takes a share for a value. A picture that is larger than the whole budget gets it alone.
   *
   * @throws OpenSearchRejectedExecutionException when the others have it
   */
  Share take(QueryInput content) {
    if (!(content instanceof QueryInput.Image image)) {
      return () -> {};
    }
    long pixels = Math.max(LEAST, pixels(image.bytes()));
    long before = taken.getAndUpdate(now -> now == 0 || now + pixels <= most ? now + pixels : now);
    if (before != 0 && before + pixels > most) {
      throw new OpenSearchRejectedExecutionException(
          String.format(
              Locale.ROOT,
              "this node has %d pixels of pictures to decode and may have [%s] %d: this one of %d"
                  + " does not fit, send it again later, and larger pictures in smaller bulks",
              before,
              CrossModalSettings.MAX_PIXELS.getKey(),
              most,
              pixels));
    }
    AtomicBoolean given = new AtomicBoolean();
    return () -> {
      if (given.compareAndSet(false, true)) {
        taken.addAndGet(-pixels);
      }
    };
  }

  /**
   * Returns the pixels of a picture by its header; 0 for what cannot be read, which the decoder
   * will refuse.
   */
  private static long pixels(byte[] file) {
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(file))) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        return 0;
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in, true, true);
        return (long) reader.getWidth(0) * reader.getHeight(0);
      } finally {
        reader.dispose();
      }
    } catch (IOException | RuntimeException e) {
      return 0;
    }
  }
}
