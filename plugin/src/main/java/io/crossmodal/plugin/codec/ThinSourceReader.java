/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.CrossModalFieldType;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.StoredFieldDataInput;
import org.apache.lucene.index.StoredFieldVisitor;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.IOUtils;
import org.opensearch.index.fieldvisitor.FieldsVisitor;

/** Fills sources in again, for whoever reads them. */
final class ThinSourceReader extends StoredFieldsReader {
  private final StoredFieldsReader stored;
  private final SegmentValues values;
  private final boolean owner;

  /**
   * The reader of one segment.
   *
   * @param stored its stored fields as they are; closed with this
   * @param values its embeddings and tokens; closed with this
   */
  ThinSourceReader(StoredFieldsReader stored, SegmentValues values) {
    this(stored, values, true);
  }

  private ThinSourceReader(StoredFieldsReader stored, SegmentValues values, boolean owner) {
    this.stored = stored;
    this.values = values;
    this.owner = owner;
  }

  /** The stored fields as they are, for a merge to copy. */
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
    return new ThinSourceReader(stored.clone(), values, false);
  }

  /** Fills in too: it is also what fetches many documents in a row. */
  @Override
  public StoredFieldsReader getMergeInstance() {
    return new ThinSourceReader(stored.getMergeInstance(), values, false);
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

  /** Passes on what it visits; {@link ThinSourceWriter} had the sources stored last. */
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
      if (field.name.equals(CrossModalFieldType.KEPT) && status != Status.STOP) {
        // To OpenSearch it is a field without a mapping, which a get must not bring to light.
        keptIsAskedFor = status == Status.YES && !(visitor instanceof FieldsVisitor);
        return Status.YES;
      }
      return status;
    }

    @Override
    public void stringField(FieldInfo field, String value) throws IOException {
      if (field.name.equals(CrossModalFieldType.KEPT)) {
        kept.add(value);
        if (!keptIsAskedFor) {
          return;
        }
      }
      visitor.stringField(field, value);
    }

    @Override
    public void binaryField(FieldInfo field, StoredFieldDataInput value) throws IOException {
      if (isThin(field)) {
        super.binaryField(field, value);
      } else {
        visitor.binaryField(field, value);
      }
    }

    @Override
    public void binaryField(FieldInfo field, byte[] value) throws IOException {
      visitor.binaryField(
          field,
          isThin(field)
              ? ThinSource.fill(new BytesRef(value), kept, key -> values.get(key, doc)).bytes
              : value);
    }

    private boolean isThin(FieldInfo field) {
      return !kept.isEmpty() && ThinSource.isSource(field.name);
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
