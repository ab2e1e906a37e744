/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionType;
import org.opensearch.common.lease.Releasable;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.rest.RestRequest;
import org.opensearch.test.OpenSearchTestCase;
import org.opensearch.test.client.NoOpNodeClient;
import org.opensearch.test.rest.FakeRestChannel;
import org.opensearch.test.rest.FakeRestRequest;

/** Uploads find a place and memory before their bodies are parsed. */
public class RestUploadModelHandlerTests extends OpenSearchTestCase {
  private static final String BODY = "{\"bundle\":\"AAAA\"}";

  private final AtomicLong reserved = new AtomicLong();
  private long limit = Long.MAX_VALUE;
  private final MemoryBudget heap =
      (what, bytes) -> {
        if (reserved.get() + bytes > limit) {
          throw new InferenceException.MemoryExceeded(what, bytes, "full", null);
        }
        reserved.addAndGet(bytes);
        return () -> reserved.addAndGet(-bytes);
      };
  private final RestUploadModelHandler handler = new RestUploadModelHandler(heap);

  /** Holds what it is asked. */
  private static final class Holding extends NoOpNodeClient {
    private final List<ActionListener<?>> held = new ArrayList<>();

    private Holding(String name) {
      super(name);
    }

    @Override
    public <Q extends ActionRequest, R extends ActionResponse> void doExecute(
        ActionType<R> action, Q request, ActionListener<R> listener) {
      held.add(listener);
    }
  }

  private static RestRequest request(String body, Map<String, String> more) {
    Map<String, String> params = new HashMap<>(more);
    params.put("id", "mine");
    return new FakeRestRequest.Builder(NamedXContentRegistry.EMPTY)
        .withMethod(RestRequest.Method.PUT)
        .withPath("/_plugins/_cross_modal/models/mine")
        .withParams(params)
        .withContent(new BytesArray(body), XContentType.JSON)
        .build();
  }

  private FakeRestChannel send(Holding client, String body, Map<String, String> params)
      throws Exception {
    RestRequest request = request(body, params);
    FakeRestChannel channel = new FakeRestChannel(request, false, 1);
    handler.handleRequest(request, channel, client);
    return channel;
  }

  private void assertAllIsGivenBack() {
    assertEquals(0, reserved.get());
    List<Releasable> places = new ArrayList<>();
    for (int i = 0; i < RestUploadModelHandler.MAX_AT_ONCE; i++) {
      places.add(handler.enter(1));
    }
    places.forEach(Releasable::close);
    assertEquals(0, reserved.get());
  }

  public void testThereAreFewPlaces() throws Exception {
    try (Holding client = new Holding(getTestName())) {
      for (int i = 0; i < RestUploadModelHandler.MAX_AT_ONCE; i++) {
        send(client, BODY, Map.of());
      }
      assertEquals(4L * BODY.length() * RestUploadModelHandler.MAX_AT_ONCE, reserved.get());
      // Not even read: this body is no JSON.
      OpenSearchStatusException e =
          expectThrows(OpenSearchStatusException.class, () -> send(client, "no JSON", Map.of()));
      assertEquals(RestStatus.TOO_MANY_REQUESTS, e.status());
      assertThat(e.getMessage(), containsString("takes [2] other uploads already"));
      client.held.get(0).onFailure(new IllegalStateException("that one failed"));
      send(client, BODY, Map.of("part", "0", "parts", "2"));
      client.held.subList(1, 3).forEach(held -> held.onFailure(new IllegalStateException("too")));
    }
    assertAllIsGivenBack();
  }

  public void testWithoutMemoryABodyIsNotParsed() throws Exception {
    limit = 3L * BODY.length();
    try (Holding client = new Holding(getTestName())) {
      for (int i = 0; i < 5; i++) {
        OpenSearchStatusException e =
            expectThrows(OpenSearchStatusException.class, () -> send(client, BODY, Map.of()));
        assertEquals(RestStatus.TOO_MANY_REQUESTS, e.status());
      }
      assertEquals(List.of(), client.held);
    }
    limit = Long.MAX_VALUE;
    assertAllIsGivenBack();
  }

  public void testWhateverIsRefusedGivesItsPlaceBack() throws Exception {
    try (Holding client = new Holding(getTestName())) {
      for (int i = 0; i < 5; i++) {
        for (String body : List.of("{", "{\"bundle\":\"%%\"}", "{\"bundle\":\"\"}", "[]")) {
          expectThrows(Exception.class, () -> send(client, body, Map.of()));
        }
        for (Map<String, String> params :
            List.of(
                Map.of("unknown", "x"),
                Map.of("part", "x", "parts", "2"),
                Map.of("part", "1"),
                Map.of("part", "3", "parts", "2"))) {
          expectThrows(IllegalArgumentException.class, () -> send(client, BODY, params));
        }
      }
      assertEquals(List.of(), client.held);
    }
    assertAllIsGivenBack();
  }
}
