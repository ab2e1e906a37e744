/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import org.apache.lucene.codecs.Codec;
import org.apache.lucene.codecs.FilterCodec;
import org.apache.lucene.codecs.StoredFieldsFormat;
import org.apache.lucene.codecs.lucene104.Lucene104Codec;

/**
 * Lucene's codec, with sources that do not hold again what vectors and doc values hold. Segments
 * carry its name, so that whoever opens one fills its sources in again.
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
    this.storedFields = new ThinSourceFormat(delegate.storedFieldsFormat());
  }

  @Override
  public StoredFieldsFormat storedFieldsFormat() {
    return storedFields;
  }
}
