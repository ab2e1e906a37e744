/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.wire.ModelValues;
import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * A query source after encoding. The query sends one half of it to the shards, the rescorer the
 * other.
 */
public final class EncodedQuery extends ActionResponse {
  private final Embedding embedding;
  private final Tokens tokens;
  private final String notice;

  /**
   * Vector by which nearest documents are searched.
   *
   * @param space fingerprint of its space; null for a vector that the request brought
   * @param vector D values, unit length; live
   * @param calibrations from cosines to probabilities, one for each sensor of the searched field,
   *     as {@link FieldDefinition#calibrations} gives them; or none
   * @param parts the sides that the vector was made of; none of a query of one
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  public record Embedding(
      String space, float[] vector, List<SensorCalibration> calibrations, List<Part> parts) {
    public Embedding {
      calibrations = List.copyOf(calibrations);
      parts = List.copyOf(parts);
    }

    /** An embedding of one side. */
    public Embedding(String space, float[] vector, List<SensorCalibration> calibrations) {
      this(space, vector, calibrations, List.of());
    }

    /** Returns the same with those calibrations that a search chose. */
    public Embedding with(List<SensorCalibration> chosen) {
      return new Embedding(space, vector, chosen, parts);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Embedding embedding
          && Objects.equals(space, embedding.space)
          && Arrays.equals(vector, embedding.vector)
          && calibrations.equals(embedding.calibrations)
          && parts.equals(embedding.parts);
    }

    @Override
    public int hashCode() {
      return Objects.hash(space, Arrays.hashCode(vector), calibrations, parts);
    }
  }

  /**
   * A side of a query of several, for explanations: the query's cosine with a document is the sum
   * of its sides' own, each times its coefficient.
   *
   * @param label its place in the request, and what it says
   * @param weight as the request gives it
   * @param coefficient of its vector; below 0 for one that hits shall be unlike
   * @param vector D values, unit length; live
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  public record Part(QuerySource.Label label, float weight, float coefficient, float[] vector)
      implements Writeable {
    public Part(StreamInput in) throws IOException {
      this(new QuerySource.Label(in), in.readFloat(), in.readFloat(), in.readFloatArray());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      label.writeTo(out);
      out.writeFloat(weight);
      out.writeFloat(coefficient);
      out.writeFloatArray(vector);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Part part
          && label.equals(part.label)
          && weight == part.weight
          && coefficient == part.coefficient
          && Arrays.equals(vector, part.vector);
    }

    @Override
    public int hashCode() {
      return Objects.hash(label, weight, coefficient, Arrays.hashCode(vector));
    }
  }

  /**
   * Tokens by which hits are rescored.
   *
   * @param modality of the query
   * @param model id of the model that encoded it
   * @param space fingerprint of the tokens' space
   * @param block (N or M, H); null for a document whose field stores none
   * @param words of a text, with the tokens that each became; empty for an image, and for a
   *     document, which does not keep them
   * @param calibrations from MaxSim to probabilities, one for each sensor of the searched field, as
   *     {@link FieldDefinition#maxSimCalibrations} gives them; none where p is (1 + MaxSim) / 2,
   *     and for a text
   */
  public record Tokens(
      Modality modality,
      String model,
      String space,
      TokenBlock block,
      List<WordSpan> words,
      List<SensorCalibration> calibrations) {
    public Tokens {
      words = List.copyOf(words);
      calibrations = List.copyOf(calibrations);
    }

    /** Returns the same with those calibrations that a search chose. */
    public Tokens with(List<SensorCalibration> chosen) {
      return new Tokens(modality, model, space, block, words, chosen);
    }
  }

  /**
   * @param notice a warning for the user, such as that the text was cut; empty for none
   */
  EncodedQuery(Embedding embedding, Tokens tokens, String notice) {
    this.embedding = Objects.requireNonNull(embedding, "embedding");
    this.tokens = Objects.requireNonNull(tokens, "tokens");
    this.notice = Objects.requireNonNull(notice, "notice");
  }

  EncodedQuery(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, EncodeQueryAction.NAME);
    Modality modality = in.readEnum(Modality.class);
    String model = in.readString();
    String embeddingSpace = in.readString();
    String tokenSpace = in.readString();
    float[] vector = in.readFloatArray();
    TokenBlock block = in.readBoolean() ? ModelValues.readTokens(in) : null;
    List<WordSpan> words = ModelValues.readWords(in);
    List<SensorCalibration> calibrations = ModelValues.readCalibrations(in);
    tokens =
        new Tokens(modality, model, tokenSpace, block, words, ModelValues.readCalibrations(in));
    notice = in.readString();
    embedding = new Embedding(embeddingSpace, vector, calibrations, in.readList(Part::new));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeEnum(tokens.modality());
    out.writeString(tokens.model());
    out.writeString(embedding.space());
    out.writeString(tokens.space());
    out.writeFloatArray(embedding.vector());
    out.writeBoolean(tokens.block() != null);
    if (tokens.block() != null) {
      ModelValues.writeTokens(out, tokens.block());
    }
    ModelValues.writeWords(out, tokens.words());
    ModelValues.writeCalibrations(out, embedding.calibrations());
    ModelValues.writeCalibrations(out, tokens.calibrations());
    out.writeString(notice);
    out.writeList(embedding.parts());
  }

  /** Returns the query's half. */
  public Embedding embedding() {
    return embedding;
  }

  /** Returns the rescorer's half. */
  public Tokens tokens() {
    return tokens;
  }

  /** Returns a warning for the user, such as that the text was cut; empty for none. */
  public String notice() {
    return notice;
  }
}
