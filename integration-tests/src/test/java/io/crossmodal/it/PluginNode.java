/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * A fresh node with the plugin that this build made; for tests, demo and benchmarks. {@code
 * -Dcrossmodal.heap} gives it more than 1024 MB.
 */
public final class PluginNode {
  private PluginNode() {}

  /**
   * Lays out a home, installs the plugin's zip and starts one node; what was in the folder goes.
   *
   * @param folder for the home, the data and the logs
   */
  public static OpenSearchNode start(Path folder, int httpPort) throws IOException {
    return start(folder, httpPort, List.of(), Engines::chosen);
  }

  /** Starts a node likewise, with k-NN and neural-search installed before ours. */
  public static OpenSearchNode startWithNeighbours(Path folder) throws IOException {
    return start(folder, 0, OpenSearchHome.neighbours(), Engines::chosen);
  }

  /** Starts a node likewise, which computes where the caller says. */
  public static OpenSearchNode start(Path folder, UnaryOperator<OpenSearchNode.Builder> engine)
      throws IOException {
    return start(folder, 0, List.of(), engine);
  }

  private static OpenSearchNode start(
      Path folder,
      int httpPort,
      List<Path> neighbours,
      UnaryOperator<OpenSearchNode.Builder> engine)
      throws IOException {
    if (Files.exists(folder)) {
      try (Stream<Path> old = Files.walk(folder)) {
        List<Path> innermostFirst = old.sorted(Comparator.reverseOrder()).toList();
        for (Path path : innermostFirst) {
          Files.delete(path);
        }
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("home"));
    for (Path neighbour : neighbours) {
      home.install(neighbour);
    }
    home.install(zip());
    return start(home, folder, httpPort, engine);
  }

  /** Starts a node again that has ended, with the data it had. */
  public static OpenSearchNode restart(Path folder, UnaryOperator<OpenSearchNode.Builder> engine)
      throws IOException {
    return start(OpenSearchHome.existing(folder.resolve("home")), folder, 0, engine);
  }

  private static OpenSearchNode start(
      OpenSearchHome home, Path folder, int httpPort, UnaryOperator<OpenSearchNode.Builder> engine)
      throws IOException {
    return engine
        .apply(OpenSearchNode.builder(home, folder.resolve("node")))
        .heapMegabytes(Integer.getInteger("crossmodal.heap", 1024))
        .setting(
            "plugins.cross_modal.inference.threads",
            Integer.toString(Runtime.getRuntime().availableProcessors()))
        // Small segments would have graphs built again and again while a benchmark fills an index.
        .setting("indices.memory.index_buffer_size", "40%")
        // What a machine is fastest in must not decide what is measured.
        .setting("plugins.cross_modal.precision", "fp32")
        .environment("OMP_WAIT_POLICY", "passive")
        .httpPort(httpPort)
        .start();
  }

  /** Returns the zip that this build made. */
  public static Path zip() {
    return Path.of(System.getProperty("crossmodal.plugin.zip", "target/plugin.zip"));
  }
}
