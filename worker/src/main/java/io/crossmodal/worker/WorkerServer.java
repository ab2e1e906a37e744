/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.engine.LocalEngine;
import io.crossmodal.model.inference.memory.BoundedMemory;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A worker that listens: the engine, its models and the connections of nodes. Thread-safe. */
@SuppressWarnings("FutureReturnValueIgnored") // a connection that is refused is closed, and no more
final class WorkerServer implements AutoCloseable {
  private static final Logger LOGGER = LoggerFactory.getLogger(WorkerServer.class);

  /** A bundle of so many bytes may be sent in any case. */
  private static final long LEAST_BUNDLE = 1L << 30;

  /** Longer than loading any model takes; nodes wait no longer, either. */
  private static final Duration LONGEST_LOAD = Duration.ofMinutes(30);

  /** How often it is asked whether a call hangs. */
  private static final long WATCH_MILLIS = 1000;

  /** Threads that move bytes; calls have their own. */
  private static final int IO_THREADS = 4;

  /** Threads that read requests, so that a large one does not hold up a connection's thread. */
  private static final int READERS = 4;

  private final DataFolder folder;
  private final LocalEngine engine;
  private final Endpoints endpoints;
  private final BoundedMemory heap;
  private final EventLoopGroup connections;
  private final ExecutorService readers;
  private final Connections admitted;
  private final ScheduledExecutorService watchdog =
      Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("worker-watchdog", true));
  private final List<Channel> listening = new ArrayList<>();
  private OwnSocket socket;

  private WorkerServer(WorkerSettings settings) throws IOException {
    this.folder = DataFolder.lock(settings.inference().directory());
    FusionModel.deleteLeftovers(settings.inference().directory());
    BundleFiles files =
        new BundleFiles(
            settings.inference().directory().resolve("bundles"),
            settings.allowForeignCode(),
            Math.max(settings.memory(), LEAST_BUNDLE));
    ModelCatalog catalog = new ModelCatalog(List::of);
    BoundedMemory memory = new BoundedMemory("the worker's --memory", settings.memory());
    this.engine =
        new LocalEngine(
            catalog,
            settings.inference(),
            () -> NativeRuntime.devices(settings.inference()),
            memory);
    this.heap = new BoundedMemory("the worker's heap", Runtime.getRuntime().maxMemory() / 2);
    this.admitted = new Connections(settings.connections());
    this.endpoints =
        new Endpoints(
            new Repository(files, catalog, engine.models(), engine.jobs().stats()),
            engine,
            memory,
            heap,
            files,
            admitted);
    this.connections =
        new MultiThreadIoEventLoopGroup(
            IO_THREADS, new DefaultThreadFactory("worker-io", true), NioIoHandler.newFactory());
    this.readers =
        Executors.newFixedThreadPool(READERS, new DefaultThreadFactory("worker-read", true));
  }

  /**
   * Starts a worker; it answers when this returns.
   *
   * @param onHang ends the process, because a call that hangs cannot be ended
   * @throws IOException when an address cannot be had, or the folder cannot be written or is
   *     another worker's
   */
  static WorkerServer start(WorkerSettings settings, Runnable onHang) throws IOException {
    WorkerServer server = new WorkerServer(settings);
    boolean started = false;
    try {
      if (settings.socket() != null) {
        server.socket = new OwnSocket(settings.socket());
        server.listen(
            NioServerDomainSocketChannel.class,
            server.socket.address(),
            server.admitted.of(server.socket::isOwners, null, server::handler));
        server.socket.publish();
        LOGGER.info("listens on {}", settings.socket());
      }
      SslContext tls = settings.tls() == null ? null : Connections.context(settings.tls());
      for (WorkerSettings.Listen listen : settings.listen()) {
        ChannelInitializer<Channel> setup =
            server.admitted.of(any -> true, listen.tls() ? tls : null, server::handler);
        server.listen(NioServerSocketChannel.class, listen.address(), setup);
        LOGGER.info("listens on {}{}", listen.tls() ? "https:/" : "", server.addresses());
      }
      server.watch(settings.hang(), onHang);
      started = true;
      return server;
    } finally {
      if (!started) {
        server.close();
      }
    }
  }

  private void listen(
      Class<? extends ServerChannel> kind, SocketAddress address, ChannelInitializer<Channel> setup)
      throws IOException {
    ServerBootstrap bootstrap =
        new ServerBootstrap().group(connections).channel(kind).childHandler(setup);
    try {
      listening.add(bootstrap.bind(address).syncUninterruptibly().channel());
    } catch (RuntimeException e) {
      throw new IOException("cannot listen on " + address + ": " + e.getMessage(), e);
    }
  }

  private HttpHandler handler(Connections.Pace pace) {
    return new HttpHandler(endpoints, heap, readers, pace);
  }

  private void watch(Duration hang, Runnable onHang) {
    if (hang.isZero()) {
      return;
    }
    long every = Math.min(WATCH_MILLIS, hang.toMillis());
    watchdog.scheduleWithFixedDelay(
        () ->
            engine
                .overdue(hang, LONGEST_LOAD)
                .ifPresent(
                    call -> {
                      LOGGER.error("{}: the engine hangs, and the worker ends itself", call);
                      onHang.run();
                    }),
        every,
        every,
        TimeUnit.MILLISECONDS);
  }

  /** Returns the addresses that it listens on, but for the socket's. */
  List<InetSocketAddress> addresses() {
    return listening.stream()
        .map(Channel::localAddress)
        .filter(InetSocketAddress.class::isInstance)
        .map(InetSocketAddress.class::cast)
        .toList();
  }

  /** Waits until it is closed. */
  void join() throws InterruptedException {
    for (Channel channel : listening) {
      channel.closeFuture().sync();
    }
  }

  @Override
  public void close() {
    watchdog.shutdownNow();
    listening.forEach(channel -> channel.close().syncUninterruptibly());
    try {
      if (socket != null) {
        socket.close();
      }
    } catch (IOException e) {
      LOGGER.warn("cannot delete the socket", e);
    }
    engine.close();
    Future<?> unused = connections.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    readers.shutdownNow();
    try {
      folder.close();
    } catch (IOException e) {
      LOGGER.warn("cannot unlock the folder", e);
    }
  }
}
