/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.query.TokenBlocks;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * A query and its candidates.
 *
 * @param model id of the model that is asked about them
 * @param tokenSpace fingerprint of the space that all tokens are of
 * @param query its tokens
 * @param queryAsks whether the candidates are images, and the query a text or an image; otherwise
 *     the query is an image and the candidates are texts
 * @param candidates their tokens
 */
public record Pairs(
    String model,
    String tokenSpace,
    TokenBlock query,
    boolean queryAsks,
    List<StoredTokens> candidates)
    implements Writeable {
  public Pairs {
    candidates = List.copyOf(candidates);
  }

  Pairs(StreamInput in) throws IOException {
    this(
        in.readString(),
        in.readString(),
        TokenBlocks.read(in),
        in.readBoolean(),
        in.readList(StoredTokens::new));
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(model);
    out.writeString(tokenSpace);
    TokenBlocks.write(out, query);
    out.writeBoolean(queryAsks);
    out.writeList(candidates);
  }
}
