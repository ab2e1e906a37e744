/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.cluster.metadata.IndexMetadata;
import org.opensearch.common.settings.Settings;
import org.opensearch.test.OpenSearchTestCase;

public class MappedFieldsTests extends OpenSearchTestCase {
  private static IndexMetadata index(String name, String properties) throws IOException {
    IndexMetadata.Builder index =
        IndexMetadata.builder(name)
            .settings(
                Settings.builder()
                    .put("index.version.created", Version.CURRENT)
                    .put("index.number_of_shards", 1)
                    .put("index.number_of_replicas", 0));
    return properties == null
        ? index.build()
        : index.putMapping("{\"properties\":{" + properties + "}}").build();
  }

  /** Without that, each search decompresses and parses each index's whole mapping. */
  public void testAMappingIsParsedOnce() throws IOException {
    MappedFields fields = new MappedFields();
    String picture = "\"image\":{\"type\":\"cross_modal\"}";
    Map<String, Object> first = fields.find(index("a", picture), "image");
    assertEquals("cross_modal", first.get("type"));
    assertSame("of the same content", first, fields.find(index("b", picture), "image"));
    Map<String, Object> other =
        fields.find(index("a", "\"image\":{\"type\":\"keyword\"}"), "image");
    assertEquals("keyword", other.get("type"));
  }

  public void testWhatIsNotThere() throws IOException {
    MappedFields fields = new MappedFields();
    assertNull(fields.find(null, "image"));
    assertNull(fields.find(index("a", null), "image"));
    assertNull(fields.find(index("a", "\"label\":{\"type\":\"keyword\"}"), "image"));
  }
}
