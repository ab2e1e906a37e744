/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.not;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.TermQuery;
import org.junit.Before;

/** Document- and field-level security: nobody finds, reads or is told of what is hidden. */
public class DocumentRightsIT extends RightsTestCase {
  /** May read every second document. */
  private static final String PUBLIC_ONLY = "public-only";

  /** May read all of them, without their pictures and tiles. */
  private static final String WITHOUT_PICTURES = "without-pictures";

  /** Sees all. */
  private static final String ALL = "all";

  private static final int DOCUMENTS = 16;
  private static final int VISIBLE = DOCUMENTS / 2;
  private static final String KNN = "'query':{'cross_modal':{" + WORDS + ",'k':100}}";
  private static final String EXT = "'ext':{'cross_modal':{'details':true,'heat_map':true%s}}";

  private String picture;

  @Before
  public void indexDocumentsAndUsers() throws IOException {
    var actions = new RightsTable().roles().get("reader");
    var visible = new TermQuery(new Term("level", "public"));
    List<String> fields = List.of("image", "tile");
    List<String> open = List.of("open*");
    guard().add(ALL, new SecurityStandIn.User(actions, open, GuardedReader.Rules.NONE));
    guard()
        .add(
            PUBLIC_ONLY,
            new SecurityStandIn.User(actions, open, new GuardedReader.Rules(visible, List.of())));
    guard()
        .add(
            WITHOUT_PICTURES,
            new SecurityStandIn.User(actions, open, new GuardedReader.Rules(null, fields)));
    String bundle = TestModels.base64(TestModels.zip(TestModels.sensors(), createTempDir()));
    ok(null, "PUT", "/_plugins/_cross_modal/models/sensors", "{'bundle':'" + bundle + "'}");
    ok(
        null,
        "PUT",
        "/open",
        "{'settings':{'number_of_shards':2,'number_of_replicas':0},'mappings':{'properties':"
            + "{'image':{'type':'cross_modal'},'caption':{'type':'text'},"
            + "'tile':{'type':'cross_modal','model':'sensors'},'level':{'type':'keyword'}}}}");
    for (int i = 0; i < DOCUMENTS; i++) {
      boolean hidden = i % 2 == 1;
      picture = pictureBytes();
      String tile = TestModels.base64(TestModels.geoTiff(random(), SensorConfig.s1(16), 16));
      ok(
          null,
          "PUT",
          "/open/_doc/" + id(i),
          String.format(
              Locale.ROOT,
              "{'caption':'%s','level':'%s','image':{'bytes':'%s'},"
                  + "'tile':{'bytes':'%s','sensor':'s1'}}",
              hidden ? "clandestine" : "a pond",
              hidden ? "secret" : "public",
              picture,
              tile));
      if (i == DOCUMENTS / 2) {
        // Several segments, and a merged one.
        ok(null, "POST", "/open/_forcemerge?max_num_segments=1", null);
      }
    }
    ok(null, "POST", "/open/_refresh", null);
  }

  private static String id(int i) {
    return i % 2 == 1 ? "hidden-" + i : "doc-" + i;
  }

  private static Answer search(String user, String body) throws IOException {
    Answer answer = ok(user, "POST", "/open/_search", "{" + body + "}");
    assertFalse(answer.toString(), answer.text().contains("\"failures\""));
    return answer;
  }

  private static String fusion(String options) {
    return ",'rescore':{'window_size':100,'fusion':{" + WORDS + options + "}}";
  }

  /** Searches that show much, each of them finding all that there is to see. */
  private List<String> searches() {
    List<String> all = new ArrayList<>();
    String anything = "'query':{'match_all':{}}";
    for (String window : List.of("", ",'global_window':100")) {
      String ext = "," + String.format(Locale.ROOT, EXT, window);
      all.add(KNN + fusion("") + ext);
      all.add(anything + fusion(",'missing':'score_zero'") + ext);
      all.add(KNN + fusion(",'filter_size':4,'score_mode':'total'") + ext + ",'explain':true");
      all.add(
          "'query':{'cross_modal':{'field':'image','k':100,'query_image':'"
              + picture
              + "'}}"
              + ",'rescore':{'window_size':100,'fusion':{'field':'image','query_image':'"
              + picture
              + "'}}"
              + ext);
    }
    all.add(KNN + ",'explain':true");
    all.add(anything + ",'stored_fields':['*','_source','_cross_modal_kept','image']");
    all.add(
        "'query':{'bool':{'should':[{'match_all':{}},{'cross_modal':{"
            + WORDS
            + ",'k':100,'filter':{'exists':{'field':'image'}},'_name':'picture'}}]}}");
    all.add(
        anything
            + ",'fields':['*','image','image.*','image._tokens','tile._sensor','_cross_modal_kept'],"
            + "'docvalue_fields':['level']");
    all.add(
        anything
            + ",'aggs':{'a':{'terms':{'field':'tile._sensor'}},'b':{'terms':{'field':'level'}},"
            + "'c':{'value_count':{'field':'image._tokens'}},'d':{'missing':{'field':'tile._sensor'}}}");
    all.add(anything + ",'sort':[{'image._tokens':{'order':'asc','unmapped_type':'keyword'}}]");
    return all;
  }

  public void testHiddenDocumentsAreFoundByNoSearch() throws IOException {
    for (String search : searches()) {
      String body = "'size':100," + search;
      assertEquals(body, DOCUMENTS, search(ALL, body).hits().size());
      Answer seen = search(PUBLIC_ONLY, body);
      assertEquals(body, VISIBLE, seen.hits().size());
      assertEquals(body, VISIBLE, seen.<Integer>at("hits", "total", "value").intValue());
      assertTrue(body, seen.ids().stream().allMatch(id -> id.startsWith("doc-")));
      saysNothing(body, seen);
      if (search.contains("'ext'")) {
        Map<String, Object> report =
            seen.<List<Map<String, Object>>>at("ext", "cross_modal", "rescores").get(0);
        assertEquals(body, VISIBLE, report.get("hits"));
      }
    }
  }

  private static void saysNothing(String body, Answer seen) {
    assertThat(body, seen.text(), not(containsString("hidden-")));
    assertThat(body, seen.text(), not(containsString("clandestine")));
    assertThat(body, seen.text(), not(containsString("secret")));
  }

  public void testHiddenDocumentsAreOnNoPage() throws IOException {
    String pit =
        ok(PUBLIC_ONLY, "POST", "/open/_search/point_in_time?keep_alive=1m", null).at("pit_id");
    List<String> pages = new ArrayList<>();
    for (int from = 0; from < DOCUMENTS; from += 4) {
      Answer page =
          ok(
              PUBLIC_ONLY,
              "POST",
              "/_search",
              String.format(
                  Locale.ROOT,
                  "{'from':%d,'size':4,'pit':{'id':'%s'},%s%s,%s}",
                  from,
                  pit,
                  KNN,
                  fusion(""),
                  String.format(Locale.ROOT, EXT, ",'global_window':100")));
      saysNothing("a page", page);
      pages.addAll(page.ids());
    }
    ok(PUBLIC_ONLY, "DELETE", "/_search/point_in_time", "{'pit_id':['" + pit + "']}");
    assertEquals(VISIBLE, pages.stream().distinct().count());
    assertEquals(VISIBLE, pages.size());

    Answer page = ok(PUBLIC_ONLY, "POST", "/open/_search?scroll=1m", "{'size':3," + KNN + "}");
    String scroll = page.at("_scroll_id");
    int scrolled = 0;
    while (!page.hits().isEmpty()) {
      saysNothing("a scroll", page);
      scrolled += page.hits().size();
      page =
          ok(
              PUBLIC_ONLY,
              "POST",
              "/_search/scroll",
              "{'scroll':'1m','scroll_id':'" + scroll + "'}");
    }
    assertEquals(VISIBLE, scrolled);
    ok(PUBLIC_ONLY, "DELETE", "/_search/scroll", "{'scroll_id':['" + scroll + "']}");
  }

  /** One that is hidden answers as one that is not there. */
  public void testAHiddenDocumentIsNoQuery() throws IOException {
    for (String user : List.of(PUBLIC_ONLY, WITHOUT_PICTURES)) {
      for (String where : List.of("", ",'index':'open'", ",'query_field':'image'")) {
        List<String> said = new ArrayList<>();
        for (String id : List.of(user.equals(PUBLIC_ONLY) ? "hidden-1" : "none-1", "none-2")) {
          String side = "'field':'image','query_id':'" + id + "'" + where;
          for (String body :
              List.of(
                  "{'query':{'cross_modal':{" + side + "}}}",
                  "{'query':{'match_all':{}},'rescore':{'fusion':{" + side + "}}}")) {
            Answer answer = send(user, "POST", "/open/_search", body);
            assertEquals(answer.toString(), 400, answer.status());
            said.add(answer.text().replace(id, "ID"));
          }
          Answer explained = send(user, "POST", "/open/_explain/" + id, "{" + KNN + "}");
          said.add(explained.toString().replace(id, "ID"));
          said.add(send(user, "GET", "/open/_doc/" + id, null).toString().replace(id, "ID"));
        }
        assertEquals(said.subList(0, said.size() / 2), said.subList(said.size() / 2, said.size()));
      }
    }
    Answer answer =
        send(
            WITHOUT_PICTURES,
            "POST",
            "/open/_search",
            "{'query':{'cross_modal':{'field':'image','query_id':'doc-0'}}}");
    assertEquals(answer.toString(), 400, answer.status());
    assertThat(answer.text(), containsString("document [doc-0]"));
  }

  /**
   * What docs/operations.md says of it: k hits are found first, and of these the hidden ones are
   * left out; the same filter given to the query has k visible ones found.
   */
  public void testTheFilterOfDocumentLevelSecurityCutsTheNearest() throws IOException {
    String query = "'query':{'cross_modal':{'field':'image','query_image':'%s','k':1%s}}";
    // The last document is hidden, and has this picture.
    Answer cut = search(PUBLIC_ONLY, String.format(Locale.ROOT, query, picture, ""));
    // One of each shard, and that of the hidden document's shard is missing.
    assertTrue(cut.toString(), cut.hits().size() < 2);
    Answer cured =
        search(
            PUBLIC_ONLY,
            String.format(Locale.ROOT, query, picture, ",'filter':{'term':{'level':'public'}}"));
    assertEquals(cured.toString(), 2, cured.hits().size());
    saysNothing("with a filter", cured);
  }

  public void testAHiddenFieldIsNeitherReadNorSearched() throws IOException {
    String tile = TestModels.base64(TestModels.geoTiff(random(), SensorConfig.s1(16), 16));
    List<String> searched =
        List.of(
            KNN,
            "'query':{'cross_modal':{" + WORDS + ",'k':100,'filter':{'term':{'level':'public'}}}}",
            "'query':{'cross_modal':{'field':'tile','k':100,'sensor':'s1','query_image':'"
                + tile
                + "'}}",
            "'query':{'exists':{'field':'image'}}",
            "'query':{'exists':{'field':'tile'}}");
    for (String body : searched) {
      assertFalse(body, search(ALL, "'size':100," + body).hits().isEmpty());
      assertEquals(body, List.of(), search(WITHOUT_PICTURES, "'size':100," + body).hits());
    }
    for (String fields :
        List.of(
            "'docvalue_fields':['image','tile']",
            "'fields':[{'field':'image','format':'base64'},{'field':'tile','format':'array'}]")) {
      String body = "'size':100,'_source':false," + fields;
      for (String field : List.of("image", "tile")) {
        assertThat(body, search(ALL, body).text(), containsString("\"" + field + "\""));
        assertThat(
            body, search(WITHOUT_PICTURES, body).text(), not(containsString("\"" + field + "\"")));
      }
    }
    for (String search : searches()) {
      String body = "'size':100," + search;
      Answer all = search(ALL, body);
      Answer seen = search(WITHOUT_PICTURES, body);
      if (search.contains("match_all")) {
        assertEquals(body, DOCUMENTS, seen.hits().size());
      }
      for (String never : List.of("embedding", "\"tokens\"", "encoded_from", "iVBOR", "\"s1\"")) {
        assertThat(body, seen.text(), not(containsString(never)));
      }
      if (search.contains("'ext'")) {
        assertTrue(body, (int) report(all).get("rescored") > 0);
        if (search.contains("score_zero")) {
          // A score, but the same for all.
          assertEquals(
              body, 1, seen.hits().stream().map(hit -> hit.get("_score")).distinct().count());
        } else {
          assertEquals(body, 0, report(seen).get("rescored"));
        }
        assertThat(body, seen.text(), not(containsString("heat_map\"")));
      }
    }
  }

  private static Map<String, Object> report(Answer answer) {
    return answer.<List<Map<String, Object>>>at("ext", "cross_modal", "rescores").get(0);
  }
}
