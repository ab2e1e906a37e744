/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.Messages;
import io.crossmodal.plugin.ext.HitTraits;
import io.crossmodal.plugin.ext.HitTraits.Trait;
import io.crossmodal.plugin.mapper.CrossModalFieldType;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.index.DocValues;
import org.apache.lucene.index.FloatVectorValues;
import org.apache.lucene.index.KnnVectorValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.ReaderUtil;
import org.apache.lucene.index.SortedSetDocValues;
import org.apache.lucene.search.ScoreDoc;
import org.opensearch.index.mapper.KeywordFieldMapper;
import org.opensearch.index.mapper.MappedFieldType;
import org.opensearch.index.query.QueryShardContext;

/** Reads what the hits of a window are compared by, where a request's selection compares them. */
final class TraitReader {
  private final String group;
  private final String embedding;
  private final String asked;

  /**
   * @param field null in an index that lacks it
   * @throws IllegalArgumentException when the hits of this index cannot be grouped by the field
   */
  TraitReader(QueryShardContext context, CrossModalFieldType field, Selection selection) {
    this.asked = selection.group();
    this.group = asked == null ? null : keyword(context, asked);
    this.embedding = selection.diversity() == null || field == null ? null : field.name();
  }

  private static String keyword(QueryShardContext context, String name) {
    MappedFieldType type = context.fieldMapper(name);
    if (type == null || !type.typeName().equals(KeywordFieldMapper.CONTENT_TYPE)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] [%s] must be a field of type [%s] in each of the searched indices, in [%s] %s",
              Selection.GROUP,
              Messages.excerpt(name),
              KeywordFieldMapper.CONTENT_TYPE,
              context.index().getName(),
              type == null ? "there is no such field" : "its type is [" + type.typeName() + "]"));
    }
    if (!type.hasDocValues()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] [%s] keeps no doc values to group by: its mapping says [doc_values: false]",
              Selection.GROUP,
              Messages.excerpt(name)));
    }
    return type.name();
  }

  /**
   * Returns the traits of hits.
   *
   * @param inDocOrder of one reader
   * @throws IllegalArgumentException when one of them has several values to group by
   */
  HitTraits read(List<LeafReaderContext> leaves, ScoreDoc[] inDocOrder) throws IOException {
    if (group == null && embedding == null) {
      return HitTraits.NONE;
    }
    Map<Integer, Trait> byDoc = new HashMap<>();
    int at = 0;
    while (at < inDocOrder.length) {
      LeafReaderContext leaf = leaves.get(ReaderUtil.subIndex(inDocOrder[at].doc, leaves));
      int end = leaf.docBase + leaf.reader().maxDoc();
      SortedSetDocValues groups =
          group == null ? null : DocValues.getSortedSet(leaf.reader(), group);
      FloatVectorValues embeddings =
          embedding == null ? null : leaf.reader().getFloatVectorValues(embedding);
      KnnVectorValues.DocIndexIterator vectors = embeddings == null ? null : embeddings.iterator();
      for (; at < inDocOrder.length && inDocOrder[at].doc < end; at++) {
        int doc = inDocOrder[at].doc - leaf.docBase;
        byDoc.put(
            inDocOrder[at].doc,
            new Trait(
                groups == null || !groups.advanceExact(doc) ? null : value(groups),
                vectors == null || vectors.advance(doc) != doc
                    ? null
                    : embeddings.vectorValue(vectors.index()).clone()));
      }
    }
    return new HitTraits(byDoc);
  }

  private String value(SortedSetDocValues groups) throws IOException {
    if (groups.docValueCount() > 1) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] [%s] has %d values in one of the hits, so that it stands in several groups:"
                  + " group by a field of one value",
              Selection.GROUP,
              Messages.excerpt(asked),
              groups.docValueCount()));
    }
    return groups.lookupOrd(groups.nextOrd()).utf8ToString();
  }
}
