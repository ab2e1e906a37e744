/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.cluster.ClusterClient;
import java.net.URI;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which cluster a command talks to, and as whom. */
final class NodeArguments {
  private static final String PASSWORD = "CROSSMODAL_PASSWORD";

  @Option(
      names = "--node",
      paramLabel = "URL",
      defaultValue = "http://localhost:9200",
      description = "HTTP address of any node of the cluster, or of a proxy with its path")
  private URI node;

  @Option(
      names = "--user",
      paramLabel = "NAME",
      description = "user; the password comes from the environment variable " + PASSWORD)
  private String user;

  ClusterClient client() {
    if (user == null) {
      return new ClusterClient(node, Optional.empty());
    }
    String password = System.getenv(PASSWORD);
    if (password == null) {
      throw new IllegalArgumentException(
          "--user " + user + " needs a password in the environment variable " + PASSWORD);
    }
    return new ClusterClient(node, Optional.of(ClusterClient.basic(user, password)));
  }
}
