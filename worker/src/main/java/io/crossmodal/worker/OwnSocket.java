/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.netty.channel.Channel;
import io.netty.channel.socket.nio.NioChannelOption;
import java.io.IOException;
import java.net.ConnectException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import jdk.net.ExtendedSocketOptions;
import jdk.net.UnixDomainPrincipal;

/**
 * The file of a Unix domain socket that nobody but its owner can use: it is bound in a folder of
 * mode 0700 and moved to its place when its own mode is 0600, and who connects is asked for.
 */
final class OwnSocket implements AutoCloseable {
  private final Path file;
  private final Path bound;
  private String owner;

  /**
   * Tells the socket from one that another worker has put in its place; null before it is there.
   */
  private Object key;

  /**
   * @param file the socket's place; what a killed worker left there is replaced
   * @throws IOException when another process listens there, or another thing than a socket is there
   */
  OwnSocket(Path file) throws IOException {
    this.file = file.toAbsolutePath();
    if (Files.exists(this.file, LinkOption.NOFOLLOW_LINKS)) {
      requireAbandoned();
    }
    Path folder =
        Files.createTempDirectory(
            this.file.getParent(),
            ".cm",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    this.bound = folder.resolve("s");
  }

  private void requireAbandoned() throws IOException {
    boolean other =
        Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS).isOther();
    if (!other) {
      throw new IOException("[" + file + "] is there and is no socket; name another --socket");
    }
    try {
      SocketChannel.open(UnixDomainSocketAddress.of(file)).close();
    } catch (ConnectException e) {
      // Nobody listens: a killed worker has left it.
      return;
    }
    throw new IOException(
        "another process listens on [" + file + "]; end it, or name another --socket");
  }

  /** Returns where to bind. */
  UnixDomainSocketAddress address() {
    return UnixDomainSocketAddress.of(bound);
  }

  /** Brings the bound socket to its place. */
  void publish() throws IOException {
    Files.setPosixFilePermissions(bound, PosixFilePermissions.fromString("rw-------"));
    owner = Files.getOwner(bound).getName();
    key = key(bound);
    Files.move(bound, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    Files.delete(bound.getParent());
  }

  /** Returns whether a connection's other end is a process of the socket's owner. */
  boolean isOwners(Channel connection) {
    UnixDomainPrincipal peer =
        connection.config().getOption(NioChannelOption.of(ExtendedSocketOptions.SO_PEERCRED));
    return peer != null && peer.user().getName().equals(owner);
  }

  private static Object key(Path file) throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
        .fileKey();
  }

  /** Deletes the socket's file, but not a successor's. */
  @Override
  public void close() throws IOException {
    if (key != null && Files.exists(file, LinkOption.NOFOLLOW_LINKS) && key.equals(key(file))) {
      Files.deleteIfExists(file);
    }
    Files.deleteIfExists(bound);
    Files.deleteIfExists(bound.getParent());
  }
}
