/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.worker.Endpoints.Answer;
import io.crossmodal.worker.Endpoints.Pending;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection: takes a request's body, into the heap or, a bundle's, to the disk, and writes the
 * answer. A connection that ends while its request is computed cancels it. One request at a time.
 */
@SuppressWarnings("FutureReturnValueIgnored") // whoever closes or writes waits for neither
final class HttpHandler extends SimpleChannelInboundHandler<HttpObject> {
  private static final Logger LOGGER = LoggerFactory.getLogger(HttpHandler.class);

  /** Most bytes of the JSON before a bundle, of which there are a few words. */
  private static final int LONGEST_LOAD = 1 << 16;

  private final Endpoints endpoints;
  private final MemoryBudget heap;
  private final Executor readers;
  private final Connections.Pace pace;
  private Exchange exchange;

  /**
   * @param heap for requests' bodies, and answers that are not read yet
   * @param readers read requests whose body is whole
   * @param pace is told when a request is whole, and when its answer begins and is taken
   */
  HttpHandler(Endpoints endpoints, MemoryBudget heap, Executor readers, Connections.Pace pace) {
    this.endpoints = endpoints;
    this.heap = heap;
    this.readers = readers;
    this.pace = pace;
  }

  /** A request under way. */
  private static final class Exchange {
    private static final byte[] NOTHING = new byte[0];
    private final String method;
    private final String path;
    private final boolean keepAlive;
    private final int jsonLength;
    private MemoryBudget.Reservation memory = () -> {};
    private byte[] body = NOTHING;
    private int received;
    private BundleFiles.Arriving bundle;

    /** Set when the answer is known before the body is whole: the rest is skipped. */
    private Answer refusal;

    /** Whether it was handed on to the readers, who end it. */
    private boolean whole;

    private Pending pending;
    private boolean left;

    private Exchange(String method, String path, boolean keepAlive, int jsonLength) {
      this.method = method;
      this.path = path;
      this.keepAlive = keepAlive;
      this.jsonLength = jsonLength;
    }

    private static Exchange of(HttpRequest request) {
      if (request.decoderResult().isFailure()) {
        throw new IllegalArgumentException(
            "this is no HTTP request: "
                + Messages.excerpt(request.decoderResult().cause().getMessage()),
            request.decoderResult().cause());
      }
      return new Exchange(
          request.method().name(),
          new QueryStringDecoder(request.uri()).path(),
          HttpUtil.isKeepAlive(request),
          number(request, InferMessage.JSON_LENGTH));
    }

    /** A request that is refused before it is whole; its connection goes with it. */
    private static Exchange refused(Answer refusal) {
      Exchange exchange = new Exchange("", "", false, -1);
      exchange.refusal = refusal;
      return exchange;
    }

    private static int number(HttpRequest request, String header) {
      String value = request.headers().get(header);
      if (value == null) {
        return -1;
      }
      if (!value.matches("\\d{1,9}")) {
        throw new IllegalArgumentException(
            "[" + header + "] must be a number of bytes, got [" + Messages.excerpt(value) + "]");
      }
      return Integer.parseInt(value);
    }

    /** Takes memory for the body, for its tensors' values, and for what its JSON becomes. */
    private void reserve(MemoryBudget heap, long length, long json) {
      memory = heap.reserve("a request", 2 * length + InferMessage.HEAP_PER_JSON_BYTE * json);
      body = new byte[(int) length];
    }

    /** Returns whether a bundle follows the JSON. */
    private boolean loads() {
      return method.equals("POST")
          && path.startsWith("/v2/repository/models/")
          && path.endsWith("/load")
          && jsonLength >= 0;
    }

    private synchronized void computedBy(Pending started) {
      pending = started;
      if (left) {
        started.cancel().run();
      }
    }

    /** The connection has ended. */
    private synchronized void leave() {
      left = true;
      if (pending != null) {
        pending.cancel().run();
      }
    }

    /** Lets go of what it holds; may be called again. */
    private synchronized void end() {
      memory.close();
      body = NOTHING;
      pending = null;
      try {
        if (bundle != null) {
          bundle.close();
        }
      } catch (IOException e) {
        LOGGER.warn("cannot delete what was received of a bundle", e);
      }
    }
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, HttpObject message) {
    if (message instanceof HttpRequest request) {
      if (exchange != null) {
        // Pipelined: answers would have to wait for each other, which nobody needs. What has come
        // of it already is still brought here, and must not be taken for the first one's.
        context.close();
        return;
      }
      exchange = begin(request);
      if (request.decoderResult().isFailure() && !(message instanceof LastHttpContent)) {
        // Netty finds no end of a request whose headers are none.
        answer(context);
        return;
      }
    }
    if (message instanceof HttpContent content && exchange != null && !exchange.whole) {
      if (message.decoderResult().isFailure() && exchange.refusal == null) {
        exchange.refusal =
            Endpoints.failure(
                new IllegalArgumentException(
                    "the body is no HTTP", message.decoderResult().cause()));
      }
      take(content.content());
      if (message instanceof LastHttpContent) {
        answer(context);
      }
    }
  }

  private Exchange begin(HttpRequest request) {
    Exchange begun = null;
    try {
      begun = Exchange.of(request);
      long length = HttpUtil.getContentLength(request, -1L);
      if (begun.loads()) {
        if (begun.jsonLength > LONGEST_LOAD) {
          throw new IllegalArgumentException(
              "the JSON of a load has at most " + LONGEST_LOAD + " bytes");
        }
        begun.reserve(heap, begun.jsonLength, begun.jsonLength);
        begun.bundle = endpoints.files().receive();
      } else {
        if (length < 0 && HttpUtil.isTransferEncodingChunked(request)) {
          throw new IllegalArgumentException("[Content-Length] is missing");
        }
        long whole = Math.max(0, length);
        if (whole > Integer.MAX_VALUE - 8) {
          throw new IllegalArgumentException("a request has at most 2 GiB, this one " + length);
        }
        long json = begun.jsonLength < 0 ? whole : begun.jsonLength;
        long most = Math.min(InferMessage.LONGEST_JSON, whole);
        if (json > most) {
          throw new IllegalArgumentException(
              "the JSON of this request has at most "
                  + most
                  + " bytes, not "
                  + json
                  + ": send tensors in binary, behind it");
        }
        begun.reserve(heap, whole, json);
      }
      return begun;
    } catch (Throwable e) {
      if (begun != null) {
        begun.end();
      }
      report(e);
      return Exchange.refused(Endpoints.failure(e));
    }
  }

  /**
   * Hands an Error to whoever decides what the process does about it. Not thrown, for an event loop
   * would keep it to itself. The heap's end is told to the client alone: what took it was the
   * request's, and is gone with it.
   */
  private static void report(Throwable failure) {
    if (failure instanceof Error
        && !(failure instanceof OutOfMemoryError)
        && !(failure instanceof LinkageError)) {
      Thread here = Thread.currentThread();
      here.getUncaughtExceptionHandler().uncaughtException(here, failure);
    }
  }

  private void take(ByteBuf content) {
    if (exchange.refusal != null) {
      return;
    }
    try {
      int head = Math.min(content.readableBytes(), exchange.body.length - exchange.received);
      content.readBytes(exchange.body, exchange.received, head);
      exchange.received += head;
      if (exchange.bundle != null) {
        exchange.bundle.take(content);
      }
    } catch (RequestException e) {
      exchange.refusal = Endpoints.failure(e);
    } catch (IOException e) {
      exchange.refusal =
          Answer.of(503, Failure.MODEL_UNAVAILABLE.json("the bundle cannot be kept: " + e));
    }
  }

  private void answer(ChannelHandlerContext context) {
    Exchange whole = exchange;
    whole.whole = true;
    pace.whole();
    // What is only asked needs no work, and health is told while readers are busy.
    Executor reader = whole.method.equals("GET") ? Runnable::run : readers;
    reader.execute(
        () -> {
          Pending started;
          try {
            started = start(whole);
          } catch (Throwable e) {
            // Without an answer the connection and its memory would be held for ever.
            started = Pending.of(Endpoints.failure(e));
            report(e);
          }
          whole.computedBy(started);
          CompletableFuture<?> unused =
              started
                  .answer()
                  .whenComplete(
                      (answer, failure) -> {
                        // Made by whoever completed it, written by the connection's own thread.
                        Answer known = failure == null ? answer : Endpoints.failure(failure);
                        context.executor().execute(() -> write(context, whole, known));
                      });
        });
  }

  private Pending start(Exchange whole) {
    if (whole.refusal != null) {
      return Pending.of(whole.refusal);
    }
    return whole.bundle != null
        ? keepAndLoad(whole)
        : endpoints.answer(whole.method, whole.path, whole.body, whole.jsonLength);
  }

  private Pending keepAndLoad(Exchange ended) {
    try {
      LoadRequest request = LoadRequest.read(InferMessage.json(ended.body, 0, ended.received));
      ended.bundle.keep(request.sha256());
      String[] parts = ended.path.split("/", -1);
      return endpoints.load(parts[4], request);
    } catch (RuntimeException e) {
      return Pending.of(Endpoints.failure(e));
    } catch (IOException e) {
      return Pending.of(
          Answer.of(503, Failure.MODEL_UNAVAILABLE.json("the bundle cannot be kept: " + e)));
    }
  }

  private void write(ChannelHandlerContext context, Exchange ended, Answer computed) {
    ended.end();
    Answer answer = computed;
    try {
      // It stays for as long as the client takes to read it.
      ended.memory = heap.reserve("an answer", computed.body().length());
    } catch (InferenceException.MemoryExceeded e) {
      answer = Endpoints.failure(e);
    }
    pace.answering();
    List<ByteBuffer> parts = new ArrayList<>(List.of(ByteBuffer.wrap(answer.body().json())));
    parts.addAll(answer.body().data());
    ByteBuf body = Unpooled.wrappedBuffer(parts.toArray(ByteBuffer[]::new));
    DefaultFullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(answer.status()), body);
    HttpUtil.setContentLength(response, body.readableBytes());
    boolean binary = answer.jsonLength() >= 0;
    response
        .headers()
        .set(
            HttpHeaderNames.CONTENT_TYPE, binary ? "application/octet-stream" : "application/json");
    if (binary) {
      response.headers().set(InferMessage.JSON_LENGTH, answer.jsonLength());
    }
    HttpUtil.setKeepAlive(response, ended.keepAlive);
    context
        .writeAndFlush(response)
        .addListener(
            written -> {
              ended.end();
              pace.answered();
              if (exchange == ended) {
                exchange = null;
              }
              if (!written.isSuccess() || !ended.keepAlive) {
                context.close();
              }
            });
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    if (exchange != null) {
      Exchange left = exchange;
      exchange = null;
      if (left.whole) {
        left.leave();
      } else {
        left.end();
      }
    }
    context.fireChannelInactive();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    LOGGER.debug("a connection ends", cause);
    context.close();
  }
}
