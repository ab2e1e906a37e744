/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import java.util.List;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.QueryTimeout;
import org.apache.lucene.search.AcceptDocs;
import org.apache.lucene.search.ConjunctionUtils;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.search.KnnCollector;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.TopDocs;
import org.apache.lucene.search.TopDocsCollector;
import org.apache.lucene.search.TopKnnCollector;
import org.apache.lucene.search.VectorScorer;
import org.apache.lucene.search.knn.KnnCollectorManager;

/**
 * Lucene's kNN search, which finds nothing by a field that its reader does not show. Field-level
 * security hides a field from the reader's field infos but not its vectors ({@code
 * DlsFlsFilterLeafReader} of the security plugin): Lucene's exact search asks the former, its
 * search of the graph does not.
 *
 * <p>Exactly, it compares the exact embeddings of all documents that pass the filter. Lucene's own
 * exact search, which it chooses for small filters, compares what the graph's does.
 */
final class VisibleKnnQuery extends KnnFloatVectorQuery {
  private final boolean exact;

  /**
   * @param target D values
   * @param filter null for none
   * @param exact whether no graph is searched
   */
  VisibleKnnQuery(String field, float[] target, int k, Query filter, boolean exact) {
    super(field, target, k, filter);
    this.exact = exact;
  }

  @Override
  protected TopDocs approximateSearch(
      LeafReaderContext leaf, AcceptDocs accepted, int limit, KnnCollectorManager collectors)
      throws IOException {
    if (leaf.reader().getFieldInfos().fieldInfo(getField()) == null) {
      return TopDocsCollector.EMPTY_TOPDOCS;
    }
    return exact
        ? exactly(
            leaf,
            accepted.iterator(),
            collectors.newCollector(Integer.MAX_VALUE, getSearchStrategy(), leaf),
            null)
        : super.approximateSearch(leaf, accepted, limit, collectors);
  }

  @Override
  protected TopDocs exactSearch(
      LeafReaderContext leaf, DocIdSetIterator accepted, QueryTimeout timeout) throws IOException {
    boolean hidden = leaf.reader().getFieldInfos().fieldInfo(getField()) == null;
    return exact && !hidden
        ? exactly(leaf, accepted, new TopKnnCollector(getK(), Integer.MAX_VALUE), timeout)
        : super.exactSearch(leaf, accepted, timeout);
  }

  private TopDocs exactly(
      LeafReaderContext leaf, DocIdSetIterator accepted, KnnCollector nearest, QueryTimeout timeout)
      throws IOException {
    FloatVectorValues embeddings = leaf.reader().getFloatVectorValues(getField());
    VectorScorer scorer = embeddings == null ? null : embeddings.rescorer(target);
    if (scorer == null || accepted == null) {
      return TopDocsCollector.EMPTY_TOPDOCS;
    }
    DocIdSetIterator both =
        ConjunctionUtils.intersectIterators(List.of(accepted, scorer.iterator()));
    for (int doc = both.nextDoc();
        doc != DocIdSetIterator.NO_MORE_DOCS
            && !nearest.earlyTerminated()
            && (timeout == null || !timeout.shouldExit());
        doc = both.nextDoc()) {
      nearest.collect(doc, scorer.score());
      nearest.incVisitedCount(1);
    }
    return nearest.topDocs();
  }

  @Override
  public boolean equals(Object other) {
    return super.equals(other) && exact == ((VisibleKnnQuery) other).exact;
  }

  @Override
  public int hashCode() {
    return 31 * super.hashCode() + Boolean.hashCode(exact);
  }
}
