/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ingest;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.action.bulk.BulkItemResponse;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.common.settings.Settings;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.OpenSearchSingleNodeTestCase;

/** A node takes so many pixels at once, and gives the others back to be sent again. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class DecodingBudgetTests extends OpenSearchSingleNodeTestCase {
  private static final int SIDE = 300;

  @Override
  protected Collection<Class<? extends Plugin>> getPlugins() {
    return List.of(MicroModelPlugin.class);
  }

  @Override
  protected Settings nodeSettings() {
    return Settings.builder()
        .put(super.nodeSettings())
        .put(DecodingBudget.MAX_PIXELS.getKey(), 2 * SIDE * SIDE)
        .build();
  }

  public void testWhatDoesNotFitIsRefusedAndTheRestIndexed() {
    client()
        .admin()
        .indices()
        .prepareCreate("pictures")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
        .get();
    for (int round = 0; round < 3; round++) {
      BulkRequestBuilder bulk = client().prepareBulk();
      for (int i = 0; i < 5; i++) {
        byte[] picture = TestModels.png(random(), SIDE);
        bulk.add(
            client()
                .prepareIndex("pictures")
                .setId(round + "-" + i)
                .setSource(Map.of("image", Map.of("bytes", TestModels.base64(picture)))));
      }
      BulkItemResponse[] items = bulk.get().getItems();
      for (int i = 0; i < items.length; i++) {
        assertEquals(items[i].getFailureMessage(), i >= 2, items[i].isFailed());
        if (i >= 2) {
          assertEquals(RestStatus.TOO_MANY_REQUESTS, items[i].status());
          assertThat(
              items[i].getFailureMessage(),
              containsString("[plugins.cross_modal.ingest.max_pixels]"));
        }
      }
    }
  }

  public void testSharesComeBackOnceAndOneAloneAlwaysFits() {
    DecodingBudget budget = new DecodingBudget(100_000);
    QueryInput large = new QueryInput.Image("rgb", TestModels.png(random(), 400));
    QueryInput broken = new QueryInput.Image("rgb", new byte[10]);
    DecodingBudget.Share alone = budget.take(large);
    expectThrows(OpenSearchRejectedExecutionException.class, () -> budget.take(broken));
    budget.take(new QueryInput.Text("costs no decoding")).close();
    alone.close();
    alone.close();
    DecodingBudget.Share small = budget.take(broken);
    expectThrows(OpenSearchRejectedExecutionException.class, () -> budget.take(broken));
    small.close();
    budget.take(broken).close();
  }
}
