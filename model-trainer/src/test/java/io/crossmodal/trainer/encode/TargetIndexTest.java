/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.bundle.Fingerprints;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class TargetIndexTest {
  private static final Fingerprints OWN = Documents.MODEL.fingerprints();

  private static JsonObject index(String uuid, String field) {
    return JsonParser.parseString(
            "{\"pictures-1\":{\"settings\":{\"index\":{\"uuid\":\""
                + uuid
                + "\"}},\"mappings\":{\"properties\":{\"caption\":{\"type\":\"text\"},"
                + "\"scene\":{\"properties\":{\"image\":"
                + field
                + "}}}}}}")
        .getAsJsonObject();
  }

  private static String field(String filter, String tokens, String more) {
    return "{\"type\":\"cross_modal\",\"spaces\":{\"filter\":\""
        + filter
        + "\",\"tokens\":\""
        + tokens
        + "\"}"
        + more
        + "}";
  }

  private static TargetIndex of(String path, JsonObject index) throws IOException {
    return TargetIndex.of("pictures", path, Documents.MODEL, index);
  }

  @Test
  void takesAFieldOfTheSameSpaces() throws IOException {
    String plain = field(OWN.embeddingSpace(), OWN.tokenSpace(), "");
    TargetIndex index = of("scene.image", index("u1", plain));
    assertEquals(TokenForm.INT8, index.tokens());
    assertEquals("/pictures/_bulk", index.bulkPath());
    assertNotEquals(
        index.incarnation(), of("scene.image", index("u2", plain)).incarnation(), "made anew");
    assertEquals(false, index.places());
    assertEquals(false, index.thumbnails());
    JsonObject placed = TargetIndex.mapping("image", "mine", TokenForm.NONE, Look.PLAIN);
    placed
        .getAsJsonObject("mappings")
        .getAsJsonObject("properties")
        .add("image", JsonParser.parseString(plain));
    placed.add("settings", index("u3", plain).getAsJsonObject("pictures-1").get("settings"));
    JsonObject indices = new JsonObject();
    indices.add("pictures", placed);
    assertEquals(true, of("image", indices).places());
    assertEquals(true, of("image", indices).thumbnails());
    JsonObject thumbnail =
        placed
            .getAsJsonObject("mappings")
            .getAsJsonObject("properties")
            .getAsJsonObject("thumbnail");
    assertEquals("{\"type\":\"binary\"}", thumbnail.toString(), "neither indexed nor rebuilt");
    String none = field(OWN.embeddingSpace(), OWN.tokenSpace(), ",\"tokens\":\"none\"");
    assertEquals(TokenForm.NONE, of("scene.image", index("u1", none)).tokens());
  }

  @Test
  void saysWhyAFieldDoesNotFit() {
    String other = "0".repeat(64);
    refused("scene.image", field(other, OWN.tokenSpace(), ""), other, "new index");
    refused("scene.image", field(OWN.embeddingSpace(), other, ""), other, "new index");
    refused("scene.image", "{\"type\":\"cross_modal\"}", "filter space null");
    refused("scene.image", "{\"type\":\"knn_vector\"}", "no field [scene.image]", "there are []");
    refused("image", field(other, other, ""), "no field [image]", "[scene.image]");
    refused("caption", field(other, other, ""), "no field [caption]");
    refused("caption.deep", field(other, other, ""), "no field [caption.deep]");
    String text = field(OWN.embeddingSpace(), OWN.tokenSpace(), ",\"modality\":\"text\"");
    refused("scene.image", text, "modality text");
    String later = field(OWN.embeddingSpace(), OWN.tokenSpace(), ",\"tokens\":\"int2\"");
    refused("scene.image", later, "[int2]");
  }

  private static void refused(String path, String field, String... parts) {
    IOException refused = assertThrows(IOException.class, () -> of(path, index("u", field)));
    for (String part : parts) {
      assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }
  }

  @Test
  void oneIndexOnly() {
    for (String name : new String[] {"a,b", "a*", "", "a/b", "a b"}) {
      IllegalArgumentException refused =
          assertThrows(
              IllegalArgumentException.class,
              () -> new TargetIndex(name, "", TokenForm.INT8, true, true).bulkPath());
      assertTrue(refused.getMessage().contains("[" + name + "]"), refused.getMessage());
    }
  }
}
