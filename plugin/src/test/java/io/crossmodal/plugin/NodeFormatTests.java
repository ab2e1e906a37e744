/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.models.ModelsMetadata;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import org.opensearch.Version;
import org.opensearch.cluster.ClusterName;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.node.DiscoveryNodes;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.test.OpenSearchTestCase;

public class NodeFormatTests extends OpenSearchTestCase {
  private static DiscoveryNode node(String name, Integer format) {
    return new DiscoveryNode(
        name,
        name,
        buildNewFakeTransportAddress(),
        format == null ? Map.of() : Map.of(NodeFormat.ATTRIBUTE, format.toString()),
        Set.of(),
        Version.CURRENT);
  }

  private static ClusterState cluster(DiscoveryNode... nodes) {
    DiscoveryNodes.Builder all = DiscoveryNodes.builder();
    for (DiscoveryNode node : nodes) {
      all.add(node);
    }
    return ClusterState.builder(ClusterName.DEFAULT).nodes(all).build();
  }

  public void testNodesOfOneFormatJoin() {
    int format = randomInt();
    NodeFormat.check(node("new", format), cluster(node("a", format), node("b", format)));
    NodeFormat.check(node("first", format), cluster());
  }

  /** A plugin comes to a cluster node by node, before the first model. */
  public void testNodesWithoutThePluginAreNoneOfItsBusiness() {
    NodeFormat.check(node("new", 2), cluster(node("plain", null)));
    NodeFormat.check(node("plain", null), cluster(node("a", 2)));
  }

  /** Core writes the section to every node of its version; one that cannot read it drops out. */
  public void testANodeWithoutThePluginIsRefusedWhereTheClusterKeepsModels() throws IOException {
    ModelsMetadata models;
    try (XContentParser parser =
        createParser(MediaTypeRegistry.JSON.xContent(), "{\"models\":[]}")) {
      models = ModelsMetadata.fromXContent(parser);
    }
    ClusterState cluster =
        ClusterState.builder(cluster(node("a", 2)))
            .metadata(Metadata.builder().putCustom(ModelsMetadata.TYPE, models))
            .build();
    NodeFormat.check(node("new", 2), cluster);
    IllegalStateException refused =
        expectThrows(
            IllegalStateException.class, () -> NodeFormat.check(node("plain", null), cluster));
    assertThat(refused.getMessage(), containsString("[plain] has no cross-modal plugin"));
  }

  public void testANodeOfAnotherFormatIsRefused() {
    IllegalStateException refused =
        expectThrows(
            IllegalStateException.class,
            () ->
                NodeFormat.check(
                    node("new", 3), cluster(node("plain", null), node("a", 3), node("old", 2))));
    assertThat(refused.getMessage(), containsString("[new] has the node format [3]"));
    assertThat(refused.getMessage(), containsString("[old] in this cluster [2]"));
  }
}
