/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.InferenceSettings;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;

/**
 * Settings of a worker.
 *
 * @param socket the file of its Unix domain socket; null for none
 * @param listen addresses that it listens on too
 * @param tls certificates for those of the addresses that take them; null for none
 * @param connections whom it admits
 * @param memory for weights and calls, in bytes; at least 1
 * @param hang how long a call of a model may go on when nobody waits for it any more, before the
 *     process ends itself; zero: for ever
 * @param allowForeignCode whether a bundle's own TorchScript may run
 * @param inference how models are served; its folder holds libtorch and the bundles
 */
record WorkerSettings(
    Path socket,
    List<Listen> listen,
    Tls tls,
    Connections.Limits connections,
    long memory,
    Duration hang,
    boolean allowForeignCode,
    InferenceSettings inference) {

  /**
   * An address to listen on.
   *
   * @param tls whether both ends show certificates there; without them the address must be of this
   *     machine alone (loopback)
   */
  record Listen(InetSocketAddress address, boolean tls) {}

  /**
   * Files in PEM form.
   *
   * @param certificate the worker's, and those between it and a CA
   * @param key its private key, PKCS#8 without a password
   * @param clients whom the worker serves: the holders of these certificates, and of those that
   *     they have signed
   */
  record Tls(Path certificate, Path key, Path clients) {}

  WorkerSettings {
    listen = List.copyOf(listen);
    Objects.requireNonNull(connections, "connections");
    Objects.requireNonNull(inference, "inference");
    if (socket == null && listen.isEmpty()) {
      throw new IllegalArgumentException("there must be a --socket, or a --listen address");
    }
    for (Listen each : listen) {
      InetSocketAddress address = each.address();
      if (address.isUnresolved()) {
        throw new IllegalArgumentException("--listen: there is no such host: [" + address + "]");
      }
      if (each.tls() && tls == null) {
        throw new IllegalArgumentException(
            "--listen https://... takes --tls-certificate, --tls-key and --tls-clients");
      }
      if (!each.tls() && !address.getAddress().isLoopbackAddress()) {
        throw new IllegalArgumentException(
            "--listen without https:// must be a loopback address such as 127.0.0.1:8000, for"
                + " whoever reaches it may use the worker; got ["
                + address
                + "]");
      }
    }
    if (memory < 1) {
      throw new IllegalArgumentException("--memory must be at least 1, got " + memory);
    }
    if (hang.isNegative()) {
      throw new IllegalArgumentException("--hang-seconds must be at least 0, got " + hang);
    }
  }
}
