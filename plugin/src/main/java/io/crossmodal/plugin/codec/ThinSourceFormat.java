/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import java.io.IOException;
import org.apache.lucene.codecs.StoredFieldsFormat;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.codecs.StoredFieldsWriter;
import org.apache.lucene.index.FieldInfos;
import org.apache.lucene.index.SegmentInfo;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.IOContext;

/** Stored fields whose sources are thinned on the way in and filled in again on the way out. */
final class ThinSourceFormat extends StoredFieldsFormat {
  private final StoredFieldsFormat delegate;

  ThinSourceFormat(StoredFieldsFormat delegate) {
    this.delegate = delegate;
  }

  @Override
  public StoredFieldsReader fieldsReader(
      Directory directory, SegmentInfo segment, FieldInfos fields, IOContext context)
      throws IOException {
    return new ThinSourceReader(
        delegate.fieldsReader(directory, segment, fields, context),
        new SegmentValues(directory, segment, fields, context));
  }

  @Override
  public StoredFieldsWriter fieldsWriter(
      Directory directory, SegmentInfo segment, IOContext context) throws IOException {
    StoredFieldsWriter writer = delegate.fieldsWriter(directory, segment, context);
    // A segment that another codec will read has to hold whole sources.
    return segment.getCodec().getName().equals(CrossModalCodec.NAME)
        ? new ThinSourceWriter(writer)
        : writer;
  }
}
