/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.crossmodal.plugin.inference.scoring.ScoringService.Similarities;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import io.crossmodal.plugin.scoring.PairOperation;
import io.crossmodal.plugin.scoring.Pairs;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.opensearch.core.tasks.TaskCancelledException;

/**
 * Asks a rescore's model about its query and candidates and waits for the answer: until the
 * rescore's deadline, which begins here, or until the search is cancelled.
 *
 * <p>All questions fail with an {@link InferenceException}, with a {@link ForeignTokensException}
 * where another node finds the tokens damaged, and with a {@link TaskCancelledException} when the
 * search was cancelled.
 */
final class RescoreModel {
  // Nothing wakes a thread whose task is cancelled, so it looks up now and then.
  private static final long CANCELLATION_CHECK_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private final FusionRescoreContext context;
  private final Deadline deadline;

  RescoreModel(FusionRescoreContext context) {
    this.context = context;
    this.deadline = context.deadline();
  }

  /** Returns the pre-ranker's logit of each candidate. */
  List<Float> preRank(List<Candidate> candidates) {
    return ask(
        PairOperation.PRE_RANK,
        tokens(candidates).stream().<Tokens>map(Tokens::classToken).toList());
  }

  /**
   * Returns the score of each candidate: fused, or compared where query and candidates are images.
   */
  List<PairScore> score(List<Candidate> candidates) {
    List<PairScore> scores = new ArrayList<>(candidates.size());
    if (context.comparesImages()) {
      Similarities similarities = ask(PairOperation.MAX_SIM, tokens(candidates));
      context.reporter().asked(similarities.times());
      for (int i = 0; i < candidates.size(); i++) {
        scores.add(
            PairScore.Compared.of(
                similarities.values().get(i),
                candidates.get(i).calibration(),
                similarities.model()));
      }
      return scores;
    }
    Scores logits = ask(PairOperation.SCORE, tokens(candidates));
    context.reporter().asked(logits.times());
    for (int i = 0; i < candidates.size(); i++) {
      scores.add(PairScore.Fused.of(logits.itm()[i], logits.biEncoder()[i], logits.model()));
    }
    return scores;
  }

  /** Returns what the answers of {@link #attention} take. */
  static long attentionBytes(FusionRescoreContext context, List<Candidate> candidates) {
    long query = context.query().block().count();
    return candidates.stream()
        .mapToLong(candidate -> query * candidate.tokens().count() * Float.BYTES)
        .sum();
  }

  /** Returns where the tokens of the text look in the image, for each candidate. */
  List<WordPatchWeights> attention(List<Candidate> candidates) {
    return ask(PairOperation.ATTENTION, tokens(candidates));
  }

  private static List<Tokens> tokens(List<Candidate> candidates) {
    return candidates.stream().map(Candidate::tokens).toList();
  }

  private <T> T ask(PairOperation<T> question, List<Tokens> candidates) {
    Pairs pairs =
        new Pairs(
            context.field().definition().modelId(),
            context.field().definition().spaces().tokens(),
            context.query().block(),
            context.field().definition().modality() == Modality.IMAGE,
            candidates);
    return await(
        context.elsewhere()
            ? context.search().ask(question, pairs, deadline)
            : question.ask(context.scoring(), pairs, deadline));
  }

  private <T> T await(CompletableFuture<T> future) {
    try {
      while (true) {
        try {
          return future.get(
              Math.min(deadline.remainingNanos(), CANCELLATION_CHECK_NANOS), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
          if (context.search() != null) {
            context.search().checkCancelled();
          }
          if (deadline.expired()) {
            throw new InferenceException.DeadlineExceeded("a rescore");
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new TaskCancelledException("interrupted while rescoring");
    } catch (ExecutionException e) {
      throw Futures.unwrap(e.getCause());
    } finally {
      // Takes what has not begun out of the worker's way, whatever ended the wait.
      future.cancel(true);
    }
  }
}
