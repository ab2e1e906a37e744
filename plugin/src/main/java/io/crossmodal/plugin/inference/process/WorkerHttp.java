/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.JsonObject;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpChunkedInput;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.stream.ChunkedStream;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.resolver.NoopAddressResolverGroup;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.Executor;
import javax.net.ssl.SSLException;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;

/**
 * HTTP to one worker. A connection carries one request at a time; to end a request's future ends
 * its connection, by which the worker knows that nobody waits. Thread-safe.
 */
@SuppressWarnings("FutureReturnValueIgnored") // what happens to a channel its handler is told
final class WorkerHttp implements AutoCloseable {
  /** Most bytes of an answer that holds no tensors. */
  private static final int LONGEST_WORDS = 1 << 20;

  private final WorkerAddress address;
  private final Trust trust;
  private final Executor lookups;
  private final Bootstrap bootstrap;
  private final Deque<Channel> idle = new ConcurrentLinkedDeque<>();
  private final Set<Channel> open = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /**
   * Whom a node believes to be its worker.
   *
   * @param user whose process must listen on a socket's file, beside root's
   * @param certificates for TLS; null where no address takes it
   */
  record Trust(String user, SslContext certificates) {}

  /** An answer, of status 200. */
  @SuppressWarnings("ArrayRecordComponent") // read once, never compared
  record Reply(byte[] body, int jsonLength) {
    JsonObject json() {
      return InferMessage.json(body, 0, body.length);
    }

    /** Reads the answer to a job, which has so many numbers. */
    InferMessage message(long numbers) {
      return InferMessage.readResponse(body, jsonLength, numbers);
    }
  }

  /** Writes a request once there is a connection. */
  private interface Sender {
    ChannelFuture send(Channel channel);
  }

  /**
   * @param lookups look up an address's host, at each new connection
   */
  WorkerHttp(WorkerAddress address, Trust trust, EventLoopGroup group, Executor lookups) {
    this.address = address;
    this.trust = trust;
    this.lookups = lookups;
    this.bootstrap =
        new Bootstrap()
            .group(group)
            .channel(address.isFile() ? NioDomainSocketChannel.class : NioSocketChannel.class)
            .resolver(NoopAddressResolverGroup.INSTANCE)
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    if (address.tls()) {
                      InetSocketAddress peer = (InetSocketAddress) address.socket();
                      channel
                          .pipeline()
                          .addLast(
                              trust
                                  .certificates()
                                  .newHandler(
                                      channel.alloc(), peer.getHostString(), peer.getPort()));
                    }
                    channel
                        .pipeline()
                        .addLast(new HttpClientCodec())
                        .addLast(new ChunkedWriteHandler())
                        .addLast(new WorkerReplies(WorkerHttp.this));
                  }
                });
  }

  /** Asks for something. */
  CompletableFuture<Reply> get(String path) {
    return exchange(
        LONGEST_WORDS,
        channel ->
            channel.writeAndFlush(
                toHost(
                    new DefaultFullHttpRequest(
                        HttpVersion.HTTP_1_1, HttpMethod.GET, path, Unpooled.EMPTY_BUFFER))));
  }

  /** Sends a body that is answered by a few words. */
  CompletableFuture<Reply> post(String path, InferMessage.Body body) {
    return post(path, body, LONGEST_WORDS);
  }

  /**
   * Sends a body.
   *
   * @param body whose buffers are sent from where they lie
   * @param longest bytes of the answer at most
   */
  CompletableFuture<Reply> post(String path, InferMessage.Body body, long longest) {
    return exchange(
        longest,
        channel -> {
          List<ByteBuffer> parts = new ArrayList<>(List.of(ByteBuffer.wrap(body.json())));
          body.data().forEach(part -> parts.add(part.duplicate()));
          ByteBuf content = Unpooled.wrappedBuffer(parts.toArray(ByteBuffer[]::new));
          DefaultFullHttpRequest request =
              toHost(
                  new DefaultFullHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, path, content));
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
    CompletableFuture<Reply> reply = new CompletableFuture<>();
    // Over a connection of its own: what has been read of the bundle cannot be sent again.
    connect(
        channel -> {
          HttpRequest request =
              toHost(new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, path));
          request.headers().set(InferMessage.JSON_LENGTH, json.length);
          HttpUtil.setTransferEncodingChunked(request, true);
          channel.write(request);
          InputStream all = new SequenceInputStream(new ByteArrayInputStream(json), bundle);
          return channel.writeAndFlush(new HttpChunkedInput(new ChunkedStream(all, 1 << 16)));
        },
        new WorkerReplies.Exchange(LONGEST_WORDS, reply, null));
    // Where it was not even begun, too.
    return reply.whenComplete((done, failure) -> close(bundle));
  }

  private static void close(InputStream stream) {
    try {
      stream.close();
    } catch (IOException e) {
      // The worker has what was read of it; a file that stays is deleted at the next start.
      return;
    }
  }

  /** Names the host, as HTTP/1.1 asks for; a socket's file has none. */
  private <T extends HttpRequest> T toHost(T request) {
    String host = address.isFile() ? "localhost" : address.text().replace("https://", "");
    request.headers().set(HttpHeaderNames.HOST, host);
    return request;
  }

  private CompletableFuture<Reply> exchange(long longest, Sender sender) {
    CompletableFuture<Reply> reply = new CompletableFuture<>();
    for (Channel channel = idle.pollLast(); channel != null; channel = idle.pollLast()) {
      if (channel.isActive() && !closed) {
        // The worker may end a connection that was idle just as this is sent: then it was not read.
        Runnable again = () -> connect(sender, new WorkerReplies.Exchange(longest, reply, null));
        start(channel, sender, new WorkerReplies.Exchange(longest, reply, again));
        return reply;
      }
    }
    connect(sender, new WorkerReplies.Exchange(longest, reply, null));
    return reply;
  }

  private void connect(Sender sender, WorkerReplies.Exchange exchange) {
    CompletableFuture<Reply> reply = exchange.reply();
    if (closed) {
      reply.completeExceptionally(new WorkerException.Gone("the node is closing", null));
      return;
    }
    CompletableFuture<?> unused =
        address
            .lookUp(lookups)
            .whenComplete(
                (socket, unknown) -> {
                  if (unknown != null) {
                    reply.completeExceptionally(absent(Futures.cause(unknown)));
                  } else {
                    bootstrap
                        .connect(socket)
                        .addListener(
                            (ChannelFuture connected) -> connected(connected, sender, exchange));
                  }
                });
  }

  private WorkerException absent(Throwable cause) {
    return new WorkerException.Gone(
        "no worker listens on [" + address.text() + "]: " + cause, cause);
  }

  private void connected(ChannelFuture connected, Sender sender, WorkerReplies.Exchange exchange) {
    CompletableFuture<Reply> reply = exchange.reply();
    if (!connected.isSuccess()) {
      reply.completeExceptionally(absent(connected.cause()));
      return;
    }
    Channel channel = connected.channel();
    open.add(channel);
    channel.closeFuture().addListener(ended -> open.remove(channel));
    String foreign = closed ? "the node is closing" : foreign(channel);
    if (foreign != null) {
      channel.close();
      reply.completeExceptionally(new WorkerException.Gone(foreign, null));
    } else if (address.tls()) {
      channel
          .pipeline()
          .get(SslHandler.class)
          .handshakeFuture()
          .addListener(
              shaken -> {
                if (shaken.isSuccess()) {
                  start(channel, sender, exchange);
                } else {
                  reply.completeExceptionally(gone(shaken.cause()));
                }
              });
    } else {
      start(channel, sender, exchange);
    }
  }

  /** Returns why the process at the other end is not to be trusted; null where it is. */
  private String foreign(Channel channel) {
    if (!address.isFile()) {
      return null;
    }
    UnixDomainPrincipal peer =
        channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
    String name = peer == null ? "unknown" : peer.user().getName();
    return name.equals(trust.user()) || name.equals("root")
        ? null
        : "the process that listens on ["
            + address.text()
            + "] is of user ["
            + name
            + "], and this node's is ["
            + trust.user()
            + "]: run the worker as the node's user";
  }

  private void start(Channel channel, Sender sender, WorkerReplies.Exchange exchange) {
    channel
        .eventLoop()
        .execute(
            () -> {
              CompletableFuture<Reply> reply = exchange.reply();
              if (reply.isDone()) {
                idle.addLast(channel);
                return;
              }
              WorkerReplies replies = channel.pipeline().get(WorkerReplies.class);
              replies.begin(exchange);
              CompletableFuture<?> unused =
                  reply.whenComplete(
                      (done, failure) -> {
                        // Whoever ends it himself has the worker know by the connection's end.
                        if (replies.isAnswering(exchange)) {
                          channel.close();
                        }
                      });
              ChannelFuture sending;
              try {
                sending = sender.send(channel);
              } catch (RuntimeException | Error e) {
                // Nobody would hear of it here.
                reply.completeExceptionally(e);
                channel.close();
                return;
              }
              sending.addListener(
                  sent -> {
                    exchange.sent();
                    if (!sent.isSuccess()) {
                      replies.end(exchange, gone(sent.cause()));
                      channel.close();
                    }
                  });
            });
  }

  /** Returns the failure of a request whose connection ended. */
  WorkerException gone(Throwable cause) {
    if (cause instanceof SSLException) {
      return new WorkerException.Gone(
          worker()
              + " and this node do not trust each other: "
              + Messages.excerpt(cause.getMessage(), 300)
              + "; see [plugins.cross_modal.engine.tls.*] here and --tls-* there",
          cause);
    }
    return new WorkerException.Gone(worker() + " went away: " + cause, cause);
  }

  /** Takes a connection for the next request, or ends it. */
  void keep(Channel channel, boolean reusable) {
    if (reusable && !closed) {
      idle.addLast(channel);
    } else {
      channel.close();
    }
  }

  /** Takes note that a connection has ended. */
  void ended(Channel channel) {
    idle.remove(channel);
  }

  /** Returns what the worker is called in a message. */
  String worker() {
    return "the worker on [" + address.text() + "]";
  }

  /** Ends all connections; what waits for an answer fails. */
  void disconnect() {
    for (Channel channel : open) {
      WorkerReplies replies = channel.pipeline().get(WorkerReplies.class);
      if (replies != null) {
        replies.leave();
      }
      channel.close();
    }
  }

  @Override
  public void close() {
    closed = true;
    disconnect();
  }
}
