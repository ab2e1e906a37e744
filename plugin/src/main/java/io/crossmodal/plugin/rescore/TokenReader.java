/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import io.crossmodal.plugin.scoring.ForeignTokensException;
import io.crossmodal.plugin.scoring.StoredTokens;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.util.BytesRef;

/** Step 4 of a search: reads stored token blocks, going forward through the shard's segments. */
final class TokenReader {
  private final List<LeafReaderContext> leaves;
  private final FieldDefinition field;
  private final boolean asStored;
  private int leaf = -1;
  private BinaryDocValues blocks;

  /**
   * @param asStored whether the tokens stay as they are, for another node to read
   */
  TokenReader(List<LeafReaderContext> leaves, FieldDefinition field, boolean asStored) {
    this.leaves = leaves;
    this.field = field;
    this.asStored = asStored;
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
    BytesRef block = blocks.binaryValue();
    try {
      StoredTokens.check(block.bytes, block.offset, block.length, field.spaces().tokens());
      return asStored
          ? StoredTokens.of(
              Arrays.copyOfRange(block.bytes, block.offset, block.offset + block.length))
          : StoredTokens.of(TokenBlockFormat.read(block.bytes, block.offset, block.length));
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(
          "the stored tokens of field [" + field.path() + "] cannot be rescored: " + e.getMessage(),
          e);
    }
  }
}
