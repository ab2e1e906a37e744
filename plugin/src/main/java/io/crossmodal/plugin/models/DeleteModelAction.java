/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.util.List;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.ResourceNotFoundException;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.clustermanager.AcknowledgedRequest;
import org.opensearch.action.support.clustermanager.AcknowledgedResponse;
import org.opensearch.cluster.AckedClusterStateUpdateTask;
import org.opensearch.cluster.ClusterState;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.threadpool.ThreadPool;

/**
 * Takes a model out of the cluster state, if no index uses it. Nodes let go of it when they see
 * that; its bytes go when they were of no use for as long as {@link CrossModalSettings#KEEP_UNUSED}
 * says. Its record is retired before, so that it does not come back with a cluster state that was
 * lost.
 */
public final class DeleteModelAction extends ActionType<AcknowledgedResponse> {
  public static final DeleteModelAction INSTANCE = new DeleteModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/delete";

  private DeleteModelAction() {
    super(NAME, AcknowledgedResponse::new);
  }

  /** Names the model to delete. */
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

  /** Runs on the cluster manager. */
  public static final class Transport extends ModelStateAction<Request, AcknowledgedResponse> {
    @Inject
    public Transport(Services services) {
      super(INSTANCE, Request::new, services);
    }

    @Override
    protected String executor() {
      // The record is written before the cluster state is asked to change.
      return ThreadPool.Names.GENERIC;
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
      ModelsMetadata unused = delete(state, request.id);
      registry.retire(request.id);
      clusterService.submitStateUpdateTask(
          "delete cross-modal model [" + request.id + "]",
          new AckedClusterStateUpdateTask<AcknowledgedResponse>(request, listener) {
            @Override
            public ClusterState execute(ClusterState before) {
              return delete(before, request.id).in(before);
            }

            @Override
            protected AcknowledgedResponse newResponse(boolean acknowledged) {
              return new AcknowledgedResponse(acknowledged);
            }

            @Override
            public void onFailure(String source, Exception e) {
              registry.maintainSoon();
              super.onFailure(source, e);
            }
          });
    }

    /** Returns the state's models without one that is not used. */
    private ModelsMetadata delete(ClusterState before, String id) {
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
      List<String> users = registry.users(before, id);
      if (!users.isEmpty()) {
        throw new OpenSearchStatusException(
            "model [{}] is used by the indices {}: delete them first, for nothing else can search"
                + " what it stored there",
            RestStatus.CONFLICT,
            id,
            users);
      }
      return models.without(id);
    }
  }
}
