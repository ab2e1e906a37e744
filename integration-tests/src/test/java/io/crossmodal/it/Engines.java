/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import io.crossmodal.model.fixtures.WorkerProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Where the nodes of the tests compute: in themselves, or with {@code -Dcrossmodal.engine=process}
 * in one worker that they share.
 */
public final class Engines {
  private Engines() {}

  /** The worker of this JVM's nodes, which ends with it. */
  private static final class Shared {
    private static final Path SOCKET = startShared();

    private static Path startShared() {
      try {
        Path socket = socket();
        WorkerProcess worker = WorkerProcess.start(jar(), Nodes.folder("shared-worker"), socket);
        Runtime.getRuntime().addShutdownHook(new Thread(worker::close, "stop the worker"));
        return socket;
      } catch (IOException e) {
        throw new IllegalStateException("no worker for -Dcrossmodal.engine=process", e);
      }
    }
  }

  /** Has a node compute where the system property says. */
  static OpenSearchNode.Builder chosen(OpenSearchNode.Builder node) {
    String engine = System.getProperty("crossmodal.engine", "embedded");
    return switch (engine) {
      case "embedded" -> node;
      case "process" -> beside(node, Shared.SOCKET);
      default ->
          throw new IllegalArgumentException(
              "-Dcrossmodal.engine must be embedded or process, got " + engine);
    };
  }

  /** Has a node compute in a worker. */
  public static OpenSearchNode.Builder beside(OpenSearchNode.Builder node, Path socket) {
    return node.setting("plugins.cross_modal.engine", "process")
        .setting("plugins.cross_modal.engine.socket", socket.toString());
  }

  /** Returns a place for a socket; below the build's folders its path might be too long. */
  public static Path socket() throws IOException {
    Path folder = Files.createTempDirectory(Path.of("/tmp"), "cm-it");
    folder.toFile().deleteOnExit();
    return folder.resolve("w.sock");
  }

  /** Returns what starts the worker that this build made. */
  public static List<String> jar() {
    return List.of(
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx512m",
        "-jar",
        System.getProperty("crossmodal.worker.jar", "target/crossmodal-worker.jar"));
  }
}
