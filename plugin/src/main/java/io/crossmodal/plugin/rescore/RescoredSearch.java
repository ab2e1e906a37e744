/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.index.query.QueryCoordinatorContext;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.rescore.RescorerBuilder;
import org.opensearch.search.sort.ScoreSortBuilder;
import org.opensearch.search.sort.SortBuilder;
import org.opensearch.search.sort.SortOrder;

/** A search's rescores, and what it cannot have beside them. */
public final class RescoredSearch {
  /** The query of the neural-search plugin. */
  public static final String HYBRID = "hybrid";

  private RescoredSearch() {}

  /** Returns all rescorers of a search, in its order; core's list names a raw type. */
  public static List<RescorerBuilder<?>> rescorers(SearchSourceBuilder source) {
    List<RescorerBuilder<?>> rescorers = new ArrayList<>();
    if (source != null && source.rescores() != null) {
      for (RescorerBuilder<?> one : source.rescores()) {
        rescorers.add(one);
      }
    }
    return rescorers;
  }

  /** Returns whether a search has a fusion rescore. */
  public static boolean hasFusion(SearchSourceBuilder source) {
    return !fusions(source).isEmpty();
  }

  /** Returns the fusion rescorers among them. */
  public static List<FusionRescorerBuilder> fusions(SearchSourceBuilder source) {
    return rescorers(source).stream()
        .filter(FusionRescorerBuilder.class::isInstance)
        .map(FusionRescorerBuilder.class::cast)
        .toList();
  }

  /** Returns whether a search selects from what it rescores. */
  public static boolean selects(SearchSourceBuilder source) {
    return fusions(source).stream().anyMatch(fusion -> fusion.options().selection().selects());
  }

  /** Returns the same search with other fusion rescorers. */
  public static SearchSourceBuilder changed(
      SearchSourceBuilder source, UnaryOperator<FusionRescorerBuilder> changing) {
    SearchSourceBuilder copy = source.shallowCopy();
    copy.clearRescorers();
    for (RescorerBuilder<?> one : rescorers(source)) {
      copy.addRescorer(one instanceof FusionRescorerBuilder fusion ? changing.apply(fusion) : one);
    }
    return copy;
  }

  /**
   * Says on the coordinating node, with a way out, what a search cannot have.
   *
   * @param context of the coordinating node
   * @throws IllegalArgumentException when the request wants what its rescore cannot give
   */
  static void check(QueryRewriteContext context, FusionRescoreContext.Work work) {
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
          "[collapse] does not go with [rescore]: leave it out and give [fusion] a [group] of ["
              + source.collapse().getField()
              + "], or collapse a search without [rescore]");
    }
    if (work.options().selection().comparesHits() && mergesClusters(search)) {
      throw new IllegalArgumentException(
          work.options().selection().keys()
              + " compares hits of all shards, which clusters that are merged afterwards cannot:"
              + " search with [ccs_minimize_roundtrips=false]");
    }
    if (work.phase() != FusionRescoreContext.RescorePhase.DEFERRED) {
      CrossModalExtBuilder ext = CrossModalExtBuilder.of(source);
      if (ext != null && ext.globalWindow() > 0) {
        throw new IllegalArgumentException(
            "[ext.cross_modal.global_window] is off in this cluster: the setting"
                + " [cluster.search.enabled_system_generated_factories] must name [cross_modal]");
      }
      checkSelection(source, work);
    }
  }

  /**
   * Refuses what a search without a fusion rescore cannot have.
   *
   * @param asked the part of the request's {@code ext}
   * @throws IllegalArgumentException when it wants something of rescored hits
   */
  public static void checkUnrescored(CrossModalExtBuilder asked) {
    if (asked.globalWindow() > 0) {
      throw new IllegalArgumentException(
          "[ext.cross_modal.global_window] needs a [rescore] of type [fusion] to give a window");
    }
    if (asked.details()) {
      throw new IllegalArgumentException(
          "[ext.cross_modal.details] needs a [rescore] of type [fusion], of whose scores it tells:"
              + " add one, or leave [details] out; how kNN scored, [explain] tells");
    }
  }

  /** Returns whether other clusters do their part of a search to the end. */
  private static boolean mergesClusters(SearchRequest search) {
    return search.isCcsMinimizeRoundtrips()
        && Arrays.stream(search.indices())
            // Date math has colons of its own.
            .anyMatch(name -> name.indexOf(':') >= 0 && !name.startsWith("<"));
  }

  private static void checkSelection(SearchSourceBuilder source, FusionRescoreContext.Work work) {
    Selection selection = work.options().selection();
    if (selection.comparesHits()) {
      throw new IllegalArgumentException(
          selection.keys()
              + " compares hits of all shards, which a window for each shard cannot: give the"
              + " search one with [ext.cross_modal.global_window] or a pipeline with"
              + " [fusion_rerank]");
    }
    if (selection.selects() && source.query() != null && source.query().getName().equals(HYBRID)) {
      throw new IllegalArgumentException(
          selection.keys()
              + " over a [hybrid] query needs a global window, for without one each sub-query is"
              + " rescored: give the search one with [ext.cross_modal.global_window] or a pipeline"
              + " with [fusion_rerank]");
    }
    if (selection.selects() && !work.reported()) {
      throw new IllegalArgumentException(
          selection.keys()
              + " is off in this cluster: the setting"
              + " [cluster.search.enabled_system_generated_factories] must name [cross_modal]");
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
