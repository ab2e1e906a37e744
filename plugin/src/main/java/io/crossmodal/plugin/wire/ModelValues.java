/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.wire;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** Values of the model library between nodes. */
public final class ModelValues {
  private ModelValues() {}

  /**
   * Writes a token block as floats: the query's tokens meet every candidate, so what the stored
   * format would save is not worth its rounding.
   */
  public static void writeTokens(StreamOutput out, TokenBlock block) throws IOException {
    out.writeVInt(block.count());
    out.writeVInt(block.hidden());
    out.writeFloatArray(block.values());
  }

  /** Reads what {@link #writeTokens} wrote. */
  public static TokenBlock readTokens(StreamInput in) throws IOException {
    return new TokenBlock(in.readVInt(), in.readVInt(), in.readFloatArray());
  }

  /** Writes the words of a query's text, for heat maps. */
  public static void writeWords(StreamOutput out, List<WordSpan> words) throws IOException {
    out.writeCollection(
        words,
        (to, word) -> {
          to.writeString(word.word());
          to.writeVInt(word.from());
          to.writeVInt(word.to());
        });
  }

  /** Reads what {@link #writeWords} wrote. */
  public static List<WordSpan> readWords(StreamInput in) throws IOException {
    return in.readList(from -> new WordSpan(from.readString(), from.readVInt(), from.readVInt()));
  }

  /** Writes the calibrations between pairs of sensors. */
  public static void writeCalibrations(StreamOutput out, List<SensorCalibration> calibrations)
      throws IOException {
    out.writeCollection(
        calibrations,
        (to, pair) -> {
          to.writeString(pair.query());
          to.writeString(pair.archive());
          to.writeDouble(pair.scale());
          to.writeDouble(pair.bias());
        });
  }

  /** Reads what {@link #writeCalibrations} wrote. */
  public static List<SensorCalibration> readCalibrations(StreamInput in) throws IOException {
    return in.readList(
        from ->
            new SensorCalibration(
                from.readString(), from.readString(), from.readDouble(), from.readDouble()));
  }
}
