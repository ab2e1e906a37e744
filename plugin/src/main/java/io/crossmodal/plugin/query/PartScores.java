/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.action.EncodedQuery.Part;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.KnnVectorValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.util.VectorUtil;

/**
 * What each side of a query of several has in the score of a hit.
 *
 * @param field whose embeddings are searched
 * @param parts none of a query of one side
 */
record PartScores(String field, List<Part> parts) {
  /**
   * Explains a hit's score.
   *
   * @param score of the search
   * @return the score, and beside it the sum of the sides, if there are several
   */
  List<Explanation> explain(LeafReaderContext leaf, int doc, Explanation score) throws IOException {
    FloatVectorValues embeddings =
        parts.isEmpty() ? null : leaf.reader().getFloatVectorValues(field);
    if (embeddings == null) {
      return List.of(score);
    }
    KnnVectorValues.DocIndexIterator at = embeddings.iterator();
    if (at.advance(doc) != doc) {
      return List.of(score);
    }
    float[] embedding = embeddings.vectorValue(at.index());
    List<Explanation> sides = new ArrayList<>(parts.size());
    float sum = 0;
    for (Part part : parts) {
      float cosine = VectorUtil.dotProduct(part.vector(), embedding);
      float share = part.coefficient() * cosine;
      sum += share;
      sides.add(
          Explanation.match(
              share,
              part.label().key() + " [" + part.label().value() + "], coefficient * cosine",
              Explanation.match(
                  part.coefficient(), "coefficient, its weight " + part.weight() + " normalised"),
              Explanation.match(cosine, "cosine with this side")));
    }
    return List.of(
        score, Explanation.match(sum, "cosine with the query, the sum of its sides", sides));
  }
}
