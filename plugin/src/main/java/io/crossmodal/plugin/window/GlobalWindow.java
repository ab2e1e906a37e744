/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.FusionRescorerBuilder;
import io.crossmodal.plugin.rescore.RescoredSearch;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TopDocs;
import org.opensearch.action.search.SearchPhaseContext;
import org.opensearch.common.lucene.search.TopDocsAndMaxScore;
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
  private final int window;
  private final List<QuerySearchResult> shards;
  private final SearchPhaseContext context;
  private final SecondRound round;
  private final int ordinal;
  private final FusionRescorerBuilder rescorer;
  private final FusionOptions options;
  private final InferenceStats stats;
  private final long start = System.nanoTime();
  private final ShardScores asked;

  /** A hit of a shard's first pass. */
  record Hit(int shard, int doc, float firstPass) {}

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
    List<RescorerBuilder<?>> rescorers = RescoredSearch.rescorers(context.getRequest().source());
    this.ordinal = rescorers.size() - 1;
    this.rescorer = (FusionRescorerBuilder) rescorers.get(ordinal);
    this.options = rescorer.options();
    this.stats = scoring.stats().of(rescorer.model());
    this.asked = new ShardScores(shards, context, round, scoring, options, stats);
  }

  /** Rescores; afterwards the shards' results hold final scores, sorted. */
  RescoreReport rescore() {
    stats.increment(Counter.GLOBAL_WINDOWS);
    List<Hit> chosen = choose();
    Map<Hit, Float> scores = new HashMap<>();
    Set<Hit> passedOver = new HashSet<>();
    Deadline deadline = asked.deadline();
    if (round.searchDeadline().expired() && !chosen.isEmpty()) {
      chosen.stream().map(Hit::shard).distinct().forEach(shard -> asked.late(shard, chosen));
    } else {
      List<Hit> fused = chosen;
      if (options.filterSize() > 0 && options.filterSize() < chosen.size()) {
        fused = preRank(chosen, deadline, scores, passedOver);
      }
      scores.putAll(asked.ask(fused, rescorer::forScoring, deadline));
    }
    asked
        .failedShards()
        .forEach(
            (shard, failure) -> {
              context.onShardFailure(shard, shards.get(shard).getSearchShardTarget(), failure);
              round.release(shards.get(shard));
            });
    SelectedWindow selected =
        options.selection().selects()
            ? SelectedWindow.of(
                chosen.stream()
                    .filter(hit -> !asked.failedShards().containsKey(hit.shard))
                    .toList(),
                scores,
                passedOver,
                asked,
                options)
            : null;
    for (int shard = 0; shard < shards.size(); shard++) {
      if (topDocs(shard) != null) {
        combine(shard, scores, selected);
      }
    }
    int belowMinP = selected == null ? 0 : selected.belowMinP();
    int grouped = selected == null ? 0 : selected.grouped();
    stats.add(Counter.BELOW_MIN_P, belowMinP);
    stats.add(Counter.GROUPED, grouped);
    return new RescoreReport(
        rescorer.field(),
        rescorer.model(),
        true,
        (int) chosen.stream().map(Hit::shard).distinct().count(),
        chosen.size(),
        scores.size(),
        asked.missing(),
        belowMinP,
        grouped,
        asked.degraded(),
        asked.times().plus(new RescoreReport.Times(System.nanoTime() - start, 0, 0, 0, 0)));
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
   * @param passedOver gets those that it does not let through
   */
  private List<Hit> preRank(
      List<Hit> chosen, Deadline deadline, Map<Hit, Float> scores, Set<Hit> passedOver) {
    Map<Hit, Float> logits = asked.ask(chosen, rescorer::forPreRanking, deadline);
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
    int size = Math.min(options.filterSize(), fused.size());
    passedOver.addAll(fused.subList(size, fused.size()));
    return fused.subList(0, size);
  }

  /**
   * Gives a shard's hits their final scores, and says which were rescored, for the fetch phase.
   *
   * @param selected null where all hits are returned
   */
  private void combine(int shard, Map<Hit, Float> scores, SelectedWindow selected) {
    QuerySearchResult result = shards.get(shard);
    TopDocs before = topDocs(shard);
    List<ScoreDoc> after = new ArrayList<>(before.scoreDocs.length);
    Set<Integer> rescored = new HashSet<>();
    boolean failed = asked.failedShards().containsKey(shard);
    for (ScoreDoc hit : before.scoreDocs) {
      Hit key = new Hit(shard, hit.doc, hit.score);
      if (failed || (selected != null && !selected.holds(key))) {
        continue;
      }
      Float p = scores.get(key);
      if (p != null) {
        rescored.add(hit.doc);
      }
      float score =
          selected != null
              ? selected.score(key)
              : p == null
                  ? options.combiner().untouched(hit.score)
                  : options.combiner().rescored(hit.score, p);
      after.add(new ScoreDoc(hit.doc, score, hit.shardIndex));
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
    if (selected != null && !failed) {
      if (after.isEmpty()) {
        if (before.scoreDocs.length > 0) {
          round.release(result);
        }
      } else if (options.selection().comparesHits()) {
        SecondRound.tellFetch(result, fusion -> fusion.selected(selected.outcomes(shard)));
      }
    }
  }
}
