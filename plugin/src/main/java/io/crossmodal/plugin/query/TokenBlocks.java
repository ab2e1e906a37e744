/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.tokens.TokenBlock;
import java.io.IOException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;

/**
 * Token blocks between nodes, as floats: the query's tokens meet every candidate, so what the
 * stored format would save is not worth its rounding.
 */
public final class TokenBlocks {
  private TokenBlocks() {}

  public static void write(StreamOutput out, TokenBlock block) throws IOException {
    out.writeVInt(block.count());
    out.writeVInt(block.hidden());
    out.writeFloatArray(block.values());
  }

  public static TokenBlock read(StreamInput in) throws IOException {
    return new TokenBlock(in.readVInt(), in.readVInt(), in.readFloatArray());
  }
}
