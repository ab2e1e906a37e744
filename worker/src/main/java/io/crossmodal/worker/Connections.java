/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import com.google.gson.JsonObject;
import io.crossmodal.model.Messages;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.PeerTrust;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpServerExpectContinueHandler;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.function.Predicate;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who may connect, how many at once, and how slowly they may send and read; counts whom it sends
 * away. Thread-safe.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a connection that is refused is closed, and no more
final class Connections {
  private static final Logger LOGGER = LoggerFactory.getLogger(Connections.class);

  /** What whoever sends a request, or takes an answer, has to move in each interval of patience. */
  private static final long LEAST_BYTES = 1 << 16;

  /** Intervals of patience for which a connection may be kept without a request. */
  private static final int IDLE_INTERVALS = 60;

  private final Limits limits;
  private final AtomicInteger open = new AtomicInteger();
  private final Map<Refusal, LongAdder> refused = new EnumMap<>(Refusal.class);

  /**
   * Limits.
   *
   * @param most connections at once; at least 1
   * @param patience in which whoever sends a request must bring 64 KiB of it, or its end, and
   *     whoever is answered take as much; above 0
   */
  record Limits(int most, Duration patience) {
    Limits {
      if (most < 1) {
        throw new IllegalArgumentException("--max-connections must be at least 1, got " + most);
      }
      if (patience.isNegative() || patience.isZero()) {
        throw new IllegalArgumentException("--patience-seconds must be at least 1");
      }
    }
  }

  /** Why a connection is ended. */
  private enum Refusal {
    /** The other end is a process of another user than the socket's owner. */
    FOREIGN_USER,
    /** Too many are open. */
    TOO_MANY,
    /** It shows no certificate, or none that is trusted, or speaks no TLS. */
    UNTRUSTED,
    /** It sends a request, or takes its answer, too slowly, or not at all. */
    TOO_SLOW
  }

  Connections(Limits limits) {
    this.limits = limits;
    for (Refusal refusal : Refusal.values()) {
      refused.put(refusal, new LongAdder());
    }
  }

  /**
   * Reads certificates.
   *
   * @throws IOException when there are none, or they do not fit each other
   */
  static SslContext context(WorkerSettings.Tls tls) throws IOException {
    PeerTrust clients = PeerTrust.of(tls.clients());
    try {
      return SslContextBuilder.forServer(tls.certificate().toFile(), tls.key().toFile())
          .sslProvider(SslProvider.JDK)
          .protocols("TLSv1.3", "TLSv1.2")
          .trustManager(clients)
          .clientAuth(ClientAuth.REQUIRE)
          .build();
    } catch (IllegalArgumentException | SSLException e) {
      throw new IOException(
          "["
              + tls.certificate()
              + "] must be a certificate in PEM form, and ["
              + tls.key()
              + "] its private key in PKCS#8 without a password (-----BEGIN PRIVATE KEY-----): "
              + Messages.excerpt(e.getCause() == null ? e.getMessage() : e.getCause().toString()),
          e);
    }
  }

  /**
   * Makes what sets up an address's connections.
   *
   * @param welcome tells whose are served
   * @param tls null for an address without
   * @param requests makes what reads a connection's requests, and says when one is whole
   */
  ChannelInitializer<Channel> of(
      Predicate<Channel> welcome, SslContext tls, Function<Pace, HttpHandler> requests) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel connection) {
        if (open.incrementAndGet() > limits.most) {
          open.decrementAndGet();
          refuse(connection, Refusal.TOO_MANY, "there are " + limits.most + " already");
          // Nobody reads a refusal that must be encrypted first.
          connection
              .writeAndFlush(tls == null ? full() : Unpooled.EMPTY_BUFFER)
              .addListener(ChannelFutureListener.CLOSE);
          return;
        }
        connection.closeFuture().addListener(ended -> open.decrementAndGet());
        if (!welcome.test(connection)) {
          refuse(connection, Refusal.FOREIGN_USER, "it is not the socket's owner");
          connection.close();
          return;
        }
        if (tls != null) {
          connection.pipeline().addLast(tls.newHandler(connection.alloc()), new Handshake());
        }
        Pace pace = new Pace();
        connection
            .pipeline()
            .addLast(pace, new HttpServerCodec(), new HttpServerExpectContinueHandler())
            .addLast(requests.apply(pace));
      }
    };
  }

  private ByteBuf full() {
    String json = Failure.QUEUE_FULL.json("too many connections are open").toString();
    String head =
        "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Type: application/json\r\n"
            + "Content-Length: ";
    return Unpooled.copiedBuffer(
        head + json.length() + "\r\n\r\n" + json, StandardCharsets.US_ASCII);
  }

  private void refuse(Channel connection, Refusal why, String text) {
    LongAdder count = refused.get(why);
    count.increment();
    // The first, and then ever fewer: whoever floods the worker does not flood its log.
    if (Long.bitCount(count.sum()) == 1) {
      LOGGER.warn(
          "ends a connection from {}: {} ({} of this kind)",
          connection.remoteAddress(),
          text,
          count.sum());
    }
  }

  /** Returns how many are open, and how many were refused or ended, by the reason. */
  JsonObject json() {
    JsonObject json = new JsonObject();
    json.addProperty("open", open.get());
    json.addProperty("most", limits.most);
    refused.forEach(
        (why, count) -> json.addProperty(why.name().toLowerCase(Locale.ROOT), count.sum()));
    return json;
  }

  /** Counts whose certificates are refused; the other end is told by TLS itself. */
  private final class Handshake extends ChannelInboundHandlerAdapter {
    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof SslHandshakeCompletionEvent completed && !completed.isSuccess()) {
        refuse(
            context.channel(),
            Refusal.UNTRUSTED,
            "its certificate is not trusted: " + Messages.excerpt(completed.cause().getMessage()));
        context.close();
      }
      context.fireUserEventTriggered(event);
    }
  }

  /** Whose turn it is on a connection. */
  private enum Turn {
    /** The other end sends a request; a new connection has to. */
    SENDING,
    /** The worker computes. */
    COMPUTING,
    /** The other end takes its answer. */
    TAKING,
    /** Nobody's: the last request has been answered. */
    IDLE
  }

  /**
   * Ends a connection that sends a request or takes its answer too slowly, or is kept without one
   * for long. It looks once in each interval of patience; used by the connection's own thread.
   */
  final class Pace extends ChannelInboundHandlerAdapter {
    private ScheduledFuture<?> clock;
    private Turn turn = Turn.SENDING;
    private boolean wholeInterval;
    private int idle;

    /** Of a request, what came since the last look; of an answer, what was left then. */
    private long bytes;

    @Override
    public void channelActive(ChannelHandlerContext context) {
      long nanos = limits.patience.toNanos();
      clock =
          context
              .executor()
              .scheduleAtFixedRate(() -> look(context), nanos, nanos, TimeUnit.NANOSECONDS);
      context.fireChannelActive();
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      if (clock != null) {
        clock.cancel(false);
      }
      context.fireChannelInactive();
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      if (turn == Turn.IDLE) {
        become(Turn.SENDING);
      }
      if (turn == Turn.SENDING) {
        bytes += ((ByteBuf) message).readableBytes();
      }
      context.fireChannelRead(message);
    }

    private void become(Turn next) {
      turn = next;
      wholeInterval = false;
      idle = 0;
      bytes = 0;
    }

    /** A request is whole: now the worker has to do something. */
    void whole() {
      become(Turn.COMPUTING);
    }

    /** Its answer is being written. */
    void answering() {
      become(Turn.TAKING);
    }

    /** It was answered. */
    void answered() {
      become(Turn.IDLE);
    }

    private void look(ChannelHandlerContext context) {
      long moved = bytes;
      switch (turn) {
        case COMPUTING -> {
          return;
        }
        case IDLE -> {
          if (++idle > IDLE_INTERVALS) {
            context.close();
          }
          return;
        }
        case SENDING -> bytes = 0;
        case TAKING -> {
          bytes = left(context.channel());
          moved -= bytes;
        }
      }
      if (wholeInterval && moved < LEAST_BYTES) {
        refuse(context.channel(), Refusal.TOO_SLOW, "it sends or reads too slowly, or nothing");
        context.close();
      }
      wholeInterval = true;
    }

    /** Returns how many bytes of what is written the other end has not taken. */
    private static long left(Channel channel) {
      ChannelOutboundBuffer buffer = channel.unsafe().outboundBuffer();
      return buffer == null ? 0 : buffer.totalPendingWriteBytes() - buffer.currentProgress();
    }
  }
}
