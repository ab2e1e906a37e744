/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.action.EncodeAction;
import io.crossmodal.plugin.action.EncodeQueryAction;
import io.crossmodal.plugin.action.LoadModelAction;
import io.crossmodal.plugin.action.NodesReportAction;
import io.crossmodal.plugin.codec.CrossModalCodecService;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.DetailsFetchPhase;
import io.crossmodal.plugin.ext.ReportProcessor;
import io.crossmodal.plugin.ext.RescoreReportExt;
import io.crossmodal.plugin.ext.ShardReports;
import io.crossmodal.plugin.fetch.LeanHits;
import io.crossmodal.plugin.ingest.DecodingBudget;
import io.crossmodal.plugin.ingest.EncodingProcessorFactory;
import io.crossmodal.plugin.mapper.CrossModalFieldMapper;
import io.crossmodal.plugin.mapper.CrossModalTypeParser;
import io.crossmodal.plugin.mapper.DerivedSourceFieldMapper;
import io.crossmodal.plugin.models.DeleteModelAction;
import io.crossmodal.plugin.models.ModelIndex;
import io.crossmodal.plugin.models.ModelsMetadata;
import io.crossmodal.plugin.models.RegisterModelAction;
import io.crossmodal.plugin.models.TransportUploadModelAction;
import io.crossmodal.plugin.models.UploadModelAction;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoredSearch;
import io.crossmodal.plugin.rescore.TextHeatMaps;
import io.crossmodal.plugin.rest.RestDeleteModelHandler;
import io.crossmodal.plugin.rest.RestEncodeHandler;
import io.crossmodal.plugin.rest.RestLoadModelHandler;
import io.crossmodal.plugin.rest.RestModelsHandler;
import io.crossmodal.plugin.rest.RestStatsHandler;
import io.crossmodal.plugin.rest.RestUploadModelHandler;
import io.crossmodal.plugin.scoring.ScorePairsAction;
import io.crossmodal.plugin.scoring.TransportScorePairsAction;
import io.crossmodal.plugin.settings.CrossModalSettings;
import io.crossmodal.plugin.ui.RestUiHandler;
import io.crossmodal.plugin.window.DocIdsQueryBuilder;
import io.crossmodal.plugin.window.FusionRerankProcessor;
import io.crossmodal.plugin.window.RescoreCoordinator;
import io.crossmodal.plugin.window.WindowThreads;
import io.crossmodal.plugin.window.WindowTransport;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BiConsumer;
import java.util.function.Supplier;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.support.ActionFilter;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.NamedDiff;
import org.opensearch.cluster.metadata.IndexNameExpressionResolver;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.node.DiscoveryNodes;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.lifecycle.LifecycleComponent;
import org.opensearch.common.settings.ClusterSettings;
import org.opensearch.common.settings.IndexScopedSettings;
import org.opensearch.common.settings.Setting;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.settings.SettingsFilter;
import org.opensearch.common.util.concurrent.OpenSearchExecutors;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.ParseField;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.breaker.CircuitBreaker;
import org.opensearch.core.common.io.stream.NamedWriteableRegistry;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.env.Environment;
import org.opensearch.env.NodeEnvironment;
import org.opensearch.index.IndexModule;
import org.opensearch.index.IndexSettings;
import org.opensearch.index.codec.CodecServiceFactory;
import org.opensearch.index.mapper.Mapper;
import org.opensearch.index.mapper.MetadataFieldMapper;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.indices.SystemIndexDescriptor;
import org.opensearch.indices.breaker.BreakerSettings;
import org.opensearch.ingest.Processor;
import org.opensearch.plugins.ActionPlugin;
import org.opensearch.plugins.CircuitBreakerPlugin;
import org.opensearch.plugins.DiscoveryPlugin;
import org.opensearch.plugins.EnginePlugin;
import org.opensearch.plugins.IngestPlugin;
import org.opensearch.plugins.MapperPlugin;
import org.opensearch.plugins.NetworkPlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.SearchPipelinePlugin;
import org.opensearch.plugins.SearchPlugin;
import org.opensearch.plugins.SystemIndexPlugin;
import org.opensearch.repositories.RepositoriesService;
import org.opensearch.rest.RestController;
import org.opensearch.rest.RestHandler;
import org.opensearch.script.ScriptService;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.aggregations.InternalAggregation;
import org.opensearch.search.fetch.FetchSubPhase;
import org.opensearch.search.pipeline.SearchPhaseResultsProcessor;
import org.opensearch.search.pipeline.SearchPipelineService;
import org.opensearch.search.pipeline.SearchResponseProcessor;
import org.opensearch.search.pipeline.SystemGeneratedProcessor.SystemGeneratedFactory;
import org.opensearch.threadpool.ExecutorBuilder;
import org.opensearch.threadpool.FixedExecutorBuilder;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportInterceptor;
import org.opensearch.transport.client.Client;
import org.opensearch.watcher.ResourceWatcherService;

/**
 * The plugin: the registration of its parts, which {@link NodeComponents} makes. Nothing is static,
 * for several nodes may run in one JVM.
 */
public class CrossModalPlugin extends Plugin
    implements MapperPlugin,
        SearchPlugin,
        IngestPlugin,
        EnginePlugin,
        ActionPlugin,
        CircuitBreakerPlugin,
        DiscoveryPlugin,
        NetworkPlugin,
        SearchPipelinePlugin,
        SystemIndexPlugin {
  // Each bulk and each query brings a handful of tasks; how many there are is bounded before.
  private static final int UNBOUNDED = -1;

  private final NodeComponents node;

  /** Serves the models that come with the plugin; OpenSearch calls this. */
  public CrossModalPlugin() {
    this(() -> List.of(ModelBundle.demo(), ModelBundle.sentinelPairs()));
  }

  /**
   * Serves other models; tests call this.
   *
   * @param bundles called once, on first use; the first is the default
   */
  protected CrossModalPlugin(Supplier<List<ModelBundle>> bundles) {
    node = new NodeComponents(new ModelCatalog(bundles));
  }

  @Override
  public BiConsumer<DiscoveryNode, ClusterState> getJoinValidator() {
    return NodeFormat::check;
  }

  @Override
  public Collection<Object> createComponents(
      Client client,
      ClusterService clusterService,
      ThreadPool threadPool,
      ResourceWatcherService resourceWatcherService,
      ScriptService scriptService,
      NamedXContentRegistry xContentRegistry,
      Environment environment,
      NodeEnvironment nodeEnvironment,
      NamedWriteableRegistry namedWriteableRegistry,
      IndexNameExpressionResolver indexNameExpressionResolver,
      Supplier<RepositoriesService> repositoriesService) {
    return node.create(
        client,
        clusterService,
        indexNameExpressionResolver,
        threadPool,
        environment,
        nodeEnvironment);
  }

  @Override
  public Collection<Class<? extends LifecycleComponent>> getGuiceServiceClasses() {
    return List.of(WindowTransport.Binding.class);
  }

  /** Settings that are not the plugin's own; the node's configuration comes before. */
  @Override
  public Settings additionalSettings() {
    return Settings.builder()
        .put(NodeFormat.attribute())
        .putList(
            SearchPipelineService.ENABLED_SYSTEM_GENERATED_FACTORIES_SETTING.getKey(),
            ReportProcessor.TYPE)
        .build();
  }

  @Override
  public BreakerSettings getCircuitBreaker(Settings settings) {
    return NativeMemoryBreaker.settings(settings);
  }

  @Override
  public void setCircuitBreaker(CircuitBreaker circuitBreaker) {
    node.nativeMemory.set(circuitBreaker);
  }

  @Override
  public void onIndexModule(IndexModule indexModule) {
    indexModule.addSearchOperationListener(
        FusionRescorerBuilder.searchListener(node.scorers.get(), node.limits.get()));
    indexModule.addSearchOperationListener(new LeanHits());
  }

  @Override
  public List<Setting<?>> getSettings() {
    return CrossModalSettings.all();
  }

  @Override
  public Collection<SystemIndexDescriptor> getSystemIndexDescriptors(Settings settings) {
    return List.of(ModelIndex.DESCRIPTOR);
  }

  @Override
  public List<NamedWriteableRegistry.Entry> getNamedWriteables() {
    return List.of(
        new NamedWriteableRegistry.Entry(
            Metadata.Custom.class, ModelsMetadata.TYPE, ModelsMetadata::new),
        new NamedWriteableRegistry.Entry(
            NamedDiff.class, ModelsMetadata.TYPE, ModelsMetadata::readDiffFrom),
        // These go from node to node only: no request can hold them.
        new NamedWriteableRegistry.Entry(
            SearchExtBuilder.class, RescoreReportExt.NAME, RescoreReportExt::new),
        new NamedWriteableRegistry.Entry(
            QueryBuilder.class, DocIdsQueryBuilder.NAME, DocIdsQueryBuilder::new),
        new NamedWriteableRegistry.Entry(
            InternalAggregation.class, ShardReports.NAME, ShardReports::new));
  }

  @Override
  public List<NamedXContentRegistry.Entry> getNamedXContent() {
    return List.of(
        new NamedXContentRegistry.Entry(
            Metadata.Custom.class,
            new ParseField(ModelsMetadata.TYPE),
            ModelsMetadata::fromXContent));
  }

  @Override
  public List<ExecutorBuilder<?>> getExecutorBuilders(Settings settings) {
    return List.of(
        fixed(settings, NodeComponents.HELPERS),
        fixed(settings, NodeComponents.DECODERS),
        WindowThreads.pool());
  }

  private static ExecutorBuilder<?> fixed(Settings settings, String name) {
    int threads = OpenSearchExecutors.allocatedProcessors(settings);
    return new FixedExecutorBuilder(settings, name, threads, UNBOUNDED, "thread_pool." + name);
  }

  @Override
  public Map<String, Mapper.TypeParser> getMappers() {
    return Map.of(
        CrossModalFieldMapper.TYPE,
        new CrossModalTypeParser(node.catalog, () -> node.inference.get().scoring()));
  }

  @Override
  public Map<String, MetadataFieldMapper.TypeParser> getMetadataMappers() {
    return Map.of(DerivedSourceFieldMapper.NAME, DerivedSourceFieldMapper.parser());
  }

  @Override
  public List<QuerySpec<?>> getQueries() {
    return List.of(
        new QuerySpec<>(
            CrossModalQueryBuilder.NAME,
            CrossModalQueryBuilder::new,
            CrossModalQueryBuilder::fromXContent));
  }

  @Override
  public List<RescorerSpec<?>> getRescorers() {
    return List.of(
        new RescorerSpec<>(
            FusionRescorerBuilder.NAME,
            FusionRescorerBuilder::new,
            FusionRescorerBuilder::fromXContent));
  }

  @Override
  public List<SearchExtSpec<?>> getSearchExts() {
    return List.of(
        new SearchExtSpec<>(
            CrossModalExtBuilder.NAME,
            CrossModalExtBuilder::new,
            CrossModalExtBuilder::fromXContent));
  }

  @Override
  public Map<String, org.opensearch.search.pipeline.Processor.Factory<SearchPhaseResultsProcessor>>
      getSearchPhaseResultsProcessors(SearchPipelinePlugin.Parameters parameters) {
    return Map.of(FusionRerankProcessor.TYPE, FusionRerankProcessor.factory());
  }

  @Override
  public Map<String, SystemGeneratedFactory<SearchPhaseResultsProcessor>>
      getSystemGeneratedSearchPhaseResultsProcessors(SearchPipelinePlugin.Parameters parameters) {
    return Map.of(
        ReportProcessor.TYPE,
        new RescoreCoordinator.Factory(
            node.window, () -> node.inference.get().scoring(), node.limits::get));
  }

  @Override
  public Map<String, SystemGeneratedFactory<SearchResponseProcessor>>
      getSystemGeneratedResponseProcessors(SearchPipelinePlugin.Parameters parameters) {
    return Map.of(ReportProcessor.TYPE, new ReportProcessor.Factory(RescoredSearch::hasFusion));
  }

  @Override
  public List<TransportInterceptor> getTransportInterceptors(
      NamedWriteableRegistry namedWriteableRegistry, ThreadContext threadContext) {
    return List.of(new WindowThreads(), node.admission.get());
  }

  @Override
  public List<FetchSubPhase> getFetchSubPhases(FetchPhaseConstructionContext context) {
    return List.of(
        new DetailsFetchPhase(
            fetch -> TextHeatMaps.pages(fetch, () -> node.inference.get().scoring())));
  }

  @Override
  public Map<String, Processor.Factory> getSystemIngestProcessors(Processor.Parameters parameters) {
    // Core hands its breakers out nowhere else.
    node.requests.set(
        parameters.indicesService.getCircuitBreakerService().getBreaker(CircuitBreaker.REQUEST));
    return Map.of(
        "cross_modal_encoding",
        new EncodingProcessorFactory(
            node.catalog,
            () -> node.inference.get().encoding(),
            new DecodingBudget(CrossModalSettings.MAX_PIXELS.get(parameters.env.settings())),
            parameters.threadContext));
  }

  @Override
  public Optional<CodecServiceFactory> getCustomCodecServiceFactory(IndexSettings indexSettings) {
    return CrossModalCodecService.serves(indexSettings)
        ? Optional.of(CrossModalCodecService::new)
        : Optional.empty();
  }

  @Override
  public List<ActionHandler<? extends ActionRequest, ? extends ActionResponse>> getActions() {
    return List.of(
        new ActionHandler<>(EncodeQueryAction.INSTANCE, EncodeQueryAction.Transport.class),
        new ActionHandler<>(EncodeAction.INSTANCE, EncodeAction.Transport.class),
        new ActionHandler<>(UploadModelAction.INSTANCE, TransportUploadModelAction.class),
        new ActionHandler<>(RegisterModelAction.INSTANCE, RegisterModelAction.Transport.class),
        new ActionHandler<>(DeleteModelAction.INSTANCE, DeleteModelAction.Transport.class),
        new ActionHandler<>(LoadModelAction.INSTANCE, LoadModelAction.Transport.class),
        new ActionHandler<>(ScorePairsAction.INSTANCE, TransportScorePairsAction.class),
        new ActionHandler<>(NodesReportAction.INSTANCE, NodesReportAction.Transport.class));
  }

  @Override
  public List<ActionFilter> getActionFilters() {
    return List.of(node.gets.get());
  }

  @Override
  public List<RestHandler> getRestHandlers(
      Settings settings,
      RestController restController,
      ClusterSettings clusterSettings,
      IndexScopedSettings indexScopedSettings,
      SettingsFilter settingsFilter,
      IndexNameExpressionResolver indexNameExpressionResolver,
      Supplier<DiscoveryNodes> nodesInCluster) {
    return List.of(
        new RestStatsHandler(),
        new RestModelsHandler(node.catalog),
        new RestUploadModelHandler(node.heap()),
        new RestDeleteModelHandler(),
        new RestLoadModelHandler(node.catalog),
        new RestEncodeHandler(node.heap()),
        new RestUiHandler(CrossModalSettings.uiHosts(settings)));
  }

  @Override
  public void close() {
    node.close();
  }
}
