/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ui;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.hasItem;
import static org.hamcrest.Matchers.hasItems;
import static org.hamcrest.Matchers.not;

import io.crossmodal.plugin.settings.CrossModalSettings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.Before;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.rest.RestRequest;
import org.opensearch.rest.RestResponse;
import org.opensearch.test.rest.FakeRestChannel;
import org.opensearch.test.rest.FakeRestRequest;
import org.opensearch.test.rest.RestActionTestCase;

/** Through OpenSearch's own controller, which knows routes and methods. */
public class RestUiHandlerTests extends RestActionTestCase {
  private static final String PATH = "/_plugins/_cross_modal/ui";
  private static final List<String> MODULES =
      List.of(
          "app",
          "dom",
          "draw",
          "export",
          "form",
          "geometry",
          "grid",
          "heat",
          "histogram",
          "hit",
          "hits",
          "map",
          "mapping",
          "models",
          "node",
          "policy",
          "request",
          "state");

  /** Whoever imports these asks the node, or makes markup. */
  private static final Set<String> ASKING = Set.of("app", "node");

  @Before
  public void register() {
    controller().registerHandler(new RestUiHandler());
  }

  private RestResponse send(RestRequest.Method method, String path) {
    RestRequest request =
        new FakeRestRequest.Builder(NamedXContentRegistry.EMPTY)
            .withMethod(method)
            .withPath(path)
            .build();
    FakeRestChannel channel = new FakeRestChannel(request, true, 1);
    ThreadContext context = verifyingClient.threadPool().getThreadContext();
    // The controller leaves headers in its client's context.
    ThreadContext.StoredContext before = context.stashContext();
    controller().dispatchRequest(request, channel, context);
    before.restore();
    return channel.capturedResponse();
  }

  private String text(String path) {
    return send(RestRequest.Method.GET, path).content().utf8ToString();
  }

  private String module(String name) {
    return text(PATH + "/" + name + ".js");
  }

  private static List<String> paths() {
    List<String> paths = new ArrayList<>(List.of(PATH));
    MODULES.forEach(module -> paths.add(PATH + "/" + module + ".js"));
    for (String file : List.of("leaflet.js", "leaflet.css", "search.css", "world.json")) {
      paths.add(PATH + "/" + file);
    }
    return paths;
  }

  public void testTypes() {
    for (String path : paths()) {
      RestResponse response = send(RestRequest.Method.GET, path);
      assertEquals(response.content().utf8ToString(), RestStatus.OK, response.status());
      assertTrue(path, response.content().length() > 500);
      assertEquals(path, List.of("nosniff"), response.getHeaders().get("X-Content-Type-Options"));
      assertEquals(path, List.of("no-cache"), response.getHeaders().get("Cache-Control"));
      assertEquals(path, List.of("no-referrer"), response.getHeaders().get("Referrer-Policy"));
    }
    for (Map.Entry<String, String> type :
        Map.of(
                "", "text/html",
                "/app.js", "text/javascript",
                "/leaflet.js", "text/javascript",
                "/leaflet.css", "text/css",
                "/settings.json", "application/json")
            .entrySet()) {
      assertEquals(
          type.getValue() + "; charset=UTF-8",
          send(RestRequest.Method.GET, PATH + type.getKey()).contentType());
    }
  }

  private static Set<String> policy(String pictures) {
    return Set.of(
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:" + pictures,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types default");
  }

  private static Set<String> policyOf(RestResponse response) {
    List<String> policies = response.getHeaders().get("Content-Security-Policy");
    assertEquals(1, policies.size());
    return Set.of(policies.get(0).split("; "));
  }

  public void testPolicyAllowsTheNodeOnly() {
    for (String path : paths()) {
      assertEquals(path, policy(""), policyOf(send(RestRequest.Method.GET, path)));
    }
    assertEquals(
        "{\"tiles\":\"\",\"attribution\":\"\",\"pictures\":\"\"}", text(PATH + "/settings.json"));
  }

  /** The hosts of an operator's settings, and not the rest of their addresses. */
  public void testPolicyAllowsTheOperatorsHosts() throws Exception {
    Settings settings =
        Settings.builder()
            .put("plugins.cross_modal.ui.tile_url", "https://tiles.example:8443/a/{z}/{x}/{y}.png")
            .put("plugins.cross_modal.ui.tile_attribution", "Tiles: example")
            .put("plugins.cross_modal.ui.picture_url", "http://archive.example/{path}")
            .build();
    RestUiHandler handler = new RestUiHandler(CrossModalSettings.uiHosts(settings));
    RestRequest request =
        new FakeRestRequest.Builder(NamedXContentRegistry.EMPTY)
            .withPath(PATH + "/settings.json")
            .withParams(new HashMap<>(Map.of("file", "settings.json")))
            .build();
    FakeRestChannel channel = new FakeRestChannel(request, true, 1);
    handler.handleRequest(request, channel, verifyingClient);
    RestResponse response = channel.capturedResponse();
    assertEquals(policy(" https://tiles.example:8443 http://archive.example"), policyOf(response));
    assertThat(response.content().utf8ToString(), containsString("/a/{z}/{x}/{y}.png"));
  }

  public void testSettingsNameHosts() {
    for (String wrong :
        List.of(
            "{url}",
            "https://{host}/x",
            "ftp://a/b",
            "//a/b",
            "https:///x",
            "https://a;script-src * /{z}",
            "https://a b/{z}",
            "https://user@a/{z}",
            "javascript:alert(1)")) {
      for (String name : List.of("tile_url", "picture_url")) {
        String key = "plugins.cross_modal.ui." + name;
        IllegalArgumentException e =
            expectThrows(
                IllegalArgumentException.class,
                () -> CrossModalSettings.uiHosts(Settings.builder().put(key, wrong).build()));
        assertThat(e.getMessage(), containsString("[" + key + "] must be empty or an address"));
        assertThat(e.getMessage(), containsString(wrong));
      }
    }
  }

  public void testUnknownFile() {
    for (String name : List.of("search.html", "RestUiHandler.class", "..%2fapp.js", "search.js")) {
      RestResponse response = send(RestRequest.Method.GET, PATH + "/" + name);
      assertEquals(name, RestStatus.NOT_FOUND, response.status());
      assertThat(response.content().utf8ToString(), containsString("[app.js, dom.js,"));
    }
  }

  public void testSlashAtTheEndLeadsToThePage() {
    RestResponse response = send(RestRequest.Method.GET, PATH + "/");
    assertEquals(RestStatus.TEMPORARY_REDIRECT, response.status());
    assertEquals(List.of("../ui"), response.getHeaders().get("Location"));
  }

  public void testOtherMethods() {
    for (String path : paths()) {
      for (RestRequest.Method method :
          List.of(RestRequest.Method.HEAD, RestRequest.Method.POST, RestRequest.Method.PUT)) {
        RestResponse response = send(method, path);
        assertEquals(method + path, RestStatus.METHOD_NOT_ALLOWED, response.status());
        assertEquals(List.of("GET"), response.getHeaders().get("Allow"));
      }
    }
  }

  /** The policy would stop them, and a page that needs them would be broken. */
  public void testPageHasNoInlineCodeAndNamesItsFilesRelatively() {
    String page = text(PATH);
    assertFalse(Pattern.compile("<script[^>]*>[^<]").matcher(page).find());
    assertFalse(Pattern.compile("<style|\\sstyle=|\\son[a-z]+=").matcher(page).find());
    assertEquals(
        Set.of("data:,", "ui/leaflet.css", "ui/search.css", "ui/app.js", "#", "#models"),
        found("(?:src|href)=\"([^\"]*)\"", page));
    assertFalse(text(PATH + "/search.css").matches("(?s).*(@import|url\\().*"));
  }

  public void testModulesMakeNoCodeOfDataAndAskTheNodeOnly() {
    for (String name : MODULES) {
      String script = module(name);
      for (String never :
          List.of(
              "innerHTML",
              "outerHTML",
              "insertAdjacentHTML",
              "document.write",
              "DOMParser",
              "eval(",
              "Function(",
              "await import(",
              "XMLHttpRequest",
              "WebSocket",
              "EventSource",
              "sendBeacon",
              "window.open",
              "location.href",
              "location.assign",
              "location.replace",
              "://")) {
        assertThat(name, script, not(containsString(never)));
      }
      assertEquals(name, ASKING.contains(name), script.contains("fetch("));
      for (String imported : found("from \"\\./([a-z]+)\\.js\"", script)) {
        assertTrue(name, imported.equals("leaflet") || MODULES.contains(imported));
      }
    }
    assertEquals(Set.of("new URL(path, ROOT)"), found("fetch\\((.*), \\{", module("node")));
    assertEquals(
        Set.of("new URL(name, import.meta.url)"), found("fetch\\((.*)\\);", module("app")));
    assertEquals(Set.of("GET", "POST"), found("send\\(\"([A-Z]+)\"", module("app")));
    assertEquals(
        Set.of("GET", "POST", "PUT", "DELETE"), found("send\\(\"([A-Z]+)\"", module("models")));
  }

  /** A document's own picture is shown as a picture or not at all, never as what it says it is. */
  public void testPicturesOfDocumentsAreImagesOnly() {
    assertEquals(Set.of("image/jpeg", "image/png"), found("`data:([^;]*);base64,", module("hits")));
    for (String name : MODULES) {
      assertThat(
          Set.of("url", "URL.createObjectURL(file)"),
          hasItems(found("\\.src = ([^;]+);", module(name)).toArray(String[]::new)));
    }
  }

  /** A search costs the node, and runs with the reader's rights, who did not ask for it. */
  public void testALinkSearchesAPageWithoutTheModelsAndAsksForMore() {
    String script = module("app");
    // By the button, and where the reader has pressed it before: a link brings no state.
    assertThat(script, containsString("if (history.state?.searched || !more) {"));
    assertThat(script, containsString("fusion: false, window: size, size, page: 0 } });"));
    assertThat(script, not(containsString("hashchange")));
    assertEquals(Set.of("SEARCHED"), found("history\\.(?:push|replace)State\\(([\\w.]+),", script));
  }

  /** Each input that the script or a label names is there, and has a label. */
  public void testScriptAndPageAgree() {
    String page = text(PATH);
    Set<String> ids = found("\\sid=\"([^\"]*)\"", page);
    for (String name : MODULES) {
      for (String id : found("byId\\(\"([^\"]*)\"\\)", module(name))) {
        assertThat(name, ids, hasItem(id));
      }
    }
    Set<String> labelled = found("<label for=\"([^\"]*)\"", page);
    for (String id : labelled) {
      assertThat(ids, hasItem(id));
    }
    for (String id : found("<(?:select|textarea) id=\"([^\"]*)\"", page)) {
      assertThat(labelled, hasItem(id));
    }
    for (String id : found("<input id=\"([^\"]*)\" type=\"(?!checkbox|file)", page)) {
      assertThat(labelled, hasItem(id));
    }
  }

  private static Set<String> found(String pattern, String text) {
    return new TreeSet<>(
        Pattern.compile(pattern)
            .matcher(text)
            .results()
            .map((MatchResult match) -> match.group(1))
            .toList());
  }
}
