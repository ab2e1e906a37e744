/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The losses of a step by name, or their mean over several steps; written to {@code metrics.jsonl}.
 *
 * @param values {@value #TOTAL}, which is what was minimised and NaN where no step could be taken,
 *     then the losses that it is made of; one that takes no part is 0
 */
public record Losses(Map<String, Double> values) {
  private static final String TOTAL = "total";

  public Losses {
    values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /**
   * Names what a step has computed.
   *
   * @param names of the losses behind the total
   * @param values the total, then the losses in the order of their names
   */
  static Losses of(List<String> names, float[] values) {
    Map<String, Double> named = new LinkedHashMap<>();
    named.put(TOTAL, (double) values[0]);
    for (int i = 0; i < names.size(); i++) {
      named.put(names.get(i), (double) values[1 + i]);
    }
    return new Losses(named);
  }

  /** Returns the mean of each loss over at least one step. */
  public static Losses mean(List<Losses> steps) {
    Map<String, Double> mean = new LinkedHashMap<>();
    steps.forEach(
        step -> step.values.forEach((name, value) -> mean.merge(name, value, Double::sum)));
    mean.replaceAll((name, sum) -> sum * (1.0 / steps.size()));
    return new Losses(mean);
  }

  /** Returns what was minimised. */
  public double total() {
    return get(TOTAL);
  }

  /** Returns the loss of that name. */
  public double get(String name) {
    return values.get(name);
  }

  /** Returns whether the step could be taken. */
  public boolean finite() {
    return Double.isFinite(total());
  }

  /** Returns these losses as those of a step that could not be taken. */
  Losses diverged() {
    Map<String, Double> diverged = new LinkedHashMap<>(values);
    diverged.put(TOTAL, Double.NaN);
    return new Losses(diverged);
  }
}
