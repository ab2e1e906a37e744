/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import java.io.IOException;
import java.util.List;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.util.BytesRef;

/** Step 4 of a search: reads stored token blocks, going forward through the shard's segments. */
final class TokenReader {
  /** A block that is damaged or of another model. */
  static final class ForeignTokens extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private ForeignTokens(String message, Throwable cause) {
      super(message, cause);
    }
  }

  private final List<LeafReaderContext> leaves;
  private final FieldDefinition field;
  private int leaf = -1;
  private BinaryDocValues blocks;

  TokenReader(List<LeafReaderContext> leaves, FieldDefinition field) {
    this.leaves = leaves;
    this.field = field;
  }

  /**
   * @param doc top-level document id, above that of the call before
   * @return null where the document has no tokens
   * @throws ForeignTokens when the block cannot be fused with this model
   */
  TokenBlock read(int doc) throws IOException {
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
      TokenBlockFormat.Header header =
          TokenBlockFormat.header(block.bytes, block.offset, block.length);
      if (!header.matches(field.spaces().tokens())) {
        throw new IllegalArgumentException(
            "they are of the token space ["
                + header.fingerprint()
                + "], the field's is ["
                + field.spaces().tokens()
                + "]");
      }
      return TokenBlockFormat.read(block.bytes, block.offset, block.length);
    } catch (IllegalArgumentException e) {
      throw new ForeignTokens(
          "the stored tokens of field [" + field.path() + "] cannot be rescored: " + e.getMessage(),
          e);
    }
  }
}
