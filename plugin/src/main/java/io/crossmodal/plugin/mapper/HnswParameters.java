/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.Objects;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene99.Lucene99HnswVectorsFormat;

/**
 * Parameters of building and searching a field's graph.
 *
 * @param m neighbours of a node, 2 to 512 (Lucene's limit)
 * @param efConstruction candidates looked at while a node is placed, 1 to 3,200 (Lucene's limit)
 * @param encoding what its search compares
 */
public record HnswParameters(int m, int efConstruction, VectorEncoding encoding) {
  /** What Lucene's own codec uses, and therefore every index without {@code index.cross_modal}. */
  public static final HnswParameters DEFAULT =
      new HnswParameters(
          Lucene99HnswVectorsFormat.DEFAULT_MAX_CONN,
          Lucene99HnswVectorsFormat.DEFAULT_BEAM_WIDTH,
          VectorEncoding.FLOAT32);

  private static final int MAX_M = 512;
  private static final int MAX_EF_CONSTRUCTION = 3200;

  public HnswParameters {
    Objects.requireNonNull(encoding, "encoding");
    if (m < 2 || m > MAX_M) {
      throw new IllegalArgumentException("[m] must be from 2 to " + MAX_M + ", got [" + m + "]");
    }
    if (efConstruction < 1 || efConstruction > MAX_EF_CONSTRUCTION) {
      throw new IllegalArgumentException(
          "[ef_construction] must be from 1 to "
              + MAX_EF_CONSTRUCTION
              + ", got ["
              + efConstruction
              + "]");
    }
  }

  /** Returns the format that writes such a graph. */
  public KnnVectorsFormat format() {
    return encoding.format(m, efConstruction);
  }
}
