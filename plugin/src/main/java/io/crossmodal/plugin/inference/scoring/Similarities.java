/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.scoring;

import io.crossmodal.plugin.inference.batching.JobTimes;
import java.util.List;

/**
 * How alike B pairs of images are.
 *
 * @param values MaxSim of each pair, in [-1, 1]
 * @param model whose tokens were compared
 * @param times what they cost
 */
public record Similarities(List<Float> values, ScoredBy model, JobTimes times) {
  public Similarities {
    values = List.copyOf(values);
  }
}
