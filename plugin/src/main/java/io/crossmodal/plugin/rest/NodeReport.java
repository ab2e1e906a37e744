/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.plugin.inference.InferenceStats;
import io.crossmodal.plugin.inference.ModelService;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.opensearch.action.support.nodes.BaseNodeResponse;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** What one node counted and where its models stand. */
public final class NodeReport extends BaseNodeResponse {
  private final Map<String, Long> counts;
  private final Map<String, ModelService.State> models;

  NodeReport(DiscoveryNode node, ModelService service) {
    super(node);
    counts = new LinkedHashMap<>();
    for (InferenceStats.Counter counter : InferenceStats.Counter.values()) {
      counts.put(counter.name().toLowerCase(Locale.ROOT), service.stats().get(counter));
    }
    counts.put("queued", (long) service.queued());
    models = new LinkedHashMap<>();
    for (String id : service.catalog().ids()) {
      if (service.catalog().isShipped(id)) {
        models.put(id, service.state(id));
      }
    }
  }

  NodeReport(StreamInput in) throws IOException {
    super(in);
    counts = in.readOrderedMap(StreamInput::readString, StreamInput::readLong);
    models =
        in.readOrderedMap(
            StreamInput::readString, state -> state.readEnum(ModelService.State.class));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    out.writeMap(counts, StreamOutput::writeString, StreamOutput::writeLong);
    out.writeMap(models, StreamOutput::writeString, StreamOutput::writeEnum);
  }

  /** Counts by name, in the order in which they are printed. */
  public Map<String, Long> counts() {
    return counts;
  }

  /** Where each model stands, by its id. */
  public Map<String, ModelService.State> models() {
    return models;
  }
}
