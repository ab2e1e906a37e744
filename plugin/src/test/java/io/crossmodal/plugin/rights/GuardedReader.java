/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.FieldInfos;
import org.apache.lucene.index.FilterDirectoryReader;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.index.NumericDocValues;
import org.apache.lucene.index.PointValues;
import org.apache.lucene.index.SortedDocValues;
import org.apache.lucene.index.SortedNumericDocValues;
import org.apache.lucene.index.SortedSetDocValues;
import org.apache.lucene.index.StoredFieldVisitor;
import org.apache.lucene.index.StoredFields;
import org.apache.lucene.index.Terms;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.search.Scorer;
import org.apache.lucene.util.Bits;
import org.apache.lucene.util.FixedBitSet;
import org.opensearch.common.lucene.index.SequentialStoredFieldsLeafReader;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.support.XContentMapValues;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * What a user sees of a shard. As the security plugin's {@code DlsFlsFilterLeafReader}, it hides
 * fields from field infos, doc values, postings, points, stored fields and sources, a field with
 * all below its name, and, where documents are read by id, hidden documents as deleted ones; like
 * that, it does not hide vectors.
 */
final class GuardedReader extends SequentialStoredFieldsLeafReader {
  /**
   * What to hide.
   *
   * @param visible matches the documents to show; null for all
   * @param hidden fields to hide
   */
  record Rules(Query visible, List<String> hidden) {
    static final Rules NONE = new Rules(null, List.of());
  }

  private final Rules rules;
  private final FieldInfos infos;
  private final Bits live;

  private GuardedReader(LeafReader in, Rules rules, boolean byId) {
    super(in);
    this.rules = rules;
    List<FieldInfo> left = new ArrayList<>();
    in.getFieldInfos().forEach(left::add);
    left.removeIf(info -> isHidden(info.name));
    infos = new FieldInfos(left.toArray(FieldInfo[]::new));
    live = byId && rules.visible != null ? visible() : in.getLiveDocs();
  }

  /**
   * Wraps a shard's reader.
   *
   * @param byId whether documents are read by id, and not searched
   */
  static DirectoryReader wrap(DirectoryReader reader, Rules rules, boolean byId)
      throws IOException {
    return new Directory(reader, rules, byId);
  }

  private static final class Directory extends FilterDirectoryReader {
    private final Rules rules;
    private final boolean byId;

    private Directory(DirectoryReader in, Rules rules, boolean byId) throws IOException {
      super(
          in,
          new SubReaderWrapper() {
            @Override
            public LeafReader wrap(LeafReader leaf) {
              return new GuardedReader(leaf, rules, byId);
            }
          });
      this.rules = rules;
      this.byId = byId;
    }

    @Override
    protected DirectoryReader doWrapDirectoryReader(DirectoryReader other) throws IOException {
      return new Directory(other, rules, byId);
    }

    @Override
    public CacheHelper getReaderCacheHelper() {
      return in.getReaderCacheHelper();
    }
  }

  private Bits visible() {
    try {
      IndexSearcher searcher = new IndexSearcher(this);
      searcher.setQueryCache(null);
      Scorer scorer =
          searcher
              .rewrite(rules.visible)
              .createWeight(searcher, ScoreMode.COMPLETE_NO_SCORES, 1)
              .scorer(getContext());
      FixedBitSet bits = new FixedBitSet(in.maxDoc());
      if (scorer != null) {
        bits.or(scorer.iterator());
      }
      Bits before = in.getLiveDocs();
      for (int doc = 0; before != null && doc < in.maxDoc(); doc++) {
        if (!before.get(doc)) {
          bits.clear(doc);
        }
      }
      return bits;
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private boolean isHidden(String field) {
    return rules.hidden.stream()
        .anyMatch(hidden -> field.equals(hidden) || field.startsWith(hidden + "."));
  }

  @Override
  public FieldInfos getFieldInfos() {
    return infos;
  }

  @Override
  public Bits getLiveDocs() {
    return live;
  }

  @Override
  public NumericDocValues getNumericDocValues(String field) throws IOException {
    return isHidden(field) ? null : in.getNumericDocValues(field);
  }

  @Override
  public BinaryDocValues getBinaryDocValues(String field) throws IOException {
    return isHidden(field) ? null : in.getBinaryDocValues(field);
  }

  @Override
  public SortedDocValues getSortedDocValues(String field) throws IOException {
    return isHidden(field) ? null : in.getSortedDocValues(field);
  }

  @Override
  public SortedNumericDocValues getSortedNumericDocValues(String field) throws IOException {
    return isHidden(field) ? null : in.getSortedNumericDocValues(field);
  }

  @Override
  public SortedSetDocValues getSortedSetDocValues(String field) throws IOException {
    return isHidden(field) ? null : in.getSortedSetDocValues(field);
  }

  @Override
  public NumericDocValues getNormValues(String field) throws IOException {
    return isHidden(field) ? null : in.getNormValues(field);
  }

  @Override
  public PointValues getPointValues(String field) throws IOException {
    return isHidden(field) ? null : in.getPointValues(field);
  }

  @Override
  public Terms terms(String field) throws IOException {
    return isHidden(field) ? null : in.terms(field);
  }

  @Override
  public StoredFields storedFields() throws IOException {
    StoredFields all = in.storedFields();
    return new StoredFields() {
      @Override
      public void document(int doc, StoredFieldVisitor visitor) throws IOException {
        all.document(doc, new Visitor(visitor));
      }
    };
  }

  @Override
  protected StoredFieldsReader doGetSequentialStoredFieldsReader(StoredFieldsReader reader) {
    return new StoredFieldsReader() {
      @Override
      public void document(int doc, StoredFieldVisitor visitor) throws IOException {
        reader.document(doc, new Visitor(visitor));
      }

      @Override
      public StoredFieldsReader clone() {
        return doGetSequentialStoredFieldsReader(reader.clone());
      }

      @Override
      public void checkIntegrity() throws IOException {
        reader.checkIntegrity();
      }

      @Override
      public void close() throws IOException {
        reader.close();
      }
    };
  }

  @Override
  public CacheHelper getCoreCacheHelper() {
    return in.getCoreCacheHelper();
  }

  @Override
  public CacheHelper getReaderCacheHelper() {
    return live == in.getLiveDocs() ? in.getReaderCacheHelper() : null;
  }

  private final class Visitor extends StoredFieldVisitor {
    private final StoredFieldVisitor visitor;

    private Visitor(StoredFieldVisitor visitor) {
      this.visitor = visitor;
    }

    @Override
    public void binaryField(FieldInfo info, byte[] value) throws IOException {
      visitor.binaryField(info, info.name.equals("_source") ? source(value) : value);
    }

    private byte[] source(byte[] value) throws IOException {
      Map<String, Object> whole =
          XContentHelper.convertToMap(
              XContentType.JSON.xContent(), new BytesArray(value).streamInput(), true);
      try (XContentBuilder left = MediaTypeRegistry.contentBuilder(XContentType.JSON)) {
        left.map(XContentMapValues.filter(whole, null, rules.hidden.toArray(String[]::new)));
        return BytesReference.toBytes(BytesReference.bytes(left));
      }
    }

    @Override
    public Status needsField(FieldInfo info) throws IOException {
      return isHidden(info.name) ? Status.NO : visitor.needsField(info);
    }

    @Override
    public void stringField(FieldInfo info, String value) throws IOException {
      visitor.stringField(info, value);
    }

    @Override
    public void intField(FieldInfo info, int value) throws IOException {
      visitor.intField(info, value);
    }

    @Override
    public void longField(FieldInfo info, long value) throws IOException {
      visitor.longField(info, value);
    }

    @Override
    public void floatField(FieldInfo info, float value) throws IOException {
      visitor.floatField(info, value);
    }

    @Override
    public void doubleField(FieldInfo info, double value) throws IOException {
      visitor.doubleField(info, value);
    }
  }
}
