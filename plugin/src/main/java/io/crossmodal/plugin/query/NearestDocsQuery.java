/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import java.util.Objects;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.IndexReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.memory.MemoryIndex;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.Weight;

/**
 * A search for nearest vectors, for those who meet it where there are none. Highlighters and the
 * percolator ask queries about one document in a {@link MemoryIndex}; Lucene's vector queries fail
 * there, and the highlights of all other clauses with them. This one has no terms to highlight.
 */
final class NearestDocsQuery extends Query {
  private final Query search;

  /**
   * @param search what an index is searched with
   */
  NearestDocsQuery(Query search) {
    this.search = search;
  }

  /** What an index is searched with. */
  Query search() {
    return search;
  }

  @Override
  public Query rewrite(IndexSearcher searcher) {
    return isMemoryIndex(searcher.getIndexReader()) ? this : search;
  }

  private static boolean isMemoryIndex(IndexReader reader) {
    for (LeafReaderContext leaf : reader.leaves()) {
      Class<?> type = FilterLeafReader.unwrap(leaf.reader()).getClass();
      if (type.getEnclosingClass() == MemoryIndex.class) {
        return true;
      }
    }
    return false;
  }

  /**
   * @throws IllegalArgumentException always: who does not rewrite, or is the percolator, cannot get
   *     an answer that is right
   */
  @Override
  public Weight createWeight(IndexSearcher searcher, ScoreMode scoreMode, float boost)
      throws IOException {
    throw notIndexed();
  }

  /** What is said to who asks about a document that no index has. */
  static IllegalArgumentException notIndexed() {
    return new IllegalArgumentException(
        "["
            + CrossModalQueryBuilder.NAME
            + "] finds the nearest of the documents in an index, and a percolated one is in none:"
            + " it cannot stand in a query of type [percolator]");
  }

  @Override
  public void visit(QueryVisitor visitor) {
    visitor.visitLeaf(this);
  }

  @Override
  public String toString(String field) {
    return search.toString(field);
  }

  @Override
  public boolean equals(Object other) {
    return sameClassAs(other) && search.equals(((NearestDocsQuery) other).search);
  }

  @Override
  public int hashCode() {
    return Objects.hash(classHash(), search);
  }
}
