/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fetch;

import io.crossmodal.plugin.MicroModelPlugin;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.common.lucene.search.TopDocsAndMaxScore;
import org.opensearch.indices.IndicesService;
import org.opensearch.plugins.Plugin;
import org.opensearch.search.SearchHit;
import org.opensearch.search.fetch.subphase.FetchSourceContext;
import org.opensearch.search.fetch.subphase.InnerHitsContext.InnerHitSubContext;
import org.opensearch.search.internal.SearchContext;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** Inner hits of whole documents, as {@code has_child} brings them, which core alone has not. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class LeanHitsTests extends OpenSearchSingleNodeTestCase {
  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  private static final class Inner extends InnerHitSubContext {
    private Inner(String name, SearchContext search) {
      super(name, search);
    }

    @Override
    public TopDocsAndMaxScore topDocs(SearchHit hit) {
      throw new AssertionError("nothing is searched");
    }
  }

  public void testInnerHitsAtEveryDepth() {
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
        .get();
    SearchContext search =
        createSearchContext(
            getInstanceFromNode(IndicesService.class).indexServiceSafe(resolveIndex("pictures")));
    Inner silent = new Inner("silent", search);
    Inner deep = new Inner("deep", search);
    silent.setChildInnerHits(Map.of("deep", deep));
    Inner everything = new Inner("everything", search);
    everything.fetchSourceContext(new FetchSourceContext(true));
    Inner nothing = new Inner("nothing", search);
    nothing.fetchSourceContext(new FetchSourceContext(false));
    for (Inner inner : List.of(silent, everything, nothing)) {
      search.innerHits().addInnerHitDefinition(inner);
    }
    new LeanHits().onPreFetchPhase(search);
    String[] left = {"image.embedding", "image.tokens"};
    for (Inner inner : List.of(silent, deep)) {
      assertEquals(new FetchSourceContext(true, new String[0], left), inner.fetchSourceContext());
    }
    assertEquals(new FetchSourceContext(true), everything.fetchSourceContext());
    assertEquals(
        "read by nobody",
        new FetchSourceContext(false, new String[0], left),
        nothing.fetchSourceContext());
  }
}
