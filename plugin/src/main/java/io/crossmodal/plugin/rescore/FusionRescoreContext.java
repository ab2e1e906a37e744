/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.plugin.action.EncodedQuery.Tokens;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.ext.RescoreReport;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.TokenStorage;
import io.crossmodal.plugin.query.QueryState;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.Selection.Outcome;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.search.rescore.RescoreContext;

/** One shard's rescore. */
final class FusionRescoreContext extends RescoreContext {
  private final String path;
  private final CrossModalFieldType field;
  private final QueryState.Encoded<Tokens> query;
  private final Work work;
  private final TraitReader traitReader;
  private final RescoreReporter reporter = new RescoreReporter();
  private Map<Integer, Outcome> outcomes;
  private HitTraits traits = HitTraits.NONE;
  private boolean nothingLeft;
  private ShardSearch search;

  /** The part of a rescore that a shard does. */
  enum RescorePhase {
    /** All of it, over the shard's own hits. */
    SHARD,
    /**
     * Nothing, where the search has other shards: the shard hands its first hits on, and the
     * coordinating node asks for those of them that are among the best of all shards. A search of
     * one shard does all of it here, for core fetches such a search's hits before the coordinating
     * node sees them.
     */
    DEFERRED,
    /** The pre-ranker's logits of hits that the coordinating node chose, as their scores. */
    PRE_RANK,
    /** The p of hits that the coordinating node chose, and what it compares them by. */
    CHOSEN
  }

  /**
   * The work of a shard.
   *
   * @param reported whether the shard reports what it did
   * @param refused why the shard must not rescore, which is known on its own node only; null where
   *     it may
   * @param outcomes of the hits that the coordinating node selected, by top-level document ids
   */
  record Work(
      FusionOptions options,
      RescorePhase phase,
      boolean reported,
      RescoreAdmission.Refusal refused,
      Map<Integer, Outcome> outcomes) {
    Work {
      outcomes = Map.copyOf(outcomes);
    }

    static Work of(FusionOptions options, RescorePhase phase, boolean reported) {
      return new Work(options, phase, reported, null, Map.of());
    }

    Work with(FusionOptions others, RescorePhase other) {
      return new Work(others, other, reported, refused, outcomes);
    }

    Work with(Map<Integer, Outcome> others) {
      return new Work(options, phase, reported, refused, others);
    }
  }

  /**
   * @param path the field as the request names it
   * @param field null in an index that lacks it
   * @throws IllegalArgumentException naming the parameter by which query and field do not fit
   */
  FusionRescoreContext(
      int windowSize,
      String path,
      CrossModalFieldType field,
      QueryState.Encoded<Tokens> query,
      Work work,
      TraitReader traitReader) {
    super(windowSize, FusionRescorer.INSTANCE);
    this.path = path;
    this.field = field;
    this.query = query;
    this.work = work;
    this.outcomes = work.outcomes();
    this.traitReader = traitReader;
    if (field != null) {
      check(field.definition());
    }
  }

  private void check(FieldDefinition definition) {
    if (definition.tokens() == TokenStorage.NONE) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] stores no tokens to rescore with: its mapping says [tokens: none]",
              path));
    }
    if (query.half().modality() == Modality.TEXT && definition.modality() == Modality.TEXT) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] fuses a text with an image, or compares images: [%s] does not go with field"
                  + " [%s] of modality [%s]",
              FusionRescorerBuilder.NAME,
              query.label().key(),
              path,
              definition.modality().key()));
    }
    if (query.half().modality() == definition.modality() && work.options().filterSize() > 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[filter_size] must be 0, got [%d]: [%s] is an image that is compared with images,"
                  + " the MLP filter takes a text with an image",
              work.options().filterSize(),
              query.label().key()));
    }
    // Refuses a model that is gone, or has other spaces than the field.
    ModelManifest model = definition.model();
    if (query.half().modality() != definition.modality()) {
      ScoringService.requireFusion(model);
      if (work.options().filterSize() > 0) {
        // Else the answer would hang on how many hits a shard finds.
        ScoringService.requirePreRanker(model);
      }
    }
    String ofField = definition.spaces().tokens();
    if (!ofField.equals(query.half().space())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the query was encoded by [%s] in the token space [%s], but the model [%s] of field"
                  + " [%s] has [%s]",
              query.half().model(),
              query.half().space(),
              definition.modelId(),
              path,
              ofField));
    }
  }

  /** Returns the part of the rescore that is to be done here. */
  RescorePhase phase() {
    return work.phase() == RescorePhase.DEFERRED && (search == null || search.shards() == 1)
        ? RescorePhase.SHARD
        : work.phase();
  }

  /** Returns whether what is returned of the window is chosen here. */
  boolean selects() {
    return phase() == RescorePhase.SHARD && options().selection().selects();
  }

  TraitReader traitReader() {
    return traitReader;
  }

  /** Keeps what hits are compared by for the coordinating node. */
  void addTraits(HitTraits read) {
    traits = read;
  }

  HitTraits traits() {
    return traits;
  }

  /**
   * Keeps what this shard selected.
   *
   * @param selected by top-level document ids
   */
  void select(Map<Integer, Outcome> selected) {
    outcomes = selected;
    nothingLeft = selected.isEmpty();
  }

  /** Returns what a hit became by the selection; null where there was none. */
  Outcome outcome(int doc) {
    return outcomes.get(doc);
  }

  /**
   * Returns whether the selection left no hit. Core takes the score of a rescore's first hit, so
   * one stays until the query phase is over.
   */
  boolean nothingLeft() {
    return nothingLeft;
  }

  /** Returns whether the request asks for a {@link RescoreReport}. */
  boolean reported() {
    return work.reported();
  }

  /**
   * Lets the rescore begin.
   *
   * @throws InferenceException where {@link RescoreAdmission} had no place for it
   * @throws IllegalArgumentException for a window that is larger than this node allows
   */
  void begin() {
    if (!hasField()) {
      // Nothing is read, and no model is asked.
      return;
    }
    if (work.refused() != null) {
      throw work.refused().why();
    }
    if (search != null) {
      search.limits().checkWindow(getWindowSize(), "window_size");
    }
  }

  /** Returns what the tokens of a rescore take of the heap; the caller's to close. */
  MemoryBudget.Growing memory() {
    return new MemoryBudget.Growing(
        hasField() ? scoring().heap() : MemoryBudget.UNLIMITED,
        "a part of the tokens of a window of ["
            + getWindowSize()
            + "] hits, of which a smaller one needs less,");
  }

  /** Adds to what this rescore, which may run for several sub-queries, has rescored. */
  void addRescored(Set<Integer> docs) {
    Set<Integer> all = new HashSet<>(docs);
    if (getRescoredDocs() != null) {
      all.addAll(getRescoredDocs());
    }
    setRescoredDocs(all);
  }

  RescoreReporter reporter() {
    return reporter;
  }

  RescoreReport report() {
    return reporter.report(path, hasField() ? field.definition().modelId() : null);
  }

  /** Returns the field as the request names it. */
  String path() {
    return path;
  }

  /** Returns false for an index that lacks the field: every hit is one without tokens. */
  boolean hasField() {
    return field != null;
  }

  CrossModalFieldType field() {
    return field;
  }

  Tokens query() {
    return query.half();
  }

  /** Returns the request's parameter that the query came in. */
  String queryKey() {
    return query.label().key();
  }

  /** Returns whether query and documents are images, so that there is nothing to fuse. */
  boolean comparesImages() {
    return query().modality() == Modality.IMAGE && field.definition().modality() == Modality.IMAGE;
  }

  FusionOptions options() {
    return work.options();
  }

  ScoringService scoring() {
    return field.scoring();
  }

  /** Returns what the field's model did on this node. */
  InferenceStats stats() {
    return scoring().stats().of(field.definition().modelId());
  }

  void bind(ShardSearch search) {
    this.search = search;
  }

  /** Returns the search that rescores; null outside of a search, as in an explain request. */
  ShardSearch search() {
    return search;
  }

  /** Returns whether another node scores for this shard. */
  boolean elsewhere() {
    return search != null && search.elsewhere();
  }

  /**
   * Reads the tokens of this shard's hits.
   *
   * @param most hits
   * @param memory of {@link #memory}
   */
  TokenReader tokenReader(List<LeafReaderContext> leaves, int most, MemoryBudget.Growing memory) {
    return new TokenReader(
        leaves,
        field.definition(),
        comparesImages() ? query().calibrations() : List.of(),
        most,
        memory);
  }

  /**
   * Returns when this rescore stops waiting: the earliest of the search's timeout, the rescorer's,
   * counted from now, and the node's.
   */
  Deadline deadline() {
    Duration longest = scoring().longestWait();
    if (options().timeout() != null) {
      Duration asked = Duration.ofNanos(options().timeout().nanos());
      longest = asked.compareTo(longest) < 0 ? asked : longest;
    }
    Deadline own = Deadline.after(longest);
    return search == null ? own : own.earlier(search.deadline());
  }

  /**
   * Follows {@code on_failure}. A response that ran out of time says so; the end of the search's
   * own time is no failure.
   *
   * @throws RuntimeException the failure, as OpenSearch answers it, unless the request prefers the
   *     first pass
   */
  void keepFirstPassOrThrow(RuntimeException failure) {
    boolean late = failure instanceof InferenceException.DeadlineExceeded && search != null;
    boolean searchIsOver =
        late
            && (search.deadline().expired()
                || (work.refused() != null && work.refused().searchIsOver()));
    if (options().onFailure() == FailurePolicy.FAIL && !searchIsOver) {
      throw InferenceErrors.toOpenSearch(failure);
    }
    if (late) {
      search.timedOut();
    }
  }
}
