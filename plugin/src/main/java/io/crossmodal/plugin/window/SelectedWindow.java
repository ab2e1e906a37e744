/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.rescore.FusionOptions;
import io.crossmodal.plugin.rescore.Selection;
import io.crossmodal.plugin.window.GlobalWindow.Hit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What is returned of a global window.
 *
 * @param hits with the scores by which they are ordered, and what they became
 * @param belowMinP hits that were cut
 * @param grouped hits for which another of their group stands
 */
record SelectedWindow(Map<Hit, Selection.Selected<Hit>> hits, int belowMinP, int grouped) {

  /**
   * Selects.
   *
   * @param window hits that were chosen, of shards that did not fail
   * @param scores their p; without those that keep the first pass
   * @param passedOver those that the pre-ranker kept from the fusion encoder
   * @param asked knows what hits are compared by
   */
  static SelectedWindow of(
      List<Hit> window,
      Map<Hit, Float> scores,
      Set<Hit> passedOver,
      ShardScores asked,
      FusionOptions options) {
    List<Selection.Candidate<Hit>> candidates = new ArrayList<>(window.size());
    for (Hit hit : window) {
      Float p = scores.get(hit);
      HitTraits.Trait trait = asked.trait(hit);
      candidates.add(
          new Selection.Candidate<>(
              hit,
              p == null
                  ? options.combiner().untouched(hit.firstPass())
                  : options.combiner().rescored(hit.firstPass(), p),
              p == null ? Float.NaN : p,
              passedOver.contains(hit),
              trait.group(),
              trait.embedding()));
    }
    candidates.sort(
        Comparator.<Selection.Candidate<Hit>>comparingDouble(hit -> -hit.score())
            .thenComparingInt(hit -> hit.key().shard())
            .thenComparingInt(hit -> hit.key().doc()));
    Selection.Result<Hit> result = options.selection().of(candidates);
    Map<Hit, Selection.Selected<Hit>> selected = new HashMap<>();
    result.hits().forEach(hit -> selected.put(hit.key(), hit));
    return new SelectedWindow(selected, result.belowMinP(), result.grouped());
  }

  /** Returns whether a hit is returned. */
  boolean holds(Hit hit) {
    return hits.containsKey(hit);
  }

  /** Returns the score of a hit that is returned. */
  float score(Hit hit) {
    return hits.get(hit).score();
  }

  /** Returns what a shard's hits became, by top-level document ids. */
  Map<Integer, Selection.Outcome> outcomes(int shard) {
    Map<Integer, Selection.Outcome> outcomes = new HashMap<>();
    hits.forEach(
        (hit, selected) -> {
          if (hit.shard() == shard) {
            outcomes.put(hit.doc(), selected.outcome());
          }
        });
    return outcomes;
  }
}
