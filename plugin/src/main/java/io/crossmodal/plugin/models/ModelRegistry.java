/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.MappingFields;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.action.support.PlainActionFuture;
import org.opensearch.cluster.ClusterChangedEvent;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.ClusterStateApplier;
import org.opensearch.cluster.ClusterStateListener;
import org.opensearch.cluster.ClusterStateUpdateTask;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.settings.Settings;
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
public final class ModelRegistry
    implements ClusterStateApplier, ClusterStateListener, AutoCloseable {
  /** From one failed look for lost models to the next. */
  private static final TimeValue RETRY = TimeValue.timeValueSeconds(5);

  private static final Logger LOGGER = LogManager.getLogger(ModelRegistry.class);

  private final ModelCatalog catalog;
  private final ClusterService clusterService;
  private final ThreadPool threadPool;
  private final ModelIndex index;
  private final ModelRecords records;
  private final BundleStore store;
  private final Runnable onChange;
  private final Predicate<DiscoveryNode> hasPlugin;
  private final TimeValue uploadTimeout;
  private final TimeValue keepUnused;
  private final Scheduler.Cancellable sweeps;

  // Only the thread that applies cluster states touches these two.
  private ModelsMetadata applied;
  private ModelsMetadata maintained;

  /** Whether this node, since it is the cluster manager, has looked for models that were lost. */
  private volatile boolean restored;

  /**
   * @param catalog to be kept up to date
   * @param directory for bundles, of this class alone, below the node's data path
   * @param onChange run after each change of the catalog, off the thread that applies states
   * @param heap what checking a bundle asks for memory
   * @param hasPlugin whether a node can read the cluster state's models
   */
  public ModelRegistry(
      ModelCatalog catalog,
      Path directory,
      Client client,
      ClusterService clusterService,
      ThreadPool threadPool,
      Runnable onChange,
      MemoryBudget heap,
      Predicate<DiscoveryNode> hasPlugin) {
    this.catalog = catalog;
    this.clusterService = clusterService;
    this.threadPool = threadPool;
    this.onChange = onChange;
    this.hasPlugin = hasPlugin;
    this.index = new ModelIndex(client, clusterService);
    this.records = new ModelRecords(index);
    Settings settings = clusterService.getSettings();
    this.uploadTimeout = CrossModalSettings.UPLOAD_TIMEOUT.get(settings);
    this.keepUnused = CrossModalSettings.KEEP_UNUSED.get(settings);
    this.store =
        new BundleStore(
            directory,
            index::get,
            threadPool.generic(),
            heap,
            CrossModalSettings.ALLOW_FOREIGN_CODE.get(settings),
            CrossModalSettings.MODEL_MAX_SIZE.get(settings),
            keepUnused,
            threadPool::relativeTimeInMillis);
    store.deleteTemporary();
    // Before the shards of this state are started: their mappings may ask for the models.
    clusterService.addHighPriorityApplier(this);
    clusterService.addListener(this);
    sweeps = threadPool.scheduleWithFixedDelay(this::tick, uploadTimeout, ThreadPool.Names.GENERIC);
  }

  /** Returns the models that this node knows. */
  public ModelCatalog catalog() {
    return catalog;
  }

  /**
   * Returns names of the nodes that could not read the cluster state if there were models in it.
   */
  List<String> nodesWithoutPlugin(ClusterState state) {
    return state.nodes().getNodes().values().stream()
        .filter(hasPlugin.negate())
        .map(DiscoveryNode::getName)
        .sorted()
        .toList();
  }

  /** Returns the names of the indices that have a field of a model, in alphabetical order. */
  List<String> users(ClusterState state, String model) {
    Set<String> users = new TreeSet<>();
    forEachField(state, model, (index, field) -> users.add(index));
    return List.copyOf(users);
  }

  /** Visits the fields of a model in all indices, each with its index's name and its mapping. */
  void forEachField(ClusterState state, String model, BiConsumer<String, Map<?, ?>> visitor) {
    for (IndexMetadata index : state.metadata()) {
      if (index.mapping() != null) {
        MappingFields.visit(
            index.mapping().sourceAsMap(),
            (path, field) -> {
              if (CrossModalFieldMapper.TYPE.equals(field.get("type"))
                  && FieldDefinition.modelId(field, catalog).equals(model)) {
                visitor.accept(index.getIndex().getName(), field);
              }
            });
      }
    }
  }

  ModelIndex index() {
    return index;
  }

  ModelRecords records() {
    return records;
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
    if (!models.equals(applied)) {
      apply(models);
    }
  }

  /** Comes when the state is the node's, so that what is done later does not see the one before. */
  @Override
  public void clusterChanged(ClusterChangedEvent event) {
    ClusterState state = event.state();
    if (state.blocks().hasGlobalBlock(GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
      return;
    }
    boolean changed = !applied.equals(maintained);
    maintained = applied;
    if (changed) {
      later("cannot tidy the node's bundles", this::retain);
    }
    if (!state.nodes().isLocalNodeElectedClusterManager()) {
      restored = false;
    } else if (changed
        || (!restored
            && (event.routingTableChanged()
                || !event.previousState().nodes().isLocalNodeElectedClusterManager()))) {
      // Until the index's shard is there nothing tells whether models were lost.
      maintainSoon();
    }
  }

  private void apply(ModelsMetadata models) {
    applied = models;
    List<ModelVersion> versions = new ArrayList<>();
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
    }
    catalog.update(versions);
    later("cannot follow the cluster's models", onChange);
  }

  /**
   * Deletes copies that no model needs. Reads the state when it runs: such tasks may overtake each
   * other.
   */
  private void retain() {
    store.retain(
        ModelsMetadata.of(clusterService.state()).models().values().stream()
            .map(StoredModel::sha256)
            .collect(Collectors.toSet()));
  }

  private void tick() {
    retain();
    maintain();
  }

  /** Schedules {@link #maintain} where this node is the cluster manager. */
  void maintainSoon() {
    later("cannot maintain the models' index", this::maintain);
  }

  private synchronized void maintain() {
    ClusterState state = clusterService.state();
    if (!state.nodes().isLocalNodeElectedClusterManager()
        || state.blocks().hasGlobalBlock(GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
      return;
    }
    if (!index.exists()) {
      restored = true;
      return;
    }
    if (!index.readable()) {
      return;
    }
    if (!restored) {
      try {
        restore(records.lost(ModelsMetadata.of(state)));
        restored = true;
      } finally {
        if (!restored) {
          // No further change of the state may come to ask for it.
          threadPool.scheduleUnlessShuttingDown(
              RETRY, ThreadPool.Names.GENERIC, this::maintainSoon);
        }
      }
    }
    records.maintain(
        ModelsMetadata.of(clusterService.state()),
        System.currentTimeMillis(),
        uploadTimeout,
        keepUnused);
  }

  /** Registers models again that the cluster state lost: it was once started without the plugin. */
  private void restore(List<StoredModel> lost) {
    if (lost.isEmpty()) {
      return;
    }
    LOGGER.warn(
        "the cluster state lost the models {}, as it does when the cluster is started without the"
            + " plugin; they are named again",
        lost.stream().map(StoredModel::id).sorted().toList());
    PlainActionFuture<Void> done = new PlainActionFuture<>();
    clusterService.submitStateUpdateTask(
        "restore cross-modal models",
        new ClusterStateUpdateTask() {
          @Override
          public ClusterState execute(ClusterState before) {
            RegisterModelAction.requireOnEveryNode(nodesWithoutPlugin(before));
            ModelsMetadata models = ModelsMetadata.of(before);
            for (StoredModel model : lost) {
              if (!models.models().containsKey(model.id())
                  && models.models().size() < ModelsMetadata.MAX_MODELS) {
                models = models.with(model);
              }
            }
            return models.in(before);
          }

          @Override
          public void clusterStateProcessed(String source, ClusterState old, ClusterState now) {
            done.onResponse(null);
          }

          @Override
          public void onFailure(String source, Exception e) {
            done.onFailure(e);
          }
        });
    done.actionGet();
  }

  /** Retires a model's record before it is deleted; waits for the system index. */
  void retire(String id) {
    records.retire(id, System.currentTimeMillis());
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
