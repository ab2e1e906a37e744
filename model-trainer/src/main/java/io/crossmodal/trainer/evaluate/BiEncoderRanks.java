/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.trainer.evaluate.CandidateScorer.ScoredDirection;
import io.crossmodal.trainer.evaluate.Candidates.Relevance;
import io.crossmodal.trainer.evaluate.EvaluationTable.Retrieval;
import io.crossmodal.trainer.evaluate.EvaluationTable.Row;

/** What the bi-encoder reaches alone, in both directions; no pair is scored. */
final class BiEncoderRanks {
  /** Strict and duplicate-aware, a rank a picture. */
  private final int[][] pictures;

  private final int[][] captions;
  private final Relevance relevance;

  BiEncoderRanks(CandidateScorer imageQueries, CandidateScorer textQueries, Relevance relevance) {
    this.pictures = ranks(imageQueries, relevance, true);
    this.captions = ranks(textQueries, relevance, false);
    this.relevance = relevance;
  }

  private static int[][] ranks(CandidateScorer scorer, Relevance relevance, boolean imageQueries) {
    Candidates found = new Candidates(scorer.nearest(ScoredDirection.TOP), null, null);
    return new int[][] {
      found.firstStageRanks(relevance.of(imageQueries, false)),
      found.firstStageRanks(relevance.of(imageQueries, true))
    };
  }

  /**
   * Returns its row.
   *
   * @param within whether with the intervals of mR
   */
  Row row(boolean within) {
    Row row = Row.of("filter only", direction(pictures), direction(captions));
    return within
        ? row.within(
            Interval.of(pictures[0], captions[0], relevance::owner),
            Interval.of(pictures[1], captions[1], relevance::owner))
        : row;
  }

  private static Row.Direction direction(int[][] ranks) {
    return new Row.Direction(Retrieval.of(ranks[0]), Retrieval.of(ranks[1]), null, false, null);
  }
}
