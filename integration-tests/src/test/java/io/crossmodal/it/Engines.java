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
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Where the nodes of the tests compute: in themselves, or with {@code -Dcrossmodal.engine=process}
 * in one worker that they share.
 */
public final class Engines {
  private Engines() {}

  /** The worker of this JVM's nodes, which ends with it. */
  private static final class Shared {
    private static final Path SOCKET = place();
    private static final WorkerProcess WORKER = startShared();

    private static Path place() {
      try {
        return socket();
      } catch (IOException e) {
        throw new IllegalStateException("no place for a socket", e);
      }
    }

    private static WorkerProcess startShared() {
      try {
        WorkerProcess worker = WorkerProcess.start(jar(), Nodes.folder("shared-worker"), SOCKET);
        Runtime.getRuntime().addShutdownHook(new Thread(worker::close, "stop the worker"));
        return worker;
      } catch (IOException e) {
        throw new IllegalStateException("no worker for -Dcrossmodal.engine=process", e);
      }
    }
  }

  /** Returns whether nodes compute themselves, as the system property says. */
  public static boolean areEmbedded() {
    String engine = System.getProperty("crossmodal.engine", "embedded");
    return switch (engine) {
      case "embedded" -> true;
      case "process" -> false;
      default ->
          throw new IllegalArgumentException(
              "-Dcrossmodal.engine must be embedded or process, got " + engine);
    };
  }

  /** Has a node compute where the system property says. */
  static OpenSearchNode.Builder chosen(OpenSearchNode.Builder node) {
    return areEmbedded() ? node : beside(node, started());
  }

  private static Path started() {
    if (!Shared.WORKER.process().isAlive()) {
      throw new IllegalStateException("the shared worker has ended");
    }
    return Shared.SOCKET;
  }

  /** Has no model answer a node until what is returned is closed. */
  static Late late(CrossModalClient client) throws IOException {
    if (areEmbedded()) {
      String wait = "plugins.cross_modal.inference.batch_wait";
      client.settings(Map.of(wait, "1m"));
      return () -> client.settings(Map.of(wait, "1ms"));
    }
    Shared.WORKER.freeze();
    return () -> {
      Shared.WORKER.thaw();
      // Where it took so long that the node has given the worker up, it is back in a second.
      long end = System.nanoTime() + TimeUnit.MINUTES.toNanos(3);
      while (!client.get("/_plugins/_cross_modal/stats").toString().contains("\"ready\"")) {
        if (System.nanoTime() > end) {
          throw new IOException("the worker did not come back");
        }
      }
    };
  }

  /** Models that do not answer. */
  interface Late extends AutoCloseable {
    @Override
    void close() throws IOException;
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
