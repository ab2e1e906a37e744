/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import java.util.Map;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.FieldType;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.search.MatchNoDocsQuery;
import org.apache.lucene.search.Query;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.mapper.MetadataFieldMapper;
import org.opensearch.index.mapper.TextSearchInfo;
import org.opensearch.index.mapper.ValueFetcher;
import org.opensearch.index.query.QueryShardContext;
import org.opensearch.search.lookup.SearchLookup;

/**
 * The metadata field {@code _cross_modal_kept}: the stored field in which a document names what of
 * its source Lucene keeps elsewhere, by full names of keys such as {@code image.embedding}. The
 * codec leaves these out of the source.
 *
 * <p>It is a metadata field so that no mapping can have a field of that name, and no document a
 * value: a mark that a user made would have the codec throw away a value which is kept nowhere.
 * Marks carry an attribute besides, which no mapper but this plugin's sets, and the codec obeys no
 * others.
 */
public final class DerivedSourceFieldMapper extends MetadataFieldMapper {
  public static final String NAME = "_cross_modal_kept";

  private static final String ATTRIBUTE = "cross_modal.kept";
  private static final FieldType STORED = new FieldType();

  static {
    STORED.setStored(true);
    STORED.putAttribute(ATTRIBUTE, "1");
    STORED.freeze();
  }

  private DerivedSourceFieldMapper() {
    super(new DerivedSourceFieldType());
  }

  /** Returns what the plugin registers: every index has the field, and no mapping mentions it. */
  public static MetadataFieldMapper.TypeParser parser() {
    return new FixedTypeParser(context -> new DerivedSourceFieldMapper());
  }

  /**
   * Makes the mark of one value, for the document that holds this value itself.
   *
   * @param field full name of a {@code cross_modal} field
   * @param key {@link DocumentValue#EMBEDDING} or {@link DocumentValue#TOKENS}
   */
  public static Field mark(String field, String key) {
    return new Field(NAME, field + "." + key, STORED);
  }

  /** Returns whether a stored field holds marks that {@link #mark} made. */
  public static boolean holdsMarks(FieldInfo field) {
    return field.name.equals(NAME) && field.getAttribute(ATTRIBUTE) != null;
  }

  @Override
  protected String contentType() {
    return NAME;
  }

  /** Tells nothing: neither a search nor a fetch of the field brings marks to light. */
  private static final class DerivedSourceFieldType extends MappedFieldType {
    private DerivedSourceFieldType() {
      super(NAME, false, false, false, TextSearchInfo.NONE, Map.of());
    }

    @Override
    public String typeName() {
      return NAME;
    }

    /**
     * Returns nothing of a mark, which may name a field that the asker must not see: a reader that
     * guards documents lets metadata fields pass.
     */
    @Override
    public Object valueForDisplay(Object value) {
      return true;
    }

    @Override
    public Query existsQuery(QueryShardContext context) {
      return new MatchNoDocsQuery("[" + NAME + "] is the codec's own");
    }

    @Override
    public Query termQuery(Object value, QueryShardContext context) {
      return existsQuery(context);
    }

    @Override
    public ValueFetcher valueFetcher(
        QueryShardContext context, SearchLookup lookup, String format) {
      throw new IllegalArgumentException("[" + NAME + "] is the codec's own and cannot be fetched");
    }
  }
}
