/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104HnswScalarQuantizedVectorsFormat;
// ScalarEncoding is a member of the first in Lucene 10.4 and of the second since 10.5: imported on
// demand, it is found in either, so that one source builds for every OpenSearch from 3.6 on.
import org.apache.lucene.codecs.lucene104.Lucene104ScalarQuantizedVectorsFormat.*;
import org.apache.lucene.codecs.lucene99.Lucene99HnswVectorsFormat;
import org.apache.lucene.util.quantization.QuantizedByteVectorValues.*;

/**
 * Number of bits that the graph search compares of each of an embedding's D numbers. The exact
 * embedding stands beside the quantised one on disk; a search takes its candidates by the quantised
 * ones and scores them by the exact ones, so that scores do not depend on the encoding.
 */
public enum VectorEncoding {
  FLOAT32(null, 1),
  /** One byte: as good as exact. */
  INT8(ScalarEncoding.UNSIGNED_BYTE, 1),
  /** Half a byte. */
  INT4(ScalarEncoding.PACKED_NIBBLE, 2),
  /** One bit for documents, four for the query. */
  BIT1(ScalarEncoding.SINGLE_BIT_QUERY_NIBBLE, 4);

  private final ScalarEncoding scalars;
  private final int oversampling;

  VectorEncoding(ScalarEncoding scalars, int oversampling) {
    this.scalars = scalars;
    this.oversampling = oversampling;
  }

  /** Returns whether the graph search compares anything but the exact embeddings. */
  public boolean quantised() {
    return scalars != null;
  }

  /** Candidates by quantised embeddings for each hit wanted by exact ones. */
  public int oversampling() {
    return oversampling;
  }

  KnnVectorsFormat format(int m, int efConstruction) {
    return quantised()
        ? new Lucene104HnswScalarQuantizedVectorsFormat(scalars, m, efConstruction)
        : new Lucene99HnswVectorsFormat(m, efConstruction);
  }

  /** Returns the name in a mapping. */
  public String key() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Returns the constant of a name in a mapping.
   *
   * @throws IllegalArgumentException for a name that is none of them
   */
  public static VectorEncoding of(String key) {
    for (VectorEncoding encoding : values()) {
      if (encoding.key().equals(key)) {
        return encoding;
      }
    }
    List<String> keys = Arrays.stream(values()).map(VectorEncoding::key).toList();
    throw new IllegalArgumentException(
        "[vector_encoding] must be one of " + keys + ", got [" + Messages.excerpt(key) + "]");
  }
}
