/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.CrossModalFieldType;
import io.crossmodal.plugin.mapper.DocumentValue;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.mapper.SourceForm;
import java.io.Closeable;
import java.io.IOException;
import org.apache.lucene.codecs.DocValuesProducer;
import org.apache.lucene.codecs.KnnVectorsReader;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.DocValuesType;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.FieldInfos;
import org.apache.lucene.index.SegmentInfo;
import org.apache.lucene.index.SegmentReadState;
import org.apache.lucene.index.VectorEncoding;
import org.apache.lucene.store.AlreadyClosedException;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.IOContext;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.IOUtils;

/**
 * A segment's embeddings and token blocks. A reader of stored fields does not get those of its
 * segment's reader, so it opens them once more, when the first source is asked for: a merge and a
 * search without sources pay nothing. The open segment keeps its files from deletion. Thread-safe.
 */
final class SegmentValues implements Closeable {
  private final SegmentReadState state;
  private KnnVectorsReader vectors;
  private DocValuesProducer docValues;
  private boolean closed;

  SegmentValues(Directory directory, SegmentInfo segment, FieldInfos fields, IOContext context) {
    this.state = new SegmentReadState(directory, segment, fields, context);
  }

  /**
   * Returns a value as a source holds it.
   *
   * @param key a field's full name, and embedding or tokens
   * @param doc in this segment
   * @return null where the document has no such value
   */
  Object get(String key, int doc, SourceForm form) throws IOException {
    int dot = key.lastIndexOf('.');
    String field = key.substring(0, dot);
    return switch (key.substring(dot + 1)) {
      case DocumentValue.EMBEDDING -> {
        float[] embedding = embedding(field, doc);
        yield embedding == null ? null : form.embedding(embedding);
      }
      case DocumentValue.TOKENS -> {
        byte[] block = tokens(CrossModalFieldType.tokensField(field), doc);
        yield block == null ? null : form.tokens(block);
      }
      default -> null;
    };
  }

  private float[] embedding(String field, int doc) throws IOException {
    FieldInfo info = state.fieldInfos.fieldInfo(field);
    if (info == null
        || !info.hasVectorValues()
        || info.getVectorEncoding() != VectorEncoding.FLOAT32) {
      return null;
    }
    return Embeddings.read(vectors().getFloatVectorValues(field), doc);
  }

  private byte[] tokens(String field, int doc) throws IOException {
    FieldInfo info = state.fieldInfos.fieldInfo(field);
    if (info == null || info.getDocValuesType() != DocValuesType.BINARY) {
      return null;
    }
    BinaryDocValues blocks = docValues().getBinary(info);
    return blocks.advanceExact(doc) ? BytesRef.deepCopyOf(blocks.binaryValue()).bytes : null;
  }

  private synchronized KnnVectorsReader vectors() throws IOException {
    ensureOpen();
    if (vectors == null) {
      vectors = state.segmentInfo.getCodec().knnVectorsFormat().fieldsReader(state);
    }
    return vectors;
  }

  private synchronized DocValuesProducer docValues() throws IOException {
    ensureOpen();
    if (docValues == null) {
      docValues = state.segmentInfo.getCodec().docValuesFormat().fieldsProducer(state);
    }
    return docValues;
  }

  private void ensureOpen() {
    if (closed) {
      throw new AlreadyClosedException("the stored fields of this segment are closed");
    }
  }

  @Override
  public synchronized void close() throws IOException {
    closed = true;
    IOUtils.close(vectors, docValues);
  }
}
