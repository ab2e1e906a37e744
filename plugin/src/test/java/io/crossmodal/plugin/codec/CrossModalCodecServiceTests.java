/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.util.List;
import org.opensearch.Version;
import org.opensearch.cluster.metadata.IndexMetadata;
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
    for (String other : List.of("index.knn", "index.sparse")) {
      IllegalArgumentException refused =
          expectThrows(
              IllegalArgumentException.class,
              () ->
                  CrossModalCodecService.serves(
                      index(Settings.builder().put("index.cross_modal", true).put(other, true))));
      assertThat(refused.getMessage(), containsString("leave out [index.cross_modal]"));
      assertThat(refused.getMessage(), containsString("[" + other + "]"));
    }
  }

  /** An index with a field of ours, which is ours unless a neighbour of the node claims it. */
  public void testItStaysAwayFromWhatNeighboursClaim() throws IOException {
    assertTrue(serves(Settings.builder(), Settings.EMPTY));
    assertTrue(serves(Settings.builder().put("index.knn", false), Settings.EMPTY));
    assertFalse(serves(Settings.builder().put("index.knn", true), Settings.EMPTY));
    assertFalse(serves(Settings.builder().put("index.sparse", true), Settings.EMPTY));
    Settings.Builder later = Settings.builder().put("index.later", "on");
    assertTrue(serves(later, Settings.EMPTY));
    Settings node =
        Settings.builder().putList(CrossModalSettings.OTHER_CODECS.getKey(), "index.later").build();
    assertFalse(serves(later, node));
    assertTrue(
        "the list replaces the default",
        serves(Settings.builder().put("index.sparse", true), node));
  }

  private static boolean serves(Settings.Builder settings, Settings node) throws IOException {
    IndexMetadata index =
        IndexMetadata.builder("index")
            .settings(
                settings
                    .put(IndexMetadata.SETTING_VERSION_CREATED, Version.CURRENT)
                    .put(IndexMetadata.SETTING_NUMBER_OF_SHARDS, 1)
                    .put(IndexMetadata.SETTING_NUMBER_OF_REPLICAS, 0))
            .putMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
            .build();
    return CrossModalCodecService.serves(new IndexSettings(index, node));
  }

  /** As a start without this plugin leaves it. */
  public void testAnArchivedSettingCounts() {
    assertTrue(
        CrossModalCodecService.serves(
            index(Settings.builder().put("archived.index.cross_modal", true))));
    assertFalse(
        CrossModalCodecService.serves(
            index(Settings.builder().put("archived.index.cross_modal", false))));
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
