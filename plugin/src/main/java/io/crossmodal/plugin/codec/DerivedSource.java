/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.plugin.mapper.FieldValues;
import io.crossmodal.plugin.mapper.SourceForm;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.lucene.util.BytesRef;
import org.opensearch.OpenSearchParseException;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.index.mapper.SourceFieldMapper;

/**
 * Takes embeddings and token blocks out of a document's source and puts them in again. In place of
 * each stands the mark of its {@link SourceForm}, which no user can have sent: the mapper refuses
 * it.
 */
final class DerivedSource {
  private static final Set<String> SOURCES =
      Set.of(SourceFieldMapper.NAME, SourceFieldMapper.RECOVERY_SOURCE_NAME);

  /** Finds a value that was taken out. */
  @FunctionalInterface
  interface Values {
    /** Returns the value of a key, as a source of this form holds it. */
    Object get(String key, SourceForm form) throws IOException;
  }

  @FunctionalInterface
  private interface Replacement {
    /** Returns what replaces a value; null where it stays. */
    Object of(String key, String leaf, Object old) throws IOException;
  }

  private DerivedSource() {}

  /** Returns whether a stored field is a source: what users see, or what only recoveries read. */
  static boolean isSource(String field) {
    return SOURCES.contains(field);
  }

  /**
   * Returns a source without what is kept elsewhere.
   *
   * @param kept full names of the keys whose values are kept elsewhere
   * @return the source itself where nothing can be taken out
   */
  static BytesRef strip(BytesRef source, Collection<String> kept) throws IOException {
    return replace(
        source,
        kept,
        (key, leaf, old) -> old instanceof Boolean ? null : SourceForm.of(leaf, old).mark());
  }

  /** Returns what was given to {@link #strip}; a mark stays whose value is not found. */
  static BytesRef fill(BytesRef source, Collection<String> kept, Values values) throws IOException {
    return replace(
        source,
        kept,
        (key, leaf, old) ->
            old instanceof Boolean mark ? values.get(key, SourceForm.of(mark)) : null);
  }

  private static BytesRef replace(BytesRef source, Collection<String> keys, Replacement replacement)
      throws IOException {
    XContentType type = type(source);
    if (type == null) {
      return source;
    }
    Map<String, Object> map;
    try {
      map =
          XContentHelper.convertToMap(
              type.xContent(), source.bytes, source.offset, source.length, true);
    } catch (OpenSearchParseException e) {
      // YAML that looks like JSON. Whole it is right too, and an exception from a codec would fail
      // the shard.
      return source;
    }
    boolean changed = false;
    for (String key : keys) {
      int dot = key.lastIndexOf('.');
      if (dot < 0) {
        continue;
      }
      String leaf = key.substring(dot + 1);
      List<Map<String, Object>> values = new ArrayList<>();
      FieldValues.visit(map, key.substring(0, dot), false, values::add);
      for (Map<String, Object> value : values) {
        Object old = value.get(leaf);
        Object now = old == null ? null : replacement.of(key, leaf, old);
        if (now != null) {
          value.put(leaf, now);
          changed = true;
        }
      }
    }
    return changed ? write(map, type) : source;
  }

  /** Returns null for a type that OpenSearch does not know by its first bytes. */
  private static XContentType type(BytesRef source) {
    for (XContentType type : XContentType.values()) {
      if (type.detectedXContent(source.bytes, source.offset, source.length)) {
        return type;
      }
    }
    return null;
  }

  private static BytesRef write(Map<String, Object> map, XContentType type) throws IOException {
    try (XContentBuilder builder = MediaTypeRegistry.contentBuilder(type)) {
      // Readers of stored fields take the whole array to be the source.
      return new BytesRef(BytesReference.toBytes(BytesReference.bytes(builder.map(map))));
    }
  }
}
