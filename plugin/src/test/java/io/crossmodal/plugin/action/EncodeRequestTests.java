/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import static org.hamcrest.Matchers.containsString;

import java.io.IOException;
import java.util.List;
import org.opensearch.common.io.stream.BytesStreamOutput;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.core.common.Strings;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.XContentParser;
import org.opensearch.test.OpenSearchTestCase;

public class EncodeRequestTests extends OpenSearchTestCase {
  private EncodeRequest parse(String body) throws IOException {
    try (XContentParser parser = createParser(JsonXContent.jsonXContent, body)) {
      return EncodeRequest.parse("m", parser);
    }
  }

  public void testReadsBothSides() throws IOException {
    EncodeRequest texts = parse("{\"text\":[\"a\",\"b\"]}");
    assertEquals("m", texts.model());
    assertEquals(List.of("a", "b"), texts.texts());
    assertTrue(texts.images().isEmpty());
    assertFalse(texts.tokens());
    EncodeRequest images =
        parse("{\"images\":[\"AQI=\",\"Aw==\"],\"sensor\":\"rgb\",\"tokens\":true}");
    assertArrayEquals(new byte[] {1, 2}, images.images().get(0));
    assertArrayEquals(new byte[] {3}, images.images().get(1));
    assertEquals("rgb", images.sensor());
    assertTrue(images.tokens());
  }

  public void testSurvivesTheWire() throws IOException {
    EncodeRequest request = parse("{\"images\":[\"AQI=\"],\"sensor\":\"rgb\",\"tokens\":true}");
    BytesStreamOutput out = new BytesStreamOutput();
    request.writeTo(out);
    EncodeRequest read = new EncodeRequest(out.bytes().streamInput());
    assertEquals(request.model(), read.model());
    assertEquals(request.texts(), read.texts());
    assertArrayEquals(request.images().get(0), read.images().get(0));
    assertEquals(request.sensor(), read.sensor());
    assertEquals(request.tokens(), read.tokens());
    EncodeResponse response =
        new EncodeResponse(
            "m",
            List.of(
                new EncodeResponse.Item(new float[] {1, 0}, new byte[] {7}, "cut", ""),
                EncodeResponse.Item.failed("no image")));
    BytesStreamOutput answer = new BytesStreamOutput();
    response.writeTo(answer);
    EncodeResponse back = new EncodeResponse(answer.bytes().streamInput());
    String expected =
        "{\"model\":\"m\",\"errors\":true,\"items\":[{\"embedding\":[1.0,0.0],\"tokens\":\"Bw==\","
            + "\"notice\":\"cut\"},{\"error\":\"no image\"}]}";
    for (EncodeResponse each : List.of(response, back)) {
      assertEquals(expected, Strings.toString(MediaTypeRegistry.JSON, each));
    }
  }

  public void testBadBodiesAreRefused() {
    assertRefused("{}", "exactly one of [text] and [images] is needed, got none");
    assertRefused("{\"text\":[\"a\"],\"images\":[\"AQI=\"]}", "got both");
    assertRefused("{\"text\":[]}", "[text] must hold 1 to 1000 items, got 0");
    assertRefused("{\"text\":[" + "\"a\",".repeat(1000) + "\"a\"]}", "got 1001");
    assertRefused("{\"text\":[\"a\"],\"sensor\":\"rgb\"}", "[sensor] goes with [images] only");
    assertRefused("{\"images\":[\"%\"]}", "no base64");
    assertRefused("{\"texts\":[\"a\"]}", "unknown field [texts]");
  }

  private void assertRefused(String body, String message) {
    Exception e = expectThrows(Exception.class, () -> parse(body));
    StringBuilder messages = new StringBuilder();
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      assertTrue(cause.toString(), cause instanceof IllegalArgumentException);
      messages.append(cause.getMessage()).append('\n');
    }
    assertThat(messages.toString(), containsString(message));
  }
}
