/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.window;

import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Arrays;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.ConstantScoreScorerSupplier;
import org.apache.lucene.search.ConstantScoreWeight;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.QueryVisitor;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.ScorerSupplier;
import org.apache.lucene.search.Weight;
import org.apache.lucene.util.RoaringDocIdSet;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.query.AbstractQueryBuilder;
import org.opensearch.index.query.QueryBuilder;
import org.opensearch.index.query.QueryRewriteContext;
import org.opensearch.index.query.QueryShardContext;

/**
 * Matches documents by their numbers in one reader, each with score 1. It travels from a
 * coordinating node to the reader context that gave the numbers and means nothing anywhere else, so
 * requests cannot contain it.
 */
public final class DocIdsQueryBuilder extends AbstractQueryBuilder<DocIdsQueryBuilder> {
  public static final String NAME = "cross_modal_chosen_docs";

  private final int[] docs;

  /**
   * @param docs top-level document ids
   */
  DocIdsQueryBuilder(int[] docs) {
    this.docs = docs.clone();
    Arrays.sort(this.docs);
  }

  public DocIdsQueryBuilder(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, NAME);
    docs = in.readVIntArray();
  }

  @Override
  protected void doWriteTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeVIntArray(docs);
  }

  @Override
  protected void doXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(NAME).field("docs", docs.length).endObject();
  }

  @Override
  protected QueryBuilder doRewrite(QueryRewriteContext context) {
    return this;
  }

  @Override
  protected Query doToQuery(QueryShardContext context) {
    return new DocIdsQuery(docs);
  }

  @Override
  protected boolean doEquals(DocIdsQueryBuilder other) {
    return Arrays.equals(docs, other.docs);
  }

  @Override
  protected int doHashCode() {
    return Arrays.hashCode(docs);
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  /** Documents of one reader. */
  private static final class DocIdsQuery extends Query {
    private final int[] docs;

    private DocIdsQuery(int[] docs) {
      this.docs = docs;
    }

    @Override
    public Weight createWeight(IndexSearcher searcher, ScoreMode mode, float boost) {
      return new ConstantScoreWeight(this, boost) {
        @Override
        public ScorerSupplier scorerSupplier(LeafReaderContext leaf) throws IOException {
          int maxDoc = leaf.reader().maxDoc();
          int from = insertion(leaf.docBase);
          int to = insertion(leaf.docBase + maxDoc);
          if (from == to) {
            return null;
          }
          RoaringDocIdSet.Builder own = new RoaringDocIdSet.Builder(maxDoc);
          for (int i = from; i < to; i++) {
            own.add(docs[i] - leaf.docBase);
          }
          DocIdSetIterator iterator = own.build().iterator();
          return ConstantScoreScorerSupplier.fromIterator(iterator, score(), mode, maxDoc);
        }

        @Override
        public boolean isCacheable(LeafReaderContext leaf) {
          return false;
        }
      };
    }

    private int insertion(int doc) {
      int found = Arrays.binarySearch(docs, doc);
      return found < 0 ? -found - 1 : found;
    }

    @Override
    public void visit(QueryVisitor visitor) {
      visitor.visitLeaf(this);
    }

    @Override
    public String toString(String field) {
      return docs.length + " documents by id";
    }

    @Override
    public boolean equals(Object other) {
      return sameClassAs(other) && Arrays.equals(docs, ((DocIdsQuery) other).docs);
    }

    @Override
    public int hashCode() {
      return 31 * classHash() + Arrays.hashCode(docs);
    }
  }
}
