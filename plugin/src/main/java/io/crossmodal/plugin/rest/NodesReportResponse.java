/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import java.io.IOException;
import java.util.List;
import org.opensearch.action.FailedNodeException;
import org.opensearch.action.support.nodes.BaseNodesResponse;
import org.opensearch.cluster.ClusterName;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** The reports of all nodes asked. */
public final class NodesReportResponse extends BaseNodesResponse<NodeReport> {
  NodesReportResponse(
      ClusterName cluster, List<NodeReport> nodes, List<FailedNodeException> failures) {
    super(cluster, nodes, failures);
  }

  NodesReportResponse(StreamInput in) throws IOException {
    super(in);
  }

  @Override
  protected List<NodeReport> readNodesFrom(StreamInput in) throws IOException {
    return in.readList(NodeReport::new);
  }

  @Override
  protected void writeNodesTo(StreamOutput out, List<NodeReport> nodes) throws IOException {
    out.writeList(nodes);
  }
}
