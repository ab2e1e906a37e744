/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
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
        context.hasField() && context.phase() != FusionRescoreContext.RescorePhase.PRE_RANK;
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
    int size = Math.min(context.getWindowSize(), topDocs.scoreDocs.length);
    ScoreDoc[] inDocOrder = Arrays.copyOf(topDocs.scoreDocs, size);
    Arrays.sort(inDocOrder, Comparator.comparingInt(hit -> hit.doc));

    // New hits throughout: the array's elements belong to the first pass.
    List<ScoreDoc> result = new ArrayList<>(topDocs.scoreDocs.length);
    List<Scored> window = score(inDocOrder, searcher, context);
    if (context.selects()) {
      return select(topDocs, inDocOrder, window, searcher, context, rescored);
    }
    if (context.phase() != FusionRescoreContext.RescorePhase.SHARD) {
      context.addTraits(context.traitReader().read(searcher.getIndexReader().leaves(), inDocOrder));
    }
    for (Scored scored : window) {
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
    for (ScoreDoc hit : Arrays.asList(topDocs.scoreDocs).subList(size, topDocs.scoreDocs.length)) {
      result.add(new ScoreDoc(hit.doc, combiner.untouched(hit.score), hit.shardIndex));
    }
    result.sort(BEST_FIRST);
    return new TopDocs(topDocs.totalHits, result.toArray(new ScoreDoc[0]));
  }

  /** Returns what the request selects of the window, and nothing behind it. */
  private static TopDocs select(
      TopDocs topDocs,
      ScoreDoc[] inDocOrder,
      List<Scored> window,
      IndexSearcher searcher,
      FusionRescoreContext context,
      Set<Integer> rescored)
      throws IOException {
    ScoreCombiner combiner = context.options().combiner();
    HitTraits traits = context.traitReader().read(searcher.getIndexReader().leaves(), inDocOrder);
    List<Selection.Candidate<ScoreDoc>> candidates = new ArrayList<>(window.size());
    for (Scored one : window) {
      boolean hasP = !Float.isNaN(one.probability);
      HitTraits.Trait trait = traits.byDoc().getOrDefault(one.hit.doc, HitTraits.Trait.NONE);
      candidates.add(
          new Selection.Candidate<>(
              one.hit,
              hasP
                  ? combiner.rescored(one.hit.score, one.probability)
                  : combiner.untouched(one.hit.score),
              one.probability,
              one.passedOver,
              trait.group(),
              trait.embedding()));
      if (hasP) {
        rescored.add(one.hit.doc);
      }
    }
    candidates.sort(
        Comparator.<Selection.Candidate<ScoreDoc>>comparingDouble(hit -> -hit.score())
            .thenComparingInt(hit -> hit.key().doc));
    Selection.Result<ScoreDoc> selected = context.options().selection().of(candidates);
    context.reporter().selected(selected.belowMinP(), selected.grouped());
    if (context.hasField()) {
      context.stats().add(Counter.BELOW_MIN_P, selected.belowMinP());
      context.stats().add(Counter.GROUPED, selected.grouped());
    }
    Map<Integer, Selection.Outcome> outcomes = new HashMap<>();
    List<ScoreDoc> hits = new ArrayList<>(selected.hits().size());
    for (Selection.Selected<ScoreDoc> one : selected.hits()) {
      outcomes.put(one.key().doc, one.outcome());
      hits.add(new ScoreDoc(one.key().doc, one.score(), one.key().shardIndex));
    }
    context.select(outcomes);
    if (hits.isEmpty() && inDocOrder.length > 0) {
      hits.add(inDocOrder[0]);
    }
    hits.sort(BEST_FIRST);
    return new TopDocs(topDocs.totalHits, hits.toArray(new ScoreDoc[0]));
  }

  /**
   * @param probability or the pre-ranker's logit; NaN where the hit keeps its first-pass score
   * @param passedOver whether the pre-ranker kept it from the fusion encoder
   */
  private record Scored(ScoreDoc hit, float probability, boolean passedOver) {
    Scored(ScoreDoc hit, float probability) {
      this(hit, probability, false);
    }
  }

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
      boolean[] passedOver = new boolean[hits.size()];
      float[] probabilities = probabilities(candidates, context, passedOver);
      for (int i = 0; i < probabilities.length; i++) {
        scored.add(new Scored(hits.get(i), probabilities[i], passedOver[i]));
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
   *
   * @param passedOver gets those that the pre-ranker keeps from the fusion encoder
   */
  private static float[] probabilities(
      List<Candidate> candidates, FusionRescoreContext context, boolean[] passedOver) {
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
      Arrays.fill(passedOver, true);
      for (int i : passed) {
        passedOver[i] = false;
      }
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
    return FusionExplanation.of(doc, searcher, (FusionRescoreContext) rescoreContext, firstPass);
  }
}
