/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.registry.ModelStatus.PrecisionTrial;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.plugin.action.NodeReport;
import io.crossmodal.plugin.action.NodesReportAction;
import io.crossmodal.plugin.errors.InferenceErrors;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.rest.BytesRestResponse;
import org.opensearch.rest.RestChannel;
import org.opensearch.rest.RestResponse;
import org.opensearch.rest.action.RestBuilderListener;

/** Answers with what models are and where they stand on the nodes that reported. */
final class ModelListing extends RestBuilderListener<NodesReportAction.Response> {
  private final ModelCatalog catalog;
  private final String named;

  /**
   * @param named the one model to list; null for all
   */
  ModelListing(ModelCatalog catalog, String named, RestChannel channel) {
    super(channel);
    this.catalog = catalog;
    this.named = named;
  }

  @Override
  public RestResponse buildResponse(NodesReportAction.Response response, XContentBuilder builder)
      throws IOException {
    if (named != null) {
      // Not before: without the right to the report, no answer may tell which models there are.
      InferenceErrors.checkKnown(catalog, named);
    }
    builder.startObject().startArray("models");
    for (String id : named == null ? catalog.ids() : List.of(named)) {
      // One may have gone since.
      if (catalog.has(id)) {
        writeModel(builder, catalog.version(id), response.getNodes());
      }
    }
    return new BytesRestResponse(RestStatus.OK, builder.endArray().endObject());
  }

  private void writeModel(XContentBuilder builder, ModelVersion version, List<NodeReport> nodes)
      throws IOException {
    builder
        .startObject()
        .field("id", version.id())
        .field("default", version.id().equals(catalog.defaultId()))
        .field("version", version.number());
    if (!version.sha256().isEmpty()) {
      builder.field("sha256", version.sha256());
    }
    try {
      writeManifest(builder, version.manifest());
    } catch (IllegalArgumentException e) {
      builder.field("error", e.getMessage());
    }
    builder.startObject("nodes");
    for (NodeReport node : nodes) {
      NodeReport.Model known = node.models().get(version.id());
      builder.startObject(node.getNode().getId()).field("name", node.getNode().getName());
      if (known == null) {
        builder.field("state", "unknown");
      } else {
        writeStatus(builder, known.status());
      }
      builder.endObject();
    }
    builder.endObject().endObject();
  }

  private static void writeStatus(XContentBuilder builder, ModelStatus status) throws IOException {
    builder.field("state", status.state().name().toLowerCase(Locale.ROOT));
    if (status.version() > 0) {
      builder.field("version", status.version());
    }
    if (status.state() == ModelStatus.State.LOADED) {
      builder
          .field("device", String.join(",", status.devices()))
          .field("precision", status.precision())
          .field("memory_in_bytes", status.bytes());
      writeTrials(builder, status.trials());
    }
    if (!status.error().isEmpty()) {
      builder.field("error", status.error());
    }
  }

  /** Returns what was measured when the precision was chosen. */
  private static void writeTrials(XContentBuilder builder, List<PrecisionTrial> trials)
      throws IOException {
    if (trials.isEmpty()) {
      return;
    }
    builder.startObject("precisions");
    for (PrecisionTrial trial : trials) {
      builder.startObject(trial.precision().name().toLowerCase(Locale.ROOT));
      if (trial.error().isEmpty()) {
        builder
            .field("micros", trial.micros())
            .field("embedding_deviation", trial.embedding())
            .field("logit_deviation", trial.logit());
      } else {
        builder.field("error", trial.error());
      }
      builder.endObject();
    }
    builder.endObject();
  }

  private static void writeManifest(XContentBuilder builder, ModelManifest model)
      throws IOException {
    Fingerprints fingerprints = model.fingerprints();
    builder
        .field("filter_dimension", model.config().embeddingDimension())
        .field("hidden", model.config().hidden())
        .field("image_hidden", model.config().tokenWidth())
        .field("max_text_tokens", model.config().hasText() ? model.config().text().maxTokens() : 0)
        .field("sensors", model.config().sensors().stream().map(SensorConfig::name).toList())
        .field("fusion", model.config().hasFusion())
        .field("heat_maps", model.config().hasText() && model.config().image().hasValuePath())
        .field("prompts", model.prompts() == null ? List.of() : model.prompts())
        .startObject("fingerprints")
        .field("filter_space", fingerprints.embeddingSpace())
        .field("token_space", fingerprints.tokenSpace())
        .field("fusion_head", fingerprints.fusionHead())
        .endObject();
  }
}
