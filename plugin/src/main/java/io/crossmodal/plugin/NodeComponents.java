/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.engine.LocalEngine;
import io.crossmodal.model.inference.engine.ModelEngine;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.crossmodal.plugin.fetch.LeanGets;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.inference.process.ProcessEngine;
import io.crossmodal.plugin.models.ModelRegistry;
import io.crossmodal.plugin.rescore.RescoreAdmission;
import io.crossmodal.plugin.rescore.RescoreLimits;
import io.crossmodal.plugin.scoring.Scorers;
import io.crossmodal.plugin.settings.CrossModalSettings;
import io.crossmodal.plugin.settings.EngineSettings;
import io.crossmodal.plugin.window.WindowTransport;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.lucene.util.SetOnce;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.settings.ClusterSettings;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.util.concurrent.OpenSearchExecutors;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.env.Environment;
import org.opensearch.env.NodeEnvironment;
import org.opensearch.node.Node;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.client.Client;

/**
 * The composition root: builds and closes what lives as long as the node. OpenSearch hands over
 * what it is made of in several calls: what is asked for before {@link #create} gets a supplier.
 */
final class NodeComponents implements Closeable {
  private static final Logger LOGGER = LogManager.getLogger(NodeComponents.class);

  /** The thread pool of searches: reads queries, and continues after encodings. */
  static final String HELPERS = "cross_modal";

  /** The thread pool that decodes documents. */
  static final String DECODERS = "cross_modal_decode";

  final ModelCatalog catalog;
  final SetOnce<CircuitBreaker> nativeMemory = new SetOnce<>();
  final SetOnce<CircuitBreaker> requests = new SetOnce<>();
  final WindowTransport window = new WindowTransport();
  final SetOnce<NodeInference> inference = new SetOnce<>();
  final SetOnce<Scorers> scorers = new SetOnce<>();
  final SetOnce<LeanGets> gets = new SetOnce<>();
  final SetOnce<RescoreLimits> limits = new SetOnce<>();
  final SetOnce<RescoreAdmission> admission = new SetOnce<>();
  private final SetOnce<ModelRegistry> registry = new SetOnce<>();

  NodeComponents(ModelCatalog catalog) {
    this.catalog = catalog;
  }

  /** Returns the heap that requests take, under the circuit breaker {@code request}. */
  MemoryBudget heap() {
    return new HeapBreaker(requests::get);
  }

  /**
   * Makes the components.
   *
   * @return those that OpenSearch injects into actions
   * @throws IllegalArgumentException for a node without local storage
   */
  Collection<Object> create(
      Client client,
      ClusterService clusterService,
      IndexNameExpressionResolver resolver,
      ThreadPool threadPool,
      Environment environment,
      NodeEnvironment nodeEnvironment) {
    Settings settings = environment.settings();
    if (!Node.NODE_LOCAL_STORAGE_SETTING.get(settings)) {
      throw new IllegalArgumentException(
          "["
              + Node.NODE_LOCAL_STORAGE_SETTING.getKey()
              + "] is false, but the cross-modal plugin unpacks its models and native library below"
              + " the node's data path; set it to true, or remove the plugin from this node");
    }
    Path directory = nodeEnvironment.nodeDataPaths()[0].resolve("cross_modal");
    try {
      FusionModel.deleteLeftovers(directory);
    } catch (IOException e) {
      // It costs disk, nothing else; the next start tries again.
      LOGGER.warn("cannot delete what a killed node left of a model that it was loading", e);
    }
    registry.set(
        new ModelRegistry(
            catalog,
            directory.resolve("models"),
            client,
            clusterService,
            threadPool,
            () -> inference.get().refresh(),
            heap(),
            NodeFormat::hasPlugin));
    InferenceSettings serving = CrossModalSettings.inference(settings, settings, directory);
    NodeInference made =
        new NodeInference(
            engine(environment, serving, threadPool, nodeEnvironment.nodeId()),
            heap(),
            new EncodingService.Threads(
                threadPool.executor(HELPERS),
                threadPool.executor(DECODERS),
                OpenSearchExecutors.allocatedProcessors(settings)));
    inference.set(made);
    ClusterSettings cluster = clusterService.getClusterSettings();
    // A consumer that throws costs the cluster its manager.
    cluster.addSettingsUpdateConsumer(
        changed -> made.update(CrossModalSettings.inference(settings, changed, directory)),
        CrossModalSettings.DYNAMIC_INFERENCE);
    scorers.set(
        new Scorers(
            clusterService, made.scoring(), HELPERS, CrossModalSettings.SCORING.get(settings)));
    cluster.addSettingsUpdateConsumer(CrossModalSettings.SCORING, scorers.get()::update);
    gets.set(new LeanGets(clusterService, resolver));
    limits.set(RescoreLimits.following(cluster, settings));
    admission.set(new RescoreAdmission(threadPool, made.scoring(), limits.get()));
    return List.of(
        made,
        made.encoding(),
        made.scoring(),
        made.models(),
        registry.get(),
        scorers.get(),
        window);
  }

  private ModelEngine engine(
      Environment environment, InferenceSettings serving, ThreadPool threadPool, String node) {
    Settings settings = environment.settings();
    return switch (EngineSettings.ENGINE.get(settings)) {
      case EMBEDDED ->
          new LocalEngine(
              catalog,
              serving,
              () -> NativeRuntime.devices(serving),
              new NativeMemoryBreaker(nativeMemory.get()));
      case PROCESS ->
          new ProcessEngine(
              catalog,
              serving,
              EngineSettings.SOCKET.get(settings),
              EngineSettings.tls(settings, environment.configDir()),
              node,
              threadPool.generic(),
              EngineSettings.MAX_SILENCE.get(settings).millis());
    };
  }

  @Override
  public void close() {
    if (registry.get() != null) {
      registry.get().close();
    }
    if (inference.get() != null) {
      inference.get().close();
    }
  }
}
