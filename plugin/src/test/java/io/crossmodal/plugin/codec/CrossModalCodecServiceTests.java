/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import static org.hamcrest.Matchers.containsString;

import org.opensearch.common.settings.Settings;
import org.opensearch.index.IndexSettings;
import org.opensearch.test.IndexSettingsModule;
import org.opensearch.test.OpenSearchTestCase;

/**
 * Which indices are ours to write, where the k-NN plugin's setting stands in them. That plugin
 * itself is in {@code NeighbourPluginsIT}.
 */
public class CrossModalCodecServiceTests extends OpenSearchTestCase {
  private static IndexSettings index(Settings.Builder settings) {
    return IndexSettingsModule.newIndexSettings("index", settings.build());
  }

  public void testAnIndexHasOneCodec() {
    IllegalArgumentException refused =
        expectThrows(
            IllegalArgumentException.class,
            () ->
                CrossModalCodecService.serves(
                    index(
                        Settings.builder().put("index.cross_modal", true).put("index.knn", true))));
    assertThat(refused.getMessage(), containsString("leave out [index.cross_modal]"));
  }

  public void testTheSettingDecides() {
    assertTrue(
        CrossModalCodecService.serves(index(Settings.builder().put("index.cross_modal", true))));
    for (boolean knn : new boolean[] {true, false}) {
      assertFalse(
          CrossModalCodecService.serves(
              index(Settings.builder().put("index.cross_modal", false).put("index.knn", knn))));
    }
  }

  public void testWithoutAFieldOrWithTheirSettingItIsNotOurs() {
    assertFalse(CrossModalCodecService.serves(index(Settings.builder())));
    assertFalse(CrossModalCodecService.serves(index(Settings.builder().put("index.knn", true))));
  }
}
