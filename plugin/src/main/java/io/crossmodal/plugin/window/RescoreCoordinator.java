/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.ReportProcessor;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.ShardReports;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoreLimits;
import io.crossmodal.plugin.rescore.RescoredSearch;
import io.crossmodal.plugin.rescore.TextHeatMaps;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.action.search.SearchPhaseName;
import org.opensearch.action.search.SearchPhaseResults;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.plugins.SearchPipelinePlugin.SystemGeneratedSearchPipelineConfigKeys;
import org.opensearch.search.SearchPhaseResult;
import org.opensearch.search.pipeline.AbstractProcessor;
import org.opensearch.search.pipeline.PipelineProcessingContext;
import org.opensearch.search.pipeline.ProcessorConflictEvaluationContext;
import org.opensearch.search.pipeline.ProcessorGenerationContext;
import org.opensearch.search.pipeline.SearchPhaseResultsProcessor;
import org.opensearch.search.pipeline.SystemGeneratedProcessor;
import org.opensearch.search.query.QuerySearchResult;

/**
 * Coordinates a search's rescores: between query and fetch, on the coordinating node, rescores the
 * hits of a global window and gathers what the shards report (step 9 of ARCHITECTURE.md).
 * OpenSearch makes one for each search that has a fusion rescore.
 */
public final class RescoreCoordinator extends AbstractProcessor
    implements SearchPhaseResultsProcessor, SystemGeneratedProcessor {
  private final SearchRequest request;
  private final WindowTransport transport;
  private final Supplier<ScoringService> scoring;
  private final RescoreLimits limits;
  private int window;

  private RescoreCoordinator(
      String tag,
      String description,
      SearchRequest request,
      WindowTransport transport,
      Supplier<ScoringService> scoring,
      RescoreLimits limits) {
    super(tag, description, false);
    this.request = request;
    this.transport = transport;
    this.scoring = scoring;
    this.limits = limits;
  }

  /**
   * Prepares the searches that are to be coordinated.
   *
   * @param transport to the shards
   * @param scoring for its longest wait and stats
   * @param limits that searches are held to
   */
  public record Factory(
      WindowTransport transport, Supplier<ScoringService> scoring, Supplier<RescoreLimits> limits)
      implements SystemGeneratedFactory<SearchPhaseResultsProcessor> {
    @Override
    public boolean shouldGenerate(ProcessorGenerationContext context) {
      CrossModalExtBuilder asked = CrossModalExtBuilder.of(context.searchRequest().source());
      if (RescoredSearch.hasFusion(context.searchRequest().source())) {
        return true;
      }
      if (asked != null) {
        RescoredSearch.checkUnrescored(asked);
      }
      // Heat maps of a search by words alone are checked before hits are fetched.
      return asked != null && asked.heatMap();
    }

    @Override
    public SearchPhaseResultsProcessor create(
        Map<String, org.opensearch.search.pipeline.Processor.Factory<SearchPhaseResultsProcessor>>
            factories,
        String tag,
        String description,
        boolean ignoreFailure,
        Map<String, Object> config,
        PipelineContext context) {
      SearchRequest request =
          (SearchRequest) config.get(SystemGeneratedSearchPipelineConfigKeys.SEARCH_REQUEST);
      RescoreCoordinator coordinator =
          new RescoreCoordinator(tag, description, request, transport, scoring, limits.get());
      for (FusionRescorerBuilder fusion : RescoredSearch.fusions(request.source())) {
        if (fusion.windowSize() != null) {
          limits.get().checkWindow(fusion.windowSize(), "window_size");
        }
      }
      CrossModalExtBuilder asked = CrossModalExtBuilder.of(request.source());
      if (asked != null) {
        if (asked.heatMap()) {
          limits.get().checkHeatMaps(request.source().size());
        }
        if (RescoredSearch.hasFusion(request.source())) {
          WindowRequest.report(request);
        }
        if (asked.globalWindow() > 0) {
          coordinator.defer(asked.globalWindow(), "ext.cross_modal.global_window");
        }
      }
      if (asked == null && RescoredSearch.selects(request.source())) {
        WindowRequest.report(request);
      }
      return coordinator;
    }
  }

  @Override
  public void evaluateConflicts(ProcessorConflictEvaluationContext pipelines) {
    if (!RescoredSearch.hasFusion(request.source())) {
      return;
    }
    // The one place that shows a system's processor the ones of the user's pipeline.
    List<FusionRerankProcessor> reranks =
        pipelines.getUserDefinedSearchPhaseResultsProcessors().stream()
            .filter(FusionRerankProcessor.class::isInstance)
            .map(FusionRerankProcessor.class::cast)
            .toList();
    if (reranks.size() > 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "a search has one window, but its pipeline has %d processors [%s]: leave one",
              reranks.size(),
              FusionRerankProcessor.TYPE));
    }
    if (window == 0 && !reranks.isEmpty()) {
      defer(
          reranks.get(0).windowSize(),
          FusionRerankProcessor.TYPE + "." + FusionRerankProcessor.WINDOW_SIZE);
    }
  }

  private void defer(int size, String parameter) {
    limits.checkWindow(size, parameter);
    WindowRequest.defer(request, size, parameter);
    window = size;
  }

  @Override
  public <R extends SearchPhaseResult> void process(
      SearchPhaseResults<R> results, SearchPhaseContext context) {
    process(results, context, new PipelineProcessingContext());
  }

  @Override
  public <R extends SearchPhaseResult> void process(
      SearchPhaseResults<R> results,
      SearchPhaseContext context,
      PipelineProcessingContext pipeline) {
    if (!RescoredSearch.hasFusion(context.getRequest().source())) {
      TextHeatMaps.check(context.getRequest().source().query(), scoring.get().models().catalog());
      return;
    }
    boolean aggregated = context.getRequest().source().aggregations() != null;
    List<RescoreReport> reports = new ArrayList<>();
    List<QuerySearchResult> shards = new ArrayList<>();
    for (int i = 0; i < context.getNumShards(); i++) {
      R result = results.getAtomicArray().get(i);
      QuerySearchResult shard = result == null ? null : result.queryResult();
      shards.add(shard);
      if (shard != null) {
        merge(reports, ShardReports.detach(shard, aggregated).reports());
      }
    }
    if (window > 0 && context.getNumShards() > 1) {
      RescoreReport global =
          new GlobalWindow(window, shards, context, transport, scoring.get()).rescore();
      // There is one, for it is the only rescore where the window is global.
      reports = List.of(global);
    } else if (window > 0) {
      WindowRequest.requireNoHybrid(context.getRequest().source());
      reports = reports.stream().map(RescoreReport::ofGlobalWindow).toList();
    } else if (context.getNumShards() > 1
        && RescoredSearch.selects(context.getRequest().source())) {
      releaseEmptied(shards, context);
    }
    pipeline.setAttribute(ReportProcessor.REPORTS, reports);
  }

  /**
   * Lets go of the readers of shards whose hits were all cut, which look as if nothing was found.
   */
  private void releaseEmptied(List<QuerySearchResult> shards, SearchPhaseContext context) {
    SecondRound round = new SecondRound(context, transport);
    for (QuerySearchResult shard : shards) {
      if (shard != null
          && !shard.isNull()
          && shard.getContextId() != null
          && shard.topDocs().topDocs.scoreDocs.length == 0) {
        round.release(shard);
      }
    }
  }

  private static void merge(List<RescoreReport> reports, List<RescoreReport> ofShard) {
    for (int i = 0; i < ofShard.size(); i++) {
      if (i == reports.size()) {
        reports.add(ofShard.get(i));
      } else {
        reports.set(i, reports.get(i).and(ofShard.get(i)));
      }
    }
  }

  @Override
  public SearchPhaseName getBeforePhase() {
    return SearchPhaseName.QUERY;
  }

  @Override
  public SearchPhaseName getAfterPhase() {
    return SearchPhaseName.FETCH;
  }

  @Override
  public String getType() {
    return ReportProcessor.TYPE;
  }
}
