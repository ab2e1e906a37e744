/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.Trust;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import picocli.CommandLine.Option;

/** Options that name a cluster, and the user who talks to it. */
final class NodeArguments {
  private static final String PASSWORD = "CROSSMODAL_PASSWORD";

  @Option(
      names = "--node",
      paramLabel = "URL",
      defaultValue = "http://localhost:9200",
      description = "HTTP address of any node of the cluster, or of a proxy with its path")
  private URI node;

  @Option(names = "--user", paramLabel = "NAME", description = "user, who needs a password")
  private String user;

  @Option(
      names = "--password",
      paramLabel = "PASSWORD",
      arity = "0..1",
      interactive = true,
      description =
          "the user's; without a value it is asked for, without the option it comes from the"
              + " environment variable "
              + PASSWORD)
  private char[] password;

  @Option(
      names = "--ca",
      paramLabel = "FILE",
      description =
          "https: certificates of the authorities to trust, PEM or DER (default: the JVM's)")
  private Path authorities;

  @Option(
      names = "--insecure",
      description = "https: trust every certificate; whoever is in between can read all")
  private boolean insecure;

  Optional<Path> authorities() {
    return Optional.ofNullable(authorities);
  }

  ClusterClient client() throws IOException {
    return client(authorization());
  }

  /**
   * Makes a client.
   *
   * @param authorization as {@link #authorization} returns it
   */
  ClusterClient client(Optional<String> authorization) throws IOException {
    if (authorities != null && insecure) {
      throw new IllegalArgumentException("--ca and --insecure exclude each other");
    }
    Optional<SSLContext> trust = Optional.empty();
    if (insecure) {
      trust = Optional.of(Trust.everyone());
    } else if (authorities != null) {
      trust = Optional.of(Trust.only(authorities));
    }
    return new ClusterClient(node, authorization, trust);
  }

  /** Returns the header {@code Authorization}; empty without a user. */
  Optional<String> authorization() {
    if (user == null) {
      if (password != null) {
        throw new IllegalArgumentException("--password needs --user");
      }
      return Optional.empty();
    }
    String secret = password == null ? System.getenv(PASSWORD) : new String(password);
    if (secret == null) {
      throw new IllegalArgumentException(
          "--user "
              + user
              + " needs a password, by --password or in the environment variable "
              + PASSWORD);
    }
    return Optional.of(ClusterClient.basic(user, secret));
  }
}
