/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.DerivedSourceFieldMapper;
import io.crossmodal.plugin.mapper.SourceForm;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.StoredFieldDataInput;
import org.apache.lucene.index.StoredFieldVisitor;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.IOUtils;
import org.opensearch.OpenSearchException;
import org.opensearch.common.xcontent.support.XContentMapValues;
import org.opensearch.index.fieldvisitor.FieldsVisitor;

/** Stored fields of a segment whose sources are filled in when they are read. */
final class DerivedSourceReader extends StoredFieldsReader {
  private final StoredFieldsReader stored;
  private final SegmentValues values;
  private final boolean owner;
  private final boolean merging;
  private SourceFilter filter;

  /**
   * @param stored its stored fields as they are; closed with this
   * @param values its embeddings and tokens; closed with this
   */
  DerivedSourceReader(StoredFieldsReader stored, SegmentValues values) {
    this(stored, values, true, false);
  }

  private DerivedSourceReader(
      StoredFieldsReader stored, SegmentValues values, boolean owner, boolean merging) {
    this.stored = stored;
    this.values = values;
    this.owner = owner;
    this.merging = merging;
  }

  /** Returns the stored fields as they are, for a merge to copy. */
  StoredFieldsReader stored() {
    return stored;
  }

  @Override
  public void document(int doc, StoredFieldVisitor visitor) throws IOException {
    stored.document(doc, new Filling(visitor, doc));
  }

  @Override
  public void prefetch(int doc) throws IOException {
    stored.prefetch(doc);
  }

  @Override
  public StoredFieldsReader clone() {
    return new DerivedSourceReader(stored.clone(), values, false, merging);
  }

  /** Returns a reader that fills in too: it also serves fetches of many documents in a row. */
  @Override
  public StoredFieldsReader getMergeInstance() {
    return new DerivedSourceReader(stored.getMergeInstance(), values, false, true);
  }

  @Override
  public void checkIntegrity() throws IOException {
    stored.checkIntegrity();
  }

  @Override
  public void close() throws IOException {
    if (owner) {
      IOUtils.close(stored, values);
    } else {
      stored.close();
    }
  }

  /**
   * The source filter of a request. It leaves the keys that a pattern of {@code includes} names,
   * all where there is none, but for those that one of {@code excludes} names. The hits of a page
   * share one, so it is remembered.
   */
  private static final class SourceFilter {
    private final String[] includes;
    private final String[] excludes;
    private final Map<String, Boolean> leaves = new HashMap<>();

    private SourceFilter(String[] includes, String[] excludes) {
      this.includes = includes;
      this.excludes = excludes;
    }

    private boolean isOf(FieldsVisitor visitor) {
      return includes == visitor.includes() && excludes == visitor.excludes();
    }

    private boolean leaves(String key) {
      if (includes.length == 0 && excludes.length == 0) {
        return true;
      }
      return leaves.computeIfAbsent(
          key,
          path -> {
            Map<String, Object> source = Map.of(path, true);
            return !XContentMapValues.filter(source, includes, excludes).isEmpty();
          });
    }
  }

  private SourceFilter filter(FieldsVisitor visitor) {
    if (filter == null || !filter.isOf(visitor)) {
      filter = new SourceFilter(visitor.includes(), visitor.excludes());
    }
    return filter;
  }

  /** Passes on what it visits; {@link DerivedSourceWriter} stored the sources last. */
  private final class Filling extends StoredFieldVisitor {
    private final StoredFieldVisitor visitor;
    private final int doc;
    private final List<String> kept = new ArrayList<>();
    private boolean keptIsAskedFor;

    private Filling(StoredFieldVisitor visitor, int doc) {
      this.visitor = visitor;
      this.doc = doc;
    }

    @Override
    public Status needsField(FieldInfo field) throws IOException {
      Status status = visitor.needsField(field);
      if (field.name.equals(DerivedSourceFieldMapper.NAME) && status != Status.STOP) {
        // It is the codec's own, which a get must not return.
        keptIsAskedFor = status == Status.YES && !(visitor instanceof FieldsVisitor);
        return Status.YES;
      }
      return status;
    }

    @Override
    public void stringField(FieldInfo field, String value) throws IOException {
      if (field.name.equals(DerivedSourceFieldMapper.NAME)) {
        if (isWanted(value)) {
          kept.add(value);
        }
        if (!keptIsAskedFor) {
          return;
        }
      }
      visitor.stringField(field, value);
    }

    /** Returns false for a key that the request filters out; core reads the rest as it is. */
    private boolean isWanted(String key) {
      return !(visitor instanceof FieldsVisitor fields) || filter(fields).leaves(key);
    }

    @Override
    public void binaryField(FieldInfo field, StoredFieldDataInput value) throws IOException {
      if (isDerived(field)) {
        super.binaryField(field, value);
      } else {
        visitor.binaryField(field, value);
      }
    }

    @Override
    public void binaryField(FieldInfo field, byte[] value) throws IOException {
      visitor.binaryField(
          field,
          isDerived(field)
              ? DerivedSource.fill(new BytesRef(value), kept, this::value).bytes
              : value);
    }

    private boolean isDerived(FieldInfo field) {
      return !kept.isEmpty() && DerivedSource.isSource(field.name);
    }

    /**
     * Finds a value. Where it is lost, its document is and no other: the exception is none of those
     * that make core give up the shard, and a merge goes on, for it would lose the whole segment.
     */
    private Object value(String key, SourceForm form) throws IOException {
      Object value = values.get(key, doc, form);
      if (value == null && !(merging && !(visitor instanceof FieldsVisitor))) {
        throw new OpenSearchException(
            String.format(
                Locale.ROOT,
                "document [%s] lacks the value of [%s], which its source left to the index: delete"
                    + " it, or index it again",
                visitor instanceof FieldsVisitor fields ? fields.id() : doc,
                key));
      }
      return value;
    }

    @Override
    public void intField(FieldInfo field, int value) throws IOException {
      visitor.intField(field, value);
    }

    @Override
    public void longField(FieldInfo field, long value) throws IOException {
      visitor.longField(field, value);
    }

    @Override
    public void floatField(FieldInfo field, float value) throws IOException {
      visitor.floatField(field, value);
    }

    @Override
    public void doubleField(FieldInfo field, double value) throws IOException {
      visitor.doubleField(field, value);
    }
  }
}
