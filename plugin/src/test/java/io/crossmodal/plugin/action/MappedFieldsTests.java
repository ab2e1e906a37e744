/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.plugin.mapper.MappingFields;
import java.io.IOException;
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
    MappingFields.Field first = fields.find(index("a", picture), "image");
    assertEquals("cross_modal", first.type());
    assertSame("of the same content", first, fields.find(index("b", picture), "image"));
    MappingFields.Field other =
        fields.find(index("a", "\"image\":{\"type\":\"keyword\"}"), "image");
    assertEquals("keyword", other.type());
  }

  public void testAnAliasIsItsField() throws IOException {
    MappedFields fields = new MappedFields();
    IndexMetadata index =
        index(
            "a",
            "\"site\":{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"m\":8}}},"
                + "\"other\":{\"properties\":{"
                + "\"picture\":{\"type\":\"alias\",\"path\":\"site.image\"}}}");
    MappingFields.Field found = fields.find(index, "other.picture");
    assertEquals("site.image", found.path());
    assertEquals("cross_modal", found.type());
    assertEquals(found, fields.find(index, "site.image"));
  }

  public void testWhatIsNotThere() throws IOException {
    MappedFields fields = new MappedFields();
    assertNull(fields.find(null, "image"));
    assertNull(fields.find(index("a", null), "image"));
    assertNull(fields.find(index("a", "\"label\":{\"type\":\"keyword\"}"), "image"));
  }
}
