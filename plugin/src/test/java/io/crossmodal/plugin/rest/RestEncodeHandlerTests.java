/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import io.crossmodal.model.inference.InferenceException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.rest.RestRequest;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.test.client.NoOpNodeClient;
import org.opensearch.test.rest.FakeRestChannel;
import org.opensearch.test.rest.FakeRestRequest;

/**
 * Bodies of {@code _encode} find memory before they are parsed. That answered ones give it back,
 * {@code RequestFuzzTests} asks of a node.
 */
public class RestEncodeHandlerTests extends OpenSearchTestCase {
  private static final String BODY = "{\"text\":[\"a pond\"]}";

  private final AtomicLong reserved = new AtomicLong();
  private long limit = Long.MAX_VALUE;

  private void send(String body) throws Exception {
    RestRequest request =
        new FakeRestRequest.Builder(NamedXContentRegistry.EMPTY)
            .withMethod(RestRequest.Method.POST)
            .withPath("/_plugins/_cross_modal/models/mine/_encode")
            .withParams(new HashMap<>(Map.of("id", "mine")))
            .withContent(new BytesArray(body), XContentType.JSON)
            .build();
    RestEncodeHandler handler =
        new RestEncodeHandler(
            (what, bytes) -> {
              if (reserved.get() + bytes > limit) {
                throw new InferenceException.MemoryExceeded(what, bytes, "full", null);
              }
              reserved.addAndGet(bytes);
              return () -> reserved.addAndGet(-bytes);
            });
    try (NoOpNodeClient client = new NoOpNodeClient(getTestName())) {
      handler.handleRequest(request, new FakeRestChannel(request, false, 1), client);
    }
  }

  public void testWithoutMemoryABodyIsNotParsed() {
    limit = 3L * BODY.length();
    OpenSearchStatusException e =
        // Not even read: this body is no JSON.
        expectThrows(OpenSearchStatusException.class, () -> send("no JSON at all, and longer"));
    assertEquals(RestStatus.TOO_MANY_REQUESTS, e.status());
    assertEquals(0, reserved.get());
  }

  public void testWhatIsRefusedGivesItsMemoryBack() {
    for (String body : List.of("{", "{\"images\":[\"%%\"]}", "{}", "[]")) {
      expectThrows(Exception.class, () -> send(body));
    }
    assertEquals(0, reserved.get());
  }
}
