/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.Messages;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a worker listens.
 *
 * @param text as the settings have it
 * @param socket a Unix domain socket's file, or a host and port; a host of TLS is looked up at each
 *     connection
 * @param tls whether both ends show certificates; without them it is this machine
 */
public record WorkerAddress(String text, SocketAddress socket, boolean tls) {
  private static final Pattern LOOPBACK =
      Pattern.compile("(localhost|127(?:\\.\\d{1,3}){3}|\\[::1\\]):(\\d{1,5})");

  private static final Pattern TLS =
      Pattern.compile("https://([A-Za-z0-9.-]{1,253}|\\[[0-9a-fA-F:.]{2,45}\\]):(\\d{1,5})");

  /** The longest path of a Unix domain socket, as the kernel has it, less its end. */
  private static final int LONGEST_PATH = 107;

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException for another one, saying what is accepted
   */
  public static WorkerAddress of(String text) {
    Matcher loopback = LOOPBACK.matcher(text);
    if (loopback.matches() && port(loopback) <= 65_535) {
      return new WorkerAddress(text, new InetSocketAddress(host(loopback), port(loopback)), false);
    }
    Matcher tls = TLS.matcher(text);
    if (tls.matches() && port(tls) <= 65_535) {
      return new WorkerAddress(
          text, InetSocketAddress.createUnresolved(host(tls), port(tls)), true);
    }
    if (text.startsWith("/") && text.length() <= LONGEST_PATH) {
      return new WorkerAddress(text, UnixDomainSocketAddress.of(text), false);
    }
    throw new IllegalArgumentException(
        "[plugins.cross_modal.engine.socket] must be the absolute path of a socket, of at most "
            + LONGEST_PATH
            + " characters, a loopback address such as 127.0.0.1:8000, or with certificates"
            + " https://HOST:PORT; got ["
            + Messages.excerpt(text)
            + "]");
  }

  private static String host(Matcher matched) {
    return matched.group(1).replaceAll("[\\[\\]]", "");
  }

  private static int port(Matcher matched) {
    return Integer.parseInt(matched.group(2));
  }

  boolean isFile() {
    return socket instanceof UnixDomainSocketAddress;
  }

  /**
   * Finds the address to connect to.
   *
   * @param lookups ask for a host's, not on a connection's thread, whose others would wait
   * @return fails with {@link UnknownHostException} where there is none
   */
  CompletableFuture<SocketAddress> lookUp(Executor lookups) {
    if (!(socket instanceof InetSocketAddress host && host.isUnresolved())) {
      return CompletableFuture.completedFuture(socket);
    }
    try {
      return CompletableFuture.supplyAsync(
          () -> {
            InetSocketAddress found = new InetSocketAddress(host.getHostString(), host.getPort());
            if (found.isUnresolved()) {
              throw new CompletionException(new UnknownHostException(host.getHostString()));
            }
            return found;
          },
          lookups);
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(e);
    }
  }
}
