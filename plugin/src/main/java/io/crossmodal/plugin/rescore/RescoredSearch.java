/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import java.util.List;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.index.query.QueryCoordinatorContext;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.search.SearchExtBuilder;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.sort.ScoreSortBuilder;
import org.opensearch.search.sort.SortBuilder;
import org.opensearch.search.sort.SortOrder;

/** What a search cannot have beside a rescore: said on the coordinating node, with a way out. */
final class RescoredSearch {
  private RescoredSearch() {}

  /**
   * @param context of the coordinating node
   * @throws IllegalArgumentException when the request wants what its rescore cannot give
   */
  static void check(QueryRewriteContext context, RescoreStage stage) {
    QueryCoordinatorContext coordinator = context.convertToCoordinatorContext();
    if (coordinator == null
        || !(coordinator.getSearchRequest() instanceof SearchRequest search)
        || search.source() == null) {
      return;
    }
    SearchSourceBuilder source = search.source();
    if (!byScore(source.sorts())) {
      throw new IllegalArgumentException(
          "[sort] does not go with [rescore], which orders by score: leave [sort] out; to prefer"
              + " recent or near documents, put the query into a [function_score]");
    }
    if (source.collapse() != null) {
      throw new IllegalArgumentException(
          "[collapse] does not go with [rescore]: leave it out and group the hits of the page by"
              + " ["
              + source.collapse().getField()
              + "], or collapse a search without [rescore]");
    }
    if (stage != RescoreStage.DEFERRED) {
      for (SearchExtBuilder ext : source.ext()) {
        if (ext instanceof GlobalWindowRequest request && request.globalWindow() > 0) {
          throw new IllegalArgumentException(
              "[ext.cross_modal.global_window] is off in this cluster: the setting"
                  + " [cluster.search.enabled_system_generated_factories] must name [cross_modal]");
        }
      }
    }
  }

  private static boolean byScore(List<SortBuilder<?>> sorts) {
    return sorts == null
        || sorts.isEmpty()
        || (sorts.size() == 1
            && sorts.get(0) instanceof ScoreSortBuilder
            && sorts.get(0).order() == SortOrder.DESC);
  }
}
