/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.mapper.Modality;
import io.crossmodal.plugin.query.TokenBlocks;
import java.io.IOException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * The query side as it travels to the shards.
 *
 * @param modality of the query
 * @param key the parameter that it came in, for messages
 * @param model id of the model that encoded it
 * @param tokenSpace fingerprint of its tokens' space
 * @param tokens (N or M, H)
 */
record EncodedSide(
    Modality modality, String key, String model, String tokenSpace, TokenBlock tokens)
    implements Writeable {
  EncodedSide(StreamInput in) throws IOException {
    this(
        in.readEnum(Modality.class),
        in.readString(),
        in.readString(),
        in.readString(),
        TokenBlocks.read(in));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeEnum(modality);
    out.writeString(key);
    out.writeString(model);
    out.writeString(tokenSpace);
    TokenBlocks.write(out, tokens);
  }
}
