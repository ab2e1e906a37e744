/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Locale;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.SortField;
import org.apache.lucene.util.BytesRef;
import org.opensearch.common.util.BigArrays;
import org.opensearch.index.fielddata.IndexFieldData;
import org.opensearch.index.fielddata.LeafFieldData;
import org.opensearch.index.fielddata.ScriptDocValues;
import org.opensearch.index.fielddata.SortedBinaryDocValues;
import org.opensearch.index.mapper.DocValueFetcher;
import org.opensearch.search.DocValueFormat;
import org.opensearch.search.MultiValueMode;
import org.opensearch.search.aggregations.support.ValuesSourceType;
import org.opensearch.search.sort.BucketedSort;
import org.opensearch.search.sort.SortOrder;

/**
 * A field's embeddings as {@code docvalue_fields} and {@code fields} ask for them, from the vectors
 * of a segment: no source is read. There is nothing to sort, to aggregate or to compute with.
 */
final class EmbeddingFieldData implements IndexFieldData<EmbeddingFieldData.Leaf> {
  private final String field;

  EmbeddingFieldData(String field) {
    this.field = field;
  }

  @Override
  public String getFieldName() {
    return field;
  }

  @Override
  public Leaf load(LeafReaderContext context) {
    LeafReader segment = context.reader();
    try {
      // Field-level security hides a field from the reader's field infos but not its vectors.
      return new Leaf(
          segment.getFieldInfos().fieldInfo(field) == null
              ? null
              : segment.getFloatVectorValues(field));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public Leaf loadDirect(LeafReaderContext context) {
    return load(context);
  }

  @Override
  public ValuesSourceType getValuesSourceType() {
    throw refusal();
  }

  @Override
  public SortField sortField(
      Object missing, MultiValueMode mode, XFieldComparatorSource.Nested nested, boolean reverse) {
    throw refusal();
  }

  @Override
  public BucketedSort newBucketedSort(
      BigArrays bigArrays,
      Object missing,
      MultiValueMode mode,
      XFieldComparatorSource.Nested nested,
      SortOrder order,
      DocValueFormat format,
      int size,
      BucketedSort.ExtraData extra) {
    throw refusal();
  }

  private IllegalArgumentException refusal() {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "field [%s] of type [%s] cannot be sorted by, aggregated or read by a script: it is"
                + " searched with the query [%s], and [docvalue_fields] return its embedding",
            field,
            CrossModalFieldMapper.TYPE,
            CrossModalFieldMapper.TYPE));
  }

  /** The embeddings of one segment. */
  final class Leaf implements LeafFieldData {
    private final FloatVectorValues vectors;

    /**
     * @param vectors null where there are none
     */
    private Leaf(FloatVectorValues vectors) {
      this.vectors = vectors;
    }

    /**
     * Returns embeddings as a float[], or as {@link DocValueFormat#BINARY} formats bytes: base64 of
     * D float32, little-endian.
     */
    @Override
    public DocValueFetcher.Leaf getLeafValueFetcher(DocValueFormat format) {
      return new DocValueFetcher.Leaf() {
        private float[] embedding;

        @Override
        public boolean advanceExact(int doc) throws IOException {
          embedding = Embeddings.read(vectors, doc);
          return embedding != null;
        }

        @Override
        public int docValueCount() {
          return 1;
        }

        @Override
        public Object nextValue() {
          if (format != DocValueFormat.BINARY) {
            return embedding;
          }
          return format.format(new BytesRef(Embeddings.toBytes(embedding)));
        }
      };
    }

    @Override
    public ScriptDocValues<?> getScriptValues() {
      throw refusal();
    }

    @Override
    public SortedBinaryDocValues getBytesValues() {
      throw refusal();
    }

    @Override
    public long ramBytesUsed() {
      return 0;
    }

    @Override
    public void close() {}
  }
}
