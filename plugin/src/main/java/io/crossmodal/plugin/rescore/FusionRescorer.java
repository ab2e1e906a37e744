/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.inference.stats.InferenceStats.Timing;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TopDocs;
import org.opensearch.search.rescore.RescoreContext;
import org.opensearch.search.rescore.Rescorer;

/**
 * Rescores the window of one shard on its search thread: gathers the window's tokens in document
 * order, has them scored in one call, and combines (steps 4 to 8 of ARCHITECTURE.md). Hits go in as
 * core gives them, best first, and come out sorted by score, then document. Stateless.
 */
public final class FusionRescorer implements Rescorer {
  static final FusionRescorer INSTANCE = new FusionRescorer();

  private static final Comparator<ScoreDoc> BEST_FIRST =
      Comparator.<ScoreDoc>comparingDouble(hit -> -hit.score).thenComparingInt(hit -> hit.doc);

  private FusionRescorer() {}

  @Override
  public TopDocs rescore(TopDocs topDocs, IndexSearcher searcher, RescoreContext rescoreContext)
      throws IOException {
    FusionRescoreContext context = (FusionRescoreContext) rescoreContext;
    if (context.phase() == FusionRescoreContext.RescorePhase.DEFERRED) {
      return topDocs;
    }
    boolean counted =
        context.hasField() && context.phase() == FusionRescoreContext.RescorePhase.SHARD;
    if (counted) {
      context.stats().increment(Counter.RESCORES);
    }
    long start = System.nanoTime();
    Set<Integer> rescored = new HashSet<>();
    TopDocs combined = combine(topDocs, searcher, context, rescored);
    context.addRescored(rescored);
    long took = System.nanoTime() - start;
    if (counted) {
      context.stats().record(Timing.RESCORE, took);
    }
    context
        .reporter()
        .ran(Math.min(context.getWindowSize(), topDocs.scoreDocs.length), rescored.size(), took);
    return combined;
  }

  /**
   * @param rescored gets the documents whose scores hold a p
   */
  private static TopDocs combine(
      TopDocs topDocs, IndexSearcher searcher, FusionRescoreContext context, Set<Integer> rescored)
      throws IOException {
    ScoreCombiner combiner = context.options().combiner();
    int window = Math.min(context.getWindowSize(), topDocs.scoreDocs.length);
    ScoreDoc[] inDocOrder = Arrays.copyOf(topDocs.scoreDocs, window);
    Arrays.sort(inDocOrder, Comparator.comparingInt(hit -> hit.doc));

    // New hits throughout: the array's elements belong to the first pass.
    List<ScoreDoc> result = new ArrayList<>(topDocs.scoreDocs.length);
    for (Scored scored : score(inDocOrder, searcher, context)) {
      ScoreDoc hit = scored.hit;
      if (Float.isNaN(scored.probability)) {
        result.add(new ScoreDoc(hit.doc, combiner.untouched(hit.score), hit.shardIndex));
      } else {
        rescored.add(hit.doc);
        float score =
            context.phase() == FusionRescoreContext.RescorePhase.PRE_RANK
                ? scored.probability
                : combiner.rescored(hit.score, scored.probability);
        result.add(new ScoreDoc(hit.doc, score, hit.shardIndex));
      }
    }
    for (ScoreDoc hit :
        Arrays.asList(topDocs.scoreDocs).subList(window, topDocs.scoreDocs.length)) {
      result.add(new ScoreDoc(hit.doc, combiner.untouched(hit.score), hit.shardIndex));
    }
    result.sort(BEST_FIRST);
    return new TopDocs(topDocs.totalHits, result.toArray(new ScoreDoc[0]));
  }

  /**
   * @param probability or the pre-ranker's logit; NaN where the hit keeps its first-pass score
   */
  private record Scored(ScoreDoc hit, float probability) {}

  private static List<Scored> score(
      ScoreDoc[] inDocOrder, IndexSearcher searcher, FusionRescoreContext context)
      throws IOException {
    try (MemoryBudget.Growing memory = context.memory()) {
      context.begin();
      return score(inDocOrder, searcher, context, memory);
    } catch (InferenceException e) {
      // There was no place, or no heap for the tokens; what the model says is heeded below.
      degradeOrThrow(e, context, inDocOrder.length);
      return Arrays.stream(inDocOrder).map(hit -> new Scored(hit, Float.NaN)).toList();
    }
  }

  private static List<Scored> score(
      ScoreDoc[] inDocOrder,
      IndexSearcher searcher,
      FusionRescoreContext context,
      MemoryBudget.Growing memory)
      throws IOException {
    List<Scored> scored = new ArrayList<>(inDocOrder.length);
    List<ScoreDoc> hits = new ArrayList<>();
    List<Candidate> candidates = new ArrayList<>();
    TokenReader reader =
        context.hasField()
            ? context.tokenReader(searcher.getIndexReader().leaves(), inDocOrder.length, memory)
            : null;
    int missing = 0;
    long start = System.nanoTime();
    for (ScoreDoc hit : inDocOrder) {
      Candidate candidate;
      try {
        candidate = reader == null ? null : reader.read(hit.doc);
      } catch (ForeignTokensException e) {
        degradeOrThrow(e, context, 1);
        scored.add(new Scored(hit, Float.NaN));
        continue;
      }
      if (candidate != null) {
        hits.add(hit);
        candidates.add(candidate);
      } else {
        missing++;
        scored.add(new Scored(hit, withoutTokens(context)));
      }
    }
    long read = System.nanoTime() - start;
    context.reporter().read(read, missing);
    if (reader != null) {
      context.stats().record(Timing.READ, read);
      context.stats().add(Counter.MISSING, missing);
    }
    if (missing > 0) {
      if (context.options().missing() == MissingPolicy.FAIL) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "%d of %d hits in the window have no tokens to rescore with, and [missing] is fail",
                missing,
                inDocOrder.length));
      }
    }
    if (!hits.isEmpty()) {
      float[] probabilities = probabilities(candidates, context);
      for (int i = 0; i < probabilities.length; i++) {
        scored.add(new Scored(hits.get(i), probabilities[i]));
      }
    }
    return scored;
  }

  private static float withoutTokens(FusionRescoreContext context) {
    if (context.options().missing() != MissingPolicy.SCORE_ZERO) {
      return Float.NaN;
    }
    return context.phase() == FusionRescoreContext.RescorePhase.PRE_RANK
        ? Float.NEGATIVE_INFINITY
        : 0;
  }

  /**
   * Returns one p per candidate, NaN where it keeps the first pass instead; or the logits of the
   * pre-ranker, where no more is to be done here.
   */
  private static float[] probabilities(List<Candidate> candidates, FusionRescoreContext context) {
    float[] probabilities = new float[candidates.size()];
    Arrays.fill(probabilities, Float.NaN);
    int[] passed;
    List<PairScore> scores;
    try {
      RescoreModel model = new RescoreModel(context);
      if (context.phase() == FusionRescoreContext.RescorePhase.PRE_RANK) {
        List<Float> logits = model.preRank(candidates);
        for (int i = 0; i < probabilities.length; i++) {
          probabilities[i] = logits.get(i);
        }
        return probabilities;
      }
      passed = preRank(candidates, context.options().filterSize(), model);
      scores = model.score(Arrays.stream(passed).mapToObj(candidates::get).toList());
    } catch (InferenceException | ForeignTokensException e) {
      degradeOrThrow(e, context, candidates.size());
      return probabilities;
    }
    int notNumbers = 0;
    for (int i = 0; i < passed.length; i++) {
      float p = scores.get(i).p();
      probabilities[passed[i]] = p;
      if (Float.isNaN(p)) {
        notNumbers++;
      }
    }
    if (notNumbers > 0) {
      context.stats().add(Counter.NOT_A_NUMBER, notNumbers);
      degradeOrThrow(
          new InferenceException.ModelFailed(
              notNumbers + " of " + passed.length + " fusion scores are not numbers", null),
          context,
          notNumbers);
    }
    return probabilities;
  }

  /** Step 5: indices of the candidates that the pre-ranker scores highest, in their order. */
  private static int[] preRank(List<Candidate> candidates, int size, RescoreModel model) {
    int[] all = IntStream.range(0, candidates.size()).toArray();
    if (size == 0 || size >= all.length) {
      return all;
    }
    List<Float> logits = model.preRank(candidates);
    return Arrays.stream(all)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> -logits.get(i)))
        .limit(size)
        .sorted()
        .mapToInt(i -> i)
        .toArray();
  }

  /** Counts a failure by its cause, and throws it unless the request prefers the first pass. */
  private static void degradeOrThrow(
      RuntimeException failure, FusionRescoreContext context, int hits) {
    Counter reason = counter(failure);
    context.stats().increment(reason);
    context.keepFirstPassOrThrow(failure);
    context.stats().increment(Counter.DEGRADED);
    context.reporter().degraded(reason, failure.getMessage(), hits);
  }

  private static Counter counter(RuntimeException failure) {
    if (failure instanceof ForeignTokensException) {
      return Counter.FOREIGN_TOKENS;
    }
    if (failure instanceof InferenceException.DeadlineExceeded) {
      return Counter.TIMEOUTS;
    }
    if (failure instanceof InferenceException.MemoryExceeded) {
      return Counter.OUT_OF_MEMORY;
    }
    if (failure instanceof InferenceException.ModelUnavailable) {
      return Counter.UNAVAILABLE;
    }
    if (failure instanceof InferenceException.SearchThreadsBusy) {
      return Counter.SEARCH_THREADS_BUSY;
    }
    return failure instanceof InferenceException.QueueFull
        ? Counter.REJECTED_RESCORES
        : Counter.MODEL_FAILURES;
  }

  @Override
  public Explanation explain(
      int doc, IndexSearcher searcher, RescoreContext rescoreContext, Explanation firstPass)
      throws IOException {
    FusionRescoreContext context = (FusionRescoreContext) rescoreContext;
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
