/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import org.opensearch.action.get.GetRequest;
import org.opensearch.test.OpenSearchTestCase;

public class DocumentQueryTests extends OpenSearchTestCase {
  public void testThePictureItselfStaysWhereItIs() {
    GetRequest get =
        DocumentQuery.get(
            "pictures", new QuerySource.Document("1", null, null, "here"), "site.image");
    assertEquals("pictures", get.index());
    assertEquals("1", get.id());
    assertEquals("here", get.routing());
    assertArrayEquals(new String[] {"site.image"}, get.fetchSourceContext().includes());
    assertArrayEquals(
        new String[] {"site.image.bytes", "site.image.text"}, get.fetchSourceContext().excludes());
  }
}
