/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import java.io.IOException;
import java.util.List;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.search.IndexSearcher;

/** How the score of a hit was made, by the code that made it. */
final class FusionExplanation {
  private FusionExplanation() {}

  /**
   * Explains a hit's score.
   *
   * @param doc top-level document id
   * @param firstPass of the score before
   */
  static Explanation of(
      int doc, IndexSearcher searcher, FusionRescoreContext context, Explanation firstPass)
      throws IOException {
    ScoreCombiner combiner = context.options().combiner();
    float first = firstPass.getValue().floatValue();
    if (!context.isRescored(doc)) {
      return Explanation.match(
          combiner.untouched(first),
          combiner.mode() == FusionScoreMode.REPLACE
              ? "not rescored: s / (1 + s) of the first pass's score s"
              : "not rescored: the first pass's score times query_weight",
          firstPass);
    }
    Explanation fusion = explainFusion(doc, searcher, context);
    Selection.Outcome outcome = context.outcome(doc);
    if (outcome != null && !Float.isNaN(outcome.novelty())) {
      Selection selection = context.options().selection();
      return Explanation.match(
          selection.diversified(fusion.getValue().floatValue(), outcome.novelty()),
          "rescored: 1 + lambda * p + (1 - lambda) * novelty",
          fusion,
          Explanation.match(
              outcome.novelty(), "novelty, (1 - cosine) / 2 to the most similar of the hits above"),
          Explanation.match(selection.diversity(), "lambda, the request's diversity"),
          firstPass);
    }
    return Explanation.match(
        combiner.rescored(first, fusion.getValue().floatValue()),
        combiner.mode() == FusionScoreMode.REPLACE
            ? "rescored: 1 + p"
            : "rescored: "
                + FusionOptions.key(combiner.mode())
                + " of the first pass's score times "
                + combiner.queryWeight()
                + " and p times "
                + combiner.rescoreQueryWeight(),
        fusion,
        firstPass);
  }

  private static Explanation explainFusion(
      int doc, IndexSearcher searcher, FusionRescoreContext context) throws IOException {
    PairScore score;
    try (MemoryBudget.Growing memory = context.memory()) {
      Candidate candidate =
          context.hasField()
              ? context.tokenReader(searcher.getIndexReader().leaves(), 1, memory).read(doc)
              : null;
      if (candidate == null) {
        return Explanation.match(0f, "no stored tokens, and missing is score_zero");
      }
      score = new RescoreModel(context).score(List.of(candidate)).get(0);
    } catch (InferenceException e) {
      throw InferenceErrors.toOpenSearch(e);
    }
    if (score instanceof PairScore.Compared compared) {
      return explainCompared(compared);
    }
    PairScore.Fused fused = (PairScore.Fused) score;
    Calibration calibration = fused.model().calibration();
    return Explanation.match(
        fused.p(),
        "p, probability that query and document match by model ["
            + fused.model().id()
            + "]: sigmoid(scale * (itm + lambda * filter) + bias)",
        Explanation.match(fused.itm(), "itm, logit of the fusion encoder"),
        Explanation.match(fused.preRank(), "filter, logit of the filter"),
        Explanation.match((float) calibration.lambda(), "lambda"),
        Explanation.match((float) calibration.scale(), "scale"),
        Explanation.match((float) calibration.bias(), "bias"));
  }

  private static Explanation explainCompared(PairScore.Compared compared) {
    Explanation maxSim =
        Explanation.match(
            compared.maxSim(),
            "max_sim, mean over the query's patches of the cosine with the document's most similar"
                + " patch");
    SensorCalibration calibration = compared.calibration();
    if (calibration == null) {
      return Explanation.match(
          compared.p(),
          "p, how alike query and document are by model ["
              + compared.model().id()
              + "]: (1 + max_sim) / 2",
          maxSim);
    }
    return Explanation.match(
        compared.p(),
        "p, probability that query and document show one place by model ["
            + compared.model().id()
            + "], calibrated from sensor ["
            + calibration.query()
            + "] to ["
            + calibration.archive()
            + "]: sigmoid(scale * max_sim + bias)",
        maxSim,
        Explanation.match((float) calibration.scale(), "scale"),
        Explanation.match((float) calibration.bias(), "bias"));
  }
}
