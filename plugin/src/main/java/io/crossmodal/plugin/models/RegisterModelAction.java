/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.io.IOException;
import java.util.List;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.clustermanager.AcknowledgedRequest;
import org.opensearch.cluster.AckedClusterStateUpdateTask;
import org.opensearch.cluster.ClusterState;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.threadpool.ThreadPool;

/**
 * Names a bundle, whose bytes are in place, in the cluster state: as a new model, or as the next
 * version of one with the same spaces. Runs on the cluster manager, so that of two nodes that
 * register at once one is first and the other is judged by what the first one did.
 */
public final class RegisterModelAction extends ActionType<RegisterModelAction.Response> {
  public static final RegisterModelAction INSTANCE = new RegisterModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/register";

  private RegisterModelAction() {
    super(NAME, Response::new);
  }

  /** Gives the model to register. */
  static final class Request extends AcknowledgedRequest<Request> {
    private final StoredModel model;

    Request(StoredModel model) {
      this.model = model;
    }

    Request(StreamInput in) throws IOException {
      super(in);
      model = new StoredModel(in);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      super.writeTo(out);
      model.writeTo(out);
    }

    @Override
    public ActionRequestValidationException validate() {
      return null;
    }
  }

  /** Gives the model as it was registered. */
  static final class Response extends ActionResponse {
    private final StoredModel model;
    private final boolean created;

    Response(StoredModel model, boolean created) {
      this.model = model;
      this.created = created;
    }

    Response(StreamInput in) throws IOException {
      super(in);
      model = new StoredModel(in);
      created = in.readBoolean();
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      model.writeTo(out);
      out.writeBoolean(created);
    }

    /** Returns the model with its version. */
    StoredModel model() {
      return model;
    }

    /** Returns whether it was not there before. */
    boolean created() {
      return created;
    }
  }

  /**
   * Returns the state's models with one more.
   *
   * @return the same object where the same bundle has that name already
   * @throws OpenSearchStatusException 409 when the id stands for a model of other spaces, 400 when
   *     there are too many models
   */
  static ModelsMetadata register(ModelsMetadata models, StoredModel model) {
    StoredModel current = models.models().get(model.id());
    if (current == null) {
      if (models.models().size() >= ModelsMetadata.MAX_MODELS) {
        throw new OpenSearchStatusException(
            "the cluster keeps [{}] models already, delete one first",
            RestStatus.BAD_REQUEST,
            models.models().size());
      }
      return models.with(model.withVersion(1));
    }
    if (!current.sameSpaces(model)) {
      throw new OpenSearchStatusException(
          "model [{}] has the filter space [{}] and the token space [{}], the bundle has [{}] and"
              + " [{}]: what fields stored with the one cannot be searched with the other; choose"
              + " another id",
          RestStatus.CONFLICT,
          model.id(),
          current.embeddingSpace(),
          current.tokenSpace(),
          model.embeddingSpace(),
          model.tokenSpace());
    }
    return current.sha256().equals(model.sha256())
        ? models
        : models.with(model.withVersion(current.version() + 1));
  }

  /**
   * Refuses models where a node could not read them: the cluster state goes to every node.
   *
   * @throws OpenSearchStatusException 409 when there are nodes without the plugin
   */
  static void requireOnEveryNode(List<String> nodesWithoutPlugin) {
    if (!nodesWithoutPlugin.isEmpty()) {
      throw new OpenSearchStatusException(
          "the nodes {} have no cross-modal plugin, and could not stay in a cluster that keeps"
              + " models: install it there first",
          RestStatus.CONFLICT,
          nodesWithoutPlugin);
    }
  }

  /** Runs on the cluster manager. */
  public static final class Transport extends ModelStateAction<Request, Response> {
    @Inject
    public Transport(Services services) {
      super(INSTANCE, Request::new, services);
    }

    @Override
    protected String executor() {
      return ThreadPool.Names.SAME;
    }

    @Override
    protected void clusterManagerOperation(
        Request request, ClusterState state, ActionListener<Response> listener) {
      String id = request.model.id();
      clusterService.submitStateUpdateTask(
          "register cross-modal model [" + id + "]",
          new AckedClusterStateUpdateTask<Response>(request, listener) {
            private Response response;

            @Override
            public ClusterState execute(ClusterState before) {
              requireOnEveryNode(registry.nodesWithoutPlugin(before));
              ModelsMetadata models = ModelsMetadata.of(before);
              ModelsMetadata after = register(models, request.model);
              response = new Response(after.models().get(id), !after.equals(models));
              return after.in(before);
            }

            @Override
            protected Response newResponse(boolean acknowledged) {
              return response;
            }
          });
    }
  }
}
