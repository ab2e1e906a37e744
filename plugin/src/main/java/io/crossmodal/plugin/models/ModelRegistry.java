/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.plugin.inference.ModelCatalog;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.ModelVersion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.cluster.ClusterChangedEvent;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.ClusterStateApplier;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.AbstractRunnable;
import org.opensearch.gateway.GatewayService;
import org.opensearch.threadpool.Scheduler;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.client.Client;

/**
 * Keeps this node's {@link ModelCatalog} to what the cluster state names, and the disk and the
 * system index to what is needed.
 */
public final class ModelRegistry implements ClusterStateApplier, AutoCloseable {
  private static final Logger LOGGER = LogManager.getLogger(ModelRegistry.class);

  private final ModelCatalog catalog;
  private final ClusterService clusterService;
  private final ThreadPool threadPool;
  private final ModelIndex index;
  private final BundleStore store;
  private final Supplier<ModelService> service;
  private final Predicate<DiscoveryNode> hasPlugin;
  private final TimeValue uploadTimeout;
  private final Scheduler.Cancellable sweeps;

  // Only the thread that applies cluster states touches it.
  private ModelsMetadata applied;

  /**
   * @param catalog to be kept up to date
   * @param directory for bundles, of this class alone, below the node's data path
   * @param service to be told of changes; asked when there are some
   * @param hasPlugin whether a node can read the cluster state's models
   */
  public ModelRegistry(
      ModelCatalog catalog,
      Path directory,
      Client client,
      ClusterService clusterService,
      ThreadPool threadPool,
      Supplier<ModelService> service,
      Predicate<DiscoveryNode> hasPlugin) {
    this.catalog = catalog;
    this.clusterService = clusterService;
    this.threadPool = threadPool;
    this.service = service;
    this.hasPlugin = hasPlugin;
    this.index = new ModelIndex(client, clusterService);
    this.store = new BundleStore(directory, index::get, threadPool.generic());
    this.uploadTimeout = ModelSettings.UPLOAD_TIMEOUT.get(clusterService.getSettings());
    store.deleteTemporary();
    // Before the shards of this state are started: their mappings may ask for the models.
    clusterService.addHighPriorityApplier(this);
    sweeps =
        threadPool.scheduleWithFixedDelay(
            this::sweepIfClusterManager, uploadTimeout, ThreadPool.Names.GENERIC);
  }

  /** The models that this node knows. */
  public ModelCatalog catalog() {
    return catalog;
  }

  /** Names of the nodes that could not read the cluster state if there were models in it. */
  List<String> nodesWithoutPlugin(ClusterState state) {
    return state.nodes().getNodes().values().stream()
        .filter(hasPlugin.negate())
        .map(DiscoveryNode::getName)
        .sorted()
        .toList();
  }

  ModelIndex index() {
    return index;
  }

  BundleStore store() {
    return store;
  }

  @Override
  public void applyClusterState(ClusterChangedEvent event) {
    ClusterState state = event.state();
    if (state.blocks().hasGlobalBlock(GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
      // Says nothing about models yet.
      return;
    }
    ModelsMetadata models = ModelsMetadata.of(state);
    if (models.equals(applied)) {
      return;
    }
    applied = models;
    List<ModelVersion> versions = new ArrayList<>();
    Set<String> needed = new HashSet<>();
    for (StoredModel model : models.models().values()) {
      ModelVersion known = catalog.stored().get(model.id());
      versions.add(
          known != null && known.is(model.id(), model.version(), model.sha256())
              ? known
              : ModelVersion.stored(
                  model.id(),
                  model.version(),
                  model.sha256(),
                  model.manifestJson(),
                  () -> store.fetch(model)));
      needed.add(model.sha256());
    }
    catalog.update(versions);
    later("cannot follow the cluster's models", () -> service.get().refresh());
    later("cannot tidy the node's bundles", () -> store.retain(needed));
  }

  /** Frees what the system index need not hold any more, if this node is the cluster manager. */
  void sweepSoon() {
    later("cannot tidy the models' index", this::sweepIfClusterManager);
  }

  private void sweepIfClusterManager() {
    ClusterState state = clusterService.state();
    if (!state.nodes().isLocalNodeElectedClusterManager()
        || state.blocks().hasGlobalBlock(GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
      return;
    }
    Set<String> needed = new HashSet<>();
    ModelsMetadata.of(state).models().values().forEach(model -> needed.addAll(model.chunks()));
    // An upload writes before it is named: what is young may be one.
    index.sweep(System.currentTimeMillis() - uploadTimeout.millis(), needed::contains);
  }

  private void later(String failure, Runnable work) {
    threadPool
        .generic()
        .execute(
            new AbstractRunnable() {
              @Override
              protected void doRun() {
                work.run();
              }

              @Override
              public void onFailure(Exception e) {
                LOGGER.warn(failure, e);
              }

              @Override
              public void onRejection(Exception e) {
                // The node is closing; the next one to start tidies up.
                LOGGER.debug(failure, e);
              }
            });
  }

  @Override
  public void close() {
    sweeps.cancel();
  }
}
