/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.scoring.ForeignTokensException;
import java.io.IOException;
import java.util.List;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.util.BytesRef;

/**
 * Step 4 of a search: gathers stored token blocks, going forward through the shard's segments. They
 * stay as they are stored until a model takes them into its batch, on this node or another.
 */
final class TokenReader {
  /** Blocks share arrays of at most this size: G1 treats larger ones apart in a small heap. */
  private static final int SHARED_BYTES = 256 << 10;

  private final List<LeafReaderContext> leaves;
  private final FieldDefinition field;
  private int left;
  private int leaf = -1;
  private BinaryDocValues blocks;
  private byte[] shared = {};
  private int used;

  /**
   * @param most documents that will be read
   */
  TokenReader(List<LeafReaderContext> leaves, FieldDefinition field, int most) {
    this.leaves = leaves;
    this.field = field;
    this.left = most;
  }

  /**
   * @param doc top-level document id, above that of the call before
   * @return null where the document has no tokens
   * @throws ForeignTokensException when the block cannot be fused with this model
   */
  StoredTokens read(int doc) throws IOException {
    int owner = ReaderUtil.subIndex(doc, leaves);
    if (owner != leaf) {
      leaf = owner;
      blocks =
          leaves
              .get(leaf)
              .reader()
              .getBinaryDocValues(CrossModalFieldType.tokensField(field.path()));
    }
    if (blocks == null || !blocks.advanceExact(doc - leaves.get(leaf).docBase)) {
      return null;
    }
    try {
      StoredTokens tokens = keep(blocks.binaryValue());
      ForeignTokensException.check(tokens, field.spaces().tokens());
      return tokens;
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(
          "the stored tokens of field [" + field.path() + "] cannot be rescored: " + e.getMessage(),
          e);
    }
  }

  /** Copies a block out of Lucene's array, which the next document is read into. */
  private StoredTokens keep(BytesRef block) {
    if (block.length > shared.length - used) {
      int together = Math.max(1, Math.min(left, SHARED_BYTES / Math.max(1, block.length)));
      shared = new byte[together * block.length];
      used = 0;
    }
    int from = used;
    System.arraycopy(block.bytes, block.offset, shared, from, block.length);
    used += block.length;
    left--;
    return StoredTokens.of(shared, from, block.length);
  }
}
