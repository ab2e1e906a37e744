/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.ShardReports;
import io.crossmodal.plugin.scoring.PairOperation;
import io.crossmodal.plugin.scoring.Pairs;
import io.crossmodal.plugin.scoring.Scorers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TopDocs;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.lucene.search.TopDocsAndMaxScore;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.index.shard.SearchOperationListener;
import org.opensearch.search.internal.SearchContext;
import org.opensearch.search.query.QueryPhaseExecutionException;
import org.opensearch.search.query.QuerySearchResult;
import org.opensearch.search.rescore.RescoreContext;

/**
 * One search on one shard, for its rescores: its {@code timeout}, its cancellation. Core enforces
 * neither while it rescores, and tells rescorers of neither; so this asks at the start of the query
 * phase, and of a fetch phase that comes in a request of its own, where the time counts anew. It
 * also knows which hits are fetched.
 */
final class ShardSearch {
  private final SearchContext search;
  private final Deadline deadline;
  private final Scorers scorers;
  private final RescoreLimits limits;

  // Once for a search, so that its tokens are read for the node that will score them.
  private final boolean elsewhere;

  private ShardSearch(SearchContext search, Scorers scorers, RescoreLimits limits) {
    this.search = search;
    this.scorers = scorers;
    this.limits = limits;
    this.elsewhere = scorers.elsewhere();
    TimeValue timeout = search.timeout();
    this.deadline =
        timeout == null || timeout.nanos() < 0
            ? Deadline.none()
            : Deadline.after(Duration.ofNanos(timeout.nanos()));
  }

  /** Hands each fusion rescore the search that it belongs to. */
  static final class Listener implements SearchOperationListener {
    private final Scorers scorers;
    private final RescoreLimits limits;

    Listener(Scorers scorers, RescoreLimits limits) {
      this.scorers = scorers;
      this.limits = limits;
    }

    @Override
    public void onPreQueryPhase(SearchContext search) {
      bind(search);
    }

    @Override
    public void onQueryPhase(SearchContext search, long tookInNanos) {
      List<RescoreReport> reports = new ArrayList<>();
      HitTraits traits = HitTraits.NONE;
      for (RescoreContext rescore : search.rescore()) {
        if (rescore instanceof FusionRescoreContext fusion) {
          if (fusion.reported()) {
            reports.add(fusion.report());
            traits = fusion.traits();
          }
          if (fusion.nothingLeft()) {
            leaveNothing(search.queryResult());
          }
        }
      }
      ShardReports.attach(search.queryResult(), reports, traits);
    }

    private static void leaveNothing(QuerySearchResult result) {
      result.topDocs(
          new TopDocsAndMaxScore(
              new TopDocs(result.topDocs().topDocs.totalHits, new ScoreDoc[0]), Float.NaN),
          result.sortValueFormats());
    }

    @Override
    public void onPreFetchPhase(SearchContext search) {
      bind(search);
    }

    private void bind(SearchContext search) {
      ShardSearch bound = null;
      for (RescoreContext rescore : search.rescore()) {
        if (rescore instanceof FusionRescoreContext fusion && fusion.search() == null) {
          bound = bound == null ? new ShardSearch(search, scorers, limits) : bound;
          fusion.bind(bound);
        }
      }
    }
  }

  /** Returns the hits that are being fetched, in document order; none before the fetch phase. */
  int[] page() {
    // Aggregations fetch their top hits before.
    if (search.docIdsToLoad() == null) {
      return new int[0];
    }
    int from = search.docIdsToLoadFrom();
    int[] docs = Arrays.copyOfRange(search.docIdsToLoad(), from, from + search.docIdsToLoadSize());
    Arrays.sort(docs);
    return docs;
  }

  /** Shards that the search asks, this one among them. */
  int shards() {
    return search.request().numberOfShards();
  }

  /** Returns what the node allows. */
  RescoreLimits limits() {
    return limits;
  }

  /** Closes something when this phase of the search is over, however it ends. */
  void closeAtEnd(Releasable resource) {
    search.addReleasable(resource);
  }

  /** Returns when the search's timeout is over. */
  Deadline deadline() {
    return deadline;
  }

  /** Returns whether another node scores for this shard. */
  boolean elsewhere() {
    return elsewhere;
  }

  /** Asks another node, as a part of this search. */
  <T> CompletableFuture<T> ask(PairOperation<T> question, Pairs pairs, Deadline until) {
    return scorers.ask(question, pairs, until, search.getTask());
  }

  /**
   * @throws TaskCancelledException when the search was cancelled
   */
  void checkCancelled() {
    if (search.isCancelled()) {
      throw new TaskCancelledException("cancelled while rescoring");
    }
  }

  /**
   * Marks the response as one that ran out of time.
   *
   * @throws QueryPhaseExecutionException when the request does not accept partial results, as core
   *     does
   */
  void timedOut() {
    if (Boolean.FALSE.equals(search.request().allowPartialSearchResults())) {
      throw new QueryPhaseExecutionException(search.shardTarget(), "Time exceeded");
    }
    search.queryResult().searchTimedOut(true);
  }
}
