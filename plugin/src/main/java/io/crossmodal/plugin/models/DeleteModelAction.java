/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.plugin.inference.registry.ModelCatalog;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.MappingFields;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.clustermanager.AcknowledgedRequest;
import org.opensearch.action.support.clustermanager.AcknowledgedResponse;
import org.opensearch.action.support.clustermanager.TransportClusterManagerNodeAction;
import org.opensearch.cluster.AckedClusterStateUpdateTask;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.block.ClusterBlockException;
import org.opensearch.cluster.block.ClusterBlockLevel;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;

/**
 * Takes a model out of the cluster state, if no index uses it. Nodes let go of it when they see
 * that; its bytes go when they were of no use for as long as {@link ModelSettings#KEEP_UNUSED}
 * says. Its record is retired before, so that it does not come back with a cluster state that was
 * lost.
 */
public final class DeleteModelAction extends ActionType<AcknowledgedResponse> {
  public static final DeleteModelAction INSTANCE = new DeleteModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/delete";

  private DeleteModelAction() {
    super(NAME, AcknowledgedResponse::new);
  }

  /** Which model. */
  public static final class Request extends AcknowledgedRequest<Request> {
    private final String id;

    public Request(String id) {
      this.id = id;
    }

    Request(StreamInput in) throws IOException {
      super(in);
      id = in.readString();
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      out.writeString(id);
    }

    @Override
    public ActionRequestValidationException validate() {
      return null;
    }
  }

  /** Names of the indices that have a field of a model. */
  static List<String> users(ClusterState state, String model, ModelCatalog catalog) {
    TreeSet<String> users = new TreeSet<>();
    for (IndexMetadata index : state.metadata()) {
      if (index.mapping() != null) {
        Map<String, Object> mapping = index.mapping().sourceAsMap();
        MappingFields.visit(
            mapping,
            (path, node) -> {
              if (CrossModalFieldMapper.TYPE.equals(node.get("type"))
                  && FieldDefinition.modelId(node, catalog).equals(model)) {
                users.add(index.getIndex().getName());
              }
            });
      }
    }
    return List.copyOf(users);
  }

  /** Runs on the cluster manager. */
  public static final class Transport
      extends TransportClusterManagerNodeAction<Request, AcknowledgedResponse> {
    private final ModelRegistry registry;

    @Inject
    public Transport(
        TransportService transportService,
        ClusterService clusterService,
        ThreadPool threadPool,
        ActionFilters actionFilters,
        IndexNameExpressionResolver resolver,
        ModelRegistry registry) {
      super(
          NAME,
          transportService,
          clusterService,
          threadPool,
          actionFilters,
          Request::new,
          resolver);
      this.registry = registry;
    }

    @Override
    protected String executor() {
      // The record is written before the cluster state is asked to change.
      return ThreadPool.Names.GENERIC;
    }

    @Override
    protected AcknowledgedResponse read(StreamInput in) throws IOException {
      return new AcknowledgedResponse(in);
    }

    @Override
    protected ClusterBlockException checkBlock(Request request, ClusterState state) {
      return state.blocks().globalBlockedException(ClusterBlockLevel.METADATA_WRITE);
    }

    @Override
    protected void clusterManagerOperation(
        Request request, ClusterState state, ActionListener<AcknowledgedResponse> listener) {
      // Parts that nobody completes go too; of a model that was never whole there is no more.
      boolean abandoned = registry.records().abandon(request.id);
      if (abandoned && !ModelsMetadata.of(state).models().containsKey(request.id)) {
        listener.onResponse(new AcknowledgedResponse(true));
        return;
      }
      ClusterState unused = delete(state, request.id);
      registry.retire(request.id);
      clusterService.submitStateUpdateTask(
          "delete cross-modal model [" + request.id + "]",
          new AckedClusterStateUpdateTask<AcknowledgedResponse>(request, listener) {
            @Override
            public ClusterState execute(ClusterState before) {
              return delete(before, request.id);
            }

            @Override
            protected AcknowledgedResponse newResponse(boolean acknowledged) {
              return new AcknowledgedResponse(acknowledged);
            }

            @Override
            public void onFailure(String source, Exception e) {
              registry.tendSoon();
              super.onFailure(source, e);
            }
          });
    }

    private ClusterState delete(ClusterState before, String id) {
      ModelCatalog catalog = registry.catalog();
      ModelsMetadata models = ModelsMetadata.of(before);
      if (!models.models().containsKey(id)) {
        if (catalog.isShipped(id)) {
          throw new OpenSearchStatusException(
              "model [{}] comes with the plugin and cannot be deleted", RestStatus.CONFLICT, id);
        }
        throw new ResourceNotFoundException(
            "unknown model [{}], this cluster has {}", id, catalog.ids());
      }
      List<String> users = users(before, id, catalog);
      if (!users.isEmpty()) {
        throw new OpenSearchStatusException(
            "model [{}] is used by the indices {}: delete them first, for nothing else can search"
                + " what it stored there",
            RestStatus.CONFLICT,
            id,
            users);
      }
      ModelsMetadata left = models.without(id);
      Metadata.Builder metadata = Metadata.builder(before.metadata());
      // Nodes without the plugin cannot read an empty section either.
      return ClusterState.builder(before)
          .metadata(
              left.models().isEmpty()
                  ? metadata.removeCustom(ModelsMetadata.TYPE)
                  : metadata.putCustom(ModelsMetadata.TYPE, left))
          .build();
    }
  }
}
