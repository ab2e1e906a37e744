/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.inference.InferenceSettings;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * Settings of a worker.
 *
 * @param socket the file of its Unix domain socket; null for none
 * @param listen addresses of this machine alone (loopback) that it listens on too
 * @param memory for weights and calls, in bytes; at least 1
 * @param allowForeignCode whether a bundle's own TorchScript may run
 * @param inference how models are served; its folder holds libtorch and the bundles
 */
record WorkerSettings(
    Path socket,
    List<InetSocketAddress> listen,
    long memory,
    boolean allowForeignCode,
    InferenceSettings inference) {
  WorkerSettings {
    listen = List.copyOf(listen);
    Objects.requireNonNull(inference, "inference");
    if (socket == null && listen.isEmpty()) {
      throw new IllegalArgumentException("there must be a --socket, or a --listen address");
    }
    for (InetSocketAddress address : listen) {
      if (address.isUnresolved() || !address.getAddress().isLoopbackAddress()) {
        throw new IllegalArgumentException(
            "--listen must be a loopback address such as 127.0.0.1:8000, for whoever reaches it may"
                + " use the worker; got ["
                + address
                + "]");
      }
    }
    if (memory < 1) {
      throw new IllegalArgumentException("--memory must be at least 1, got " + memory);
    }
  }
}
