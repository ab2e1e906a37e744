/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import java.io.IOException;
import org.apache.lucene.codecs.Codec;
import org.apache.lucene.codecs.FilterCodec;
import org.apache.lucene.codecs.StoredFieldsFormat;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.codecs.StoredFieldsWriter;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;
import org.apache.lucene.index.FieldInfos;
import org.apache.lucene.index.SegmentInfo;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.IOContext;

/**
 * Lucene's codec with derived sources: they do not hold again what vectors and doc values hold.
 * Segments carry its name, so each of their readers fills the sources in again.
 */
public final class CrossModalCodec extends FilterCodec {
  /** Stands in every segment; another Lucene codec below gets another name. */
  static final String NAME = "CrossModal104";

  private final StoredFieldsFormat storedFields;

  /** The codec that reads segments; Lucene's service loader calls this. */
  public CrossModalCodec() {
    this(new Lucene104Codec());
  }

  CrossModalCodec(Codec delegate) {
    super(NAME, delegate);
    this.storedFields = new DerivedSourceFormat(delegate.storedFieldsFormat());
  }

  @Override
  public StoredFieldsFormat storedFieldsFormat() {
    return storedFields;
  }

  /** Stored fields whose sources lose the values on the way in and get them back on the way out. */
  private static final class DerivedSourceFormat extends StoredFieldsFormat {
    private final StoredFieldsFormat delegate;

    private DerivedSourceFormat(StoredFieldsFormat delegate) {
      this.delegate = delegate;
    }

    @Override
    public StoredFieldsReader fieldsReader(
        Directory directory, SegmentInfo segment, FieldInfos fields, IOContext context)
        throws IOException {
      return new DerivedSourceReader(
          delegate.fieldsReader(directory, segment, fields, context),
          new SegmentValues(directory, segment, fields, context));
    }

    @Override
    public StoredFieldsWriter fieldsWriter(
        Directory directory, SegmentInfo segment, IOContext context) throws IOException {
      StoredFieldsWriter writer = delegate.fieldsWriter(directory, segment, context);
      // A segment that another codec will read has to hold whole sources.
      return segment.getCodec().getName().equals(NAME) ? new DerivedSourceWriter(writer) : writer;
    }
  }
}
