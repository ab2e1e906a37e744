/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/** A query side after encoding, with the spaces that its two halves live in. */
public final class EncodedQuery extends ActionResponse {
  private final Modality modality;
  private final String model;
  private final String filterSpace;
  private final String tokenSpace;
  private final float[] embedding;
  private final TokenBlock tokens;
  private final List<WordSpan> words;
  private final List<SensorCalibration> calibrations;
  private final List<SensorCalibration> maxSimCalibrations;
  private final String notice;

  /**
   * @param tokens null where a document's field stores none
   * @param words empty unless a text was encoded
   * @param calibrations as {@link FieldDefinition#calibrations} of the searched field gives them
   * @param maxSimCalibrations as {@link FieldDefinition#maxSimCalibrations} gives them
   */
  EncodedQuery(
      Modality modality,
      String model,
      String filterSpace,
      String tokenSpace,
      float[] embedding,
      TokenBlock tokens,
      List<WordSpan> words,
      List<SensorCalibration> calibrations,
      List<SensorCalibration> maxSimCalibrations,
      String notice) {
    this.modality = modality;
    this.model = model;
    this.filterSpace = filterSpace;
    this.tokenSpace = tokenSpace;
    this.embedding = embedding;
    this.tokens = tokens;
    this.words = List.copyOf(words);
    this.calibrations = List.copyOf(calibrations);
    this.maxSimCalibrations = List.copyOf(maxSimCalibrations);
    this.notice = notice;
  }

  EncodedQuery(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, EncodeQueryAction.NAME);
    modality = in.readEnum(Modality.class);
    model = in.readString();
    filterSpace = in.readString();
    tokenSpace = in.readString();
    embedding = in.readFloatArray();
    tokens = in.readBoolean() ? TokenBlocks.read(in) : null;
    words = WordSpans.read(in);
    calibrations = Calibrations.read(in);
    maxSimCalibrations = Calibrations.read(in);
    notice = in.readString();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeEnum(modality);
    out.writeString(model);
    out.writeString(filterSpace);
    out.writeString(tokenSpace);
    out.writeFloatArray(embedding);
    out.writeBoolean(tokens != null);
    if (tokens != null) {
      TokenBlocks.write(out, tokens);
    }
    WordSpans.write(out, words);
    Calibrations.write(out, calibrations);
    Calibrations.write(out, maxSimCalibrations);
    out.writeString(notice);
  }

  /** Of the query. */
  public Modality modality() {
    return modality;
  }

  /** Id of the model that encoded. */
  public String model() {
    return model;
  }

  /** Fingerprint of the embedding's space. */
  public String filterSpace() {
    return filterSpace;
  }

  /** Fingerprint of the tokens' space. */
  public String tokenSpace() {
    return tokenSpace;
  }

  /** D values, unit length; live. */
  public float[] embedding() {
    return embedding;
  }

  /** Empty where a document's field stores none. */
  public Optional<TokenBlock> tokens() {
    return Optional.ofNullable(tokens);
  }

  /**
   * The words of a text with the tokens that each became; empty for a picture, and for a document,
   * which does not keep them.
   */
  public List<WordSpan> words() {
    return words;
  }

  /** From cosines to probabilities, one for each sensor of the searched field; or none. */
  List<SensorCalibration> calibrations() {
    return calibrations;
  }

  /** From MaxSim to probabilities, one for each sensor of the searched field; or none. */
  public List<SensorCalibration> maxSimCalibrations() {
    return maxSimCalibrations;
  }

  /** What the user should be told, such as that his text was cut; empty where nothing. */
  public String notice() {
    return notice;
  }
}
