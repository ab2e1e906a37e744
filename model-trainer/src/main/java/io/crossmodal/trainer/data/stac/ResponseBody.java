/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data.stac;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Takes what a response brings, on the client's threads. */
abstract class ResponseBody {
  static final int OK = 200;
  static final int PARTIAL = 206;
  private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (\\d{1,18})-\\d{1,18}/.*");

  private volatile long touched = System.nanoTime();
  private volatile IOException failure;
  private final AtomicLong taken = new AtomicLong();

  /** Is told of a response before its bytes come. */
  abstract void begin(HttpResponse.ResponseInfo info) throws IOException;

  abstract void take(byte[] bytes) throws IOException;

  /** Says that something has come, or was asked for. */
  void touch() {
    touched = System.nanoTime();
  }

  /** Returns whether nothing has come for as long as that. */
  boolean isIdleFor(Duration time) {
    return System.nanoTime() - touched > time.toNanos();
  }

  /** Returns how many bytes were taken. */
  long taken() {
    return taken.get();
  }

  /** Returns why bytes could not be taken; null where they could. */
  IOException failure() {
    return failure;
  }

  /** Returns a subscriber that hands on what the response brings, where it is a good one. */
  HttpResponse.BodySubscriber<Void> subscriber(HttpResponse.ResponseInfo info) {
    touch();
    if (info.statusCode() != OK && info.statusCode() != PARTIAL) {
      return HttpResponse.BodySubscribers.replacing(null);
    }
    guarded(() -> begin(info));
    return HttpResponse.BodySubscribers.ofByteArrayConsumer(
        bytes -> {
          touch();
          bytes.ifPresent(some -> guarded(() -> take(some)));
          bytes.ifPresent(some -> taken.addAndGet(some.length));
        });
  }

  private interface Step {
    void run() throws IOException;
  }

  /** What fails here is no fault of the connection. */
  private void guarded(Step step) {
    try {
      step.run();
    } catch (IOException e) {
      failure = e;
      throw new UncheckedIOException(e);
    }
  }

  /** Returns when the content was changed, as the server says it. */
  static Optional<String> date(HttpHeaders headers) {
    return headers.firstValue("last-modified");
  }

  /** Of a response to HEAD. */
  static final class Discarded extends ResponseBody {
    @Override
    void begin(HttpResponse.ResponseInfo info) {}

    @Override
    void take(byte[] bytes) {}
  }

  /** Is told how long a file becomes, before it does. */
  @FunctionalInterface
  interface Growth {
    void to(long bytes) throws IOException;
  }

  /** Writes a file, from its beginning or from where an earlier response ended. */
  static final class OfFile extends ResponseBody {
    private final FileChannel file;
    private final Growth growth;
    private String validator = "";

    OfFile(FileChannel file, Growth growth) {
      this.file = file;
      this.growth = growth;
    }

    /** Returns what changes with the file's content; empty where the server says none. */
    String validator() {
      return validator;
    }

    /** Has the next request begin at the beginning. */
    void forget() {
      validator = "";
    }

    @Override
    void begin(HttpResponse.ResponseInfo info) throws IOException {
      HttpHeaders headers = info.headers();
      String packing = headers.firstValue("content-encoding").orElse("identity");
      if (!packing.equalsIgnoreCase("identity")) {
        throw new IOException(
            "the server sends the file packed, content-encoding ["
                + ItemJson.shown(packing)
                + "], which nobody asked for: have it stored, or served, as it is");
      }
      if (info.statusCode() == PARTIAL) {
        Matcher range = CONTENT_RANGE.matcher(headers.firstValue("content-range").orElse(""));
        if (!range.matches() || Long.parseLong(range.group(1)) != file.position()) {
          throw new IOException(
              "the server was asked for bytes from "
                  + file.position()
                  + " on and sends ["
                  + ItemJson.shown(headers.firstValue("content-range").orElse(""))
                  + "]");
        }
      } else {
        file.truncate(0).position(0);
        // A weak ETag does not promise the same bytes.
        validator =
            headers
                .firstValue("etag")
                .filter(tag -> !tag.startsWith("W/"))
                .or(() -> date(headers))
                .orElse("");
      }
      OptionalLong length = headers.firstValueAsLong("content-length");
      if (length.isPresent()) {
        growth.to(file.position() + length.getAsLong());
      }
    }

    @Override
    void take(byte[] bytes) throws IOException {
      growth.to(file.position() + bytes.length);
      ByteBuffer rest = ByteBuffer.wrap(bytes);
      while (rest.hasRemaining()) {
        file.write(rest);
      }
    }
  }
}
