/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.WordPatchWeights;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.inference.Deadline;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.batching.JobTimes;
import io.crossmodal.plugin.inference.scoring.ScoredBy;
import io.crossmodal.plugin.inference.scoring.Scores;
import io.crossmodal.plugin.inference.scoring.Similarities;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * What can be asked about pairs, here or on another node.
 *
 * @param <T> the answer
 */
public final class PairQuestion<T> {
  /** The fusion encoder's logits. */
  public static final PairQuestion<Scores> SCORE =
      new PairQuestion<>(
          0, ModelService::score, PairQuestion::writeScores, PairQuestion::readScores);

  /** The MLP filter's logits. */
  public static final PairQuestion<List<Float>> FILTER =
      new PairQuestion<>(
          1,
          ModelService::filter,
          (out, logits) -> out.writeCollection(logits, StreamOutput::writeFloat),
          in -> in.readList(StreamInput::readFloat));

  /** Where the text's tokens look. */
  public static final PairQuestion<List<WordPatchWeights>> ATTENTION =
      new PairQuestion<>(
          2,
          ModelService::attention,
          (out, tables) -> out.writeCollection(tables, PairQuestion::writeTable),
          in -> in.readList(PairQuestion::readTable));

  /** How alike the query and its candidates are, all of them images. */
  public static final PairQuestion<Similarities> MAX_SIM =
      new PairQuestion<>(
          3,
          ModelService::maxSim,
          (out, answer) -> {
            out.writeCollection(answer.values(), StreamOutput::writeFloat);
            writeModel(out, answer.model(), answer.times());
          },
          in ->
              new Similarities(in.readList(StreamInput::readFloat), readModel(in), readTimes(in)));

  private static final List<PairQuestion<?>> ALL = List.of(SCORE, FILTER, ATTENTION, MAX_SIM);

  /** A method of {@link ModelService}. */
  private interface Method<T> {
    CompletableFuture<T> call(
        ModelService service,
        String model,
        List<? extends Tokens> asking,
        List<? extends Tokens> images,
        Deadline deadline);
  }

  private final int code;
  private final Method<T> method;
  private final Writeable.Writer<T> writer;
  private final Writeable.Reader<T> reader;

  private PairQuestion(
      int code, Method<T> method, Writeable.Writer<T> writer, Writeable.Reader<T> reader) {
    this.code = code;
    this.method = method;
    this.writer = writer;
    this.reader = reader;
  }

  /**
   * Has this node answer.
   *
   * @return fails as {@link ModelService#score} does
   */
  public CompletableFuture<T> ask(ModelService service, Pairs pairs, Deadline deadline) {
    List<? extends Tokens> query = List.of(pairs.query());
    return method.call(
        service,
        pairs.model(),
        pairs.queryAsks() ? query : pairs.candidates(),
        pairs.queryAsks() ? pairs.candidates() : query,
        deadline);
  }

  static PairQuestion<?> read(StreamInput in) throws IOException {
    int code = in.readVInt();
    if (code >= ALL.size()) {
      throw new IOException("unknown question " + code);
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
    out.writeFloatArray(scores.filter());
    writeModel(out, scores.model(), scores.times());
  }

  private static Scores readScores(StreamInput in) throws IOException {
    PairLogits logits = new PairLogits(in.readFloatArray(), in.readFloatArray());
    return new Scores(logits, readModel(in), readTimes(in));
  }

  private static void writeModel(StreamOutput out, ScoredBy model, JobTimes times)
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

  private static ScoredBy readModel(StreamInput in) throws IOException {
    return new ScoredBy(
        in.readString(),
        in.readVLong(),
        new Calibration(in.readDouble(), in.readDouble(), in.readDouble()));
  }

  private static JobTimes readTimes(StreamInput in) throws IOException {
    return new JobTimes(in.readVLong(), in.readVLong(), in.readVLong());
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
