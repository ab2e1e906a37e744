/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryBuilderVisitor;

/**
 * A text by which a search finds the nearest, for heat maps of hits that are not rescored.
 *
 * @param field whose embeddings are searched, its own name
 * @param text as typed
 * @param vector D values of unit length, the mean of its prompts where the model has any; live
 */
@SuppressWarnings("ArrayRecordComponent") // handed on once, never compared
public record AskedText(String field, String text, float[] vector) {

  /** Returns those of a shard's query, but for what hits must not match. */
  public static List<AskedText> in(Query query) {
    List<AskedText> found = new ArrayList<>();
    if (query != null) {
      query.visit(
          new QueryVisitor() {
            @Override
            public void visitLeaf(Query leaf) {
              if (leaf instanceof NearestDocsQuery nearest && nearest.asked() != null) {
                found.add(nearest.asked());
              }
            }
          });
    }
    return found;
  }

  /** Returns the embedding spaces of those of a request, once they are encoded. */
  public static Set<String> spaces(QueryBuilder query) {
    Set<String> spaces = new LinkedHashSet<>();
    if (query != null) {
      query.visit(
          new QueryBuilderVisitor() {
            @Override
            public void accept(QueryBuilder one) {
              if (one instanceof CrossModalQueryBuilder crossModal) {
                crossModal.askedSpace().ifPresent(spaces::add);
              }
            }

            @Override
            public QueryBuilderVisitor getChildVisitor(BooleanClause.Occur occur) {
              return occur == BooleanClause.Occur.MUST_NOT ? NO_OP_VISITOR : this;
            }
          });
    }
    return spaces;
  }
}
