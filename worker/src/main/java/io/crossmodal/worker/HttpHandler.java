/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.worker.Endpoints.Answer;
import io.crossmodal.worker.Endpoints.Pending;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
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

  private final Endpoints endpoints;
  private final MemoryBudget heap;
  private final Executor readers;
  private Exchange exchange;

  /**
   * @param heap for requests' bodies
   * @param readers read requests whose body is whole
   */
  HttpHandler(Endpoints endpoints, MemoryBudget heap, Executor readers) {
    this.endpoints = endpoints;
    this.heap = heap;
    this.readers = readers;
  }

  /** A request under way. */
  private static final class Exchange {
    private final String method;
    private final String path;
    private final boolean keepAlive;
    private final int jsonLength;
    private final MemoryBudget.Reservation memory;
    private byte[] body = new byte[0];
    private int received;
    private BundleFiles.Arriving bundle;

    /** Set when the answer is known before the body is whole: the rest is skipped. */
    private Answer refusal;

    /** Whether it was handed on to the readers, who end it. */
    private boolean whole;

    private Pending pending;
    private boolean left;

    private Exchange(HttpRequest request, MemoryBudget.Reservation memory) {
      method = request.method().name();
      path = new QueryStringDecoder(request.uri()).path();
      keepAlive = HttpUtil.isKeepAlive(request);
      jsonLength = number(request, InferMessage.JSON_LENGTH);
      this.memory = memory;
    }

    private static int number(HttpRequest request, String header) {
      String value = request.headers().get(header);
      try {
        return value == null ? -1 : Math.max(0, Integer.parseInt(value));
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException("[" + header + "] must be a number", e);
      }
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

    private void end() {
      memory.close();
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
        // Pipelined: answers would have to wait for each other, which nobody needs.
        context.close();
        return;
      }
      exchange = begin(request);
    }
    if (message instanceof HttpContent content && exchange != null) {
      take(content.content());
      if (message instanceof LastHttpContent) {
        answer(context);
      }
    }
  }

  private Exchange begin(HttpRequest request) {
    long length = HttpUtil.getContentLength(request, -1L);
    Answer refusal = null;
    MemoryBudget.Reservation memory = () -> {};
    Exchange begun;
    try {
      begun = new Exchange(request, memory);
      if (request.decoderResult().isFailure()) {
        throw new IllegalArgumentException(
            "this is no HTTP request", request.decoderResult().cause());
      }
      if (!begun.loads()) {
        if (length < 0 && HttpUtil.isTransferEncodingChunked(request)) {
          throw new IllegalArgumentException("[Content-Length] is missing");
        }
        if (length > Integer.MAX_VALUE - 8) {
          throw new IllegalArgumentException("a request has at most 2 GiB, this one " + length);
        }
        // Twice: the tensors' values are read out of the body.
        memory = heap.reserve("a request", 2 * Math.max(0, length));
        begun = new Exchange(request, memory);
        begun.body = new byte[(int) Math.max(0, length)];
      } else {
        begun.body = new byte[Math.min(begun.jsonLength, 1 << 20)];
        begun.bundle = endpoints.files().receive();
      }
    } catch (RuntimeException | IOException e) {
      refusal = Endpoints.failure(e);
      request.headers().remove(InferMessage.JSON_LENGTH);
      begun = new Exchange(request, memory);
    }
    begun.refusal = refusal;
    return begun;
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
        content.readBytes(exchange.bundle.out(), content.readableBytes());
      }
    } catch (IOException e) {
      exchange.refusal =
          Answer.of(503, Failure.MODEL_UNAVAILABLE.json("the bundle cannot be kept: " + e));
    }
  }

  private void answer(ChannelHandlerContext context) {
    Exchange whole = exchange;
    whole.whole = true;
    // What is only asked needs no work, and health is told while readers are busy.
    Executor reader = whole.method.equals("GET") ? Runnable::run : readers;
    reader.execute(
        () -> {
          Pending started = start(whole);
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
      Endpoints.LoadRequest request =
          Endpoints.LoadRequest.read(InferMessage.json(ended.body, 0, ended.received));
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

  private void write(ChannelHandlerContext context, Exchange ended, Answer answer) {
    ended.end();
    if (exchange == ended) {
      exchange = null;
    }
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
            ended.keepAlive ? ChannelFutureListener.CLOSE_ON_FAILURE : ChannelFutureListener.CLOSE);
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
