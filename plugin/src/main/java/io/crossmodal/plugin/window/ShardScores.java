/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.RescoreReport.Degraded;
import io.crossmodal.plugin.ext.ShardReports;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.window.GlobalWindow.Hit;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.lucene.search.ScoreDoc;
import org.opensearch.ExceptionsHelper;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.common.lease.Releasable;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.search.query.QuerySearchResult;

/**
 * The scores of a global window's hits: asks each shard for its share, and keeps what came of it,
 * failures among them. For one thread.
 */
final class ShardScores {
  // A shard keeps the deadline itself and says so; this is for one that does not answer at all.
  private static final Duration GRACE = Duration.ofSeconds(1);

  private final List<QuerySearchResult> shards;
  private final SearchPhaseContext context;
  private final SecondRound round;
  private final ScoringService scoring;
  private final FusionOptions options;
  private final InferenceStats stats;
  private final Map<Integer, Exception> failedShards = new TreeMap<>();
  private final List<Degraded> degraded = new ArrayList<>();
  private final Map<Hit, HitTraits.Trait> traits = new HashMap<>();
  private int missing;
  private RescoreReport.Times times = RescoreReport.Times.NONE;

  /**
   * @param shards results by the index of their shard, null for those that failed
   * @param options of the search's rescorer
   */
  ShardScores(
      List<QuerySearchResult> shards,
      SearchPhaseContext context,
      SecondRound round,
      ScoringService scoring,
      FusionOptions options,
      InferenceStats stats) {
    this.shards = shards;
    this.context = context;
    this.round = round;
    this.scoring = scoring;
    this.options = options;
    this.stats = stats;
  }

  /** Returns the shards that failed since their first answer. */
  Map<Integer, Exception> failedShards() {
    return failedShards;
  }

  /** Returns the hits that lack a score although they should not. */
  List<Degraded> degraded() {
    return degraded;
  }

  /** Returns how many hits have no tokens. */
  int missing() {
    return missing;
  }

  /** Returns the times of the slowest shard, of each round. */
  RescoreReport.Times times() {
    return times;
  }

  /** Returns what a hit is compared by. */
  HitTraits.Trait trait(Hit hit) {
    return traits.getOrDefault(hit, HitTraits.Trait.NONE);
  }

  /** Builds a shard's request for a number of hits. */
  interface Rescoring {
    FusionRescorerBuilder of(int hits);
  }

  /** Sends hits to their shards to be scored; those that keep the first pass are left out. */
  Map<Hit, Float> ask(List<Hit> hits, Rescoring rescoring, Deadline deadline) {
    Map<Integer, List<Hit>> byShard = new TreeMap<>();
    for (Hit hit : hits) {
      if (!failedShards.containsKey(hit.shard())) {
        byShard.computeIfAbsent(hit.shard(), shard -> new ArrayList<>()).add(hit);
      }
    }
    if (byShard.isEmpty()) {
      return Map.of();
    }
    try (Releasable waiting = round.mayWait()) {
      if (waiting == null) {
        throw new OpenSearchStatusException(
            "the global window cannot be rescored on this thread, try again",
            RestStatus.TOO_MANY_REQUESTS);
      }
      Map<Integer, SecondRound.Response> answers = new TreeMap<>();
      byShard.forEach(
          (shard, own) ->
              answers.put(
                  shard,
                  round.ask(
                      shards.get(shard),
                      own.stream().mapToInt(Hit::doc).toArray(),
                      rescoring.of(own.size()))));
      boolean heard = false;
      try {
        Map<Hit, Float> scores = hear(byShard, answers, deadline);
        heard = true;
        return scores;
      } finally {
        if (!heard) {
          // Such as a search that was cancelled.
          answers.values().forEach(SecondRound.Response::cancel);
        }
      }
    }
  }

  private Map<Hit, Float> hear(
      Map<Integer, List<Hit>> byShard,
      Map<Integer, SecondRound.Response> answers,
      Deadline deadline) {
    Map<Hit, Float> scores = new HashMap<>();
    RescoreReport.Times slowest = RescoreReport.Times.NONE;
    for (Map.Entry<Integer, SecondRound.Response> answer : answers.entrySet()) {
      int shard = answer.getKey();
      List<Hit> own = byShard.get(shard);
      try {
        QuerySearchResult result = round.await(answer.getValue(), deadline);
        ShardReports.Detached told = ShardReports.detach(result, false);
        for (Hit hit : own) {
          HitTraits.Trait trait = told.traits().byDoc().get(hit.doc());
          if (trait != null) {
            traits.put(hit, trait);
          }
        }
        for (RescoreReport report : told.reports()) {
          slowest = slowest.slower(report.times());
          missing += report.missing();
          report.degraded().forEach(this::degrade);
        }
        if (result.searchTimedOut()) {
          shards.get(shard).searchTimedOut(true);
        }
        collect(own, result, scores);
      } catch (TimeoutException e) {
        late(shard, own);
        if (failedShards.containsKey(shard)) {
          // Not where its hits are kept: a query that is cancelled takes the reader of its hits
          // along.
          answer.getValue().cancel();
        }
      } catch (ExecutionException e) {
        failed(shard, e.getCause());
      }
    }
    times =
        times.plus(
            new RescoreReport.Times(
                0, slowest.read(), slowest.queue(), slowest.copy(), slowest.model()));
    return scores;
  }

  private static void collect(List<Hit> asked, QuerySearchResult answer, Map<Hit, Float> scores) {
    Set<Integer> rescored = answer.getRescoreDocIds().getId(0);
    Map<Integer, Float> byDoc = new HashMap<>();
    for (ScoreDoc hit : answer.topDocs().topDocs.scoreDocs) {
      byDoc.put(hit.doc, hit.score);
    }
    for (Hit hit : asked) {
      if (rescored != null && rescored.contains(hit.doc())) {
        scores.put(hit, byDoc.get(hit.doc()));
      }
    }
  }

  /**
   * Returns when this stops waiting: after the shards do, which bound their rescores themselves.
   */
  Deadline deadline() {
    Duration longest = scoring.longestWait();
    if (options.timeout() != null) {
      Duration asked = Duration.ofNanos(options.timeout().nanos());
      longest = asked.compareTo(longest) < 0 ? asked : longest;
    }
    Duration rest = Duration.ofNanos(Math.max(0, round.searchDeadline().remainingNanos()));
    return Deadline.after((rest.compareTo(longest) < 0 ? rest : longest).plus(GRACE));
  }

  void late(int shard, List<Hit> hits) {
    boolean searchIsOver = round.searchDeadline().expired();
    boolean partial = context.getRequest().allowPartialSearchResults();
    if (searchIsOver ? !partial : options.onFailure() == FailurePolicy.FAIL) {
      fail(
          shard,
          Counter.TIMEOUTS,
          new OpenSearchStatusException(
              "the global window was not rescored in time", RestStatus.GATEWAY_TIMEOUT));
      return;
    }
    shards.get(shard).searchTimedOut(true);
    keep(shard, hits, Counter.TIMEOUTS, "the global window was not rescored in time");
  }

  /** Handles a shard that answered with a failure, or whose node is gone. */
  private void failed(int shard, Throwable failure) {
    Throwable cause = ExceptionsHelper.unwrapCause(failure);
    if (context.getTask().isCancelled()) {
      throw new TaskCancelledException("cancelled while rescoring");
    }
    // What the request is to blame for, such as [missing: fail], no policy excuses; what the shard
    // says itself, it has counted.
    boolean refused = ExceptionsHelper.status(cause) == RestStatus.BAD_REQUEST;
    if (cause instanceof Exception told && (refused || told instanceof OpenSearchStatusException)) {
      failedShards.put(shard, told);
      return;
    }
    // Also where the first pass is preferred: the failed query took the reader of the shard's hits
    // along, so there is nothing to keep. Models' failures do not come here then. Wrapped, for core
    // does not report the loss of a node, it looks for another copy.
    fail(
        shard,
        Counter.UNAVAILABLE,
        new OpenSearchStatusException(
            "a shard could not rescore its part of the global window: " + cause.getMessage(),
            cause instanceof OpenSearchRejectedExecutionException
                ? RestStatus.TOO_MANY_REQUESTS
                : RestStatus.SERVICE_UNAVAILABLE,
            cause));
  }

  private void fail(int shard, Counter reason, Exception failure) {
    stats.increment(reason);
    failedShards.put(shard, failure);
  }

  private void keep(int shard, List<Hit> hits, Counter reason, String message) {
    stats.increment(reason);
    stats.increment(Counter.DEGRADED);
    degrade(
        new Degraded(
            reason.name().toLowerCase(Locale.ROOT),
            message,
            (int) hits.stream().filter(hit -> hit.shard() == shard).count()));
  }

  private void degrade(Degraded one) {
    for (int i = 0; i < degraded.size(); i++) {
      if (degraded.get(i).reason().equals(one.reason())) {
        degraded.set(i, degraded.get(i).and(one));
        return;
      }
    }
    degraded.add(one);
  }
}
