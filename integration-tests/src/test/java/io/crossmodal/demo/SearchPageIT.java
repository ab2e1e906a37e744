/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.Download;
import com.microsoft.playwright.JSHandle;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Route;
import com.microsoft.playwright.assertions.PlaywrightAssertions;
import com.microsoft.playwright.options.AriaRole;
import com.microsoft.playwright.options.BoundingBox;
import com.microsoft.playwright.options.ColorScheme;
import com.microsoft.playwright.options.WaitForSelectorState;
import io.crossmodal.it.CrossModalClient;
import io.crossmodal.it.Engines;
import io.crossmodal.it.OpenSearchNode;
import io.crossmodal.it.PluginNode;
import io.crossmodal.page.Chromium;
import io.crossmodal.page.PrefixProxy;
import io.crossmodal.trainer.data.CaptionedImage;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The search page on the demo's archive in a real browser and a real node. Skipped where no browser
 * is installed. Pictures of it go to {@code target/screenshots}.
 */
class SearchPageIT {
  private static final int SCENES = 160;
  private static final int PAGE = 24;

  /** For machines with better things to do. */
  private static final int PATIENCE_MILLIS = 120_000;

  private static final String UI = "/_plugins/_cross_modal/ui";
  private static final String WORDS = "two white storage tanks beside a pond";
  private static final Path SCREENSHOTS = Path.of("target/screenshots");
  private static final String HOSTILE = "<img src=x onerror=\"document.title='hacked'\">";

  @TempDir private static Path folder;

  private static Chromium chromium;
  private static OpenSearchNode node;
  private static CrossModalClient client;
  private static Archive archive;

  private BrowserContext context;
  private Page page;

  /** What no page may do: complain, or ask anybody but the node. */
  private final List<String> wrong = new ArrayList<>();

  @BeforeAll
  static void fill() throws Exception {
    assumeTrue(Chromium.installed().isPresent(), Chromium.MISSING);
    Files.createDirectories(SCREENSHOTS);
    PlaywrightAssertions.setDefaultAssertionTimeout(PATIENCE_MILLIS);
    node = PluginNode.start(folder.resolve("node"), 0);
    client = new CrossModalClient(node.client());
    archive = Archive.generated(Files.createDirectories(folder.resolve("scenes")), SCENES);
    client.createIndex("scenes", 2, Places.mapping());
    assertEquals(
        Map.of(), client.indexWhatCanBe("scenes", archive.images(), Places::of, done -> {}));
    fillHostile();
    chromium = Chromium.start();
  }

  /** Documents whose every field wants to be markup, an address or a formula. */
  private static void fillHostile() throws IOException {
    client.createIndex("hostile", 1, Places.mapping());
    JsonObject document = Places.of(0);
    JsonObject image = new JsonObject();
    image.addProperty("bytes", base64(archive.images().get(0).file()));
    document.add("image", image);
    document.addProperty("caption", HOSTILE);
    document.addProperty("site", HOSTILE);
    document.addProperty("thumbnail", "javascript:alert(1)");
    document.addProperty(HOSTILE, HOSTILE);
    client.call(
        "PUT",
        "/hostile/_doc/%3Cscript%3Ealert(1)%3C%2Fscript%3E?refresh=true",
        document.toString());
  }

  private static String base64(Path file) throws IOException {
    return Base64.getEncoder().encodeToString(Files.readAllBytes(file));
  }

  @AfterAll
  static void stop() throws Exception {
    if (chromium != null) {
      chromium.close();
    }
    if (node != null) {
      node.close();
    }
  }

  @BeforeEach
  void open() {
    wide(new Browser.NewContextOptions());
  }

  private void wide(Browser.NewContextOptions options) {
    open(options.setViewportSize(1400, 950), node.baseUri());
  }

  private void open(Browser.NewContextOptions options, URI root) {
    if (context != null) {
      context.close();
    }
    context =
        chromium
            .browser()
            .newContext(
                options.setReducedMotion(com.microsoft.playwright.options.ReducedMotion.REDUCE));
    context.setDefaultTimeout(PATIENCE_MILLIS);
    context.onConsoleMessage(
        message -> {
          if (message.type().equals("error")) {
            wrong.add(message.text());
          }
        });
    context.onWebError(error -> wrong.add(error.error()));
    context.onRequest(
        request -> {
          URI asked = URI.create(request.url().replaceFirst("^(data|blob):.*", root.toString()));
          if (!root.getAuthority().equals(asked.getAuthority())) {
            wrong.add(request.url());
          }
        });
    page = context.newPage();
    page.onDialog(
        dialog -> {
          wrong.add("dialog " + dialog.message());
          dialog.dismiss();
        });
  }

  @AfterEach
  void nothingWentWrong() {
    context.close();
    assertEquals(List.of(), wrong);
  }

  private void load(String hash) {
    page.navigate(node.baseUri() + UI + hash);
    ready();
  }

  private void ready() {
    page.waitForSelector(
        "html[data-ready]",
        new Page.WaitForSelectorOptions().setState(WaitForSelectorState.ATTACHED));
  }

  /** Chooses the archive, types words, and waits until the fusion encoder has ordered them. */
  private void searched() {
    load("#index=scenes&field=image");
    page.fill("#words", WORDS);
    search();
  }

  private void search() {
    page.click("#form button[type=submit]");
    settled();
  }

  private void settled() {
    page.waitForFunction(
        "() => document.querySelector('#results').getAttribute('aria-busy') === 'false'"
            + " && /^(Hits|No hits)/.test(document.querySelector('#status').textContent)");
  }

  private Locator cards() {
    return page.locator("#hits > li");
  }

  private List<String> keys() {
    return cards().all().stream().map(card -> card.getAttribute("data-key")).toList();
  }

  /** Returns the body of the request that the page shows as its own. */
  private JsonObject request() {
    String text = page.locator("#request-text").textContent();
    return JsonParser.parseString(text.substring(text.indexOf('\n'))).getAsJsonObject();
  }

  private JsonObject crossModal() {
    return request().getAsJsonObject("query").getAsJsonObject("cross_modal");
  }

  private void screenshot(String name) {
    page.screenshot(new Page.ScreenshotOptions().setPath(SCREENSHOTS.resolve(name + ".png")));
  }

  @Test
  void wordsFindPicturesAndTheFusionEncoderOrdersThem() {
    searched();
    assertEquals(PAGE, cards().count());
    assertTrue(
        (Boolean)
            page.evaluate(
                "[...document.querySelectorAll('#hits img')].slice(0, 6)"
                    + ".every((img) => img.complete && img.naturalWidth > 0)"));
    PlaywrightAssertions.assertThat(page.locator("#status"))
        .containsText("read by the fusion encoder");
    List<String> moved = page.locator(".moved").allTextContents();
    assertTrue(moved.stream().allMatch(text -> text.matches("kNN \\d+|as kNN")), moved.toString());
    assertTrue(moved.stream().anyMatch(text -> text.startsWith("kNN")), moved.toString());
    assertTrue(page.locator(".foot").first().textContent().contains("p 0."));
    assertTrue(page.url().contains("words=two+white"), page.url());
    page.uncheck("#fusion");
    List<String> fused = keys();
    search();
    assertNotEquals(fused, keys());
    assertFalse(request().has("rescore"));
    screenshot("search");
  }

  /**
   * What the fusion encoder reads is held back, so that whatever is shown before does not wait for
   * it. How long kNN's hits took is written down, for it is the machine's to say.
   */
  @Test
  void firstHitsDoNotWaitForTheFusionEncoder() throws IOException {
    List<Route> held = new ArrayList<>();
    page.route(
        url -> url.contains("_search"),
        route -> {
          String body = route.request().postData();
          if (body != null && body.contains("\"rescore\"")) {
            held.add(route);
          } else {
            route.resume();
          }
        });
    List<String> millis = new ArrayList<>();
    load("#index=scenes&field=image");
    for (int i = 0; i < 8; i++) {
      page.fill("#words", archive.images().get(i).captions().get(0));
      page.evaluate(
          "() => { const begun = performance.now(); new MutationObserver((changes, observer) => {"
              + " observer.disconnect(); requestAnimationFrame(() => { window.took ="
              + " Math.round(performance.now() - begun); }); }).observe("
              + "document.querySelector('#hits'), {childList: true}); window.took = 0;"
              + " document.querySelector('#form button[type=submit]').click(); }");
      page.waitForFunction("() => window.took > 0");
      assertEquals(PAGE, cards().count());
      PlaywrightAssertions.assertThat(page.locator("#status")).containsText("encoder reads …");
      millis.add(page.evaluate("window.took").toString());
      page.waitForCondition(() -> !held.isEmpty());
      held.remove(0).resume();
      settled();
      PlaywrightAssertions.assertThat(page.locator("#status")).containsText("read by the fusion");
    }
    Files.writeString(
        SCREENSHOTS.resolve("first-hits.txt"),
        "milliseconds from the click to the first hits: " + String.join(", ", millis) + "\n");
  }

  @Test
  void aWordLightsUpItsPatches() {
    searched();
    page.click(".open >> nth=0");
    Locator words = page.locator("#hit-words button");
    words.first().waitFor();
    assertEquals(List.of(WORDS.split(" ")), words.allTextContents());
    words.last().click();
    PlaywrightAssertions.assertThat(words.last()).hasAttribute("aria-pressed", "true");
    Locator heat = page.locator("#hit-picture canvas");
    assertTrue(
        heat.getAttribute("aria-label").startsWith("pond: "), heat.getAttribute("aria-label"));
    // Of the map's canvases the one with patches has pixels of theirs.
    painted("patches", true);
    assertTrue(page.locator("#hit-explain li").allTextContents().size() > 3);
    assertEquals(Places.DATES - 1, page.locator("#hit-neighbours-list li").count());
    assertTrue(page.locator("#hit-request").textContent().contains("\"heat_map\": \"geo\""));
    PlaywrightAssertions.assertThat(page.locator("#hit-rank")).containsText("itm");
    screenshot("hit");
    words.last().click();
    assertEquals(0, heat.count());
    painted("patches", false);
  }

  /** Waits until a layer of the map has pixels, or none: a canvas is drawn with the next frame. */
  private void painted(String pane, boolean wanted) {
    page.waitForFunction(
        "([pane, wanted]) => { const canvas = document.querySelector(`.leaflet-${pane}-pane"
            + " canvas`); return wanted === (Boolean(canvas) &&"
            + " canvas.getContext('2d').getImageData(0, 0, canvas.width,"
            + " canvas.height).data.some((value) => value > 0)); }",
        List.of(pane, wanted));
  }

  @Test
  void theHitUnderThePointerIsMarkedOnBothSides() {
    searched();
    painted("hits", true);
    painted("cells", true);
    page.hover("#hits > li >> nth=2");
    PlaywrightAssertions.assertThat(cards().nth(2)).hasClass(Pattern.compile("marked"));
    // The middle of the hit's footprint on the map.
    page.click(".open >> nth=2");
    page.locator("#hit-words button").first().waitFor();
    BoundingBox map = page.locator("#map").boundingBox();
    page.mouse().move(5, 5);
    page.mouse().move(map.x + map.width / 2, map.y + map.height / 2);
    PlaywrightAssertions.assertThat(page.locator("#hits > li.marked")).hasCount(1);
  }

  @Test
  void anAreaIsDrawnAndFilters() {
    searched();
    long all = total();
    BoundingBox map = page.locator("#map").boundingBox();
    page.click("#draw-rectangle");
    page.mouse().move(map.x + map.width * .3, map.y + map.height * .3);
    page.mouse().down();
    page.mouse().move(map.x + map.width * .45, map.y + map.height * .45);
    page.mouse().move(map.x + map.width * .5, map.y + map.height * .5);
    page.mouse().up();
    PlaywrightAssertions.assertThat(page.locator("#area-said")).hasText("4 corners");
    search();
    assertTrue(crossModal().getAsJsonObject("filter").has("geo_shape"));
    long some = total();
    assertTrue(some > 0 && some < all, some + " of " + all);

    page.click("#draw-polygon");
    for (double[] corner : new double[][] {{.3, .3}, {.7, .3}, {.5, .7}}) {
      page.mouse().click(map.x + map.width * corner[0], map.y + map.height * corner[1]);
    }
    page.keyboard().press("Enter");
    PlaywrightAssertions.assertThat(page.locator("#area-said")).hasText("3 corners");
    painted("chosen", true);
    page.click("#area-clear");
    search();
    assertEquals(all, total());
    // By the keyboard: in degrees.
    page.click("#area summary");
    for (Map.Entry<String, String> side :
        Map.of("west", "9", "south", "47.87", "east", "9.05", "north", "47.9").entrySet()) {
      page.fill("#" + side.getKey(), side.getValue());
      page.press("#" + side.getKey(), "Tab");
    }
    search();
    assertTrue(total() < all);
    assertTrue(page.url().contains("area=9%2C47.87"), page.url());
  }

  private long total() {
    return Long.parseLong(
        page.locator("#status").textContent().replaceAll(".* of (\\d+) .*", "$1"));
  }

  @Test
  void datesAndConditionsFilter() {
    searched();
    page.fill("#from", "2022-01-01");
    page.fill("#to", "2022-12-31");
    page.selectOption("#condition", "site");
    page.waitForSelector(
        "#values option",
        new Page.WaitForSelectorOptions().setState(WaitForSelectorState.ATTACHED));
    page.fill("#value", "site-003");
    page.press("#value", "Enter");
    PlaywrightAssertions.assertThat(page.locator("#chips li")).containsText("site: site-003");
    search();
    assertEquals(1, cards().count());
    page.click(".open");
    PlaywrightAssertions.assertThat(page.locator("#hit-metadata")).containsText("2022-");
    page.click("#chips button");
    search();
    assertEquals(Math.min(PAGE, SCENES / Places.DATES), cards().count());
  }

  @Test
  void aDroppedFileFindsItself() throws IOException {
    load("#index=scenes&field=image");
    CaptionedImage wanted = archive.images().get(7);
    JSHandle data =
        page.evaluateHandle(
            "(base64) => { const data = new DataTransfer(); const bytes ="
                + " Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)); data.items.add(new"
                + " File([bytes], 'scene.jpg', {type: 'image/jpeg'})); return data; }",
            base64(wanted.file()));
    page.dispatchEvent("#drop", "drop", Map.of("dataTransfer", data));
    PlaywrightAssertions.assertThat(page.locator("#preview-name")).hasText("scene.jpg");
    page.uncheck("#fusion");
    search();
    assertEquals("scenes/" + wanted.filename(), keys().get(0));
    assertFalse(page.url().contains("picture"));
    // Chosen, and removed again.
    page.click("#preview-remove");
    page.setInputFiles("#picture", archive.images().get(9).file());
    PlaywrightAssertions.assertThat(page.locator("#preview-of")).isVisible();
    search();
    assertEquals("scenes/" + archive.images().get(9).filename(), keys().get(0));
    // Pasted.
    page.evaluate(
        "(data) => dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, cancelable:"
            + " true}))",
        data);
    PlaywrightAssertions.assertThat(page.locator("#preview-name")).hasText("scene.jpg");
    search();
    assertEquals("scenes/" + wanted.filename(), keys().get(0));
    // A document, by its address.
    page.click("#preview-remove");
    String id = archive.images().get(11).filename();
    page.fill("#doc", node.baseUri() + "/scenes/_doc/" + id + "?pretty");
    search();
    assertEquals(id, crossModal().get("query_id").getAsString());
    assertEquals("scenes/" + id, keys().get(0));
  }

  @Test
  void likesDislikesAndSimilarOnes() {
    searched();
    String liked = keys().get(2);
    String disliked = keys().get(0);
    page.click("#hits > li:nth-child(3) button[data-side=like]");
    page.click("#hits > li:nth-child(1) button[data-side=unlike]");
    PlaywrightAssertions.assertThat(cards().nth(2)).hasClass(Pattern.compile("liked"));
    assertEquals(2, page.locator("#judged li").count());
    search();
    JsonObject query = crossModal();
    assertEquals(liked.substring(7), id(query.getAsJsonArray("like").get(1)));
    assertEquals(disliked.substring(7), id(query.getAsJsonArray("unlike").get(0)));
    assertEquals(
        WORDS, query.getAsJsonArray("like").get(0).getAsJsonObject().get("text").getAsString());
    page.click("#clear-feedback");
    assertEquals(0, page.locator(".liked").count());

    page.click(".open >> nth=1");
    page.click("#hit-actions button:has-text('Find similar')");
    page.waitForFunction("() => document.querySelector('#words').value === ''");
    settled();
    assertTrue(crossModal().has("query_id"));
    assertEquals(crossModal().get("query_id").getAsString(), keys().get(0).substring(7));
    page.goBack();
    settled();
    assertEquals(WORDS, page.inputValue("#words"));
  }

  private static String id(JsonElement side) {
    return side.getAsJsonObject().get("id").getAsString();
  }

  @Test
  void pagesGroupsAndCuts() {
    searched();
    List<String> first = keys();
    page.click("#next");
    page.waitForFunction("() => document.querySelector('.rank')?.textContent === '25'");
    settled();
    Set<String> both = new TreeSet<>(first);
    both.addAll(keys());
    assertEquals(2 * PAGE, both.size(), "no hit is on two pages");
    page.click("#previous");
    page.waitForFunction("() => document.querySelector('.rank')?.textContent === '1'");
    settled();
    assertEquals(first, keys());

    page.selectOption("#group", "site");
    search();
    List<String> groups = page.locator(".group").allTextContents();
    assertEquals(cards().count(), groups.size());
    assertTrue(
        groups.stream().allMatch(text -> text.matches("1 of \\d+ in site-\\d+")),
        groups.toString());
    PlaywrightAssertions.assertThat(page.locator("#status")).containsText("stand behind others");

    page.locator("#min-p").fill("0.99");
    search();
    PlaywrightAssertions.assertThat(page.locator("#status")).containsText("No hits");
    PlaywrightAssertions.assertThat(page.locator("#status")).containsText("below the cut");
  }

  @Test
  void hitsAreExported() throws IOException {
    searched();
    JsonObject collection = JsonParser.parseString(exported("geojson")).getAsJsonObject();
    JsonArray features = collection.getAsJsonArray("features");
    assertEquals(128, features.size());
    JsonObject one = features.get(0).getAsJsonObject();
    assertEquals(keys().get(0), "scenes/" + one.get("id").getAsString());
    assertEquals("Polygon", one.getAsJsonObject("geometry").get("type").getAsString());
    List<String> lines = exported("csv").lines().toList();
    assertEquals(129, lines.size());
    assertTrue(lines.get(0).startsWith("rank,id,index,score"), lines.get(0));
    JsonObject item =
        JsonParser.parseString(exported("stac"))
            .getAsJsonObject()
            .getAsJsonArray("features")
            .get(0)
            .getAsJsonObject();
    assertEquals("1.0.0", item.get("stac_version").getAsString());
    assertEquals(4, item.getAsJsonArray("bbox").size());
    assertTrue(
        item.getAsJsonObject("properties").get("datetime").getAsString().matches("20\\d\\d-.*Z"));
  }

  private String exported(String kind) throws IOException {
    Download download = page.waitForDownload(() -> page.click("#export-" + kind));
    return Files.readString(download.path());
  }

  @Test
  void whatAnIndexHoldsStaysText() {
    load("#index=hostile&field=image");
    page.fill("#words", "anything");
    search();
    assertEquals(HOSTILE, page.locator(".title").textContent());
    page.click(".open");
    PlaywrightAssertions.assertThat(page.locator("#hit-title")).hasText(HOSTILE);
    page.click("#hits .marks button >> nth=0");
    page.selectOption("#condition", "site");
    page.fill("#value", HOSTILE);
    page.press("#value", "Enter");
    search();
    assertEquals(1, cards().count());
    assertEquals(0, page.locator("script:not([src]), img[onerror], [onerror]").count());
    assertEquals("Cross-modal search", page.title());
    // A link is written by anybody too.
    load(
        "#index=hostile&field=image&words="
            + "%3Cscript%3Ealert(1)%3C/script%3E&is=site%3D%3Cb%3E&like=%3Cb%3E");
    assertEquals("Cross-modal search", page.title());
    context
        .pages()
        .get(0)
        .waitForFunction(
            "() => document.querySelector('#status').textContent ||"
                + " document.querySelector('#error').textContent");
    // Its like is no document: the node's 400 or 404 is in the browser's console as well.
    wrong.removeIf(text -> text.startsWith("Failed to load resource"));
  }

  /** Real pictures whose places nobody wrote down, and documents of which some have one. */
  @Test
  void whatHasNoPlaceIsSaidToHaveNone() throws IOException {
    List<CrossModalClient.Tile> tiles = new ArrayList<>();
    for (String sensor : PairsSection.SENSORS) {
      tiles.add(new CrossModalClient.Tile(sensor, sensor, PairsSection.file(sensor, "0018")));
    }
    client.indexTiles("pairs", "sentinel-pairs", tiles);
    load("#index=pairs&field=image&doc=s1");
    page.click("#run-more");
    settled();
    assertEquals(2, cards().count());
    PlaywrightAssertions.assertThat(page.locator("#map-said"))
        .hasText(
            "This index keeps no places, neither a geo_shape nor a geo_point: its hits are on no"
                + " map.");
    assertFalse(page.locator("#area").isVisible(), "nothing to draw an area for");
    page.check("#sensors-list input[value='s1']");
    search();
    assertEquals(List.of("pairs/s1"), keys());
    page.click(".open >> nth=0");
    PlaywrightAssertions.assertThat(page.locator("#hit-place")).containsText("it is on no map");

    client.createIndex("some", 1, Places.mapping());
    for (int scene = 0; scene < 3; scene++) {
      JsonObject document = scene == 0 ? new JsonObject() : Places.of(scene);
      document.add("image", bytes(archive.images().get(scene).file()));
      client.call("PUT", "/some/_doc/" + scene + "?refresh=true", document.toString());
    }
    load("#index=some&field=image");
    // Else it knows the mappings of before.
    page.reload();
    ready();
    page.fill("#words", WORDS);
    search();
    PlaywrightAssertions.assertThat(page.locator("#map-said"))
        .hasText("2 of 3 hits on the map: the others do not say where they lie.");
    page.click("[data-key='some/0'] .open");
    PlaywrightAssertions.assertThat(page.locator("#hit-place")).containsText("it is on no map");
    PlaywrightAssertions.assertThat(page.locator("#hit-look-why"))
        .containsText("the document has no footprint in field [footprint]");
    page.click("[data-key='some/1'] .open");
    PlaywrightAssertions.assertThat(page.locator("#hit-place")).isEmpty();
  }

  private static JsonObject bytes(Path file) throws IOException {
    JsonObject image = new JsonObject();
    image.addProperty("bytes", base64(file));
    return image;
  }

  @Test
  void theDateLineIsNoEdge() throws IOException {
    client.createIndex("fiji", 1, Places.mapping());
    double[][] boxes = {{179.95, -179.95}, {-179.9, -179.8}, {10, 10.1}};
    for (int i = 0; i < boxes.length; i++) {
      JsonObject document = new JsonObject();
      document.addProperty("caption", "box " + i);
      JsonObject envelope = new JsonObject();
      envelope.addProperty("type", "envelope");
      envelope.add(
          "coordinates",
          JsonParser.parseString("[[" + boxes[i][0] + ",-17],[" + boxes[i][1] + ",-17.1]]"));
      document.add("footprint", envelope);
      document.add("image", bytes(archive.images().get(i).file()));
      client.call("PUT", "/fiji/_doc/" + i + "?refresh=true", document.toString());
    }
    load("#index=fiji&field=image");
    page.fill("#words", WORDS);
    page.click("#area summary");
    for (Map.Entry<String, String> side :
        Map.of("west", "179", "south", "-18", "east", "-179", "north", "-16").entrySet()) {
      page.fill("#" + side.getKey(), side.getValue());
      page.press("#" + side.getKey(), "Tab");
    }
    assertEquals("-179", page.inputValue("#east"));
    search();
    assertEquals(Set.of("fiji/0", "fiji/1"), new TreeSet<>(keys()));
    painted("hits", true);
    page.click("[data-key='fiji/0'] .open");
    PlaywrightAssertions.assertThat(page.locator("#hit-look-why"))
        .containsText("lies over the date line");
    // The map went to it: no wider than the box and some room.
    assertTrue(page.url().contains("area=179%2C-18%3B181%2C-18"), page.url());
  }

  @Test
  void aLinkShowsAPageAndAsksForMore() {
    load("#index=scenes&field=image&words=a+pond&window=100");
    page.locator("#more-asked").waitFor();
    PlaywrightAssertions.assertThat(page.locator("#more-asked-said")).containsText("read 100 hits");
    assertEquals(PAGE, cards().count());
    assertFalse(request().has("rescore"));
    assertEquals(PAGE, crossModal().get("k").getAsInt());
    page.click("#run-more");
    settled();
    assertTrue(request().has("rescore"));
    assertFalse(page.locator("#more-asked").isVisible());
    page.reload();
    ready();
    settled();
    assertTrue(request().has("rescore"), "who searched before is not asked");
  }

  @Test
  void theKeyboardAloneSuffices() {
    load("#index=scenes&field=image");
    page.keyboard().press("/");
    page.keyboard().type(WORDS);
    page.keyboard().press("Enter");
    settled();
    for (int i = 0; i < 60 && !focused(".hit .open"); i++) {
      page.keyboard().press("Tab");
    }
    assertTrue(focused(".hit .open"), "Tab reaches the hits");
    String first = keyInFocus();
    page.keyboard().press("ArrowRight");
    assertEquals(keys().get(1), keyInFocus());
    page.keyboard().press("ArrowDown");
    page.keyboard().press("ArrowUp");
    page.keyboard().press("l");
    PlaywrightAssertions.assertThat(cards().nth(1)).hasClass(Pattern.compile("liked"));
    page.keyboard().press("ArrowLeft");
    assertEquals(first, keyInFocus());
    page.keyboard().press("Enter");
    page.locator("#hit-words button").first().waitFor();
    assertTrue(focused("#hit-title"));
    page.keyboard().press("Tab");
    page.keyboard().press("Tab");
    assertTrue(focused("#hit-words button"));
    page.keyboard().press("Space");
    assertEquals(1, page.locator("#hit-picture canvas").count());
    page.keyboard().press("Escape");
    assertFalse(page.locator("#hit").isVisible());
    assertEquals(first, keyInFocus());
  }

  private boolean focused(String selector) {
    return (Boolean) page.evaluate("(s) => document.activeElement.matches(s)", selector);
  }

  private String keyInFocus() {
    return (String) page.evaluate("document.activeElement.closest('[data-key]')?.dataset.key");
  }

  /** Mistakes are said beside the form, and hits stay. */
  @Test
  void mistakesAreSaid() {
    load("#index=scenes&field=image");
    page.click("#form button[type=submit]");
    PlaywrightAssertions.assertThat(page.locator("#complaint")).containsText("Say in words");
    assertTrue(focused("#words"));
    page.fill("#words", WORDS);
    page.click("#more summary");
    page.fill("#filter", "{");
    page.click("#form button[type=submit]");
    PlaywrightAssertions.assertThat(page.locator("#complaint")).containsText("no JSON");
    page.fill("#filter", "{\"nonsense\": {}}");
    page.click("#form button[type=submit]");
    PlaywrightAssertions.assertThat(page.locator("#error")).containsText("nonsense");
    wrong.removeIf(text -> text.startsWith("Failed to load resource"));
  }

  @Test
  void modelsAreLoadedUploadedAndDeleted() throws Exception {
    load("#models");
    page.click("[aria-label='Load scenes-tiny']");
    page.waitForSelector("#models-list tr:has-text('loaded'):has-text('MB')");
    Path bundle = folder.resolve("bundle.zip");
    try (InputStream in =
        SearchPageIT.class.getResourceAsStream("/io/crossmodal/model/bundle/scenes-tiny.zip")) {
      Files.write(bundle, Objects.requireNonNull(in).readAllBytes());
    }
    page.fill("#upload-id", "mine");
    page.setInputFiles("#upload-file", bundle);
    page.click("#upload-form button");
    PlaywrightAssertions.assertThat(page.locator("#upload-said"))
        .hasText("bundle.zip is served as mine.");
    page.waitForSelector("[aria-label='Delete mine']");
    assertTrue(page.locator("#nodes-list table").textContent().contains("p95"));
    // Times and memory, as the stats have them.
    client.search("scenes", WORDS, 10, 10, 10);
    page.reload();
    ready();
    Locator calls = page.locator("#models-list [aria-label^='Times of a call of scenes-tiny on']");
    calls.waitFor();
    assertTrue(
        calls.getAttribute("aria-label").matches(".*: .* to .* ms: \\d+.*"),
        calls.getAttribute("aria-label"));
    assertTrue(calls.locator(".bars > .some").count() > 0);
    PlaywrightAssertions.assertThat(page.locator("#nodes-list [aria-label^='rescore on']"))
        .hasAttribute("role", "img");
    PlaywrightAssertions.assertThat(page.locator("#nodes-list .memory"))
        .hasText(
            Pattern.compile(
                Engines.areEmbedded()
                    ? "native memory [\\d.]+ MB of [\\d.]+ MB · [\\d.]+ MB weights · [\\d.]+ MB calls ·"
                        + " breaker tripped 0 times"
                    : "Workers compute for this node; their memory is theirs\\."));
    JsonObject stats =
        client
            .get("/_plugins/_cross_modal/stats")
            .getAsJsonObject("nodes")
            .asMap()
            .values()
            .stream()
            .findFirst()
            .orElseThrow()
            .getAsJsonObject();
    JsonObject memory = stats.getAsJsonObject("native_memory");
    // What a worker takes is none of the node's.
    assertEquals(Engines.areEmbedded(), memory != null, String.valueOf(memory));
    if (memory != null) {
      long used = memory.get("used_in_bytes").getAsLong();
      assertTrue(used > 0, memory.toString());
      assertTrue(memory.get("limit_in_bytes").getAsLong() > used, memory.toString());
    }
    stats
        .getAsJsonObject("micros")
        .asMap()
        .forEach(
            (name, time) -> {
              long count = 0;
              for (JsonElement bucket : time.getAsJsonObject().getAsJsonArray("histogram")) {
                count += bucket.getAsJsonObject().get("count").getAsLong();
              }
              assertEquals(time.getAsJsonObject().get("count").getAsLong(), count, name);
            });
    screenshot("models");
    // The page asks first.
    context.close();
    wide(new Browser.NewContextOptions());
    page = context.newPage();
    page.onDialog(dialog -> dialog.accept());
    load("#models");
    page.click("[aria-label='Delete mine']");
    page.waitForSelector(
        "[aria-label='Delete mine']",
        new Page.WaitForSelectorOptions().setState(WaitForSelectorState.DETACHED));
    assertFalse(client.get("/_plugins/_cross_modal/models").toString().contains("\"mine\""));
  }

  /**
   * A bundle of three parts, of which the node sees none: each waits until the page was looked at.
   */
  @Test
  void anUploadTellsHowFarItIs() throws IOException {
    List<Route> held = new ArrayList<>();
    page.route(url -> url.contains("/models/large"), held::add);
    load("#models");
    Path bundle = folder.resolve("large.zip");
    Files.write(bundle, new byte[9 << 20]);
    page.fill("#upload-id", "large");
    page.setInputFiles("#upload-file", bundle);
    page.click("#upload-form button");
    Locator progress = page.locator("#upload-progress");
    for (int part = 0; part < 3; part++) {
      page.waitForCondition(() -> !held.isEmpty());
      Route route = held.remove(0);
      assertTrue(
          route.request().url().endsWith("large?part=" + part + "&parts=3"), route.request().url());
      PlaywrightAssertions.assertThat(progress).isVisible();
      PlaywrightAssertions.assertThat(progress).hasAttribute("max", "3");
      PlaywrightAssertions.assertThat(page.locator("#upload-said"))
          .containsText("part " + (part + 1) + " of 3");
      PlaywrightAssertions.assertThat(page.locator("#models")).hasAttribute("aria-busy", "true");
      // The last one takes as long as the node tries the model.
      assertEquals(part == 2 ? -1.0 : part / 3.0, number(progress, "position"), 1e-6);
      route.fulfill(new Route.FulfillOptions().setStatus(200).setBody("{}"));
    }
    PlaywrightAssertions.assertThat(page.locator("#upload-said"))
        .hasText("large.zip is served as large.");
    PlaywrightAssertions.assertThat(progress).isHidden();
    PlaywrightAssertions.assertThat(page.locator("#models")).hasAttribute("aria-busy", "false");
  }

  private static double number(Locator of, String property) {
    return ((Number) of.evaluate("(one, name) => one[name]", property)).doubleValue();
  }

  @Test
  void behindAPrefixAndAPassword() throws IOException {
    try (PrefixProxy proxy = PrefixProxy.start(node.baseUri(), "/archive", "reader", "secret")) {
      open(
          new Browser.NewContextOptions()
              .setViewportSize(1400, 950)
              .setHttpCredentials("reader", "secret"),
          proxy.root());
      page.navigate(proxy.root() + "/archive" + UI + "#index=scenes&field=image");
      ready();
      page.fill("#words", WORDS);
      search();
      assertEquals(PAGE, cards().count());
      page.click(".open >> nth=0");
      page.locator("#hit-words button").first().waitFor();
      painted("hits", true);
      page.click("#to-models");
      page.waitForSelector("#models-list table");
      assertTrue(proxy.refused() > 0, "without a password there was no answer");
    }
    wrong.removeIf(text -> text.contains("401"));
  }

  @Test
  void aThousandHitsAreShown() throws IOException {
    client.createIndex("many", 1, Places.mapping());
    for (int copy = 0; copy * SCENES < 1000; copy++) {
      client.call(
          "POST",
          "/_reindex?refresh=true",
          "{\"source\":{\"index\":\"scenes\"},\"dest\":{\"index\":\"many\"},\"script\":{\"source\":"
              + "\"ctx._id = ctx._id + '-"
              + copy
              + "'\"}}");
    }
    load("#index=many&field=image&fusion=off&window=1000&size=1000&words=a+pond");
    List<String> searches = new ArrayList<>();
    page.onRequest(request -> searches.add(request.url()));
    page.evaluate("window.begun = performance.now()");
    page.click("#run-more");
    settled();
    assertEquals(1000, cards().count());
    Object took = page.evaluate("Math.round(performance.now() - window.begun)");
    searches.removeIf(url -> !url.contains("_search"));
    assertEquals(2, searches.size(), "the hits, and their grid on the map: " + searches);
    // A key press is answered without laying out what is not seen.
    cards().first().locator("button").first().focus();
    Object key =
        page.evaluate(
            "() => { const begun = performance.now(); const card = document.activeElement;"
                + " card.dispatchEvent(new KeyboardEvent('keydown', {key: 'l', bubbles: true}));"
                + " document.body.offsetHeight; return Math.round(performance.now() - begun); }");
    PlaywrightAssertions.assertThat(cards().first()).hasClass(Pattern.compile("liked"));
    Files.writeString(
        SCREENSHOTS.resolve("thousand-hits.txt"),
        "milliseconds until 1000 hits stood: "
            + took
            + ", until a key was answered: "
            + key
            + "\n");
    assertEquals(
        "auto", cards().first().evaluate("(card) => getComputedStyle(card).contentVisibility"));
    painted("hits", true);
  }

  @Test
  void theSystemsColoursAreFollowed() {
    List<Integer> grounds = new ArrayList<>();
    for (ColorScheme scheme : List.of(ColorScheme.LIGHT, ColorScheme.DARK)) {
      wide(new Browser.NewContextOptions().setColorScheme(scheme));
      load("");
      grounds.add(
          ((Number)
                  page.evaluate(
                      "getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"
                          + ".reduce((sum, value) => sum + Number(value), 0)"))
              .intValue());
    }
    assertTrue(grounds.get(0) > 600 && grounds.get(1) < 150, grounds.toString());
  }

  @Test
  void aPhoneSearchesByTouch() {
    open(
        new Browser.NewContextOptions()
            .setViewportSize(360, 740)
            .setIsMobile(true)
            .setHasTouch(true),
        node.baseUri());
    load("#index=scenes&field=image");
    page.fill("#words", WORDS);
    page.tap("#form button[type=submit]");
    settled();
    assertTrue(fits(), "the hits");
    assertTrue(
        (Boolean)
            page.evaluate(
                "() => { const top ="
                    + " document.querySelector('#results').getBoundingClientRect().top; return top"
                    + " < window.innerHeight; }"),
        "the page goes to the hits");
    page.tap(".open >> nth=1");
    page.locator("#hit-words button").first().waitFor();
    page.tap("#hit-words button >> nth=2");
    assertEquals(1, page.locator("#hit-picture canvas").count());
    assertTrue(fits(), "a hit");
    page.tap("#hit-close");
    page.tap("#to-models");
    page.waitForSelector("#models-list table");
    assertTrue(fits(), "models");
    screenshot("phone-models");
  }

  private boolean fits() {
    return (Boolean)
        page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth");
  }

  /** By role and name, as a screen reader finds them; axe asks whether there are names at all. */
  @Test
  void aScreenReaderFindsWhatThereIs() {
    searched();
    for (Map.Entry<String, AriaRole> control :
        Map.of(
                "Words", AriaRole.SEARCHBOX,
                "Search in", AriaRole.COMBOBOX,
                "Cut below p", AriaRole.SLIDER,
                "One hit for each", AriaRole.COMBOBOX,
                "from", AriaRole.TEXTBOX,
                "Draw a polygon", AriaRole.BUTTON,
                "GeoJSON", AriaRole.BUTTON,
                "Next", AriaRole.BUTTON)
            .entrySet()) {
      // Dates have no role of their own in all browsers.
      Locator found =
          control.getKey().equals("from")
              ? page.getByLabel("from")
              : page.getByRole(
                  control.getValue(), new Page.GetByRoleOptions().setName(control.getKey()));
      assertTrue(found.first().isVisible(), control.getKey());
    }
    String title = page.locator(".title").first().textContent();
    for (String side : List.of("like ", "unlike ")) {
      assertTrue(
          page.getByRole(
                      AriaRole.BUTTON,
                      new Page.GetByRoleOptions().setName(side + title).setExact(true))
                  .count()
              > 0,
          side + title);
    }
    assertEquals("status", page.locator("#status").getAttribute("role"));
    assertEquals("alert", page.locator("#error").getAttribute("role"));
    page.click(".open >> nth=0");
    page.locator("#hit-words button").first().waitFor();
    page.click("#hit-words button >> nth=1");
    assertTrue(
        page.getByRole(AriaRole.IMG, new Page.GetByRoleOptions().setName("on patches"))
            .first()
            .isVisible());
    assertTrue(
        page.getByRole(AriaRole.REGION, new Page.GetByRoleOptions().setName("Map")).isVisible());
  }

  @Test
  void axeFindsNothingSerious() throws IOException {
    for (ColorScheme scheme : List.of(ColorScheme.LIGHT, ColorScheme.DARK)) {
      wide(new Browser.NewContextOptions().setColorScheme(scheme));
      searched();
      page.click(".open >> nth=0");
      page.locator("#hit-words button").first().waitFor();
      page.click("#hit-words button >> nth=1");
      page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))");
      assertAccessible(scheme.toString());
      screenshot("hit-" + scheme.toString().toLowerCase(java.util.Locale.ROOT));
      page.click("#to-models");
      page.waitForSelector("#models-list table");
      assertAccessible("models, " + scheme);
    }
    open(new Browser.NewContextOptions().setViewportSize(390, 844), node.baseUri());
    searched();
    assertAccessible("phone");
    screenshot("phone");
    assertTrue(
        (Boolean) page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"),
        "a phone's page is not wider than the phone");
  }

  private void assertAccessible(String where) throws IOException {
    try (InputStream axe = SearchPageIT.class.getResourceAsStream("/axe.min.js")) {
      page.evaluate(new String(Objects.requireNonNull(axe).readAllBytes(), StandardCharsets.UTF_8));
    }
    Object serious =
        page.evaluate(
            "axe.run().then(({violations}) => violations.filter((one) => ['serious',"
                + " 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.help}:"
                + " ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join(' ')}`))");
    assertEquals(List.of(), serious, where);
  }
}
