/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import java.util.Map;
import java.util.Set;
import org.opensearch.Version;
import org.opensearch.cluster.ClusterName;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.node.DiscoveryNodes;
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

  /** A plugin comes to a cluster node by node. */
  public void testNodesWithoutThePluginAreNoneOfItsBusiness() {
    NodeFormat.check(node("new", 2), cluster(node("plain", null)));
    NodeFormat.check(node("plain", null), cluster(node("a", 2)));
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
