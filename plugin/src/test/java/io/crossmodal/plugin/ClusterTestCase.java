/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.client.Request;
import org.opensearch.client.RequestOptions;
import org.opensearch.client.Response;
import org.opensearch.client.ResponseException;
import org.opensearch.client.WarningsHandler;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.common.xcontent.support.XContentMapValues;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.transport.Netty4ModulePlugin;

/** Base of tests on nodes in this JVM, which have the plugin with a small model and speak HTTP. */
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public abstract class ClusterTestCase extends OpenSearchIntegTestCase {
  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(MicroModelPlugin.class, Netty4ModulePlugin.class);
  }

  @Override
  protected boolean addMockHttpTransport() {
    return false;
  }

  @Override
  protected Settings nodeSettings(int nodeOrdinal) {
    return Settings.builder()
        .put(super.nodeSettings(nodeOrdinal))
        .put("http.type", "netty4")
        .build();
  }

  /**
   * A response.
   *
   * @param text of its body; empty where it has none
   */
  public record Answer(int status, String text) {
    private static Answer of(Response response) throws IOException {
      return new Answer(
          response.getStatusLine().getStatusCode(),
          response.getEntity() == null
              ? ""
              : new String(
                  response.getEntity().getContent().readAllBytes(), StandardCharsets.UTF_8));
    }

    public Map<String, Object> json() {
      return XContentHelper.convertToMap(JsonXContent.jsonXContent, text, false);
    }

    /** Returns what lies below some keys; the caller knows of what type it is. */
    @SuppressWarnings("TypeParameterUnusedInFormals")
    public <T> T at(String... path) {
      return ClusterTestCase.at(json(), path);
    }

    /** Returns the values at a path with dots, of each object where there is an array of them. */
    public Object value(String path) {
      return XContentMapValues.extractValue(path, json());
    }

    public List<Map<String, Object>> hits() {
      return at("hits", "hits");
    }

    /** Returns the hits' ids in their own order, not that of the hits. */
    public List<String> ids() {
      return hits().stream().map(hit -> (String) hit.get("_id")).sorted().toList();
    }
  }

  /** Returns what lies below some keys; the caller knows of what type it is. */
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
  protected static <T> T at(Map<String, Object> map, String... path) {
    Object value = map;
    for (String key : path) {
      value = ((Map<String, Object>) value).get(key);
    }
    return (T) value;
  }

  /** Returns a request; body with ' for ", null for none. */
  protected static Request request(String method, String path, String body) {
    Request request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(body.replace('\'', '"'));
    }
    return request;
  }

  /** Sends a request and returns whatever comes back. */
  protected static Answer send(Request request) throws IOException {
    RequestOptions.Builder options = request.getOptions().toBuilder();
    options.setWarningsHandler(WarningsHandler.PERMISSIVE);
    request.setOptions(options);
    try {
      return Answer.of(getRestClient().performRequest(request));
    } catch (ResponseException e) {
      return Answer.of(e.getResponse());
    }
  }

  protected static Answer send(String method, String path, String body) throws IOException {
    return send(request(method, path, body));
  }

  /** Sends a request that must succeed, in every item and on every shard. */
  protected static Answer ok(String method, String path, String body) throws IOException {
    return ok(request(method, path, body));
  }

  protected static Answer ok(Request request) throws IOException {
    Answer answer = send(request);
    String what = request.getEndpoint() + ": " + answer;
    assertEquals(what, 2, answer.status / 100);
    assertFalse(what, answer.text.contains("\"errors\":true"));
    if (answer.text.startsWith("{") && answer.json().get("_shards") instanceof Map<?, ?> shards) {
      assertEquals(what, 0, shards.get("failed"));
    }
    return answer;
  }

  /** Sends a request that must be refused. */
  protected static Answer refused(
      int status, String message, String method, String path, String body) throws IOException {
    Answer answer = send(method, path, body);
    assertEquals(path + ": " + answer, status, answer.status);
    assertThat(answer.text, containsString(message));
    return answer;
  }

  /** Returns the source of a field: a picture that is new each time. */
  protected static String picture() {
    return "{'bytes':'" + TestModels.base64(TestModels.png(random(), 20)) + "'}";
  }

  /** Indexes documents with a picture each, in one request, under the ids from 0. */
  protected final void indexPictures(String index, int shards, int replicas, int count) {
    prepareCreate(index)
        .setSettings(
            Settings.builder().put("number_of_shards", shards).put("number_of_replicas", replicas))
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\"}}}")
        .get();
    BulkRequestBuilder bulk = client().prepareBulk();
    for (int i = 0; i < count; i++) {
      String source = "{'image':" + picture() + "}";
      bulk.add(
          client()
              .prepareIndex(index)
              .setId(Integer.toString(i))
              .setSource(source.replace('\'', '"'), XContentType.JSON));
    }
    BulkResponse response = bulk.get();
    assertFalse(response.buildFailureMessage(), response.hasFailures());
    refresh(index);
    ensureGreen(index);
  }

  /** Returns a counter's sum over all models and nodes. */
  protected static long total(Counter counter) {
    long total = 0;
    for (NodeInference service : internalCluster().getInstances(NodeInference.class)) {
      total += service.stats().get(counter);
    }
    return total;
  }
}
