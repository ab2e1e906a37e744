/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.scoring.ScoringService.ModelInfo;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import io.crossmodal.plugin.inference.scoring.ScoringService.Similarities;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.Predicate;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * Computation of a model on pairs, here or on another node.
 *
 * @param <T> the response
 */
public final class PairOperation<T> {
  /** The fusion encoder's logits. */
  public static final PairOperation<Scores> SCORE =
      new PairOperation<>(
          0,
          ModelConfig::hasFusion,
          ScoringService::score,
          PairOperation::writeScores,
          PairOperation::readScores);

  /** The pre-ranker's logits. */
  public static final PairOperation<List<Float>> PRE_RANK =
      new PairOperation<>(
          1,
          ModelConfig::preRanker,
          ScoringService::preRank,
          (out, logits) -> out.writeCollection(logits, StreamOutput::writeFloat),
          in -> in.readList(StreamInput::readFloat));

  /** Where the text's tokens look. */
  public static final PairOperation<List<WordPatchWeights>> ATTENTION =
      new PairOperation<>(
          2,
          ModelConfig::hasFusion,
          ScoringService::attention,
          (out, tables) -> out.writeCollection(tables, PairOperation::writeTable),
          in -> in.readList(PairOperation::readTable));

  /** How alike the query and its candidates are, all of them images. */
  public static final PairOperation<Similarities> MAX_SIM =
      new PairOperation<>(
          3,
          any -> true,
          ScoringService::maxSim,
          (out, answer) -> {
            out.writeCollection(answer.values(), StreamOutput::writeFloat);
            writeModel(out, answer.model(), answer.times());
          },
          in ->
              new Similarities(in.readList(StreamInput::readFloat), readModel(in), readTimes(in)));

  private static final List<PairOperation<?>> ALL = List.of(SCORE, PRE_RANK, ATTENTION, MAX_SIM);

  private final int code;
  private final Predicate<ModelConfig> able;
  private final BiFunction<ScoringService, ScoringService.Request, CompletableFuture<T>> method;
  private final Writeable.Writer<T> writer;
  private final Writeable.Reader<T> reader;

  private PairOperation(
      int code,
      Predicate<ModelConfig> able,
      BiFunction<ScoringService, ScoringService.Request, CompletableFuture<T>> method,
      Writeable.Writer<T> writer,
      Writeable.Reader<T> reader) {
    this.code = code;
    this.able = able;
    this.method = method;
    this.writer = writer;
    this.reader = reader;
  }

  /** Returns whether a model can compute it. */
  boolean isOf(ModelConfig model) {
    return able.test(model);
  }

  /**
   * Submits it to this node's own models.
   *
   * @return fails as {@link ScoringService#score} does
   */
  public CompletableFuture<T> ask(ScoringService scoring, Pairs pairs, Deadline deadline) {
    List<? extends Tokens> query = List.of(pairs.query());
    return method.apply(
        scoring,
        new ScoringService.Request(
            pairs.model(),
            pairs.queryAsks() ? query : pairs.candidates(),
            pairs.queryAsks() ? pairs.candidates() : query,
            deadline));
  }

  static PairOperation<?> read(StreamInput in) throws IOException {
    int code = in.readVInt();
    if (code >= ALL.size()) {
      throw new IOException("unknown operation " + code);
    }
    return ALL.get(code);
  }

  void write(StreamOutput out) throws IOException {
    out.writeVInt(code);
  }

  T readAnswer(StreamInput in) throws IOException {
    return reader.read(in);
  }

  void writeAnswer(StreamOutput out, T answer) throws IOException {
    writer.write(out, answer);
  }

  private static void writeScores(StreamOutput out, Scores scores) throws IOException {
    out.writeFloatArray(scores.itm());
    out.writeFloatArray(scores.biEncoder());
    writeModel(out, scores.model(), scores.times());
  }

  private static Scores readScores(StreamInput in) throws IOException {
    PairLogits logits = new PairLogits(in.readFloatArray(), in.readFloatArray());
    return new Scores(logits, readModel(in), readTimes(in));
  }

  private static void writeModel(StreamOutput out, ModelInfo model, Job.Times times)
      throws IOException {
    out.writeString(model.id());
    out.writeVLong(model.number());
    out.writeDouble(model.calibration().lambda());
    out.writeDouble(model.calibration().scale());
    out.writeDouble(model.calibration().bias());
    out.writeVLong(times.queueNanos());
    out.writeVLong(times.copyNanos());
    out.writeVLong(times.modelNanos());
  }

  private static ModelInfo readModel(StreamInput in) throws IOException {
    return new ModelInfo(
        in.readString(),
        in.readVLong(),
        new Calibration(in.readDouble(), in.readDouble(), in.readDouble()));
  }

  private static Job.Times readTimes(StreamInput in) throws IOException {
    return new Job.Times(in.readVLong(), in.readVLong(), in.readVLong());
  }

  private static void writeTable(StreamOutput out, WordPatchWeights table) throws IOException {
    out.writeVInt(table.count());
    out.writeVInt(table.imageTokens());
    out.writeFloatArray(table.values());
  }

  private static WordPatchWeights readTable(StreamInput in) throws IOException {
    return new WordPatchWeights(in.readVInt(), in.readVInt(), in.readFloatArray());
  }
}
