/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ui;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.hasItem;
import static org.hamcrest.Matchers.not;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.Before;
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
  private static final List<String> FILES =
      List.of(PATH, PATH + "/search.js", PATH + "/search.css");

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

  public void testTypes() {
    for (String path : FILES) {
      RestResponse response = send(RestRequest.Method.GET, path);
      assertEquals(response.content().utf8ToString(), RestStatus.OK, response.status());
      assertTrue(path, response.content().length() > 1000);
      assertEquals(path, List.of("nosniff"), response.getHeaders().get("X-Content-Type-Options"));
      assertEquals(path, List.of("no-cache"), response.getHeaders().get("Cache-Control"));
    }
    assertEquals(
        List.of(
            "text/html; charset=UTF-8",
            "text/javascript; charset=UTF-8",
            "text/css; charset=UTF-8"),
        FILES.stream().map(path -> send(RestRequest.Method.GET, path).contentType()).toList());
  }

  public void testPolicyAllowsTheNodeAndPicturesOnly() {
    for (String path : FILES) {
      List<String> policies =
          send(RestRequest.Method.GET, path).getHeaders().get("Content-Security-Policy");
      assertEquals(path, 1, policies.size());
      assertEquals(
          path,
          Set.of(
              "default-src 'none'",
              "script-src 'self'",
              "style-src 'self'",
              "connect-src 'self'",
              "img-src data: blob: http: https:",
              "base-uri 'none'",
              "form-action 'none'",
              "frame-ancestors 'none'",
              "require-trusted-types-for 'script'",
              "trusted-types 'none'"),
          Set.of(policies.get(0).split("; ")));
    }
  }

  public void testUnknownFile() {
    for (String name : List.of("search.html", "RestUiHandler.class", "..%2fsearch.js")) {
      RestResponse response = send(RestRequest.Method.GET, PATH + "/" + name);
      assertEquals(name, RestStatus.NOT_FOUND, response.status());
      assertThat(response.content().utf8ToString(), containsString("[search.css, search.js]"));
    }
  }

  public void testSlashAtTheEndLeadsToThePage() {
    RestResponse response = send(RestRequest.Method.GET, PATH + "/");
    assertEquals(RestStatus.TEMPORARY_REDIRECT, response.status());
    assertEquals(List.of("../ui"), response.getHeaders().get("Location"));
  }

  public void testOtherMethods() {
    for (String path : FILES) {
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
        Set.of("data:,", "ui/search.css", "ui/search.js"),
        found("(?:src|href)=\"([^\"]*)\"", page));
    assertFalse(text(PATH + "/search.css").matches("(?s).*(@import|url\\().*"));
  }

  public void testScriptMakesNoCodeOfDataAndAsksTheNodeOnly() {
    String script = text(PATH + "/search.js");
    for (String never :
        List.of(
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "eval(",
            "Function(",
            "import(",
            "XMLHttpRequest",
            "WebSocket",
            "EventSource",
            "sendBeacon",
            "window.open",
            "location.href",
            "location.assign",
            "location.replace",
            "://")) {
      assertThat(script, not(containsString(never)));
    }
    assertEquals(Set.of("new URL(path, ROOT)"), found("fetch\\((.*),", script));
    assertEquals(Set.of("GET", "POST"), found("send\\(\"([A-Z]+)\"", script));
    assertEquals(
        Set.of("MAPPINGS", "path", "request.path"), found("send\\(\"[A-Z]+\", ([^,)]+)", script));
    assertEquals(Set.of("_mapping", "_search"), found("[\"/](_(?!id|index)[a-z]+)\\b", script));
  }

  /** A document's own picture is shown as a picture or not at all, never as what it says it is. */
  public void testPicturesOfDocumentsAreImagesOnly() {
    String script = text(PATH + "/search.js");
    assertEquals(Set.of("image/jpeg", "image/png"), found("`data:([^;]*);base64,", script));
    assertEquals(Set.of("url"), found("\\.src = (?!URL\\.createObjectURL)([^;]+);", script));
    assertThat(script, containsString("/^\\/9j\\/[A-Za-z0-9+/]*={0,2}$/.test(kept)"));
    // A thumbnail that is shown is not listed as text beside it.
    assertThat(script, containsString("if (thumbnailOf(hit)) {\n    files.push(THUMBNAIL);"));
  }

  /** A search costs the node, and runs with the reader's rights, who did not ask for it. */
  public void testALinkStartsNoSearch() {
    String script = text(PATH + "/search.js");
    // By the button, and where the reader has pressed it before: a link brings no state.
    assertEquals(
        Set.of("async function ", "    ", "    await "), found("(?m)^(.*)search\\(\\)", script));
    assertThat(script, containsString("if (history.state?.searched) {\n    await search();"));
    assertThat(script, not(containsString("hashchange")));
    assertEquals(
        Set.of("SEARCHED", "history.state"),
        found("history\\.(?:push|replace)State\\(([\\w.]+),", script));
  }

  /** Each input that the script or a label names is there, and has a label. */
  public void testScriptAndPageAgree() {
    String page = text(PATH);
    Set<String> ids = found("\\sid=\"([^\"]*)\"", page);
    for (String id : found("byId\\(\"([^\"]*)\"\\)", text(PATH + "/search.js"))) {
      assertThat(ids, hasItem(id));
    }
    Set<String> labelled = found("<label for=\"([^\"]*)\"", page);
    for (String id : labelled) {
      assertThat(ids, hasItem(id));
    }
    for (String id : found("<(?:select|textarea) id=\"([^\"]*)\"", page)) {
      assertThat(labelled, hasItem(id));
    }
    for (String id : found("<input id=\"([^\"]*)\" type=\"(?!checkbox)", page)) {
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
