/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.VectorEncoding;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.IndexReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.memory.MemoryIndex;
import org.apache.lucene.queries.function.FunctionScoreQuery;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.apache.lucene.search.RescoreTopNQuery;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.Weight;
import org.apache.lucene.util.BytesRef;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.query.QueryShardContext;

/**
 * A kNN query that matches nothing in a reader without vectors, where Lucene's own fails.
 * Highlighters and the percolator ask queries about one document in a {@link MemoryIndex}; Lucene's
 * vector queries fail there, and the highlights of all other clauses with them. This one has no
 * terms to highlight.
 */
final class NearestDocsQuery extends Query {
  /**
   * Candidates that the search of a graph keeps at least, as the k-NN plugin's {@code ef_search}:
   * one that keeps one alone ends at the first document whose neighbours are all farther away.
   */
  private static final int LEAST_CANDIDATES = 100;

  private final Query search;

  /**
   * @param search what an index is searched with
   */
  private NearestDocsQuery(Query search) {
    this.search = search;
  }

  /**
   * Returns the search for the k nearest; with calibrations, for the k nearest of each sensor:
   * those of the nearest sensor alone would be no fair list.
   *
   * @param target D values, unit length
   * @param filter null for none
   * @param calibrations one for each sensor of the field, by which hits score; or none
   */
  static NearestDocsQuery of(
      CrossModalFieldType type,
      float[] target,
      int k,
      Query filter,
      List<SensorCalibration> calibrations) {
    if (calibrations.isEmpty()) {
      return new NearestDocsQuery(nearest(type, target, k, filter));
    }
    BooleanQuery.Builder any = new BooleanQuery.Builder();
    for (SensorCalibration calibration : calibrations) {
      Query own = filter;
      if (calibrations.size() > 1) {
        Query ofSensor =
            SortedDocValuesField.newSlowExactQuery(
                CrossModalFieldType.sensorField(type.name()), new BytesRef(calibration.archive()));
        own =
            filter == null
                ? ofSensor
                : new BooleanQuery.Builder()
                    .add(filter, BooleanClause.Occur.FILTER)
                    .add(ofSensor, BooleanClause.Occur.FILTER)
                    .build();
      }
      any.add(
          new FunctionScoreQuery(nearest(type, target, k, own), new CalibratedScore(calibration)),
          BooleanClause.Occur.SHOULD);
    }
    return new NearestDocsQuery(any.build());
  }

  private static Query nearest(CrossModalFieldType type, float[] target, int k, Query filter) {
    VectorEncoding encoding = type.hnsw().encoding();
    int candidates = Math.max(k * encoding.oversampling(), LEAST_CANDIDATES);
    VisibleKnnQuery found = new VisibleKnnQuery(type.name(), target, candidates, filter);
    return candidates == k && !encoding.quantised() ? found : new ExactlyScored(found, k);
  }

  /**
   * Takes the k nearest by their exact embeddings out of a graph's candidates. Lucene's query that
   * does it fails where there is none: in an empty shard, behind a filter that nothing passes.
   */
  static final class ExactlyScored extends Query {
    private final VisibleKnnQuery candidates;
    private final int k;

    ExactlyScored(VisibleKnnQuery candidates, int k) {
      this.candidates = candidates;
      this.k = k;
    }

    /** Returns the search of the graph. */
    VisibleKnnQuery candidates() {
      return candidates;
    }

    @Override
    public Query rewrite(IndexSearcher searcher) throws IOException {
      Query found = searcher.rewrite(candidates);
      return found instanceof MatchNoDocsQuery
          ? found
          : RescoreTopNQuery.createFullPrecisionRescorerQuery(
              found, candidates.getTargetCopy(), candidates.getField(), k);
    }

    @Override
    public void visit(QueryVisitor visitor) {
      candidates.visit(visitor);
    }

    @Override
    public String toString(String field) {
      return candidates.toString(field) + ", the first " + k + " by exact embeddings";
    }

    @Override
    public boolean equals(Object other) {
      return sameClassAs(other)
          && k == ((ExactlyScored) other).k
          && candidates.equals(((ExactlyScored) other).candidates);
    }

    @Override
    public int hashCode() {
      return Objects.hash(classHash(), candidates, k);
    }
  }

  /** Returns what an index is searched with. */
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
   * @throws IllegalArgumentException always: without a rewrite, and in the percolator, no answer is
   *     right
   */
  @Override
  public Weight createWeight(IndexSearcher searcher, ScoreMode scoreMode, float boost)
      throws IOException {
    throw notIndexed();
  }

  /**
   * Refuses the context of an index that keeps queries, which is read without an index.
   *
   * @throws IllegalArgumentException in the percolator
   */
  static void checkIndexed(QueryShardContext context) {
    if (context.getIndexReader() == null) {
      for (MappedFieldType type : context.getMapperService().fieldTypes()) {
        if (type.typeName().equals("percolator")) {
          throw notIndexed();
        }
      }
    }
  }

  /** Returns the refusal of a document that no index has. */
  private static IllegalArgumentException notIndexed() {
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
