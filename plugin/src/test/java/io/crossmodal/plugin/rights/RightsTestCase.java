/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.client.Request;
import org.opensearch.client.RequestOptions;
import org.opensearch.client.Response;
import org.opensearch.client.ResponseException;
import org.opensearch.client.WarningsHandler;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.transport.Netty4ModulePlugin;

/** A node over HTTP, guarded by {@link SecurityStandIn}. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public abstract class RightsTestCase extends OpenSearchIntegTestCase {
  static final String WORDS = "'field':'image','query_text':'a pond beside a road'";

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(MicroModelPlugin.class, Netty4ModulePlugin.class, SecurityStandIn.class);
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

  /** What came back. */
  record Answer(int status, String text) {
    Map<String, Object> json() {
      return XContentHelper.convertToMap(JsonXContent.jsonXContent, text, false);
    }

    /** What lies below some keys; the caller knows of what type it is. */
    @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"})
    <T> T at(String... path) {
      Object value = json();
      for (String key : path) {
        value = ((Map<String, Object>) value).get(key);
      }
      return (T) value;
    }

    List<Map<String, Object>> hits() {
      return at("hits", "hits");
    }

    List<String> ids() {
      return hits().stream().map(hit -> (String) hit.get("_id")).sorted().toList();
    }
  }

  static SecurityStandIn.Guard guard() {
    return internalCluster().getInstance(SecurityStandIn.Guard.class);
  }

  /**
   * Sends a request.
   *
   * @param user null for the cluster itself, which may do all
   * @param body with ' for "; null for none
   */
  static Answer send(String user, String method, String path, String body) throws IOException {
    Request request = new Request(method, path);
    if (body != null) {
      request.setJsonEntity(body.replace('\'', '"'));
    }
    RequestOptions.Builder options = RequestOptions.DEFAULT.toBuilder();
    options.setWarningsHandler(WarningsHandler.PERMISSIVE);
    if (user != null) {
      options.addHeader(SecurityStandIn.USER, user);
    }
    request.setOptions(options);
    try {
      return answer(getRestClient().performRequest(request));
    } catch (ResponseException e) {
      return answer(e.getResponse());
    }
  }

  private static Answer answer(Response response) throws IOException {
    return new Answer(
        response.getStatusLine().getStatusCode(),
        new String(response.getEntity().getContent().readAllBytes(), StandardCharsets.UTF_8));
  }

  /** The same, which must succeed. */
  static Answer ok(String user, String method, String path, String body) throws IOException {
    Answer answer = send(user, method, path, body);
    assertEquals(user + " " + path + ": " + answer, 2, answer.status / 100);
    return answer;
  }

  static String picture() {
    return TestModels.base64(TestModels.png(random(), 20));
  }
}
