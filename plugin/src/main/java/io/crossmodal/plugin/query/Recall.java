/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.VectorEncoding;
import java.io.IOException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * What a request says of how many of the nearest documents its kNN search finds, for how much work.
 *
 * @param ef candidates that the search of the graph keeps at least, from k to {@value #MAX_EF};
 *     null for {@value #DEFAULT_EF}, as many as the k-NN plugin's {@code ef_search}
 * @param oversample candidates for each of the k hits, from 1 to {@value #MAX_OVERSAMPLE}, of a
 *     field whose graph search does not compare the exact embeddings; null for what its encoding
 *     needs
 * @param exact whether all documents that pass the filter are compared, and no graph is searched
 */
public record Recall(Integer ef, Float oversample, boolean exact)
    implements Writeable, ToXContentFragment {
  /** What holds for a request that says nothing. */
  public static final Recall DEFAULT = new Recall(null, null, false);

  static final String EF = "ef";
  static final String OVERSAMPLE = "oversample";
  static final String EXACT = "exact";

  // A search that keeps one candidate alone ends at the first document whose neighbours are all
  // farther away.
  private static final int DEFAULT_EF = 100;
  private static final int MAX_EF = 10_000;
  private static final int MAX_OVERSAMPLE = 100;
  private static final int MAX_CANDIDATES = 100_000;

  Recall(StreamInput in) throws IOException {
    this(in.readOptionalVInt(), in.readOptionalFloat(), in.readBoolean());
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeOptionalVInt(ef);
    out.writeOptionalFloat(oversample);
    out.writeBoolean(exact);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    if (ef != null) {
      builder.field(EF, ef);
    }
    if (oversample != null) {
      builder.field(OVERSAMPLE, oversample);
    }
    return exact ? builder.field(EXACT, true) : builder;
  }

  /**
   * Refuses what is out of its range, or does not go together.
   *
   * @param k hits that are wanted
   * @return this
   */
  Recall check(int k) {
    if (exact && (ef != null || oversample != null)) {
      throw new IllegalArgumentException(
          "[exact] compares every document that passes the filter, so ["
              + (ef != null ? EF : OVERSAMPLE)
              + "] does not go with it");
    }
    if (ef != null && (ef < 1 || ef > MAX_EF)) {
      throw new IllegalArgumentException("[ef] must be from 1 to " + MAX_EF + ", got [" + ef + "]");
    }
    if (ef != null && ef < k) {
      throw new IllegalArgumentException(
          "[ef] must be at least [k], got [" + ef + "] with [k] " + k);
    }
    // NaN is in no range.
    if (oversample != null && !(oversample >= 1 && oversample <= MAX_OVERSAMPLE)) {
      throw new IllegalArgumentException(
          "[oversample] must be from 1 to " + MAX_OVERSAMPLE + ", got [" + oversample + "]");
    }
    if (oversample != null && (double) oversample * k > MAX_CANDIDATES) {
      throw new IllegalArgumentException(
          "[k] times [oversample] must be at most "
              + MAX_CANDIDATES
              + ", got "
              + k
              + " times ["
              + oversample
              + "]");
    }
    return this;
  }

  /**
   * Returns how many candidates the search of a graph keeps.
   *
   * @param k hits that are wanted
   * @throws IllegalArgumentException for an oversampling of exact embeddings
   */
  int candidates(CrossModalFieldType field, int k) {
    VectorEncoding encoding = field.hnsw().encoding();
    if (oversample != null && !encoding.quantised()) {
      throw new IllegalArgumentException(
          "[oversample] is for a field whose graph search compares fewer bits, but"
              + " [vector_encoding] of ["
              + field.name()
              + "] is ["
              + encoding.key()
              + "]: use [ef]");
    }
    float factor = oversample == null ? encoding.oversampling() : oversample;
    return Math.max((int) Math.ceil((double) factor * k), ef == null ? DEFAULT_EF : ef);
  }
}
