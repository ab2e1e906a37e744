/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.details.DetailsExtBuilder;
import io.crossmodal.plugin.rescore.RescoreReport;
import java.util.ArrayList;
import java.util.List;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.search.SearchResponseSections;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.aggregations.InternalAggregations;
import org.opensearch.search.internal.InternalSearchResponse;
import org.opensearch.search.pipeline.AbstractProcessor;
import org.opensearch.search.pipeline.PipelineProcessingContext;
import org.opensearch.search.pipeline.ProcessorGenerationContext;
import org.opensearch.search.pipeline.SearchResponseProcessor;
import org.opensearch.search.pipeline.SystemGeneratedProcessor;
import org.opensearch.search.profile.SearchProfileShardResults;

/**
 * Puts what {@link RescoreCoordinator} gathered into the response, where the request has a part
 * {@code ext.cross_modal}.
 */
public final class ReportProcessor extends AbstractProcessor
    implements SearchResponseProcessor, SystemGeneratedProcessor {
  private ReportProcessor(String tag, String description) {
    super(tag, description, false);
  }

  /** Makes one for each search that asks for reports. */
  public static SystemGeneratedFactory<SearchResponseProcessor> factory() {
    return new Factory();
  }

  private static final class Factory implements SystemGeneratedFactory<SearchResponseProcessor> {
    @Override
    public boolean shouldGenerate(ProcessorGenerationContext context) {
      return WindowRequest.hasRescore(context.searchRequest().source())
          && DetailsExtBuilder.of(context.searchRequest().source()) != null;
    }

    @Override
    public SearchResponseProcessor create(
        java.util.Map<
                String, org.opensearch.search.pipeline.Processor.Factory<SearchResponseProcessor>>
            factories,
        String tag,
        String description,
        boolean ignoreFailure,
        java.util.Map<String, Object> config,
        PipelineContext context) {
      return new ReportProcessor(tag, description);
    }
  }

  @Override
  public SearchResponse processResponse(SearchRequest request, SearchResponse response) {
    return response;
  }

  @Override
  public SearchResponse processResponse(
      SearchRequest request, SearchResponse response, PipelineProcessingContext pipeline) {
    Object found = pipeline.getAttribute(RescoreCoordinator.REPORTS);
    if (!(found instanceof List<?> list)) {
      return response;
    }
    List<RescoreReport> reports = list.stream().map(RescoreReport.class::cast).toList();
    SearchResponseSections before = response.getInternalResponse();
    List<SearchExtBuilder> ext = new ArrayList<>(before.getSearchExtBuilders());
    ext.add(new RescoreReportExt(reports));
    return new SearchResponse(
        new InternalSearchResponse(
            before.hits(),
            (InternalAggregations) before.aggregations(),
            before.suggest(),
            response.getProfileResults().isEmpty()
                ? null
                : new SearchProfileShardResults(response.getProfileResults()),
            before.timedOut(),
            before.terminatedEarly(),
            before.getNumReducePhases(),
            ext,
            before.getProcessorResult()),
        response.getScrollId(),
        response.getTotalShards(),
        response.getSuccessfulShards(),
        response.getSkippedShards(),
        response.getTook().millis(),
        response.getPhaseTook(),
        response.getShardFailures(),
        response.getClusters(),
        response.pointInTimeId());
  }

  @Override
  public String getType() {
    return RescoreCoordinator.TYPE;
  }
}
