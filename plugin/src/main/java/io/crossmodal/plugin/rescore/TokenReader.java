/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.Tokens;
import io.crossmodal.plugin.errors.ForeignTokensException;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.FieldDefinition;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.index.SortedDocValues;
import org.apache.lucene.util.BytesRef;

/**
 * Reads the token blocks of a window, and the sensors that they are of where p depends on them,
 * going forward through the shard's segments (step 4 of ARCHITECTURE.md). Blocks stay as they are
 * stored until a model takes them into its batch, on this node or another.
 */
final class TokenReader {
  /** Blocks share arrays of at most this size: G1 treats larger ones apart in a small heap. */
  private static final int SHARED_BYTES = 256 << 10;

  /**
   * A hit that can be scored.
   *
   * @param tokens of its document
   * @param calibration from its MaxSim to a probability; null for none
   */
  record Candidate(Tokens tokens, SensorCalibration calibration) {
    Candidate {
      Objects.requireNonNull(tokens, "tokens");
    }
  }

  private final List<LeafReaderContext> leaves;
  private final FieldDefinition field;
  private final List<SensorCalibration> calibrations;
  private final MemoryBudget.Growing memory;
  private int left;
  private int leaf = -1;
  private BinaryDocValues blocks;
  private SortedDocValues sensors;
  private byte[] shared = {};
  private int used;

  /**
   * @param calibrations one for each of the field's sensors, or none
   * @param most documents that will be read
   * @param memory gets what the blocks take; the caller's to close
   */
  TokenReader(
      List<LeafReaderContext> leaves,
      FieldDefinition field,
      List<SensorCalibration> calibrations,
      int most,
      MemoryBudget.Growing memory) {
    this.leaves = leaves;
    this.field = field;
    this.calibrations = calibrations;
    this.left = most;
    this.memory = memory;
  }

  /**
   * @param doc top-level document id, above that of the call before
   * @return null where the document has no tokens
   * @throws ForeignTokensException when the block cannot be fused with this model
   */
  Candidate read(int doc) throws IOException {
    int owner = ReaderUtil.subIndex(doc, leaves);
    if (owner != leaf) {
      leaf = owner;
      LeafReader reader = leaves.get(leaf).reader();
      blocks = reader.getBinaryDocValues(CrossModalFieldType.tokensField(field.path()));
      sensors =
          calibrations.size() > 1
              ? reader.getSortedDocValues(CrossModalFieldType.sensorField(field.path()))
              : null;
    }
    int inLeaf = doc - leaves.get(leaf).docBase;
    if (blocks == null || !blocks.advanceExact(inLeaf)) {
      return null;
    }
    try {
      StoredTokens tokens = keep(blocks.binaryValue());
      ForeignTokensException.check(tokens, field.spaces().tokens());
      return new Candidate(tokens, calibration(inLeaf));
    } catch (IllegalArgumentException e) {
      throw new ForeignTokensException(
          "the stored tokens of field [" + field.path() + "] cannot be rescored: " + e.getMessage(),
          e);
    }
  }

  /**
   * Returns the calibration of the document's sensor; documents of a single sensor do not name it.
   */
  private SensorCalibration calibration(int inLeaf) throws IOException {
    if (calibrations.size() < 2) {
      return calibrations.isEmpty() ? null : calibrations.get(0);
    }
    String sensor =
        sensors != null && sensors.advanceExact(inLeaf)
            ? sensors.lookupOrd(sensors.ordValue()).utf8ToString()
            : null;
    return calibrations.stream()
        .filter(pair -> pair.archive().equals(sensor))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    String.format(
                        Locale.ROOT,
                        "their sensor is [%s], one of %s is expected",
                        sensor,
                        field.spaces().imageTokens().keySet())));
  }

  /** Copies a block out of Lucene's array, which the next document is read into. */
  private StoredTokens keep(BytesRef block) {
    if (block.length > shared.length - used) {
      int together = Math.max(1, Math.min(left, SHARED_BYTES / Math.max(1, block.length)));
      memory.add((long) together * block.length);
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
