/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.apache.lucene.index.LeafReaderContext;
import org.opensearch.common.document.DocumentField;
import org.opensearch.search.SearchHit;
import org.opensearch.search.fetch.FetchContext;
import org.opensearch.search.fetch.FetchSubPhase;
import org.opensearch.search.fetch.FetchSubPhaseProcessor;

/**
 * Adds the field {@code _cross_modal} to the hits of a page: an object for each fusion rescore of
 * the search, or for each text that it searches by where heat maps need no rescore. Nothing happens
 * unless {@link CrossModalExtBuilder} says so. Stateless.
 *
 * @param pages finds the rescores of a search, in the request's order, or those texts
 */
public record DetailsFetchPhase(Function<FetchContext, List<? extends Page>> pages)
    implements FetchSubPhase {
  /** Among the {@code fields} of a hit. */
  public static final String FIELD = "_cross_modal";

  /** The hits of one rescore, or of one text, that a shard returns. */
  public interface Page {
    /** Returns whether its hits say something that the request need not ask for. */
    boolean describesAlways();

    /** Returns whether a document is a hit of the page; inner hits are not. */
    boolean holds(int doc);

    /**
     * Describes a hit, as the transport and the response take it.
     *
     * @param wanted parts of the description
     * @param doc top-level document id
     */
    Map<String, Object> describe(CrossModalExtBuilder wanted, int doc) throws IOException;
  }

  @Override
  public FetchSubPhaseProcessor getProcessor(FetchContext fetch) {
    CrossModalExtBuilder wanted =
        (CrossModalExtBuilder) fetch.getSearchExt(CrossModalExtBuilder.NAME);
    boolean asked = wanted != null && wanted.describesHits();
    List<? extends Page> found = pages.apply(fetch);
    if (found.isEmpty() || !(asked || found.stream().anyMatch(Page::describesAlways))) {
      return null;
    }
    return new Processor(asked ? wanted : CrossModalExtBuilder.NOTHING, found);
  }

  private record Processor(CrossModalExtBuilder wanted, List<? extends Page> pages)
      implements FetchSubPhaseProcessor {
    @Override
    public void setNextReader(LeafReaderContext leaf) {}

    @Override
    public void process(HitContext context) throws IOException {
      SearchHit hit = context.hit();
      // Inner hits come here too, with the rescores of the search around them.
      if (!pages.get(0).holds(hit.docId())) {
        return;
      }
      List<Object> objects = new ArrayList<>(pages.size());
      for (Page page : pages) {
        objects.add(page.describe(wanted, hit.docId()));
      }
      hit.setDocumentField(FIELD, new DocumentField(FIELD, objects));
    }
  }
}
