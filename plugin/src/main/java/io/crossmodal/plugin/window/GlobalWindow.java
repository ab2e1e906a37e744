/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.ext.RescoreReport.Degraded;
import io.crossmodal.plugin.ext.ShardReports;
import io.crossmodal.plugin.inference.Deadline;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.stats.InferenceStats;
import io.crossmodal.plugin.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoredSearch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TopDocs;
import org.opensearch.ExceptionsHelper;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.lucene.search.TopDocsAndMaxScore;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.search.RescoreDocIds;
import org.opensearch.search.query.QuerySearchResult;
import org.opensearch.search.rescore.RescorerBuilder;

/**
 * The rescore of one search whose shards have one window together. Each shard has handed its best
 * hits on unscored; this takes the best of all, asks their shards for fusion scores, and puts final
 * scores into the shards' results, which core then merges. Neither the hits that are scored nor
 * their scores depend on how many shards there are, but for hits of equal scores.
 */
final class GlobalWindow {
  // A shard keeps the deadline itself and says so; this is for one that does not answer at all.
  private static final Duration GRACE = Duration.ofSeconds(1);

  private final int window;
  private final List<QuerySearchResult> shards;
  private final SearchPhaseContext context;
  private final SecondRound round;
  private final ScoringService scoring;
  private final int ordinal;
  private final FusionRescorerBuilder rescorer;
  private final FusionOptions options;
  private final InferenceStats stats;
  private final long start = System.nanoTime();
  private final Map<Integer, Exception> failedShards = new TreeMap<>();
  private final List<Degraded> degraded = new ArrayList<>();
  private int missing;
  private RescoreReport.Times times = RescoreReport.Times.NONE;

  /** A hit of a shard's first pass. */
  private record Hit(int shard, int doc, float firstPass) {}

  /**
   * @param shards results by the index of their shard, null for those that failed; at least two
   * @param context of the query phase that has just ended
   */
  GlobalWindow(
      int window,
      List<QuerySearchResult> shards,
      SearchPhaseContext context,
      WindowTransport transport,
      ScoringService scoring) {
    this.window = window;
    this.shards = shards;
    this.context = context;
    this.round = new SecondRound(context, transport);
    this.scoring = scoring;
    List<RescorerBuilder<?>> rescorers = RescoredSearch.rescorers(context.getRequest().source());
    this.ordinal = rescorers.size() - 1;
    this.rescorer = (FusionRescorerBuilder) rescorers.get(ordinal);
    this.options = rescorer.options();
    this.stats = scoring.stats().of(rescorer.model());
  }

  /** Rescores; afterwards the shards' results hold final scores, sorted. */
  RescoreReport rescore() {
    stats.increment(Counter.GLOBAL_WINDOWS);
    List<Hit> chosen = choose();
    Map<Hit, Float> scores = new HashMap<>();
    Deadline deadline = deadline();
    if (round.searchDeadline().expired() && !chosen.isEmpty()) {
      chosen.stream().map(Hit::shard).distinct().forEach(shard -> late(shard, chosen));
    } else {
      List<Hit> fused = chosen;
      if (options.filterSize() > 0 && options.filterSize() < chosen.size()) {
        fused = preRank(chosen, deadline, scores);
      }
      scores.putAll(ask(fused, rescorer::forScoring, deadline));
    }
    failedShards.forEach(
        (shard, failure) -> {
          context.onShardFailure(shard, shards.get(shard).getSearchShardTarget(), failure);
          round.release(shards.get(shard));
        });
    for (int shard = 0; shard < shards.size(); shard++) {
      if (topDocs(shard) != null) {
        combine(shard, scores);
      }
    }
    return new RescoreReport(
        rescorer.field(),
        rescorer.model(),
        true,
        (int) chosen.stream().map(Hit::shard).distinct().count(),
        chosen.size(),
        scores.size(),
        missing,
        degraded,
        times.plus(new RescoreReport.Times(System.nanoTime() - start, 0, 0, 0, 0)));
  }

  /** Returns the best hits of all shards: by score, then shard, then document. */
  private List<Hit> choose() {
    List<Hit> hits = new ArrayList<>();
    for (int shard = 0; shard < shards.size(); shard++) {
      TopDocs found = topDocs(shard);
      if (found != null) {
        Set<Integer> docs = new HashSet<>();
        for (ScoreDoc hit : found.scoreDocs) {
          if (!docs.add(hit.doc)) {
            // A hybrid query's lists stand one behind the other, with marks of its own between.
            throw new IllegalArgumentException(
                "a shard found a document twice: with a global window, a [hybrid] query needs a"
                    + " [normalization-processor] or a [score-ranker-processor] in its search"
                    + " pipeline");
          }
          hits.add(new Hit(shard, hit.doc, hit.score));
        }
      }
    }
    hits.sort(
        Comparator.<Hit>comparingDouble(hit -> -hit.firstPass)
            .thenComparingInt(Hit::shard)
            .thenComparingInt(Hit::doc));
    return List.copyOf(hits.subList(0, Math.min(window, hits.size())));
  }

  /** Returns a shard's hits; null where it gave none. */
  private TopDocs topDocs(int shard) {
    QuerySearchResult result = shards.get(shard);
    return result == null || result.isNull() || result.topDocs() == null
        ? null
        : result.topDocs().topDocs;
  }

  /**
   * Returns the hits that the pre-ranker scores highest.
   *
   * @param scores gets those that need no fusion
   */
  private List<Hit> preRank(List<Hit> chosen, Deadline deadline, Map<Hit, Float> scores) {
    Map<Hit, Float> logits = ask(chosen, rescorer::forPreRanking, deadline);
    List<Hit> fused = new ArrayList<>();
    logits.forEach(
        (hit, logit) -> {
          if (logit == Float.NEGATIVE_INFINITY) {
            scores.put(hit, 0f);
          } else {
            fused.add(hit);
          }
        });
    fused.sort(
        Comparator.<Hit>comparingDouble(hit -> -logits.get(hit))
            .thenComparingInt(Hit::shard)
            .thenComparingInt(Hit::doc));
    return fused.subList(0, Math.min(options.filterSize(), fused.size()));
  }

  /** Builds a shard's request for a number of hits. */
  private interface Rescoring {
    FusionRescorerBuilder of(int hits);
  }

  /** Sends hits to their shards to be scored; those that keep the first pass are left out. */
  private Map<Hit, Float> ask(List<Hit> hits, Rescoring rescoring, Deadline deadline) {
    Map<Integer, List<Hit>> byShard = new TreeMap<>();
    for (Hit hit : hits) {
      if (!failedShards.containsKey(hit.shard)) {
        byShard.computeIfAbsent(hit.shard, shard -> new ArrayList<>()).add(hit);
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
        for (RescoreReport report : ShardReports.detach(result, false)) {
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
      if (rescored != null && rescored.contains(hit.doc)) {
        scores.put(hit, byDoc.get(hit.doc));
      }
    }
  }

  /**
   * Returns when this stops waiting: after the shards do, which bound their rescores themselves.
   */
  private Deadline deadline() {
    Duration longest = scoring.longestWait();
    if (options.timeout() != null) {
      Duration asked = Duration.ofNanos(options.timeout().nanos());
      longest = asked.compareTo(longest) < 0 ? asked : longest;
    }
    Duration rest = Duration.ofNanos(Math.max(0, round.searchDeadline().remainingNanos()));
    return Deadline.after((rest.compareTo(longest) < 0 ? rest : longest).plus(GRACE));
  }

  private void late(int shard, List<Hit> hits) {
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
            (int) hits.stream().filter(hit -> hit.shard == shard).count()));
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

  /** Gives a shard's hits their final scores, and says which were rescored, for the fetch phase. */
  private void combine(int shard, Map<Hit, Float> scores) {
    QuerySearchResult result = shards.get(shard);
    TopDocs before = topDocs(shard);
    List<ScoreDoc> after = new ArrayList<>(before.scoreDocs.length);
    Set<Integer> rescored = new HashSet<>();
    if (!failedShards.containsKey(shard)) {
      for (ScoreDoc hit : before.scoreDocs) {
        Float p = scores.get(new Hit(shard, hit.doc, hit.score));
        if (p != null) {
          rescored.add(hit.doc);
        }
        float score =
            p == null
                ? options.combiner().untouched(hit.score)
                : options.combiner().rescored(hit.score, p);
        after.add(new ScoreDoc(hit.doc, score, hit.shardIndex));
      }
    }
    after.sort(
        Comparator.<ScoreDoc>comparingDouble(hit -> -hit.score).thenComparingInt(hit -> hit.doc));
    result.topDocs(
        new TopDocsAndMaxScore(
            new TopDocs(before.totalHits, after.toArray(new ScoreDoc[0])),
            after.isEmpty() ? Float.NaN : after.get(0).score),
        result.sortValueFormats());
    Map<Integer, Set<Integer>> byRescorer = new HashMap<>();
    for (int i = 0; i < ordinal; i++) {
      Set<Integer> ofOther = result.getRescoreDocIds().getId(i);
      if (ofOther != null) {
        byRescorer.put(i, ofOther);
      }
    }
    byRescorer.put(ordinal, rescored);
    result.setRescoreDocIds(new RescoreDocIds(byRescorer));
  }
}
