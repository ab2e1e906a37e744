/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.action.search.SearchResponseSections;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.aggregations.InternalAggregations;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.internal.InternalSearchResponse;
import org.opensearch.search.pipeline.AbstractProcessor;
import org.opensearch.search.pipeline.PipelineProcessingContext;
import org.opensearch.search.pipeline.ProcessorGenerationContext;
import org.opensearch.search.pipeline.SearchResponseProcessor;
import org.opensearch.search.pipeline.SystemGeneratedProcessor;
import org.opensearch.search.profile.SearchProfileShardResults;

/**
 * Puts the reports that were gathered between query and fetch into the response of a search with a
 * part {@code ext.cross_modal}.
 */
public final class ReportProcessor extends AbstractProcessor
    implements SearchResponseProcessor, SystemGeneratedProcessor {
  /** The name in {@code cluster.search.enabled_system_generated_factories}. */
  public static final String TYPE = "cross_modal";

  /** The attribute of the search pipeline that holds the list of {@link RescoreReport}s. */
  public static final String REPORTS = "cross_modal.reports";

  private ReportProcessor(String tag, String description) {
    super(tag, description, false);
  }

  /**
   * Makes one for each search with the part.
   *
   * @param rescored whether a search has a fusion rescore to report
   */
  public record Factory(Predicate<SearchSourceBuilder> rescored)
      implements SystemGeneratedFactory<SearchResponseProcessor> {
    @Override
    public boolean shouldGenerate(ProcessorGenerationContext context) {
      SearchSourceBuilder source = context.searchRequest().source();
      return CrossModalExtBuilder.of(source) != null && rescored.test(source);
    }

    @Override
    public SearchResponseProcessor create(
        Map<String, org.opensearch.search.pipeline.Processor.Factory<SearchResponseProcessor>>
            factories,
        String tag,
        String description,
        boolean ignoreFailure,
        Map<String, Object> config,
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
    Object found = pipeline.getAttribute(REPORTS);
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
    return TYPE;
  }
}
