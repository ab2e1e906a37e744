/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.util.Collection;
import java.util.List;
import org.opensearch.client.Request;
import org.opensearch.client.RequestOptions;
import org.opensearch.plugins.Plugin;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.transport.Netty4ModulePlugin;

/** A node over HTTP, guarded by {@link SecurityStandIn}. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public abstract class RightsTestCase extends ClusterTestCase {
  static final String WORDS = "'field':'image','query_text':'a pond beside a road'";

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(MicroModelPlugin.class, Netty4ModulePlugin.class, SecurityStandIn.class);
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
    Request request = request(method, path, body);
    if (user != null) {
      request.setOptions(RequestOptions.DEFAULT.toBuilder().addHeader(SecurityStandIn.USER, user));
    }
    return send(request);
  }

  /** The same, which must succeed. */
  static Answer ok(String user, String method, String path, String body) throws IOException {
    Answer answer = send(user, method, path, body);
    assertEquals(user + " " + path + ": " + answer, 2, answer.status() / 100);
    return answer;
  }

  static String pictureBytes() {
    return TestModels.base64(TestModels.png(random(), 20));
  }
}
