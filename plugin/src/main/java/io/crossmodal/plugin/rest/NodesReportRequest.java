/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import java.io.IOException;
import org.opensearch.action.support.nodes.BaseNodesRequest;
import org.opensearch.core.common.io.stream.StreamInput;

/** Which nodes to ask. */
public final class NodesReportRequest extends BaseNodesRequest<NodesReportRequest> {
  /**
   * @param nodes ids or names; none for all
   */
  public NodesReportRequest(String... nodes) {
    super(nodes);
  }

  NodesReportRequest(StreamInput in) throws IOException {
    super(in);
  }
}
