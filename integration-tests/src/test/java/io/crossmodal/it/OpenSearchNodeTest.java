/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The options that need no node to be refused. */
final class OpenSearchNodeTest {
  private final OpenSearchNode.Builder builder = OpenSearchNode.builder(null, Path.of("unused"));

  @Test
  void refusesWhatCannotWork() {
    refuses("heapMegabytes must be from 256 to 31744, got: 64", () -> builder.heapMegabytes(64));
    refuses("httpPort must be 0 or from 1024 to 65535, got: 80", () -> builder.httpPort(80));
    refuses(
        "startTimeout must be at least 1 ms, got: PT0S", () -> builder.startTimeout(Duration.ZERO));
    refuses(
        "a node's name must match [a-z0-9][a-z0-9_-]{0,62}, got: Node 1",
        () -> builder.name("Node 1"));
    refuses(
        "a setting's value must be one line without control characters, got: a\nb: c",
        () -> builder.setting("node.attr.gpu", "a\nb: c"));
    refuses(
        "this setting is the fixture's own (name, httpPort and joining change some of them), got:"
            + " path.data",
        () -> builder.setting("path.data", "/elsewhere"));
    refuses(
        "an environment variable's name must match [A-Za-z_][A-Za-z0-9_]*, got: A=B",
        () -> builder.environment("A=B", ""));
  }

  private static void refuses(String message, Executable call) {
    assertEquals(message, assertThrows(IllegalArgumentException.class, call).getMessage());
  }
}
