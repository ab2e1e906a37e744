/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.AcceptDocs;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.TopDocs;
import org.apache.lucene.search.TopDocsCollector;
import org.apache.lucene.search.knn.KnnCollectorManager;

/**
 * Lucene's kNN search, which finds nothing by a field that its reader does not show. Field-level
 * security hides a field from the reader's field infos but not its vectors ({@code
 * DlsFlsFilterLeafReader} of the security plugin): Lucene's exact search asks the former, its
 * search of the graph does not.
 */
final class VisibleKnnQuery extends KnnFloatVectorQuery {
  /**
   * @param target D values
   * @param filter null for none
   */
  VisibleKnnQuery(String field, float[] target, int k, Query filter) {
    super(field, target, k, filter);
  }

  @Override
  protected TopDocs approximateSearch(
      LeafReaderContext leaf, AcceptDocs accepted, int limit, KnnCollectorManager collectors)
      throws IOException {
    return leaf.reader().getFieldInfos().fieldInfo(getField()) == null
        ? TopDocsCollector.EMPTY_TOPDOCS
        : super.approximateSearch(leaf, accepted, limit, collectors);
  }
}
