/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoredSearch;
import java.util.List;
import java.util.Locale;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.action.search.SearchType;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.rescore.RescorerBuilder;

/** Rewrites a search request whose rescores are coordinated, before it goes to shards. */
final class WindowRequest {
  private WindowRequest() {}

  /** Returns whether the fusion rescore of a search waits for the coordinating node. */
  static boolean isDeferred(SearchSourceBuilder source) {
    return RescoredSearch.fusions(source).stream().anyMatch(FusionRescorerBuilder::isDeferred);
  }

  /**
   * Refuses what one shard alone cannot do: it rescores before the coordinating node is asked, and
   * a hybrid query's scores are made there.
   */
  static void requireNoHybrid(SearchSourceBuilder source) {
    if (source.query() != null && source.query().getName().equals(RescoredSearch.HYBRID)) {
      throw new IllegalArgumentException(
          "a global window over a [hybrid] query needs two shards or more, for OpenSearch fetches"
              + " the hits of a single one before their scores are normalised: leave out the global"
              + " window, and each sub-query is rescored, or combine with [bool]");
    }
  }

  /** Makes the shards of a search report what its fusion rescores do. */
  static void report(SearchRequest request) {
    SearchSourceBuilder source = request.source();
    request.source(RescoredSearch.changed(source, FusionRescorerBuilder::reported));
    if (source.aggregations() != null || RescoredSearch.selects(source)) {
      atOnce(request);
    }
  }

  /**
   * Leaves the choice of hits to the coordinating node.
   *
   * @param parameter that gave the window, for messages
   * @throws IllegalArgumentException when the search cannot have a global window
   */
  static void defer(SearchRequest request, int window, String parameter) {
    SearchSourceBuilder source = request.source();
    List<RescorerBuilder<?>> rescorers = RescoredSearch.rescorers(source);
    int fusions = RescoredSearch.fusions(source).size();
    if (fusions != 1 || !(rescorers.get(rescorers.size() - 1) instanceof FusionRescorerBuilder)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] takes one rescorer [fusion], the last of [rescore]; got %d among %d rescorers",
              parameter,
              fusions,
              rescorers.size()));
    }
    int from = Math.max(0, source.from());
    int size = source.size() < 0 ? 10 : source.size();
    if (from + (long) size > window) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[from] %d + [size] %d lies beyond the global window of %d hits, where no order is"
                  + " one of all shards: ask for less, or raise [%s] and leave it the same for all"
                  + " pages",
              from,
              size,
              window,
              parameter));
    }
    if (request.searchType() == SearchType.DFS_QUERY_THEN_FETCH) {
      throw new IllegalArgumentException(
          "["
              + parameter
              + "] does not go with [search_type=dfs_query_then_fetch]: leave out one of them");
    }
    request.source(RescoredSearch.changed(source, fusion -> fusion.deferred(window)));
    atOnce(request);
  }

  /**
   * Makes core keep all shards' results until the last is there: it would reduce hits that have no
   * final score yet, and reports among the aggregations, in batches on the way, and forget which
   * shards have no hit left.
   */
  private static void atOnce(SearchRequest request) {
    request.setBatchedReduceSize(Integer.MAX_VALUE);
  }
}
