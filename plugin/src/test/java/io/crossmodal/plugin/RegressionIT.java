/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.lessThan;
import static org.hamcrest.Matchers.not;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.opensearch.common.util.ArrayUtils;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.json.JsonXContent;
import org.opensearch.common.xcontent.support.XContentMapValues;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.plugins.Plugin;
import org.opensearch.script.MockScriptPlugin;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.transport.Netty4ModulePlugin;

/** What users and reviews reported, typed as they typed it, and what a hostile one may type. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.SUITE,
    numDataNodes = 1,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class RegressionIT extends ClusterTestCase {
  private static final ModelBundle MODEL = TestModels.micro();
  private static final String SIDE = "'field':'image','query_text':'a pond beside a road'";
  private static final String QUERY = "{'cross_modal':{" + SIDE + ",'k':100}}";
  private static final String SEARCH = "{'query':" + QUERY + ",'size':100}";
  private static final String FUSION = "'rescore':{'window_size':20,'fusion':{" + SIDE + "}}";

  private static final String[] DERIVED = {
    "image.embedding", "image.tokens", "site.view.embedding", "site.view.tokens"
  };

  /** What update scripts do in these tests. */
  public static final class Scripts extends MockScriptPlugin {
    @Override
    @SuppressWarnings("unchecked") // the context of an update script
    protected Map<String, Function<Map<String, Object>, Object>> pluginScripts() {
      return Map.of(
          "picture",
          vars ->
              source(vars).put("image", ((Map<String, Object>) vars.get("params")).get("image")),
          "label",
          vars -> source(vars).put("label", "scripted"),
          "length",
          vars ->
              String.valueOf(((Map<String, Object>) vars.get("_source")).get("image")).length());
    }

    @SuppressWarnings("unchecked") // the context of an update script
    private static Map<String, Object> source(Map<String, Object> vars) {
      return (Map<String, Object>) ((Map<String, Object>) vars.get("ctx")).get("_source");
    }
  }

  @Override
  protected Collection<Class<? extends Plugin>> nodePlugins() {
    return List.of(
        MicroModelPlugin.class, Netty4ModulePlugin.class, ReindexModulePlugin.class, Scripts.class);
  }

  private static Answer refused(String method, String path, String body, String message)
      throws IOException {
    return refused(400, message, method, path, body);
  }

  /** One item of a bulk, refused. */
  private static void refusedInBulk(String lines, String message) throws IOException {
    Answer answer = send("POST", "/_bulk?refresh=true", lines);
    assertEquals(answer.toString(), 200, answer.status());
    assertThat(answer.text(), containsString("\"status\":400"));
    assertThat(answer.text(), containsString(message));
  }

  private static void create(String index, String properties) throws IOException {
    create(index, "'number_of_shards':1", properties);
  }

  private static void create(String index, String settings, String properties) throws IOException {
    ok(
        "PUT",
        "/" + index,
        "{'settings':{'index.codec':'default','number_of_replicas':0,"
            + settings
            + "},'mappings':{'properties':{"
            + properties
            + "}}}");
  }

  private static String embedding() {
    return floats(TestModels.vector(random(), MODEL.manifest().config().embeddingDimension()));
  }

  private static String floats(float[] values) {
    List<String> numbers = new ArrayList<>();
    for (float value : values) {
      numbers.add(Float.toString(value));
    }
    return numbers.toString();
  }

  private static String tokens() {
    return "'"
        + TestModels.base64(
            TokenBlockFormat.write(
                TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)),
                TokenEncoding.INT8,
                MODEL.manifest().fingerprints().tokenSpace()))
        + "'";
  }

  private static void put(String index, String id, String source) throws IOException {
    ok("PUT", "/" + index + "/_doc/" + id + "?refresh=true", source);
  }

  private static Map<String, Object> image(String index, String id) throws IOException {
    // From the segment, where the codec has to give back what was sent.
    Answer found = ok("GET", "/" + index + "/_doc/" + id + "?realtime=false&_source=true", null);
    return image(found.value("_source"));
  }

  @SuppressWarnings("unchecked") // as the documents of these tests are
  private static Map<String, Object> image(Object source) {
    return (Map<String, Object>) ((Map<String, Object>) source).get("image");
  }

  private static List<?> hits(Answer found) {
    return (List<?>) found.value("hits.hits");
  }

  public void testDataStreams() throws IOException {
    ok(
        "PUT",
        "/_index_template/streams",
        "{'index_patterns':['stream-*'],'data_stream':{},'template':{'settings':{"
            + "'number_of_replicas':0},'mappings':{'properties':{'image':{'type':'cross_modal'},"
            + "'picture':{'type':'alias','path':'image'}}}}}");
    try {
      String document = "{'@timestamp':'2026-01-01T00:00:00Z','image':" + picture() + "}";
      String id = (String) ok("POST", "/stream-a/_doc?refresh=true", document).value("_id");
      String byId = "{'query':{'cross_modal':{'field':'image','query_id':'" + id + "'}}}";
      assertEquals(1, hits(ok("POST", "/stream-a/_search", byId)).size());
      ok("POST", "/stream-a/_rollover", null);
      ok("POST", "/stream-a/_doc?refresh=true", document);
      for (String name : List.of("stream-a", "stream-*", "str*", "_all", ".ds-stream-a-*")) {
        assertEquals(name, 2, hits(ok("POST", "/" + name + "/_search", SEARCH)).size());
        assertEquals(
            2, ok("POST", "/" + name + "/_count", "{'query':" + QUERY + "}").value("count"));
        String rescored = "{'query':" + QUERY + "," + FUSION + "}";
        assertEquals(2, hits(ok("POST", "/" + name + "/_search", rescored)).size());
        Answer several =
            ok(
                "POST",
                "/_msearch",
                "{'index':'" + name + "'}\n" + rescored.replace("\n", "") + "\n");
        assertThat(several.text(), containsString("\"value\":2"));
        assertEquals(
            true,
            ok("POST", "/" + name + "/_validate/query", "{'query':" + QUERY + "}").value("valid"));
      }
      refused("POST", "/stream-a/_search", byId, "one of its backing indices");
      String backing = ".ds-stream-a-000001";
      assertEquals(
          2,
          hits(ok(
                  "POST",
                  "/stream-a/_search",
                  byId.replace("'query_id'", "'index':'" + backing + "','query_id'")))
              .size());
      assertEquals(
          true,
          ok("POST", "/" + backing + "/_explain/" + id, "{'query':" + QUERY + "}")
              .value("matched"));
      assertEquals(
          2, hits(ok("POST", "/stream-a/_search", SEARCH.replace("'image'", "'picture'"))).size());
      assertEquals(
          2,
          ok("POST", "/stream-a/_delete_by_query?refresh=true", "{'query':" + QUERY + "}")
              .value("deleted"));
    } finally {
      ok("DELETE", "/_data_stream/stream-a", null);
      ok("DELETE", "/_index_template/streams", null);
    }
  }

  public void testHighlightsBesideAVectorQuery() throws IOException {
    create(
        "highlights",
        "'image':{'type':'cross_modal'},'caption':{'type':'text',"
            + "'term_vector':'with_positions_offsets'},"
            + "'parts':{'type':'nested','properties':{'caption':{'type':'text'}}}");
    for (int i = 0; i < 4; i++) {
      put(
          "highlights",
          "" + i,
          "{'caption':'red boats in a harbour','parts':[{'caption':'a boat'},{'caption':'a pond'}]"
              + (i == 3 ? "" : ",'image':" + picture())
              + "}");
    }
    String filtered =
        "{'cross_modal':{" + SIDE + ",'k':100,'filter':{'match':{'caption':'harbour'}}}}";
    for (String vector : List.of(QUERY, filtered)) {
      String should =
          "{'bool':{'should':[{'match':{'caption':{'query':'boats','_name':'words'}}},"
              + vector.replace("'k':100", "'k':100,'_name':'nearest'")
              + ",{'nested':{'path':'parts','query':{'match':{'parts.caption':'pond'}},"
              + "'inner_hits':{'highlight':{'fields':{'parts.caption':{'type':'TYPE'}}}}}}]}}";
      for (String type : List.of("plain", "unified", "fvh")) {
        String inner = should.replace("TYPE", type.equals("fvh") ? "plain" : type);
        for (String rest : List.of("", "," + FUSION)) {
          Answer found =
              ok(
                  "POST",
                  "/highlights/_search",
                  "{'query':"
                      + inner
                      + ",'highlight':{'fields':{'caption':{'type':'"
                      + type
                      + "'}}},'_source':false"
                      + rest
                      + "}");
          assertEquals(found.toString(), 4, hits(found).size());
          assertEquals(4, found.text().split("red <em>boats</em> in a harbour", -1).length - 1);
          assertThat(found.text(), containsString("a <em>pond</em>"));
          assertEquals(4, found.text().split("\"words\"", -1).length - 1);
          assertEquals(3, found.text().split("\"nearest\"", -1).length - 1);
        }
      }
    }
  }

  public void testAFieldsAliasIsTheField() throws IOException {
    create(
        "aliased",
        "'site':{'properties':{'image':{'type':'cross_modal'}}},"
            + "'image':{'type':'alias','path':'site.image'}");
    for (int i = 0; i < 3; i++) {
      put("aliased", "" + i, "{'site':{'image':" + picture() + "}}");
    }
    Answer plain = ok("POST", "/aliased/_search", SEARCH.replace("'image'", "'site.image'"));
    String rescored = SEARCH.replace("'size'", FUSION + ",'size'");
    for (String body : List.of(SEARCH, rescored)) {
      assertEquals(3, hits(ok("POST", "/aliased/_search", body)).size());
    }
    assertEquals(
        plain.value("hits.hits._score"),
        ok("POST", "/aliased/_search", SEARCH).value("hits.hits._score"));
    assertEquals(
        ok("POST", "/aliased/_search", rescored.replace("'image'", "'site.image'"))
            .value("hits.hits._score"),
        ok("POST", "/aliased/_search", rescored).value("hits.hits._score"));
    String byId =
        "{'query':{'cross_modal':{'field':'image','query_id':'1'}},'rescore':{'fusion':{"
            + "'field':'image','query_id':'1'}}}";
    assertEquals(
        "1", ((List<?>) ok("POST", "/aliased/_search", byId).value("hits.hits._id")).get(0));
    Answer exists = ok("POST", "/aliased/_search", "{'query':{'exists':{'field':'image'}}}");
    assertEquals(3, hits(exists).size());
  }

  public void testAFieldWithoutTokensKeepsNone() throws IOException {
    create("bare", "'image':{'type':'cross_modal','tokens':'none'}");
    create("full", "'image':{'type':'cross_modal'}");
    put("full", "1", "{'image':" + picture() + "}");
    put("full", "2", "{'image':{'embedding':" + embedding() + ",'tokens':" + tokens() + "}}");
    ok("POST", "/_reindex?refresh=true", "{'source':{'index':'full'},'dest':{'index':'bare'}}");
    for (String id : List.of("1", "2")) {
      assertTrue(image("full", id).containsKey("tokens"));
      assertFalse(image("bare", id).containsKey("tokens"));
      assertEquals(image("full", id).get("embedding"), image("bare", id).get("embedding"));
    }
  }

  /** What belongs together is changed together, or not at all: by {@code _update} and in bulks. */
  public void testAnUpdateDoesNotMixPictures() throws IOException {
    create("updates", "'image':{'type':'cross_modal'},'label':{'type':'keyword'}");
    String both = "give either [bytes] or [embedding] with [tokens], got both";
    for (boolean bulk : new boolean[] {false, true}) {
      put("updates", "1", "{'image':" + picture() + "}");
      Map<String, Object> before = image("updates", "1");
      String own = "'embedding':" + embedding();
      update(bulk, "{'image':{" + own + "}}", both);
      update(bulk, "{'image':{'tokens':" + tokens() + "}}", both);
      update(bulk, "{'image':{" + own + ",'tokens':" + tokens() + "}}", both);
      update(bulk, "{'image':{" + own + ",'tokens':null}}", both);
      update(bulk, "{'image':{" + own + ",'tokens':null,'encoded_from':null}}", both);
      assertEquals(before, image("updates", "1"));
      // The very same embedding is none of another picture; a bulk's is not seen beside it.
      update(
          bulk,
          "{'image':{'embedding':" + before.get("embedding") + "},'label':'a'}",
          bulk ? both : null);
      assertEquals(before, image("updates", "1"));
      // Another picture is encoded, whatever stood there.
      update(bulk, "{'image':" + picture() + "}", null);
      assertNotEquals(before.get("embedding"), image("updates", "1").get("embedding"));
      String clear = "'bytes':null,'tokens':null,'encoded_from':null";
      update(bulk, "{'image':{" + own + "," + clear + "}}", null);
      assertNull(image("updates", "1").get("tokens"));
      assertNull(image("updates", "1").get("bytes"));
      // Embedding and tokens without a picture belong together too.
      update(bulk, "{'image':{'tokens':" + tokens() + "}}", "do not belong together");
      put("updates", "1", "{'image':{" + own + ",'tokens':" + tokens() + "}}");
      Map<String, Object> pair = image("updates", "1");
      update(bulk, "{'image':{'embedding':" + embedding() + "}}", "do not belong together");
      update(bulk, "{'image':{'tokens':" + tokens() + "}}", "do not belong together");
      assertEquals(pair, image("updates", "1"));
      update(bulk, "{'image':{'embedding':" + embedding() + ",'tokens':" + tokens() + "}}", null);
      update(bulk, "{'image':{'embedding':" + embedding() + ",'tokens':null}}", null);
      assertNull(image("updates", "1").get("tokens"));
      update(bulk, "{'image':" + picture() + "}", null);
      assertTrue(image("updates", "1").containsKey("bytes"));
      assertTrue(image("updates", "1").containsKey("tokens"));
    }
  }

  private static void update(boolean bulk, String document, String message) throws IOException {
    String body = "{'doc':" + document + "}";
    if (bulk) {
      String lines = "{'update':{'_index':'updates','_id':'1'}}\n" + body + "\n";
      if (message == null) {
        ok("POST", "/_bulk?refresh=true", lines);
      } else {
        refusedInBulk(lines, message);
      }
    } else if (message == null) {
      ok("POST", "/updates/_update/1?refresh=true", body);
    } else {
      refused("POST", "/updates/_update/1?refresh=true", body, message);
    }
  }

  /** What a script in a bulk writes is encoded by nobody; what the upsert says is. */
  public void testScriptedUpserts() throws IOException {
    create("upserts", "'image':{'type':'cross_modal'},'label':{'type':'keyword'}");
    String item = "{'update':{'_index':'upserts','_id':'ID'}}\n";
    String label =
        "{'scripted_upsert':true,'script':{'lang':'mockscript','source':'label'},'upsert':{'image':"
            + picture()
            + "}}\n";
    ok("POST", "/_bulk?refresh=true", item.replace("ID", "1") + label);
    assertTrue(image("upserts", "1").containsKey("embedding"));
    ok("POST", "/_bulk?refresh=true", item.replace("ID", "1") + label);
    ok("POST", "/upserts/_update/2?refresh=true", label);
    assertTrue(image("upserts", "2").containsKey("embedding"));
    String picture =
        "{'scripted_upsert':true,'script':{'lang':'mockscript','source':'picture','params':{'image':"
            + picture()
            + "}},'upsert':{}}\n";
    refusedInBulk(item.replace("ID", "3") + picture, "send that to [_update]");
    ok("POST", "/upserts/_update/3?refresh=true", picture);
    assertTrue(image("upserts", "3").containsKey("embedding"));
  }

  /** A hit has what its request asks for, and nothing that only the codec knows. */
  public void testSourceFilters() throws IOException {
    create(
        "filtered",
        "'image':{'type':'cross_modal'},'site':{'properties':{'view':{'type':'cross_modal'}}},"
            + "'caption':{'type':'text'},'parts':{'type':'nested','properties':{"
            + "'caption':{'type':'text'}}}");
    String source =
        "{'caption':'boats','parts':[{'caption':'a pond'}],'image':"
            + picture()
            + ",'site':{'view':"
            + picture()
            + "}}";
    int documents = 12;
    for (int i = 0; i < documents; i++) {
      put("filtered", "" + i, source);
    }
    if (randomBoolean()) {
      ok("POST", "/filtered/_forcemerge?max_num_segments=1", null);
    }
    Map<String, Object> whole = whole();
    assertTrue(((Map<?, ?>) whole.get("image")).get("embedding") instanceof List<?>);
    for (String filter :
        List.of(
            "true",
            "['caption']",
            "['image']",
            "['image.*']",
            "['*.embedding']",
            "['site.view.tokens']",
            "['s*']",
            "{'excludes':['image']}",
            "{'excludes':['*.embedding','*.tokens']}",
            "{'excludes':['*.tok*']}",
            "{'includes':['image'],'excludes':['image.bytes']}",
            "{'includes':['*'],'excludes':['site.*']}")) {
      Answer answer = ok("POST", "/filtered/_search", "{'size':100,'_source':" + filter + "}");
      Map<String, Object> expected = whole;
      if (!filter.equals("true")) {
        Map<String, Object> parsed =
            XContentHelper.convertToMap(
                JsonXContent.jsonXContent,
                ("{'f':" + (filter.startsWith("[") ? "{'includes':" + filter + "}" : filter) + "}")
                    .replace('\'', '"'),
                false);
        expected =
            XContentMapValues.filter(
                whole,
                strings(parsed, "f.includes"),
                filter.contains("'includes'") || filter.startsWith("[")
                    ? strings(parsed, "f.excludes")
                    : ArrayUtils.concat(strings(parsed, "f.excludes"), DERIVED));
      }
      assertEquals(documents, hits(answer).size());
      for (Object hit : hits(answer)) {
        Map<?, ?> found = (Map<?, ?>) ((Map<?, ?>) hit).get("_source");
        assertEquals(filter, expected, found == null ? Map.of() : found);
      }
    }
    // Fields, and the inner hits of another one, beside a source that leaves ours out.
    Answer fields =
        ok(
            "POST",
            "/filtered/_search",
            "{'size':1,'_source':['caption'],'fields':['image','site.*'],'query':{'nested':{"
                + "'path':'parts','query':{'match_all':{}},'inner_hits':{}}}}");
    Map<Object, Object> lean = new HashMap<>((Map<?, ?>) whole.get("image"));
    lean.keySet().removeAll(Set.of("embedding", "tokens"));
    assertEquals(List.of(List.of(lean)), fields.value("hits.hits.fields.image"));
    assertThat(fields.text(), not(containsString("true")));
    assertThat(fields.text(), containsString("a pond"));
    // What is the codec's own is nobody's.
    for (String body :
        List.of(
            "{'fields':['_cross_modal_kept']}",
            "{'stored_fields':['_cross_modal_kept']}",
            "{'query':{'exists':{'field':'_cross_modal_kept'}}}",
            "{'query':{'term':{'_cross_modal_kept':'image.embedding'}}}",
            "{'query':{'prefix':{'_cross_modal_kept':'i'}}}",
            "{'aggs':{'a':{'terms':{'field':'_cross_modal_kept'}}}}",
            "{'sort':['_cross_modal_kept']}",
            "{'docvalue_fields':['_cross_modal_kept']}")) {
      Answer answer = send("POST", "/filtered/_search", body);
      assertThat(body, answer.status(), lessThan(500));
      assertThat(body, answer.text(), not(containsString("image.embedding\"")));
    }
  }

  private static String[] strings(Map<String, Object> map, String path) {
    Object value = XContentMapValues.extractValue(path, map);
    return value == null
        ? new String[0]
        : ((List<?>) value).stream().map(String::valueOf).toArray(String[]::new);
  }

  @SuppressWarnings("unchecked") // as sources are
  private static Map<String, Object> whole() throws IOException {
    return (Map<String, Object>) ok("GET", "/filtered/_doc/0?_source=true", null).value("_source");
  }

  /** Nobody maps, sends or finds what the codec keeps for itself; the index stays as it is. */
  public void testHostileMappingsAndDocuments() throws IOException {
    create("archive", "'image':{'type':'cross_modal'},'o':{'properties':{}}");
    put("archive", "sound", "{'image':" + picture() + "}");
    List<String> kinds =
        List.of(
            "'type':'text','index':false,'store':true",
            "'type':'keyword','store':true",
            "'type':'binary','doc_values':true,'store':true",
            "'type':'cross_modal'",
            "'type':'object'",
            "'type':'object','enabled':false",
            "'type':'nested'",
            "'type':'flat_object'",
            "'type':'alias','path':'image'",
            "'type':'derived'",
            "'properties':{'a':{'type':'keyword'}}");
    for (String name : List.of("_cross_modal_kept", "image._tokens", "image._sensor")) {
      for (String kind : kinds) {
        String properties = "'" + name + "':{" + kind + "}";
        Answer later = send("PUT", "/archive/_mapping", "{'properties':{" + properties + "}}");
        assertEquals(later.toString(), 400, later.status());
        Answer first =
            send(
                "PUT",
                "/first",
                "{'mappings':{'properties':{'image':{'type':'cross_modal'}," + properties + "}}}");
        assertEquals(first.toString(), 400, first.status());
        Answer flat =
            send(
                "PUT",
                "/first",
                "{'mappings':{'disable_objects':true,'properties':{'image':{'type':'cross_modal'},"
                    + properties
                    + "}}}");
        assertEquals(flat.toString(), 400, flat.status());
        Answer withoutOurs =
            send("PUT", "/first", "{'mappings':{'properties':{" + properties + "}}}");
        if (name.startsWith("_")) {
          assertEquals(withoutOurs.toString(), 400, withoutOurs.status());
        } else if (withoutOurs.status() == 200) {
          refused(
              "PUT", "/first/_mapping", "{'properties':{'image':{'type':'cross_modal'}}}", "image");
          ok("DELETE", "/first", null);
        }
      }
    }
    for (String value :
        List.of("'o.embedding'", "'nodot'", "['image.embedding']", "{'a':1}", "null", "true")) {
      for (String place :
          List.of("'_cross_modal_kept':V", "'_cross_modal_kept.a':V", "'image._tokens':V")) {
        String document = "{'o':{'embedding':'my text'}," + place.replace("V", value) + "}";
        Answer answer = send("PUT", "/archive/_doc/p?refresh=true", document);
        assertThat(answer.toString(), answer.status(), lessThan(500));
        if (answer.status() < 300) {
          Answer read = ok("GET", "/archive/_doc/p?realtime=false", null);
          assertEquals("my text", read.value("_source.o.embedding"));
        }
      }
    }
    // Sub-fields, templates and runtime names of the kind, on fields that are not ours.
    ok(
        "PUT",
        "/archive/_mapping",
        "{'properties':{'words':{'type':'text','fields':{'_cross_modal_kept':{'type':'keyword',"
            + "'store':true},'_tokens':{'type':'keyword'}}}}}");
    put("archive", "q", "{'words':'image.embedding','o':{'_cross_modal_kept':'o.embedding'}}");
    ok("POST", "/archive/_forcemerge?max_num_segments=1", null);
    assertEquals(
        "green", ok("GET", "/_cluster/health/archive?wait_for_status=green", null).value("status"));
    Answer all = ok("POST", "/archive/_search", "{'query':{'match_all':{}}}");
    assertThat(all.text(), containsString("o.embedding"));
    assertTrue(image("archive", "sound").get("embedding") instanceof List<?>);
  }

  public void testFiltersInFilters() throws IOException {
    create("levels", "'image':{'type':'cross_modal'}");
    put("levels", "1", "{'image':" + picture() + "}");
    String query = QUERY;
    for (int depth = 2; depth <= 10; depth++) {
      query =
          "{'cross_modal':{" + SIDE.replace("pond", "pond " + depth) + ",'filter':" + query + "}}";
    }
    assertEquals(1, hits(ok("POST", "/levels/_search", "{'query':" + query + "}")).size());
    refused(
        "POST",
        "/levels/_search",
        "{'query':{'cross_modal':{" + SIDE + ",'filter':" + query + "}}}",
        "more than 10 deep");
  }

  public void testAnswersAreShorterThanWhatTheyRefuse() throws IOException {
    create("long", "'image':{'type':'cross_modal'}");
    String text = "x".repeat(100_000);
    for (String value :
        List.of(
            "{'embedding':'" + text + "'}",
            "{'embedding':['" + text + "']}",
            "{'bytes':1,'sensor':'" + text + "'}",
            "{'bytes':'AAAA','sensor':'" + text + "'}",
            "{'bytes':'" + text + "%'}",
            "{'tokens':'" + text + "%'}",
            "{'encoded_from':'" + text + "'}",
            "{'sensor':['" + text + "']}",
            "{'" + text + "':1}")) {
      Answer answer = refused("PUT", "/long/_doc/1", "{'image':" + value + "}", "");
      assertThat(answer.text().length(), lessThan(3000));
    }
    for (String body :
        List.of(
            "{'query':{'cross_modal':{'field':'" + text + "','query_text':'a'}}}",
            "{'query':{'cross_modal':{'field':'image','query_id':'" + "y".repeat(500) + "'}}}",
            "{'query':{'cross_modal':{'field':'image','query_id':'1','query_field':'"
                + text
                + "'}}}",
            "{'query':{'cross_modal':{'field':'image','query_image':'" + text + "%'}}}",
            "{'query':{'cross_modal':{'field':'image','query_image':'AAAA','sensor':'"
                + text
                + "'}}}")) {
      Answer answer = refused("POST", "/long/_search", body, "");
      assertThat(answer.text().length(), lessThan(3000));
    }
    for (String parameter : List.of("model", "modality", "tokens", "vector_encoding", "spaces")) {
      Answer answer =
          refused(
              "PUT",
              "/longer",
              "{'mappings':{'properties':{'image':{'type':'cross_modal','"
                  + parameter
                  + "':'"
                  + text
                  + "'}}}}",
              "");
      assertThat(parameter, answer.text().length(), lessThan(3000));
    }
  }

  /** A mapping may keep spaces of a model that is gone; of one that is there, they are checked. */
  public void testSpacesOfAMapping() throws IOException {
    create("first-spaces", "'image':{'type':'cross_modal'}");
    Answer mapping = ok("GET", "/first-spaces/_mapping", null);
    String field =
        mapping
            .text()
            .substring(
                mapping.text().indexOf("{\"type\":\"cross_modal\""), mapping.text().length() - 4);
    create("same-spaces", "'image':" + field);
    for (String change :
        List.of(
            "\"hidden\":(\\d+)",
            "\"dimension\":(\\d+)",
            "\"rgb\":(\\d+)",
            "\"text_tokens\":(\\d+)")) {
      String name = change.substring(0, change.indexOf('('));
      refused(
          "PUT",
          "/other-spaces",
          "{'mappings':{'properties':{'image':" + field.replaceAll(change, name + "1$1") + "}}}",
          "take");
      refused(
          "PUT",
          "/other-spaces",
          "{'mappings':{'properties':{'image':"
              + field.replaceAll(change, name + "99999").replaceAll("[0-9a-f]{64}", "0".repeat(64))
              + "}}}",
          "must be from");
    }
  }

  public void testMappingsThatComeTooLateOrElsewhere() throws IOException {
    ok(
        "PUT",
        "/dynamic",
        "{'mappings':{'dynamic_templates':[{'pictures':{'match':'image*','mapping':{'type':"
            + "'cross_modal'}}}]}}");
    refused(
        "PUT",
        "/dynamic/_doc/1",
        "{'image':" + picture() + "}",
        "which a dynamic template does not");
    put("dynamic", "2", "{'image_own':{'embedding':" + embedding() + "}}");
    refused(
        "PUT",
        "/copied",
        "{'mappings':{'properties':{'image':{'type':'cross_modal'},'raw':{'type':'keyword',"
            + "'copy_to':'image'}}}}",
        "cannot copy to field [image]");
    refused(
        "PUT",
        "/copied",
        "{'mappings':{'properties':{'image':{'type':'cross_modal','copy_to':'raw'}}}}",
        "does not take [copy_to]");
  }
}
