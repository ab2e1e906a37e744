/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.rescore.RescoreLimits;
import java.util.Map;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.action.search.SearchPhaseName;
import org.opensearch.action.search.SearchPhaseResults;
import org.opensearch.ingest.ConfigurationUtils;
import org.opensearch.search.SearchPhaseResult;
import org.opensearch.search.pipeline.AbstractProcessor;
import org.opensearch.search.pipeline.Processor;
import org.opensearch.search.pipeline.SearchPhaseResultsProcessor;

/**
 * The search pipeline processor {@code fusion_rerank}: gives the fusion rescore of every search
 * that the pipeline serves one window over all shards.
 *
 * <pre>{@code
 * {"phase_results_processors": [{"fusion_rerank": {"window_size": 128}}]}
 * }</pre>
 *
 * {@link RescoreCoordinator} sees it in the pipeline and does the work; a search without a fusion
 * rescore passes through.
 */
public final class FusionRerankProcessor extends AbstractProcessor
    implements SearchPhaseResultsProcessor {
  public static final String TYPE = "fusion_rerank";
  static final String WINDOW_SIZE = "window_size";

  private final int windowSize;

  private FusionRerankProcessor(
      String tag, String description, boolean ignoreFailure, int windowSize) {
    super(tag, description, ignoreFailure);
    this.windowSize = windowSize;
  }

  /** Reads the processor of a pipeline. */
  public static Processor.Factory<SearchPhaseResultsProcessor> factory() {
    return (factories, tag, description, ignoreFailure, config, context) ->
        new FusionRerankProcessor(tag, description, ignoreFailure, windowSize(tag, config));
  }

  private static int windowSize(String tag, Map<String, Object> config) {
    Integer size = ConfigurationUtils.readIntProperty(TYPE, tag, config, WINDOW_SIZE, null);
    if (size == null || size < 1 || size > RescoreLimits.LARGEST_WINDOW) {
      throw ConfigurationUtils.newConfigurationException(
          TYPE,
          tag,
          WINDOW_SIZE,
          "must be given, from 1 to "
              + RescoreLimits.LARGEST_WINDOW
              + (size == null ? "" : ", got " + size));
    }
    return size;
  }

  int windowSize() {
    return windowSize;
  }

  @Override
  public <R extends SearchPhaseResult> void process(
      SearchPhaseResults<R> results, SearchPhaseContext context) {
    if (WindowRequest.hasRescore(context.getRequest().source())
        && !WindowRequest.isDeferred(context.getRequest().source())) {
      throw new IllegalArgumentException(
          "["
              + TYPE
              + "] is off in this cluster: the setting"
              + " [cluster.search.enabled_system_generated_factories] must name ["
              + RescoreCoordinator.TYPE
              + "]");
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
    return TYPE;
  }
}
