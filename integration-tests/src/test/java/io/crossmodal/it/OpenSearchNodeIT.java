/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The fixtures themselves: an OpenSearch without our plugin. */
final class OpenSearchNodeIT {
  private static Path folder;
  private static OpenSearchHome home;

  @BeforeAll
  static void layOut() throws IOException {
    folder = Nodes.folder("bare");
    home = OpenSearchHome.create(folder.resolve("home"));
  }

  @Test
  void startsAnswersAndLeavesNoProcess() throws IOException {
    OpenSearchNode.Builder builder = OpenSearchNode.builder(home, folder.resolve("one"));
    ProcessHandle process;
    try (OpenSearchNode node = builder.start()) {
      process = node.process();
      assertTrue(process.isAlive());
      String root = Nodes.call(node, "GET", "/?filter_path=version.number&pretty=false", null);
      assertEquals("{\"version\":{\"number\":\"" + OpenSearchHome.version() + "\"}}", root);
      ordinaryUseWorks(node);
    }
    assertFalse(process.isAlive());

    try (OpenSearchNode again = builder.start()) {
      String kept = Nodes.call(again, "GET", "/copy/_count?filter_path=count", null);
      assertEquals("{\"count\":2}", kept, "documents after a restart");
    }
  }

  /** Checks what a user combines cross-modal search with, and needs a module for. */
  private static void ordinaryUseWorks(OpenSearchNode node) throws IOException {
    Nodes.call(
        node,
        "PUT",
        "/_ingest/pipeline/stamp",
        "{\"processors\":[{\"set\":{\"field\":\"sensor\",\"value\":\"s2\"}}]}");
    Nodes.call(
        node,
        "PUT",
        "/scenes",
        "{\"mappings\":{\"properties\":{\"caption\":{\"type\":\"text\",\"analyzer\":\"english\"},"
            + "\"acquired\":{\"type\":\"date\"},\"place\":{\"type\":\"geo_shape\"}}}}");
    for (int year = 2023; year <= 2024; year++) {
      Nodes.call(
          node,
          "PUT",
          "/scenes/_doc/" + year + "?refresh=true&pipeline=stamp",
          "{\"caption\":\"storage tanks beside a pond\",\"acquired\":\""
              + year
              + "-05-01\",\"place\":{\"type\":\"point\",\"coordinates\":[8.5,47.4]}}");
    }
    String found =
        Nodes.call(
            node,
            "POST",
            "/scenes/_search?filter_path=hits.hits._id,hits.hits._score,hits.hits._source.sensor",
            "{\"query\":{\"script_score\":{\"query\":{\"bool\":{"
                + "\"must\":[{\"match\":{\"caption\":\"tank\"}}],"
                + "\"filter\":[{\"range\":{\"acquired\":{\"gte\":\"2024\"}}},"
                + "{\"geo_shape\":{\"place\":{\"shape\":{\"type\":\"envelope\","
                + "\"coordinates\":[[8,48],[9,47]]}}}}]}},"
                + "\"script\":{\"source\":\"doc['acquired'].value.getYear() * 2\"}}}}");
    assertEquals(
        "{\"hits\":{\"hits\":[{\"_id\":\"2024\",\"_score\":4048.0,"
            + "\"_source\":{\"sensor\":\"s2\"}}]}}",
        found);
    String copied =
        Nodes.call(
            node,
            "POST",
            "/_reindex?refresh=true&filter_path=created",
            "{\"source\":{\"index\":\"scenes\"},\"dest\":{\"index\":\"copy\"}}");
    assertEquals("{\"created\":2}", copied);
  }

  @Test
  void nodesFormAClusterAndOneMayDie() throws IOException {
    try (OpenSearchNode first =
            OpenSearchNode.builder(home, folder.resolve("first")).name("first").start();
        OpenSearchNode second =
            OpenSearchNode.builder(home, folder.resolve("second"))
                .name("second")
                .setting("node.roles", "data,ingest")
                .joining(first)
                .start()) {
      assertEquals("first second", namesOf(first));
      second.kill();
      assertFalse(second.process().isAlive());
      Nodes.call(first, "GET", "/_cluster/health?wait_for_nodes=1&timeout=60s", null);
      assertEquals("first", namesOf(first));
    }
  }

  private static String namesOf(OpenSearchNode node) throws IOException {
    return Nodes.call(node, "GET", "/_cat/nodes?h=name&s=name", null).strip().replace("\n", " ");
  }

  @Test
  void aWrongSettingShowsTheEndOfTheLog() {
    OpenSearchNode.Builder builder =
        OpenSearchNode.builder(home, folder.resolve("wrong")).setting("no.such.setting", "1");
    IOException refused = assertThrows(IOException.class, builder::start);
    assertTrue(refused.getMessage().contains("ended with exit code"), refused.getMessage());
    assertTrue(
        refused.getMessage().contains("unknown setting [no.such.setting]"), refused.getMessage());
  }
}
