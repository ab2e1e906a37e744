/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.wire.ModelValues;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;

/**
 * A query and its candidates.
 *
 * @param model id of the model to score them
 * @param tokenSpace fingerprint of the space that all tokens are of
 * @param query its tokens
 * @param queryAsks whether the candidates are images, and the query a text or an image; otherwise
 *     the query is an image and the candidates are texts
 * @param candidates their tokens: stored ones travel as they are stored
 */
public record Pairs(
    String model, String tokenSpace, TokenBlock query, boolean queryAsks, List<Tokens> candidates)
    implements Writeable {
  public Pairs {
    candidates = List.copyOf(candidates);
  }

  /**
   * Reads what {@link #writeTo} wrote, to its end whatever it holds.
   *
   * @throws ForeignTokensException when a candidate's tokens are damaged or of a format that this
   *     node does not know
   */
  static Pairs read(StreamInput in) throws IOException {
    String model = in.readString();
    String tokenSpace = in.readString();
    TokenBlock query = ModelValues.readTokens(in);
    boolean queryAsks = in.readBoolean();
    int count = in.readVInt();
    List<Tokens> candidates = new ArrayList<>();
    ForeignTokensException damaged = null;
    for (int i = 0; i < count; i++) {
      if (!in.readBoolean()) {
        candidates.add(ModelValues.readTokens(in));
        continue;
      }
      byte[] stored = in.readByteArray();
      try {
        candidates.add(StoredTokens.of(stored, 0, stored.length));
      } catch (IllegalArgumentException e) {
        damaged = new ForeignTokensException(e.getMessage(), e);
      }
    }
    if (damaged != null) {
      throw damaged;
    }
    return new Pairs(model, tokenSpace, query, queryAsks, candidates);
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(model);
    out.writeString(tokenSpace);
    ModelValues.writeTokens(out, query);
    out.writeBoolean(queryAsks);
    out.writeVInt(candidates.size());
    for (Tokens candidate : candidates) {
      out.writeBoolean(candidate instanceof StoredTokens);
      if (candidate instanceof StoredTokens stored) {
        out.writeByteArray(stored.toBytes());
      } else {
        ModelValues.writeTokens(out, (TokenBlock) candidate);
      }
    }
  }

  /** Returns the heap that the candidates' tokens take, in bytes. */
  long bytes() {
    long bytes = 0;
    for (Tokens candidate : candidates) {
      bytes +=
          candidate instanceof StoredTokens stored
              ? stored.header().length()
              : (long) Float.BYTES * candidate.count() * candidate.hidden();
    }
    return bytes;
  }

  /** Returns the heap that the response to {@link PairOperation#ATTENTION} takes, in bytes. */
  long attentionBytes() {
    long queryTokens = query.count();
    return candidates.stream()
        .mapToLong(candidate -> queryTokens * candidate.count() * Float.BYTES)
        .sum();
  }

  /**
   * Refuses stored candidates of another token space.
   *
   * @throws ForeignTokensException when there is one
   */
  void checkSpace() {
    for (Tokens candidate : candidates) {
      if (candidate instanceof StoredTokens stored) {
        ForeignTokensException.check(stored, tokenSpace);
      }
    }
  }
}
