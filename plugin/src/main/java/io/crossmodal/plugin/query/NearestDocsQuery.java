/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.model.SensorCalibration;
import io.crossmodal.plugin.action.EncodedQuery.Part;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.IndexReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.QueryTimeout;
import org.apache.lucene.index.memory.MemoryIndex;
import org.apache.lucene.queries.function.FunctionScoreQuery;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.Explanation;
import org.apache.lucene.search.FilterWeight;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.apache.lucene.search.RescoreTopNQuery;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.TaskExecutor;
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
  private final Query search;
  private final AskedText asked;

  /**
   * @param search what an index is searched with
   * @param asked null where no text is searched by
   */
  private NearestDocsQuery(Query search, AskedText asked) {
    this.search = search;
    this.asked = asked;
  }

  /** Returns this search as that of a text. */
  NearestDocsQuery of(AskedText text) {
    return new NearestDocsQuery(search, text);
  }

  /** Returns the text that is searched by; null where there is none. */
  AskedText asked() {
    return asked;
  }

  /**
   * Returns the search for the k nearest; with calibrations, for the k nearest of each sensor:
   * those of the nearest sensor alone would be no fair list.
   *
   * @param target D values, unit length
   * @param filter null for none
   * @param calibrations one for each sensor of the field, by which hits score; or none
   * @param parts what the target is the sum of, for explanations; or none
   * @throws IllegalArgumentException where the recall does not go with the field
   */
  static NearestDocsQuery of(
      CrossModalFieldType type,
      float[] target,
      int k,
      Query filter,
      List<SensorCalibration> calibrations,
      Recall recall,
      List<Part> parts) {
    if (calibrations.isEmpty()) {
      return new NearestDocsQuery(new Nearest(type, target, k, filter, recall, parts), null);
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
          new FunctionScoreQuery(
              new Nearest(type, target, k, own, recall, parts), new CalibratedScore(calibration)),
          BooleanClause.Occur.SHOULD);
    }
    return new NearestDocsQuery(any.build(), null);
  }

  /**
   * The k nearest by their exact embeddings, out of a graph's candidates or of all documents.
   * Lucene's query that scores candidates fails where there is none: in an empty shard, behind a
   * filter that nothing passes.
   */
  static final class Nearest extends Query {
    private final VisibleKnnQuery candidates;
    private final int k;
    private final String how;
    private final List<Part> parts;

    Nearest(
        CrossModalFieldType type,
        float[] target,
        int k,
        Query filter,
        Recall recall,
        List<Part> parts) {
      this.parts = parts;
      int count = recall.exact() ? k : recall.candidates(type, k);
      this.candidates = new VisibleKnnQuery(type.name(), target, count, filter, recall.exact());
      this.k = k;
      this.how =
          recall.exact()
              ? "the " + k + " nearest of all documents that pass the filter, by exact embeddings"
              : String.format(
                  Locale.ROOT,
                  "the %d nearest by exact embeddings of %d candidates, by embeddings as %s of a"
                      + " graph",
                  k,
                  count,
                  type.hnsw().encoding().key());
    }

    /** Returns the search for the candidates. */
    VisibleKnnQuery candidates() {
      return candidates;
    }

    @Override
    public Query rewrite(IndexSearcher searcher) throws IOException {
      IndexSearcher unprofiled = new Unprofiled(searcher);
      Query found = unprofiled.rewrite(candidates);
      return found instanceof MatchNoDocsQuery
          ? found
          : new Found(
              unprofiled.rewrite(
                  RescoreTopNQuery.createFullPrecisionRescorerQuery(
                      found, candidates.getTargetCopy(), candidates.getField(), k)),
              candidates.getField() + ": " + how,
              new PartScores(candidates.getField(), parts));
    }

    @Override
    public void visit(QueryVisitor visitor) {
      candidates.visit(visitor);
    }

    @Override
    public String toString(String field) {
      return candidates.toString(field) + ", " + how;
    }

    @Override
    public boolean equals(Object other) {
      return sameClassAs(other)
          && k == ((Nearest) other).k
          && parts.equals(((Nearest) other).parts)
          && candidates.equals(((Nearest) other).candidates);
    }

    @Override
    public int hashCode() {
      return Objects.hash(classHash(), candidates, k, parts);
    }
  }

  /**
   * The searcher without its profiler, for the search that is a part of a rewrite. The profiler
   * cannot take the time of one rewrite within another ({@code profile} then gave hours), nor that
   * of a filter whose segments are searched at once.
   */
  private static final class Unprofiled extends IndexSearcher {
    private final IndexSearcher searcher;

    private Unprofiled(IndexSearcher searcher) {
      super(searcher.getIndexReader());
      this.searcher = searcher;
      setQueryCache(searcher.getQueryCache());
      setQueryCachingPolicy(searcher.getQueryCachingPolicy());
      setSimilarity(searcher.getSimilarity());
    }

    @Override
    public TaskExecutor getTaskExecutor() {
      return searcher.getTaskExecutor();
    }

    @Override
    public QueryTimeout getTimeout() {
      return searcher.getTimeout();
    }
  }

  /** What was found, which says in profiles and explanations how. */
  private static final class Found extends Query {
    private final Query scores;
    private final String how;
    private final PartScores parts;

    private Found(Query scores, String how, PartScores parts) {
      this.scores = scores;
      this.how = how;
      this.parts = parts;
    }

    @Override
    public Weight createWeight(IndexSearcher searcher, ScoreMode scoreMode, float boost)
        throws IOException {
      return new FilterWeight(this, scores.createWeight(searcher, scoreMode, boost)) {
        @Override
        public Explanation explain(LeafReaderContext leaf, int doc) throws IOException {
          Explanation score = super.explain(leaf, doc);
          return score.isMatch()
              ? Explanation.match(
                  score.getValue(), "(1 + cosine) / 2, " + how, parts.explain(leaf, doc, score))
              : Explanation.noMatch("not among " + how, score);
        }
      };
    }

    @Override
    public void visit(QueryVisitor visitor) {
      visitor.visitLeaf(this);
    }

    @Override
    public String toString(String field) {
      return how;
    }

    @Override
    public boolean equals(Object other) {
      return sameClassAs(other)
          && how.equals(((Found) other).how)
          && parts.equals(((Found) other).parts)
          && scores.equals(((Found) other).scores);
    }

    @Override
    public int hashCode() {
      return Objects.hash(classHash(), scores, how, parts);
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
