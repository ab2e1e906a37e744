/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.text.WordSpan;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.Asked;
import io.crossmodal.plugin.query.Calibrations;
import io.crossmodal.plugin.query.TokenBlocks;
import io.crossmodal.plugin.query.WordSpans;
import java.io.IOException;
import java.util.List;
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
}
