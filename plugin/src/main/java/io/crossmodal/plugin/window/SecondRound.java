/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoredSearch;
import io.crossmodal.plugin.scoring.ChildTask;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.UnaryOperator;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.action.search.SearchRequest;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.search.SearchShardTarget;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.dfs.AggregatedDfs;
import org.opensearch.search.internal.ShardSearchRequest;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.search.query.QuerySearchResult;

/**
 * Asks shards of a search once more, each in the reader context of its first answer, within the
 * search's own time.
 */
final class SecondRound {
  private static final Logger LOGGER = LogManager.getLogger(SecondRound.class);

  // Nothing wakes a thread whose task is cancelled, so it looks up now and then.
  private static final long CANCELLATION_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private static final AggregatedDfs NO_STATISTICS = new AggregatedDfs(Map.of(), Map.of(), 0);

  private final SearchPhaseContext context;
  private final WindowTransport transport;

  /**
   * @param context of the query phase that has just ended
   */
  SecondRound(SearchPhaseContext context, WindowTransport transport) {
    this.context = context;
    this.transport = transport;
  }

  /** Lets this thread wait, as {@link WindowTransport#mayWait} does. */
  Releasable mayWait() {
    return transport.mayWait();
  }

  /**
   * A shard's response, which may never come.
   *
   * @param childTask null where the request could not be sent
   */
  record Response(CompletableFuture<QuerySearchResult> result, ChildTask childTask) {
    /** Cancels the request on the shard. */
    void cancel() {
      if (childTask != null && !result.isDone()) {
        childTask.cancel("the global window is over");
      }
    }
  }

  /**
   * Asks a shard.
   *
   * @param first its first answer
   * @param docs top-level document ids of the first answer's reader
   * @param rescorer of as many hits
   */
  Response ask(QuerySearchResult first, int[] docs, FusionRescorerBuilder rescorer) {
    CompletableFuture<QuerySearchResult> answer = new CompletableFuture<>();
    ChildTask childTask = null;
    try {
      SearchShardTarget target = first.getSearchShardTarget();
      ShardSearchRequest again = new ShardSearchRequest(first.getShardSearchRequest());
      SearchSourceBuilder source =
          new SearchSourceBuilder()
              .query(new DocIdsQueryBuilder(docs))
              .size(docs.length)
              .trackTotalHits(false)
              .fetchSource(false)
              .addRescorer(rescorer.reported());
      if (searchTimeout() != null) {
        source.timeout(TimeValue.timeValueNanos(Math.max(1, searchDeadline().remainingNanos())));
      }
      again.source(source);
      childTask =
          transport.ask(
              context.getConnection(target.getClusterAlias(), target.getNodeId()),
              new QuerySearchRequest(
                  target.getOriginalIndices(), first.getContextId(), again, NO_STATISTICS),
              context.getTask(),
              ActionListener.wrap(answer::complete, answer::completeExceptionally));
    } catch (RuntimeException e) {
      // Such as a node that has just left.
      answer.completeExceptionally(e);
    }
    return new Response(answer, childTask);
  }

  /**
   * Waits for an answer.
   *
   * @throws ExecutionException with what the shard says instead
   * @throws TimeoutException at the deadline
   * @throws TaskCancelledException when the search was cancelled
   */
  QuerySearchResult await(Response response, Deadline deadline)
      throws ExecutionException, TimeoutException {
    try {
      while (true) {
        try {
          return response
              .result()
              .get(
                  Math.max(0, Math.min(deadline.remainingNanos(), CANCELLATION_CHECK_NANOS)),
                  TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
          if (context.getTask().isCancelled()) {
            throw new TaskCancelledException("cancelled while rescoring");
          }
          if (deadline.expired()) {
            throw e;
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TaskCancelledException("interrupted while rescoring");
    }
  }

  private TimeValue searchTimeout() {
    return context.getRequest().source().timeout();
  }

  /** Returns when the search's own timeout is over. */
  Deadline searchDeadline() {
    TimeValue timeout = searchTimeout();
    return timeout == null || timeout.nanos() < 0
        ? Deadline.none()
        : new Deadline(context.getTask().getStartTimeNanos() + timeout.nanos());
  }

  /**
   * Has the fetch of a shard's hits know of another rescorer than its query did: core sends the
   * shard's request along.
   */
  static void tellFetch(QuerySearchResult result, UnaryOperator<FusionRescorerBuilder> changing) {
    ShardSearchRequest fetch = new ShardSearchRequest(result.getShardSearchRequest());
    fetch.source(RescoredSearch.changed(fetch.source(), changing));
    result.setShardSearchRequest(fetch);
  }

  /**
   * Lets go of the readers of a shard that failed, or has no hit left. Core does so for shards with
   * hits of which it fetches none; this one has none.
   */
  void release(QuerySearchResult shard) {
    SearchRequest request = context.getRequest();
    if (request.scroll() == null && request.pointInTimeBuilder() == null) {
      SearchShardTarget target = shard.getSearchShardTarget();
      try {
        context.sendReleaseSearchContext(
            shard.getContextId(),
            context.getConnection(target.getClusterAlias(), target.getNodeId()),
            target.getOriginalIndices());
      } catch (RuntimeException e) {
        LOGGER.debug("node [{}] is gone with its readers", target.getNodeId(), e);
      }
    }
  }
}
