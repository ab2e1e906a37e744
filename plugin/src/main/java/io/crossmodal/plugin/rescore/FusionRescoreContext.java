/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.Deadline;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.stats.InferenceStats;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.search.rescore.RescoreContext;

/** One shard's rescore. */
final class FusionRescoreContext extends RescoreContext {
  private final String path;
  private final CrossModalFieldType field;
  private final EncodedSide query;
  private final FusionOptions options;
  private final RescoreStage stage;
  private final boolean reported;
  private final RescoreAdmission.Refusal refused;
  private final RescoreReporter reporter = new RescoreReporter();
  private SearchBounds search;

  FusionRescoreContext(
      int windowSize,
      String path,
      CrossModalFieldType field,
      EncodedSide query,
      FusionOptions options,
      RescoreStage stage,
      boolean reported,
      RescoreAdmission.Refusal refused) {
    super(windowSize, FusionRescorer.INSTANCE);
    this.path = path;
    this.field = field;
    this.query = query;
    this.options = options;
    this.stage = stage;
    this.reported = reported;
    this.refused = refused;
  }

  /** The part of the rescore that is to be done here. */
  RescoreStage stage() {
    return stage == RescoreStage.DEFERRED && (search == null || search.shards() == 1)
        ? RescoreStage.SHARD
        : stage;
  }

  /** Whether the request asks for a {@link RescoreReport}. */
  boolean reported() {
    return reported;
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
    if (refused != null) {
      throw refused.why();
    }
    if (search != null) {
      search.limits().checkWindow(getWindowSize(), "window_size");
    }
  }

  /** What the tokens of a rescore take of the heap; the caller's to close. */
  MemoryBudget.Growing memory() {
    return new MemoryBudget.Growing(
        hasField() ? service().heap() : MemoryBudget.UNLIMITED,
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

  /** The field as the request names it. */
  String path() {
    return path;
  }

  /** False for an index that lacks the field: every hit is one without tokens. */
  boolean hasField() {
    return field != null;
  }

  CrossModalFieldType field() {
    return field;
  }

  EncodedSide query() {
    return query;
  }

  /** Whether query and documents are images, so that there is nothing to fuse. */
  boolean comparesImages() {
    return query.modality() == Modality.IMAGE && field.definition().modality() == Modality.IMAGE;
  }

  FusionOptions options() {
    return options;
  }

  ModelService service() {
    return field.service();
  }

  /** What the field's model did on this node. */
  InferenceStats stats() {
    return service().stats().of(field.definition().modelId());
  }

  void bound(SearchBounds search) {
    this.search = search;
  }

  /** The search's own bounds; null where nobody searches, as in an explain request. */
  SearchBounds search() {
    return search;
  }

  /** Whether another node scores for this shard. */
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
        comparesImages() ? query.calibrations() : List.of(),
        most,
        memory);
  }

  /**
   * When this rescore stops waiting: the earliest of the search's timeout, the rescorer's, counted
   * from now, and the node's.
   */
  Deadline deadline() {
    Duration longest = service().longestWait();
    if (options.timeout() != null) {
      Duration asked = Duration.ofNanos(options.timeout().nanos());
      longest = asked.compareTo(longest) < 0 ? asked : longest;
    }
    Deadline own = Deadline.after(longest);
    return search == null ? own : own.earlier(search.deadline());
  }

  /**
   * Follows {@code on_failure}. A response that ran out of time says so; the end of the search's
   * own time is nobody's failure.
   *
   * @throws RuntimeException the failure, as OpenSearch answers it, unless the request prefers the
   *     first pass
   */
  void keepFirstPassOrThrow(RuntimeException failure) {
    boolean late = failure instanceof InferenceException.DeadlineExceeded && search != null;
    boolean searchIsOver =
        late && (search.deadline().expired() || (refused != null && refused.searchIsOver()));
    if (options.onFailure() == FailurePolicy.FAIL && !searchIsOver) {
      throw InferenceErrors.toOpenSearch(failure);
    }
    if (late) {
      search.timedOut();
    }
  }
}
