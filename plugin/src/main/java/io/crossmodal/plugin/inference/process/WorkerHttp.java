/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.JsonObject;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;

/**
 * HTTP to one worker. A connection carries one request at a time; to end a request's future ends
 * its connection, by which the worker knows that nobody waits. Thread-safe.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what happens to a channel its handler is told
final class WorkerHttp implements AutoCloseable {
  private final WorkerAddress address;
  private final String user;
  private final Bootstrap bootstrap;
  private final Deque<Channel> idle = new ConcurrentLinkedDeque<>();
  private final Set<Channel> open = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /** An answer, of status 200. */
  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  record Reply(byte[] body, int jsonLength) {
    JsonObject json() {
      return InferMessage.json(body, 0, body.length);
    }

    InferMessage message() {
      return InferMessage.readResponse(body, jsonLength);
    }
  }

  /** Writes a request once there is a connection. */
  private interface Sender {
    ChannelFuture send(Channel channel);
  }

  /**
   * @param user whose process must listen on a socket's file, beside root's
   */
  WorkerHttp(WorkerAddress address, String user, EventLoopGroup group) {
    this.address = address;
    this.user = user;
    this.bootstrap =
        new Bootstrap()
            .group(group)
            .channel(address.isFile() ? NioDomainSocketChannel.class : NioSocketChannel.class)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel
                        .pipeline()
                        .addLast(new HttpClientCodec())
                        .addLast(new HttpObjectAggregator(Integer.MAX_VALUE))
                        .addLast(new ChunkedWriteHandler())
                        .addLast(new Replies());
                  }
                });
  }

  /** Asks for something. */
  CompletableFuture<Reply> get(String path) {
    return exchange(
        channel ->
            channel.writeAndFlush(
                new DefaultFullHttpRequest(
                    HttpVersion.HTTP_1_1, HttpMethod.GET, path, Unpooled.EMPTY_BUFFER)));
  }

  /**
   * Sends a body.
   *
   * @param body whose buffers are sent from where they lie
   */
  CompletableFuture<Reply> post(String path, InferMessage.Body body) {
    return exchange(
        channel -> {
          List<ByteBuffer> parts = new ArrayList<>(List.of(ByteBuffer.wrap(body.json())));
          body.data().forEach(part -> parts.add(part.duplicate()));
          ByteBuf content = Unpooled.wrappedBuffer(parts.toArray(ByteBuffer[]::new));
          DefaultFullHttpRequest request =
              new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, path, content);
          HttpUtil.setContentLength(request, content.readableBytes());
          if (!body.data().isEmpty()) {
            request.headers().set(InferMessage.JSON_LENGTH, body.json().length);
          }
          return channel.writeAndFlush(request);
        });
  }

  /**
   * Sends JSON and the bytes of a bundle behind it.
   *
   * @param bundle read as the worker takes it; closed
   */
  CompletableFuture<Reply> post(String path, byte[] json, InputStream bundle) {
    return exchange(
        channel -> {
          HttpRequest request = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, path);
          request.headers().set(InferMessage.JSON_LENGTH, json.length);
          HttpUtil.setTransferEncodingChunked(request, true);
          channel.write(request);
          InputStream all = new SequenceInputStream(new ByteArrayInputStream(json), bundle);
          return channel.writeAndFlush(new HttpChunkedInput(new ChunkedStream(all, 1 << 16)));
        });
  }

  private CompletableFuture<Reply> exchange(Sender sender) {
    CompletableFuture<Reply> reply = new CompletableFuture<>();
    for (Channel channel = idle.pollLast(); channel != null; channel = idle.pollLast()) {
      if (channel.isActive()) {
        start(channel, sender, reply);
        return reply;
      }
    }
    bootstrap
        .connect(address.socket())
        .addListener(
            (ChannelFuture connected) -> {
              if (!connected.isSuccess()) {
                reply.completeExceptionally(
                    new WorkerException.Gone(
                        "no worker listens on [" + address.text() + "]: " + connected.cause(),
                        connected.cause()));
                return;
              }
              Channel channel = connected.channel();
              open.add(channel);
              channel.closeFuture().addListener(ended -> open.remove(channel));
              String foreign = closed ? "the node is closing" : foreign(channel);
              if (foreign == null) {
                start(channel, sender, reply);
              } else {
                channel.close();
                reply.completeExceptionally(new WorkerException.Gone(foreign, null));
              }
            });
    return reply;
  }

  /** Returns why the process at the other end is not to be trusted; null where it is. */
  private String foreign(Channel channel) {
    if (!address.isFile()) {
      return null;
    }
    UnixDomainPrincipal peer =
        channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
    String name = peer == null ? "unknown" : peer.user().getName();
    return name.equals(user) || name.equals("root")
        ? null
        : "the process that listens on ["
            + address.text()
            + "] is of user ["
            + name
            + "], and this node's is ["
            + user
            + "]: run the worker as the node's user";
  }

  private void start(Channel channel, Sender sender, CompletableFuture<Reply> reply) {
    channel
        .eventLoop()
        .execute(
            () -> {
              if (reply.isDone()) {
                idle.addLast(channel);
                return;
              }
              channel.pipeline().get(Replies.class).reply = reply;
              CompletableFuture<?> unused =
                  reply.whenComplete(
                      (done, failure) -> {
                        // Whoever ends it himself has the worker know by the connection's end.
                        Replies replies = channel.pipeline().get(Replies.class);
                        if (replies != null && replies.reply == reply) {
                          channel.close();
                        }
                      });
              sender
                  .send(channel)
                  .addListener(
                      sent -> {
                        if (!sent.isSuccess()) {
                          reply.completeExceptionally(gone(sent.cause()));
                          channel.close();
                        }
                      });
            });
  }

  private WorkerException gone(Throwable cause) {
    return new WorkerException.Gone(
        "the worker on [" + address.text() + "] went away: " + cause, cause);
  }

  /** Takes a connection's answers. */
  private final class Replies extends SimpleChannelInboundHandler<FullHttpResponse> {
    private volatile CompletableFuture<Reply> reply;

    @Override
    protected void channelRead0(ChannelHandlerContext context, FullHttpResponse response) {
      CompletableFuture<Reply> answered = reply;
      reply = null;
      if (answered == null) {
        context.close();
        return;
      }
      byte[] body = new byte[response.content().readableBytes()];
      response.content().readBytes(body);
      int jsonLength = response.headers().getInt(InferMessage.JSON_LENGTH, -1);
      boolean keep =
          HttpUtil.isKeepAlive(response)
              && !response.headers().contains(HttpHeaderNames.CONNECTION, "close", true);
      int status = response.status().code();
      if (keep && !closed) {
        idle.addLast(context.channel());
      } else {
        context.close();
      }
      if (status == 200) {
        answered.complete(new Reply(body, jsonLength));
      } else {
        answered.completeExceptionally(refused(status, body));
      }
    }

    private WorkerException refused(int status, byte[] body) {
      JsonObject json;
      try {
        json = InferMessage.json(body, 0, body.length);
      } catch (IllegalArgumentException e) {
        json = new JsonObject();
      }
      String text =
          json.has("error") && json.get("error").isJsonPrimitive()
              ? json.get("error").getAsString()
              : "status " + status;
      return new WorkerException.Refused(
          Failure.read(status, json),
          "worker [" + address.text() + "]: " + Messages.excerpt(text, 1000));
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      idle.remove(context.channel());
      CompletableFuture<Reply> waiting = reply;
      reply = null;
      if (waiting != null) {
        waiting.completeExceptionally(gone(new ClosedChannelException()));
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      CompletableFuture<Reply> waiting = reply;
      reply = null;
      if (waiting != null) {
        waiting.completeExceptionally(
            cause instanceof IOException ? gone(cause) : new IllegalStateException(cause));
      }
      context.close();
    }
  }

  /** Ends all connections; what waits for an answer fails. */
  void disconnect() {
    open.forEach(Channel::close);
  }

  @Override
  public void close() {
    closed = true;
    disconnect();
  }
}
