/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.JsonObject;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.plugin.inference.process.WorkerHttp.Reply;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.LastHttpContent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLException;

/**
 * One connection's answers, each of which is at most as long as its request says. Whatever else
 * comes ends the connection. Used by the connection's own thread, but for {@link #isAnswering} and
 * {@link #leave}.
 */
@SuppressWarnings("FutureReturnValueIgnored") // whoever closes does not wait for it
final class WorkerReplies extends SimpleChannelInboundHandler<HttpObject> {
  /** Most bytes of any answer: an array's. */
  private static final int LONGEST_BODY = Integer.MAX_VALUE - 8;

  /** Bytes of an answer of another status than 200 that are read. */
  private static final int LONGEST_REFUSAL = 64 << 10;

  private final WorkerHttp http;
  private volatile Exchange exchange;
  private volatile boolean left;
  private HttpResponse head;
  private ByteArrayOutputStream body;

  /** A request under way. */
  static final class Exchange {
    private final long longest;
    private final CompletableFuture<Reply> reply;
    private final Runnable again;
    private boolean sent;

    /**
     * @param longest bytes of the answer's body at most
     * @param again sends it over a new connection, should this one end before an answer begins;
     *     null where the request fails then
     */
    Exchange(long longest, CompletableFuture<Reply> reply, Runnable again) {
      this.longest = longest;
      this.reply = reply;
      this.again = again;
    }

    CompletableFuture<Reply> reply() {
      return reply;
    }

    /** The request has been written, or cannot be. */
    void sent() {
      sent = true;
    }
  }

  WorkerReplies(WorkerHttp http) {
    this.http = http;
  }

  /** Takes the answer to what is sent now. */
  void begin(Exchange begun) {
    exchange = begun;
    head = null;
    body = new ByteArrayOutputStream();
  }

  /** Returns whether the answer to that has not come yet. */
  boolean isAnswering(Exchange one) {
    return exchange == one;
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, HttpObject message)
      throws IOException {
    Exchange now = exchange;
    if (now == null) {
      context.close();
      return;
    }
    if (message.decoderResult().isFailure()) {
      fail(context, "what is no HTTP: " + message.decoderResult().cause());
      return;
    }
    if (message instanceof HttpResponse response) {
      head = response;
    }
    if (message instanceof HttpContent content) {
      int more = content.content().readableBytes();
      if (body.size() + (long) more > Math.min(now.longest, LONGEST_BODY)) {
        fail(context, "more than the " + now.longest + " bytes that an answer has at most");
        return;
      }
      content.content().readBytes(body, more);
    }
    if (message instanceof LastHttpContent) {
      answered(context, now);
    }
  }

  private void fail(ChannelHandlerContext context, String sent) {
    Exchange failed = exchange;
    exchange = null;
    failed.reply.completeExceptionally(
        new WorkerException.Unreadable(
            http.worker() + " sent " + Messages.excerpt(sent, 300), null));
    context.close();
  }

  private void answered(ChannelHandlerContext context, Exchange answered) {
    exchange = null;
    // A worker that answers before it has taken all would take the rest for the next request.
    http.keep(context.channel(), HttpUtil.isKeepAlive(head) && answered.sent);
    byte[] bytes = body.toByteArray();
    body = null;
    int status = head.status().code();
    if (status == 200) {
      int jsonLength = head.headers().getInt(InferMessage.JSON_LENGTH, -1);
      answered.reply.complete(new Reply(bytes, jsonLength));
    } else {
      answered.reply.completeExceptionally(refused(status, bytes));
    }
  }

  private WorkerException refused(int status, byte[] body) {
    JsonObject json;
    try {
      // Words of a refusal are few; more would only take memory.
      json =
          body.length > LONGEST_REFUSAL
              ? new JsonObject()
              : InferMessage.json(body, 0, body.length);
    } catch (IllegalArgumentException e) {
      json = new JsonObject();
    }
    String text =
        json.has("error") && json.get("error").isJsonPrimitive()
            ? json.get("error").getAsString()
            : "status " + status;
    return new WorkerException.Refused(
        Failure.read(status, json), http.worker() + ": " + Messages.excerpt(text, 1000));
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    http.ended(context.channel());
    end(exchange, http.gone(new ClosedChannelException()));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable thrown) {
    Throwable cause =
        thrown instanceof DecoderException && thrown.getCause() instanceof SSLException refused
            ? refused
            : thrown;
    end(
        exchange,
        cause instanceof IOException
            ? http.gone(cause)
            : new WorkerException.Unreadable(
                http.worker() + " sent what is not to be read: " + cause, cause));
    context.close();
  }

  /** Takes note that the node ends the connection, and what is under way with it. */
  void leave() {
    left = true;
  }

  /** The connection ends, or what was to be sent over it cannot be. */
  void end(Exchange ended, WorkerException why) {
    if (ended == null || exchange != ended) {
      // It has been answered, or ended already.
      return;
    }
    exchange = null;
    if (ended.again != null
        && head == null
        && !left
        && why instanceof WorkerException.Gone
        && !ended.reply.isDone()) {
      ended.again.run();
    } else {
      ended.reply.completeExceptionally(why);
    }
  }
}
