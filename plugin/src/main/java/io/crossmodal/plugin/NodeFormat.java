/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.models.ModelsMetadata;
import io.crossmodal.plugin.wire.WireFormat;
import java.util.Locale;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.Node;

/**
 * Decides which versions of this plugin may be in one cluster: those of one {@link WireFormat}.
 * Each node says in an attribute what it speaks; a node that speaks otherwise than one in the
 * cluster does not join. Without that it would join, and searches and cluster states would fail
 * with messages about bytes.
 */
final class NodeFormat {
  static final String ATTRIBUTE = "cross_modal.format";

  private NodeFormat() {}

  /** Returns what a node says of itself. */
  static Settings attribute() {
    return Settings.builder()
        .put(Node.NODE_ATTRIBUTES.getKey() + ATTRIBUTE, Integer.toString(WireFormat.NUMBER))
        .build();
  }

  /** Returns whether a node has the plugin, in whatever format. */
  static boolean hasPlugin(DiscoveryNode node) {
    return node.getAttributes().containsKey(ATTRIBUTE);
  }

  /**
   * Refuses a node that speaks otherwise than one in the cluster, and one without the plugin where
   * the cluster state holds models: core sends them to every node of its version, and a node that
   * cannot read them drops out. Without models, nodes without the plugin are none of its business.
   *
   * @throws IllegalStateException naming both, or what the cluster holds
   */
  static void check(DiscoveryNode joining, ClusterState cluster) {
    ModelsMetadata models = cluster.metadata().custom(ModelsMetadata.TYPE);
    if (!hasPlugin(joining) && models != null) {
      throw new IllegalStateException(
          String.format(
              Locale.ROOT,
              "node [%s] has no cross-modal plugin, and this cluster keeps models that it could not"
                  + " read: install the plugin on it, or delete the models first: %s",
              joining.getName(),
              models.ids()));
    }
    String own = joining.getAttributes().get(ATTRIBUTE);
    for (DiscoveryNode node : cluster.nodes()) {
      String theirs = node.getAttributes().get(ATTRIBUTE);
      if (own != null && theirs != null && !own.equals(theirs)) {
        throw new IllegalStateException(
            String.format(
                Locale.ROOT,
                "the cross-modal plugin of node [%s] has the node format [%s], that of node [%s]"
                    + " in this cluster [%s]: install the same version of the plugin on both; to"
                    + " upgrade from one format to the other, stop all nodes first",
                joining.getName(),
                own,
                node.getName(),
                theirs));
      }
    }
  }
}
