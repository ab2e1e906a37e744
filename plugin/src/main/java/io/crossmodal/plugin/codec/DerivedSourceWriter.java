/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.DerivedSourceFieldMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.codecs.StoredFieldsWriter;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.MergeState;
import org.apache.lucene.index.StoredFieldDataInput;
import org.apache.lucene.util.BytesRef;

/**
 * Takes out of a document's sources what is kept elsewhere, by the document's marks of {@link
 * DerivedSourceFieldMapper#mark}. The document decides and not the mapping, for a field may be
 * mapped after documents with unchecked values were written. Any other field of that name is a
 * stored field like all others.
 */
final class DerivedSourceWriter extends StoredFieldsWriter {
  private record Source(FieldInfo field, BytesRef bytes) {}

  private final StoredFieldsWriter delegate;
  private final List<String> kept = new ArrayList<>();
  private final List<Source> sources = new ArrayList<>();

  DerivedSourceWriter(StoredFieldsWriter delegate) {
    this.delegate = delegate;
  }

  @Override
  public void startDocument() throws IOException {
    kept.clear();
    sources.clear();
    delegate.startDocument();
  }

  /** Sources come last, so that their reader knows by then what to fill in. */
  @Override
  public void finishDocument() throws IOException {
    for (Source source : sources) {
      delegate.writeField(
          source.field, kept.isEmpty() ? source.bytes : DerivedSource.strip(source.bytes, kept));
    }
    delegate.finishDocument();
  }

  @Override
  public void writeField(FieldInfo field, String value) throws IOException {
    if (DerivedSourceFieldMapper.holdsMarks(field)) {
      kept.add(value);
    }
    delegate.writeField(field, value);
  }

  @Override
  public void writeField(FieldInfo field, BytesRef value) throws IOException {
    if (DerivedSource.isSource(field.name)) {
      sources.add(new Source(field, value));
    } else {
      delegate.writeField(field, value);
    }
  }

  @Override
  public void writeField(FieldInfo field, StoredFieldDataInput value) throws IOException {
    if (DerivedSource.isSource(field.name)) {
      super.writeField(field, value);
    } else {
      delegate.writeField(field, value);
    }
  }

  @Override
  public void writeField(FieldInfo field, int value) throws IOException {
    delegate.writeField(field, value);
  }

  @Override
  public void writeField(FieldInfo field, long value) throws IOException {
    delegate.writeField(field, value);
  }

  @Override
  public void writeField(FieldInfo field, float value) throws IOException {
    delegate.writeField(field, value);
  }

  @Override
  public void writeField(FieldInfo field, double value) throws IOException {
    delegate.writeField(field, value);
  }

  /**
   * Copies derived sources as they are, in Lucene's compressed blocks. Where a segment is of
   * another codec, or comes wrapped by a merge policy, everything goes through this writer document
   * by document.
   */
  @Override
  public int merge(MergeState state) throws IOException {
    boolean derived = true;
    StoredFieldsReader[] readers = state.storedFieldsReaders;
    for (int i = 0; i < readers.length; i++) {
      if (readers[i] instanceof DerivedSourceReader reader) {
        readers[i] = reader.stored();
      } else {
        derived = false;
      }
    }
    return derived ? delegate.merge(state) : super.merge(state);
  }

  @Override
  public void finish(int documents) throws IOException {
    delegate.finish(documents);
  }

  @Override
  public void close() throws IOException {
    delegate.close();
  }

  @Override
  public long ramBytesUsed() {
    return delegate.ramBytesUsed();
  }
}
