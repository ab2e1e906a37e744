/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.Messages;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a worker listens.
 *
 * @param text as the settings have it
 * @param socket a Unix domain socket's file, or a loopback address and port
 */
public record WorkerAddress(String text, SocketAddress socket) {
  private static final Pattern LOOPBACK =
      Pattern.compile("(localhost|127(?:\\.\\d{1,3}){3}|\\[::1\\]):(\\d{1,5})");

  /** The longest path of a Unix domain socket, as the kernel has it, less its end. */
  private static final int LONGEST_PATH = 107;

  /**
   * Reads an address.
   *
   * @throws IllegalArgumentException for another one, saying what is accepted
   */
  public static WorkerAddress of(String text) {
    Matcher loopback = LOOPBACK.matcher(text);
    if (loopback.matches() && Integer.parseInt(loopback.group(2)) <= 65_535) {
      String host = loopback.group(1).replaceAll("[\\[\\]]", "");
      return new WorkerAddress(
          text, new InetSocketAddress(host, Integer.parseInt(loopback.group(2))));
    }
    if (text.startsWith("/") && text.length() <= LONGEST_PATH) {
      return new WorkerAddress(text, UnixDomainSocketAddress.of(text));
    }
    throw new IllegalArgumentException(
        "[plugins.cross_modal.engine.socket] must be the absolute path of a socket, of at most "
            + LONGEST_PATH
            + " characters, or a loopback address such as 127.0.0.1:8000; got ["
            + Messages.excerpt(text)
            + "]");
  }

  boolean isFile() {
    return socket instanceof UnixDomainSocketAddress;
  }
}
