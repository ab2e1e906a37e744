/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.mapper.TokenStorage;
import io.crossmodal.plugin.query.Asked;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.TokenBlocks;
import io.crossmodal.plugin.query.WordSpans;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * The query side as it travels to the shards.
 *
 * @param modality of the query
 * @param asked what it was before it was encoded
 * @param model id of the model that encoded it
 * @param tokenSpace fingerprint of its tokens' space
 * @param tokens (N or M, H)
 * @param words of a text that was encoded for this search, with their tokens; otherwise empty
 * @param calibrations from MaxSim to probabilities, one for each sensor of the field; none where p
 *     is (1 + MaxSim) / 2, and where a text is fused
 */
record EncodedSide(
    Modality modality,
    Asked asked,
    String model,
    String tokenSpace,
    TokenBlock tokens,
    List<WordSpan> words,
    List<SensorCalibration> calibrations)
    implements Writeable {
  EncodedSide(StreamInput in) throws IOException {
    this(
        in.readEnum(Modality.class),
        new Asked(in),
        in.readString(),
        in.readString(),
        TokenBlocks.read(in),
        WordSpans.read(in),
        Calibrations.read(in));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeEnum(modality);
    asked.writeTo(out);
    out.writeString(model);
    out.writeString(tokenSpace);
    TokenBlocks.write(out, tokens);
    WordSpans.write(out, words);
    Calibrations.write(out, calibrations);
  }

  /**
   * Refuses a field that this does not go with.
   *
   * @param field as the request names it
   * @param filterSize as the request says it
   * @throws IllegalArgumentException naming the parameter that is to blame
   */
  void check(String field, FieldDefinition definition, int filterSize) {
    if (definition.tokens() == TokenStorage.NONE) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[field] [%s] stores no tokens to rescore with: its mapping says [tokens: none]",
              field));
    }
    if (modality == Modality.TEXT && definition.modality() == Modality.TEXT) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] fuses a text with an image, or compares images: [%s] does not go with field"
                  + " [%s] of modality [%s]",
              FusionRescorerBuilder.NAME,
              asked.key(),
              field,
              definition.modality().key()));
    }
    if (modality == definition.modality() && filterSize > 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[filter_size] must be 0, got [%d]: [%s] is an image that is compared with images,"
                  + " the MLP filter takes a text with an image",
              filterSize,
              asked.key()));
    }
    // Refuses a model that is gone, or has other spaces than the field.
    definition.model();
    String ofField = definition.spaces().tokens();
    if (!ofField.equals(tokenSpace)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the query was encoded by [%s] in the token space [%s], but the model [%s] of field"
                  + " [%s] has [%s]",
              model,
              tokenSpace,
              definition.modelId(),
              field,
              ofField));
    }
  }
}
