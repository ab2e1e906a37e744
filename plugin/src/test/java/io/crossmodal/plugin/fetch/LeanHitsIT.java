/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.fetch;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.not;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.MicroModelPlugin;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import org.junit.Before;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.script.MockScriptPlugin;
import org.opensearch.transport.Netty4ModulePlugin;

/** Hits and GETs hold no embedding and no tokens unless they are asked for; copies hold all. */
public class LeanHitsIT extends ClusterTestCase {
  private static final Set<String> LEAN = Set.of("bytes", "encoded_from");
  private static final Set<String> WHOLE = Set.of("bytes", "embedding", "encoded_from", "tokens");

  /** More than core reads one by one: from ten documents in a row on, it reads as merges do. */
  private static final int DOCUMENTS = 11;

  /** Scripts that look into sources. */
  public static final class Scripts extends MockScriptPlugin {
    @Override
    @SuppressWarnings("unchecked") // contexts of scripts, and documents of this test
    protected Map<String, Function<Map<String, Object>, Object>> pluginScripts() {
      return Map.of(
          "seen",
          vars -> {
            Map<String, Object> image = (Map<String, Object>) at(vars, "_source", "image");
            return image.get("embedding") instanceof List<?>
                && image.get("tokens") instanceof String;
          },
          "label",
          vars -> ((Map<String, Object>) at(vars, "ctx", "_source")).put("label", "scripted"));
    }
  }

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(
        MicroModelPlugin.class, Netty4ModulePlugin.class, ReindexModulePlugin.class, Scripts.class);
  }

  @Before
  public void indexPictures() throws IOException {
    create(
        "archive",
        "'image':{'type':'cross_modal'},'site':{'properties':{'view':{'type':'cross_modal'}}},"
            + "'group':{'type':'keyword'},'label':{'type':'keyword'},"
            + "'parts':{'type':'nested','properties':{'name':{'type':'keyword'}}}");
    for (int i = 0; i < DOCUMENTS; i++) {
      put(
          "archive",
          i,
          "{'image':"
              + picture()
              + ",'site':{'view':"
              + picture()
              + "},'group':'g','label':'plain','parts':[{'name':'a'}]}");
    }
    // Where the same names are somebody else's.
    create("other", "'group':{'type':'keyword'}");
    put("other", 0, "{'group':'g','image':{'embedding':[1,2],'tokens':'words'}}");
    ok("POST", "/_aliases", "{'actions':[{'add':{'index':'archive','alias':'pictures'}}]}");
    ok("POST", "/archive,other/_refresh", null);
    if (randomBoolean()) {
      ok("POST", "/archive/_forcemerge?max_num_segments=1&flush=true", null);
    }
  }

  private static void create(String index, String properties) throws IOException {
    ok(
        "PUT",
        "/" + index,
        "{'settings':{'number_of_shards':1,'number_of_replicas':0"
            + (random().nextInt(4) > 0 ? ",'index.codec':'default','index.cross_modal':true" : "")
            + "},'mappings':{'properties':{"
            + properties
            + "}}}");
  }

  private static void put(String index, int id, String source) throws IOException {
    ok("PUT", "/" + index + "/_doc/" + id, source);
  }

  private static List<Map<String, Object>> hits(String index, String body) throws IOException {
    return ok("POST", "/" + index + "/_search", body).hits();
  }

  /** Returns which keys a picture has in a source; empty where the source has none. */
  @SuppressWarnings("unchecked") // as the documents are
  private static Set<String> keys(Map<String, Object> hit, String... path) {
    Object value = hit.get("_source");
    for (String key : path) {
      value = value == null ? null : ((Map<String, Object>) value).get(key);
    }
    return value == null ? Set.of() : new TreeSet<>(((Map<String, Object>) value).keySet());
  }

  /** What a hit and a GET hold, by the request's {@code _source}. */
  private record Case(String body, String parameters, Set<String> image) {}

  private static final List<Case> CASES =
      List.of(
          new Case(null, "", LEAN),
          new Case("true", "_source=true", WHOLE),
          new Case("false", "_source=false", Set.of()),
          new Case("['*']", "_source=*", WHOLE),
          new Case("['image']", "_source=image", WHOLE),
          new Case("['image.*']", "_source_includes=image.*", WHOLE),
          new Case("['image.embedding']", "_source=image.embedding", Set.of("embedding")),
          new Case("['*.tok*','label']", "_source=*.tok*,label", Set.of("tokens")),
          new Case("['label']", "_source=label", Set.of()),
          new Case("{'excludes':['label']}", "_source_excludes=label", LEAN),
          new Case(
              "{'excludes':['image.bytes']}",
              "_source_excludes=image.bytes",
              Set.of("encoded_from")),
          new Case("{'excludes':['*.embedding']}", "_source_excludes=*.embedding", LEAN),
          new Case(
              "{'includes':['image'],'excludes':['*.tokens']}",
              "_source_includes=image&_source_excludes=*.tokens",
              Set.of("bytes", "embedding", "encoded_from")));

  private static String source(Case one) {
    return one.body == null ? "" : ",'_source':" + one.body;
  }

  public void testAHitHoldsWhatIsAskedFor() throws IOException {
    for (Case one : CASES) {
      for (Map<String, Object> hit : hits("archive", "{'size':100" + source(one) + "}")) {
        assertEquals(one.toString(), one.image, keys(hit, "image"));
      }
    }
    for (Map<String, Object> hit : hits("pictures", "{'size':100}")) {
      assertEquals(LEAN, keys(hit, "site", "view"));
      assertEquals(Set.of("image", "site", "group", "label", "parts"), keys(hit));
    }
    // Without a source by default, and with it by the old name.
    for (String none :
        List.of(
            "'stored_fields':['label']",
            "'stored_fields':'_none_'",
            "'script_fields':{'s':{'script':{'lang':'mockscript','source':'seen'}}}")) {
      assertNull(none, hits("archive", "{'size':1," + none + "}").get(0).get("_source"));
    }
    assertEquals(
        LEAN, keys(hits("archive", "{'size':1,'stored_fields':['_source']}").get(0), "image"));
  }

  public void testAHitOfAnotherIndexKeepsItsOwn() throws IOException {
    int pictures = 0;
    for (Map<String, Object> hit : hits("archive,other", "{'size':100}")) {
      boolean ours = hit.get("_index").equals("archive");
      assertEquals(ours ? LEAN : Set.of("embedding", "tokens"), keys(hit, "image"));
      pictures += ours ? 1 : 0;
    }
    assertEquals(DOCUMENTS, pictures);
    Answer both =
        ok(
            "GET",
            "/_mget",
            "{'docs':[{'_index':'archive','_id':'1'},{'_index':'other','_id':'0'}]}");
    assertEquals(LEAN, keys(both.<List<Map<String, Object>>>at("docs").get(0), "image"));
    assertEquals(
        Set.of("embedding", "tokens"),
        keys(both.<List<Map<String, Object>>>at("docs").get(1), "image"));
  }

  public void testAGetHoldsWhatIsAskedFor() throws IOException {
    put("archive", 0, "{'image':" + picture() + ",'label':'plain'}"); // in the translog
    for (Case one : CASES) {
      for (String index : List.of("archive", "pictures")) {
        for (String id : List.of("0", "1")) {
          String path = "/" + index + "/_doc/" + id + "?" + one.parameters;
          assertEquals(path, one.image, keys(ok("GET", path, null).json(), "image"));
        }
      }
      String item = "{'_id':'0'" + source(one) + "}";
      List<Map<String, Object>> docs =
          ok("GET", "/archive/_mget", "{'docs':[" + item + "]}").at("docs");
      assertEquals(item, one.image, keys(docs.get(0), "image"));
    }
    Answer bare = ok("GET", "/archive/_source/1", null);
    assertEquals(LEAN, Set.copyOf(bare.<Map<String, Object>>at("image").keySet()));
    Map<String, Object> stored = ok("GET", "/archive/_doc/1?stored_fields=label", null).json();
    assertNull(stored.get("_source"));
    assertEquals(404, send("GET", "/archive/_doc/none", null).status());
    assertEquals(404, send("GET", "/nowhere/_doc/1", null).status());
    // Core's own gets for a query, such as for a document to percolate.
    assertEquals(WHOLE, keys(ok("GET", "/archive/_doc/1?preference=_local", null).json(), "image"));
  }

  public void testInnerHitsTopHitsAndPages() throws IOException {
    String pit = ok("POST", "/archive/_search/point_in_time?keep_alive=1m", null).at("pit_id");
    Answer page =
        ok("POST", "/_search", "{'size':100,'pit':{'id':'" + pit + "','keep_alive':'1m'}}");
    assertEquals(DOCUMENTS, page.hits().size());
    page.hits().forEach(hit -> assertEquals(LEAN, keys(hit, "image")));
    ok("DELETE", "/_search/point_in_time", "{'pit_id':['" + pit + "']}");

    for (Case one : CASES) {
      String top = "'top_hits':{'size':20" + source(one) + "}";
      Answer answer =
          ok(
              "POST",
              "/archive,other/_search",
              "{'size':0,'aggs':{'g':{'terms':{'field':'group'},'aggs':{'t':{"
                  + top
                  + "}}},'all':{'filter':{'exists':{'field':'parts'}}},'u':{"
                  + top
                  + "}}}");
      List<Map<String, Object>> found = new ArrayList<>();
      List<Map<String, Object>> groups = answer.at("aggregations", "g", "buckets");
      assertEquals(DOCUMENTS + 1, groups.get(0).get("doc_count"));
      found.addAll(at(groups.get(0), "t", "hits", "hits"));
      found.addAll(answer.<List<Map<String, Object>>>at("aggregations", "u", "hits", "hits"));
      assertEquals(2 * (DOCUMENTS + 1), found.size());
      for (Map<String, Object> hit : found) {
        if (hit.get("_index").equals("archive")) {
          assertEquals(top, one.image, keys(hit, "image"));
        } else if (one.body == null) {
          assertEquals(Set.of("embedding", "tokens"), keys(hit, "image"));
        }
      }

      String inner = "'inner_hits':{'name':'i','size':20" + source(one) + "}";
      Map<String, Object> collapsed =
          hits("archive", "{'collapse':{'field':'group'," + inner + "}}").get(0);
      List<Map<String, Object>> members = at(collapsed, "inner_hits", "i", "hits", "hits");
      assertEquals(DOCUMENTS, members.size());
      members.forEach(hit -> assertEquals(inner, one.image, keys(hit, "image")));
    }

    Map<String, Object> nested =
        hits(
                "archive",
                "{'query':{'nested':{'path':'parts','query':{'match_all':{}},'inner_hits':{}}}}")
            .get(0);
    List<Map<String, Object>> parts = at(nested, "inner_hits", "parts", "hits", "hits");
    assertEquals("a", at(parts.get(0), "_source", "name"));
    assertEquals(LEAN, keys(nested, "image"));
  }

  /** A search that says nothing of the source shows a script everything all the same. */
  public void testScriptsSeeEverything() throws IOException {
    String script = "'script_fields':{'s':{'script':{'lang':'mockscript','source':'seen'}}}";
    for (Case one : CASES) {
      for (Map<String, Object> hit : hits("archive", "{'size':100," + script + source(one) + "}")) {
        assertEquals(one.toString(), List.of(true), at(hit, "fields", "s"));
      }
    }
  }

  public void testCopiesAreWhole() throws IOException {
    long encoded = total(Counter.ENCODED_IMAGES);
    Answer page = ok("POST", "/archive/_search?scroll=1m", "{'size':6}");
    int seen = 0;
    while (!page.hits().isEmpty()) {
      page.hits().forEach(hit -> assertEquals(WHOLE, keys(hit, "image")));
      seen += page.hits().size();
      page =
          ok(
              "POST",
              "/_search/scroll",
              "{'scroll':'1m','scroll_id':'" + page.at("_scroll_id") + "'}");
    }
    assertEquals(DOCUMENTS, seen);
    ok("DELETE", "/_search/scroll", "{'scroll_id':['" + page.at("_scroll_id") + "']}");

    create(
        "copy",
        "'image':{'type':'cross_modal'},'site':{'properties':{'view':{'type':'cross_modal'}}}");
    ok("POST", "/_reindex?refresh=true", "{'source':{'index':'archive'},'dest':{'index':'copy'}}");
    String script = "'script':{'lang':'mockscript','source':'label'}";
    ok("POST", "/archive/_update_by_query?refresh=true", "{" + script + "}");
    ok("POST", "/archive/_update/1?refresh=true", "{'doc':{'label':'changed'}}");
    ok(
        "POST",
        "/_bulk?refresh=true",
        "{'update':{'_index':'archive','_id':'2'}}\n{" + script + "}\n");
    for (String index : List.of("archive", "copy")) {
      List<Map<String, Object>> hits = hits(index, "{'size':100,'_source':true}");
      assertEquals(DOCUMENTS, hits.size());
      for (Map<String, Object> hit : hits) {
        assertEquals(index, WHOLE, keys(hit, "image"));
        assertEquals(index, WHOLE, keys(hit, "site", "view"));
      }
    }
    assertEquals("nothing was encoded again", encoded, total(Counter.ENCODED_IMAGES));
  }

  /** A document that is got and put again: encoded again, or refused where it cannot be. */
  public void testALeanDocumentWrittenBack() throws IOException {
    Answer found = ok("GET", "/archive/_doc/1", null);
    Map<String, Object> before =
        ok("GET", "/archive/_doc/1?_source=true", null).at("_source", "image");
    String lean = found.text().replaceAll(".*\"image\":(\\{[^}]*\\}).*", "$1");
    assertThat(lean, containsString("encoded_from"));
    assertThat(lean, not(containsString("tokens")));
    long encoded = total(Counter.ENCODED_IMAGES);
    put("archive", 1, "{'image':" + lean + "}");
    assertEquals(encoded + 1, total(Counter.ENCODED_IMAGES));
    Map<String, Object> after =
        ok("GET", "/archive/_doc/1?_source=true", null).at("_source", "image");
    assertEquals(before.keySet(), after.keySet());
    assertEquals(before.get("bytes"), after.get("bytes"));

    put("archive", 2, "{'image':{'embedding':" + before.get("embedding") + "}}");
    String given =
        ok("GET", "/archive/_doc/2", null).text().replaceAll(".*\"image\":(\\{[^}]*\\}).*", "$1");
    refused(
        400,
        "hits and GETs leave embeddings out",
        "PUT",
        "/archive/_doc/2",
        "{'image':" + given + "}");
  }

  public void testEmbeddingsWithoutTheSource() throws IOException {
    put("archive", 0, "{'label':'no picture'}");
    ok("POST", "/archive/_refresh", null);
    Map<String, List<?>> expected = new TreeMap<>();
    for (Map<String, Object> hit : hits("archive", "{'size':100,'_source':true}")) {
      if (!hit.get("_id").equals("0")) {
        expected.put((String) hit.get("_id"), at(hit, "_source", "image", "embedding"));
      }
    }
    String array = "'docvalue_fields':['image',{'field':'site.view','format':'array'}]";
    String base64 = "'docvalue_fields':[{'field':'image','format':'base64'}]";
    for (String body :
        List.of(
            array,
            base64,
            "'fields':[{'field':'image','format':'array'}]",
            "'fields':[{'field':'image','format':'base64'}]")) {
      for (String source : List.of("", ",'_source':false")) {
        List<Map<String, Object>> hits = hits("archive", "{'size':100," + body + source + "}");
        assertEquals(DOCUMENTS, hits.size());
        for (Map<String, Object> hit : hits) {
          Map<String, List<?>> fields = at(hit, "fields");
          List<?> wanted = expected.get(hit.get("_id"));
          if (wanted == null) {
            assertTrue(hit.toString(), fields == null || !fields.containsKey("image"));
          } else {
            assertEquals(1, fields.get("image").size());
            assertEquals(body, floats(wanted), floats(fields.get("image").get(0)));
          }
        }
      }
    }
    // Top hits and a page of several shards' nodes take the same way.
    Answer top =
        ok("POST", "/archive/_search", "{'size':0,'aggs':{'t':{'top_hits':{" + array + "}}}}");
    assertNotNull(top.value("aggregations.t.hits.hits.fields.image"));

    refused(
        400,
        "[format] of field [image] of type [cross_modal] must be [array] or [base64], got [hex]",
        "POST",
        "/archive/_search",
        "{'docvalue_fields':[{'field':'image','format':'hex'}]}");
    for (String body :
        List.of(
            "{'sort':['image']}",
            "{'aggs':{'a':{'terms':{'field':'image'}}}}",
            "{'aggs':{'a':{'value_count':{'field':'image'}}}}",
            "{'aggs':{'a':{'missing':{'field':'image'}}}}")) {
      refused(400, "cannot be sorted by, aggregated or read", "POST", "/archive/_search", body);
    }
    Answer capabilities = ok("GET", "/archive/_field_caps?fields=image", null);
    assertEquals(false, capabilities.value("fields.image.cross_modal.aggregatable"));
  }

  private static List<Float> floats(Object value) {
    if (value instanceof String base64) {
      ByteBuffer bytes =
          ByteBuffer.wrap(Base64.getDecoder().decode(base64)).order(ByteOrder.LITTLE_ENDIAN);
      List<Float> floats = new ArrayList<>();
      while (bytes.hasRemaining()) {
        floats.add(bytes.getFloat());
      }
      return floats;
    }
    return ((List<?>) value).stream().map(number -> ((Number) number).floatValue()).toList();
  }

  public void testFieldsGiveTheValueWithoutThem() throws IOException {
    for (String source :
        List.of("", ",'_source':false", ",'_source':true", ",'_source':['label']")) {
      for (Map<String, Object> hit : hits("archive", "{'size':100,'fields':['*']" + source + "}")) {
        List<Map<String, Object>> image = at(hit, "fields", "image");
        assertEquals(source, LEAN, image.get(0).keySet());
        List<Map<String, Object>> view = at(hit, "fields", "site.view");
        assertEquals(source, LEAN, view.get(0).keySet());
      }
    }
  }

  /** An index without sources has nothing to leave out, and core refuses filters there. */
  public void testAnIndexWithoutSources() throws IOException {
    ok(
        "PUT",
        "/none",
        "{'mappings':{'_source':{'enabled':false},'properties':{'image':{'type':'cross_modal'}}}}");
    put("none", 1, "{'image':" + picture() + "}");
    for (String refreshed : List.of("no", "yes")) {
      Map<String, Object> found = ok("GET", "/none/_doc/1", null).json();
      assertEquals(refreshed, true, found.get("found"));
      assertNull(found.get("_source"));
      ok("POST", "/none/_refresh", null);
    }
    assertNull(hits("none", "{}").get(0).get("_source"));
    assertEquals(
        TestModels.micro().manifest().config().embeddingDimension(),
        ((List<?>)
                ClusterTestCase.<List<?>>at(
                        hits("none", "{'docvalue_fields':['image']}").get(0), "fields", "image")
                    .get(0))
            .size());
  }
}
