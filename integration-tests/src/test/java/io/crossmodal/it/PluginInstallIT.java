/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The zips, through OpenSearch's own plugin command line. */
final class PluginInstallIT {
  private static final Path ZIP = Path.of(System.getProperty("crossmodal.plugin.zip"));

  private static Path folder;

  @BeforeAll
  static void makeFolder() throws IOException {
    folder = Nodes.folder("install");
  }

  @Test
  void installsIntoAStockOpenSearchWhichThenStarts() throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("home"));
    home.install(ZIP);
    try (OpenSearchNode node = OpenSearchNode.builder(home, folder.resolve("node")).start()) {
      String plugins = Nodes.call(node, "GET", "/_cat/plugins?h=name,component", null);
      assertEquals("node cross-modal", plugins.strip());
      refusesANodeOfAnotherFormat(home, node);
    }
  }

  /** The setting stands for a version of the plugin whose nodes speak otherwise. */
  private static void refusesANodeOfAnotherFormat(OpenSearchHome home, OpenSearchNode node)
      throws IOException {
    Path other = folder.resolve("other");
    assertThrows(
        IOException.class,
        () ->
            OpenSearchNode.builder(home, other)
                .name("other")
                .setting("node.attr.cross_modal.format", "0")
                .joining(node)
                .startTimeout(Duration.ofSeconds(45))
                .start()
                .close());
    String said = Files.readString(other.resolve("logs/start-1.log"));
    assertTrue(
        said.contains("the cross-modal plugin of node [other] has the node format [0]"), said);
    String nodes = Nodes.call(node, "GET", "/_cat/nodes?h=name", null);
    assertEquals("node", nodes.strip());
  }

  @Test
  void theSlimZipLeavesOutLibtorchOnly() throws IOException {
    Path slim = Path.of(ZIP.toString().replace(".zip", "-slim.zip"));
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("slim-home"));
    home.install(slim);
    try (Stream<Path> jars = Files.list(home.folder().resolve("plugins/cross-modal"))) {
      assertTrue(jars.noneMatch(jar -> jar.getFileName().toString().contains("native-cpu")));
    }
  }

  @Test
  void aForeignZipIsRefusedWithTheToolsOwnWords() throws IOException {
    OpenSearchHome home = OpenSearchHome.create(folder.resolve("refusing-home"));
    Path foreign = Files.writeString(folder.resolve("foreign.zip"), "no zip at all");
    IOException refused = assertThrows(IOException.class, () -> home.install(foreign));
    assertTrue(refused.getMessage().contains("OpenSearch's tool failed"), refused.getMessage());
  }
}
