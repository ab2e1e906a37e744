/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.ext.DetailsFetchPhase;
import io.crossmodal.plugin.rescore.TokenReader.Candidate;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.search.fetch.FetchContext;
import org.opensearch.search.rescore.RescoreContext;

/**
 * Describes the hits of a fusion rescore that a shard returns. It asks the model again, for the
 * first pass over a window keeps probabilities only; once for the whole page, when the first hit is
 * described. For one thread.
 */
public final class RescoredPage implements DetailsFetchPhase.Page {
  private final FusionRescoreContext context;
  private final List<LeafReaderContext> leaves;
  private final int[] docs;
  // Until the fetch phase is over, for its hits hold what came of it.
  private final MemoryBudget.Growing memory;
  private Map<Integer, Candidate> candidates;
  private Answers<PairScore> scores;
  private Answers<WordPatchWeights> attention;

  /**
   * The model's answers.
   *
   * @param byDoc of top-level document ids; without those that it could not be asked about
   * @param error why there are none, where the request prefers the first pass to failures;
   *     otherwise null
   */
  private record Answers<T>(Map<Integer, T> byDoc, String error) {}

  private RescoredPage(FusionRescoreContext context, List<LeafReaderContext> leaves) {
    this.context = context;
    this.leaves = leaves;
    this.docs = context.search() == null ? new int[0] : context.search().page();
    this.memory = context.memory();
    if (context.search() != null) {
      context.search().closeAtEnd(memory::close);
    }
  }

  /** Returns one for each fusion rescore of a search, in the request's order. */
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

  @Override
  public boolean describesAlways() {
    return context.options().selection().comparesHits();
  }

  @Override
  public boolean holds(int doc) {
    return Arrays.binarySearch(docs, doc) >= 0;
  }

  @Override
  public Map<String, Object> describe(CrossModalExtBuilder wanted, int doc) throws IOException {
    Map<String, Object> object = new LinkedHashMap<>();
    object.put("field", context.path());
    if (context.hasField()) {
      object.put("model", context.field().definition().modelId());
    }
    object.put("rescored", context.isRescored(doc));
    describeSelection(doc, object);
    if (context.isRescored(doc)) {
      if (wanted.details()) {
        describeScore(doc, object);
      }
      // What failed once would fail again, and the reason stands there already.
      if (wanted.heatMap() && !object.containsKey("error")) {
        describeHeatMap(doc, object, wanted.footprint().orElse(null));
      }
    }
    return object;
  }

  private void describeSelection(int doc, Map<String, Object> object) {
    Selection.Outcome outcome = context.outcome(doc);
    if (outcome == null) {
      return;
    }
    if (context.options().selection().group() != null) {
      Map<String, Object> group = new LinkedHashMap<>();
      group.put("field", context.options().selection().group());
      // A hit without a value stands for itself.
      group.put("value", outcome.group());
      group.put("hits", outcome.hits());
      object.put("group", group);
    }
    if (!Float.isNaN(outcome.novelty())) {
      object.put("novelty", outcome.novelty());
    }
  }

  private void describeScore(int doc, Map<String, Object> object) throws IOException {
    Answers<PairScore> answers = scores();
    if (answers.error() != null) {
      object.put("error", answers.error());
      return;
    }
    PairScore score = answers.byDoc().get(doc);
    if (score == null) {
      object.put("p", 0f);
      object.put("missing", "score_zero");
      return;
    }
    object.put("version", score.model().number());
    object.put("p", score.p());
    score.describe(object);
  }

  /**
   * @param footprint the field that says where the picture lies; null where it is not asked for
   */
  private void describeHeatMap(int doc, Map<String, Object> object, String footprint)
      throws IOException {
    Answers<WordPatchWeights> answers = attention();
    if (answers.error() != null) {
      object.put("error", answers.error());
      return;
    }
    Optional<String> unavailable = heatMapUnavailable(doc);
    if (unavailable.isPresent()) {
      object.put("heat_map_unavailable", unavailable.get());
      return;
    }
    WordPatchWeights table = answers.byDoc().get(doc);
    List<String> words = new ArrayList<>();
    List<float[]> weights = new ArrayList<>();
    for (WordSpan word : words()) {
      words.add(word.word());
      weights.add(table.patches(word.from(), word.to()));
    }
    object.put(
        "heat_map",
        new HeatMap(words, table.grid(), weights)
            .answer(context.field().definition(), leaves, doc, footprint));
  }

  /**
   * Returns the scores of all rescored hits that have tokens.
   *
   * @throws RuntimeException as OpenSearch answers it, where {@code on_failure} says so
   */
  private Answers<PairScore> scores() throws IOException {
    if (scores == null) {
      scores = ask(tokens -> true, asked -> new RescoreModel(context).score(asked));
    }
    return scores;
  }

  /** Returns the words of the query and their tokens; empty where it is none that has words. */
  private List<WordSpan> words() {
    return context.hasField() ? context.query().words() : List.of();
  }

  /**
   * Returns why a rescored hit has no heat map.
   *
   * @return empty where it has one
   */
  private Optional<String> heatMapUnavailable(int doc) throws IOException {
    if (context.hasField() && words().isEmpty()) {
      return Optional.of(
          "["
              + context.queryKey()
              + "] brings no words to draw, search with [query_text] for a heat map");
    }
    Candidate image = candidates().get(doc);
    if (image == null) {
      return Optional.of(HeatMap.NO_TOKENS);
    }
    return HeatMap.unavailable(image.tokens());
  }

  /**
   * Returns where the query's tokens look in the pictures of all rescored hits whose {@link
   * #heatMapUnavailable} is empty.
   *
   * @throws RuntimeException as OpenSearch answers it, where {@code on_failure} says so
   */
  private Answers<WordPatchWeights> attention() throws IOException {
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

  /** Returns the rescored hits that have stored tokens, in document order. */
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
