/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.scoring.ForeignTokensException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.search.fetch.FetchContext;
import org.opensearch.search.rescore.RescoreContext;

/**
 * What a fusion rescore has to say of the hits that a shard returns. It asks the model again, for
 * the first pass over a window keeps probabilities only; once for the whole page, and only when
 * somebody wants to know. For one thread.
 */
public final class RescoredPage {
  private final FusionRescoreContext context;
  private final List<LeafReaderContext> leaves;
  private final int[] docs;
  // Until the fetch phase is over, for its hits hold what came of it.
  private final MemoryBudget.Growing memory;
  private Map<Integer, Candidate> candidates;
  private Answers<PairScore> scores;
  private Answers<WordPatchWeights> attention;

  /**
   * What the model said.
   *
   * @param byDoc of top-level document ids; without those that it could not be asked about
   * @param error why it said nothing, where the request prefers the first pass to failures;
   *     otherwise null
   */
  public record Answers<T>(Map<Integer, T> byDoc, String error) {}

  private RescoredPage(FusionRescoreContext context, List<LeafReaderContext> leaves) {
    this.context = context;
    this.leaves = leaves;
    this.docs = context.search() == null ? new int[0] : context.search().page();
    this.memory = context.memory();
    if (context.search() != null) {
      context.search().closeAtEnd(memory::close);
    }
  }

  /** One for each fusion rescore of a search, in the request's order. */
  public static List<RescoredPage> of(FetchContext fetch) {
    List<LeafReaderContext> leaves = fetch.searcher().getIndexReader().leaves();
    List<RescoredPage> pages = new ArrayList<>();
    for (RescoreContext rescore : fetch.rescore()) {
      if (rescore instanceof FusionRescoreContext fusion) {
        pages.add(new RescoredPage(fusion, leaves));
      }
    }
    return pages;
  }

  /** Whether a document is a hit of the page; inner hits are not. */
  public boolean holds(int doc) {
    return Arrays.binarySearch(docs, doc) >= 0;
  }

  /** The field as the request names it. */
  public String field() {
    return context.path();
  }

  /** Id of the field's model; empty in an index that lacks the field. */
  public Optional<String> model() {
    return context.hasField()
        ? Optional.of(context.field().definition().modelId())
        : Optional.empty();
  }

  /**
   * Whether a hit has a fusion score; with {@link MissingPolicy#SCORE_ZERO} also without tokens.
   */
  public boolean isRescored(int doc) {
    return context.isRescored(doc);
  }

  /**
   * The scores of all rescored hits that have tokens.
   *
   * @throws RuntimeException as OpenSearch answers it, where {@code on_failure} says so
   */
  public Answers<PairScore> scores() throws IOException {
    if (scores == null) {
      scores = ask(tokens -> true, asked -> new RescoreModel(context).score(asked));
    }
    return scores;
  }

  /** The words of the query and their tokens; empty where it is none that has words. */
  public List<WordSpan> words() {
    return context.hasField() ? context.query().words() : List.of();
  }

  /**
   * Why a rescored hit has no heat map.
   *
   * @return empty where it has one
   */
  public Optional<String> heatMapUnavailable(int doc) throws IOException {
    if (context.hasField() && words().isEmpty()) {
      return Optional.of(
          "["
              + context.query().asked().key()
              + "] brings no words to draw, search with [query_text] for a heat map");
    }
    Candidate image = candidates().get(doc);
    if (image == null) {
      return Optional.of("the document stores no tokens");
    }
    return WordPatchWeights.isGrid(image.tokens().count())
        ? Optional.empty()
        : Optional.of(
            String.format(
                Locale.ROOT,
                "the picture's %d patches form no square",
                image.tokens().count() - 1));
  }

  /**
   * Where the query's tokens look in the pictures of all rescored hits whose {@link
   * #heatMapUnavailable} is empty.
   *
   * @throws RuntimeException as OpenSearch answers it, where {@code on_failure} says so
   */
  public Answers<WordPatchWeights> attention() throws IOException {
    if (attention == null) {
      context.search().limits().checkHeatMaps(docs.length);
      attention =
          ask(
              tokens -> !words().isEmpty() && WordPatchWeights.isGrid(tokens.count()),
              asked -> {
                // The model's tables, and the words' rows in the answer.
                memory.add(2 * RescoreModel.attentionBytes(context, asked));
                return new RescoreModel(context).attention(asked);
              });
    }
    return attention;
  }

  private <T> Answers<T> ask(
      Predicate<Tokens> eligible, Function<List<Candidate>, List<T>> question) throws IOException {
    try {
      List<Integer> hits = new ArrayList<>();
      List<Candidate> asked = new ArrayList<>();
      candidates()
          .forEach(
              (doc, candidate) -> {
                if (eligible.test(candidate.tokens())) {
                  hits.add(doc);
                  asked.add(candidate);
                }
              });
      Map<Integer, T> byDoc = new HashMap<>();
      if (!hits.isEmpty()) {
        List<T> answers = question.apply(asked);
        for (int i = 0; i < hits.size(); i++) {
          byDoc.put(hits.get(i), answers.get(i));
        }
      }
      return new Answers<>(Collections.unmodifiableMap(byDoc), null);
    } catch (InferenceException | ForeignTokensException e) {
      context.keepFirstPassOrThrow(e);
      return new Answers<>(Map.of(), e.getMessage());
    }
  }

  /** The rescored hits that have stored tokens, in document order. */
  private Map<Integer, Candidate> candidates() throws IOException {
    if (candidates == null) {
      Map<Integer, Candidate> read = new TreeMap<>();
      if (context.hasField()) {
        TokenReader reader = context.tokenReader(leaves, docs.length, memory);
        for (int doc : docs) {
          Candidate candidate = context.isRescored(doc) ? reader.read(doc) : null;
          if (candidate != null) {
            read.put(doc, candidate);
          }
        }
      }
      candidates = read;
    }
    return candidates;
  }
}
