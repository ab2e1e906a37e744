/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.io.IOException;
import org.opensearch.action.ActionType;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.clustermanager.AcknowledgedRequest;
import org.opensearch.action.support.clustermanager.TransportClusterManagerNodeAction;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.block.ClusterBlockException;
import org.opensearch.cluster.block.ClusterBlockLevel;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;

/**
 * Changes the models of the cluster state, on the cluster manager.
 *
 * @param <Q> the request
 * @param <R> its response
 */
abstract class ModelStateAction<Q extends AcknowledgedRequest<Q>, R extends ActionResponse>
    extends TransportClusterManagerNodeAction<Q, R> {
  /** The models as the cluster manager's node knows them. */
  final ModelRegistry registry;

  private final Writeable.Reader<R> reader;

  /** Services of the node that each of these actions needs. */
  public static final class Services {
    private final TransportService transport;
    private final ClusterService cluster;
    private final ThreadPool threadPool;
    private final ActionFilters filters;
    private final IndexNameExpressionResolver resolver;
    private final ModelRegistry registry;

    @Inject
    public Services(
        TransportService transport,
        ClusterService cluster,
        ThreadPool threadPool,
        ActionFilters filters,
        IndexNameExpressionResolver resolver,
        ModelRegistry registry) {
      this.transport = transport;
      this.cluster = cluster;
      this.threadPool = threadPool;
      this.filters = filters;
      this.resolver = resolver;
      this.registry = registry;
    }
  }

  ModelStateAction(ActionType<R> action, Writeable.Reader<Q> requests, Services services) {
    super(
        action.name(),
        services.transport,
        services.cluster,
        services.threadPool,
        services.filters,
        requests,
        services.resolver);
    this.reader = action.getResponseReader();
    this.registry = services.registry;
  }

  @Override
  protected final R read(StreamInput in) throws IOException {
    return reader.read(in);
  }

  @Override
  protected final ClusterBlockException checkBlock(Q request, ClusterState state) {
    return state.blocks().globalBlockedException(ClusterBlockLevel.METADATA_WRITE);
  }
}
