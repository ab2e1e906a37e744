/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rights;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.not;

import io.crossmodal.plugin.CrossModalPlugin;
import io.crossmodal.plugin.TestModels;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.Before;
import org.opensearch.plugins.ActionPlugin;

/**
 * The roles of docs/operations.md, each with the actions of its column on indices {@code open*}:
 * what it may do, that it needs all of them, and that it learns nothing where it is refused.
 */
public class ActionRightsIT extends RightsTestCase {
  private static final String MODELS = "/_plugins/_cross_modal/models";
  private static final String ENCODE = MODELS + "/micro/_encode";
  private static final String DOCUMENT = "'field':'image','query_id':'1'";
  private static final String FUSION = "'rescore':{'window_size':5,'fusion':{" + WORDS + "}}";
  private static final String READER = "reader";
  private static final String WRITER = "writer";
  private static final String ENCODER = "encoder";
  private static final String ADMINISTRATOR = "administrator";
  private static final String MONITOR = "monitor";

  /** What the index that nobody may read holds, and what is called like nothing else. */
  private static final List<String> SECRETS =
      List.of("salary", "long", "clandestine", "hidden-model", "0.123", "hr-7");

  private RightsTable table;

  /**
   * A request.
   *
   * @param body null for none
   */
  private record Ask(String method, String path, String body) {}

  private static Ask search(String index, String body) {
    return new Ask("POST", "/" + index + "/_search", "{" + body + "}");
  }

  private static String query(String side) {
    return "'query':{'cross_modal':{" + side + "}}";
  }

  @Before
  public void indexDocumentsAndUsers() throws IOException {
    table = new RightsTable();
    table
        .roles()
        .forEach(
            (role, actions) ->
                guard()
                    .add(
                        role,
                        new SecurityStandIn.User(
                            actions, List.of("open*"), GuardedReader.Rules.NONE)));
    String bundle =
        TestModels.base64(TestModels.zip(TestModels.newHead("hidden-model", 3), createTempDir()));
    ok(null, "PUT", MODELS + "/hidden-model", "{'bundle':'" + bundle + "'}");
    for (String index : List.of("open", "open-too")) {
      ok(
          null,
          "PUT",
          "/" + index,
          "{'settings':{'number_of_shards':2,'number_of_replicas':0},'mappings':{'properties':"
              + "{'image':{'type':'cross_modal'},'caption':{'type':'text'}}}}");
    }
    ok(
        null,
        "PUT",
        "/secret-hr",
        "{'settings':{'number_of_replicas':0},'mappings':{'properties':"
            + "{'image':{'type':'cross_modal','model':'hidden-model'},"
            + "'salary':{'type':'long'}}}}");
    ok(null, "PUT", "/open/_alias/everything", null);
    ok(null, "PUT", "/secret-hr/_alias/everything", null);
    for (int i = 0; i < 6; i++) {
      ok(
          null,
          "PUT",
          "/open/_doc/" + i + "?refresh=true",
          "{'caption':'a pond','image':{'bytes':'" + pictureBytes() + "'}}");
    }
    ok(
        null,
        "PUT",
        "/secret-hr/_doc/hr-7?refresh=true",
        "{'salary':123,'note':'clandestine','image':{'bytes':'" + pictureBytes() + "'}}");
  }

  /** What one request needs; those of a role come in this order. */
  private static List<Map.Entry<String, Ask>> asked() throws IOException {
    List<Map.Entry<String, Ask>> all = new ArrayList<>();
    String picture = pictureBytes();
    for (String side :
        List.of(WORDS, "'field':'image','query_image':'" + picture + "'", DOCUMENT)) {
      all.add(Map.entry(READER, search("open", query(side))));
      all.add(
          Map.entry(READER, search("open", "'rescore':{'fusion':{" + side + "}}," + query(side))));
    }
    all.add(
        Map.entry(
            READER,
            search(
                "open",
                query(WORDS)
                    + ","
                    + FUSION
                    + ",'explain':true,'ext':{'cross_modal':"
                    + "{'global_window':10,'details':true,'heat_map':true}}")));
    all.add(
        Map.entry(
            READER, search("open-too", query(DOCUMENT.replace("'1'", "'1','index':'open'")))));
    all.add(Map.entry(READER, new Ask("POST", "/open/_count", "{" + query(WORDS) + "}")));
    all.add(
        Map.entry(
            READER,
            new Ask("POST", "/open/_msearch", "{}\n{" + query(WORDS) + "," + FUSION + "}\n")));
    all.add(Map.entry(READER, new Ask("POST", "/open/_explain/1", "{" + query(WORDS) + "}")));
    all.add(Map.entry(READER, new Ask("GET", "/open/_mapping", null)));
    all.add(
        Map.entry(
            WRITER, new Ask("PUT", "/open/_doc/new", "{'image':{'bytes':'" + picture + "'}}")));
    all.add(
        Map.entry(WRITER, new Ask("POST", "/open/_update/new", "{'doc':{'caption':'another'}}")));
    all.add(Map.entry(WRITER, new Ask("DELETE", "/open/_doc/new", null)));
    all.add(
        Map.entry(
            WRITER,
            new Ask(
                "POST",
                "/open/_bulk",
                "{'index':{'_id':'new'}}\n{'image':{'bytes':'"
                    + picture
                    + "'}}\n"
                    + "{'delete':{'_id':'new'}}\n")));
    all.add(Map.entry(ENCODER, new Ask("POST", ENCODE, "{'text':['a pond']}")));
    all.add(
        Map.entry(
            ENCODER, new Ask("POST", ENCODE, "{'images':['" + picture + "'],'tokens':true}")));
    String bundle =
        TestModels.base64(TestModels.zip(TestModels.newHead("mine", 4), createTempDir()));
    all.add(
        Map.entry(ADMINISTRATOR, new Ask("PUT", MODELS + "/mine", "{'bundle':'" + bundle + "'}")));
    all.add(Map.entry(ADMINISTRATOR, new Ask("POST", MODELS + "/mine/_load", null)));
    all.add(Map.entry(ADMINISTRATOR, new Ask("POST", MODELS + "/mine/_unload", null)));
    all.add(Map.entry(ADMINISTRATOR, new Ask("DELETE", MODELS + "/mine", null)));
    for (String role : List.of(MONITOR, ADMINISTRATOR)) {
      for (String path : List.of(MODELS, MODELS + "/micro", "/_plugins/_cross_modal/stats")) {
        all.add(Map.entry(role, new Ask("GET", path, null)));
      }
    }
    return all;
  }

  private static Answer send(String user, Ask ask) throws IOException {
    return send(user, ask.method, ask.path, ask.body);
  }

  /** Points in time and scrolls, whose requests hold what came before. */
  private static void pages(String user) throws IOException {
    String pit = ok(user, "POST", "/open/_search/point_in_time?keep_alive=1m", null).at("pit_id");
    Answer found =
        ok(
            user,
            "POST",
            "/_search",
            "{" + query(WORDS) + "," + FUSION + ",'pit':{'id':'" + pit + "'}}");
    assertFalse(found.toString(), found.hits().isEmpty());
    ok(user, "DELETE", "/_search/point_in_time", "{'pit_id':['" + pit + "']}");
    String scroll =
        ok(user, "POST", "/open/_search?scroll=1m", "{'size':1," + query(WORDS) + "}")
            .at("_scroll_id");
    Answer next =
        ok(user, "POST", "/_search/scroll", "{'scroll':'1m','scroll_id':'" + scroll + "'}");
    assertFalse(next.toString(), next.hits().isEmpty());
    ok(user, "DELETE", "/_search/scroll", "{'scroll_id':['" + scroll + "']}");
  }

  public void testEachRoleMayDoWhatTheTableSaysAndNeedsAllOfIt() throws IOException {
    List<Map.Entry<String, Ask>> all = asked();
    Map<Ask, Set<String>> roles = new TreeMap<>((a, b) -> a.toString().compareTo(b.toString()));
    all.forEach(
        one -> roles.computeIfAbsent(one.getValue(), ask -> new TreeSet<>()).add(one.getKey()));
    for (String role : table.roles().keySet()) {
      for (Map.Entry<String, Ask> one : all) {
        Ask ask = one.getValue();
        Answer answer = send(role, ask);
        if (roles.get(ask).contains(role)) {
          assertEquals(role + ": " + ask + ": " + answer, 2, answer.status() / 100);
          assertFalse(answer.text(), answer.text().contains("\"failures\""));
          assertFalse(answer.text(), answer.text().contains("\"errors\":true"));
        } else {
          refused(role, ask, answer, SECRETS);
        }
      }
    }
    pages(READER);
    for (Map.Entry<String, Set<String>> role : table.roles().entrySet()) {
      assertEquals(
          "what the role " + role.getKey() + " asked for is what it needs",
          role.getValue(),
          guard().granted(role.getKey()));
    }
  }

  /**
   * Refused by the filter, or each of several by itself, with nothing that the user did not say.
   */
  private static void refused(String role, Ask ask, Answer answer, List<String> secrets) {
    String told = role + ": " + ask + ": " + answer;
    boolean each = answer.status() == 200 && answer.text().contains("\"status\":403");
    assertTrue(told, answer.status() == 403 || each);
    assertThat(told, answer.text(), not(containsString("\"_id\":\"1\"")));
    for (String secret : secrets) {
      if (!(ask.path + ask.body).contains(secret)) {
        assertThat(told, answer.text(), not(containsString(secret)));
      }
    }
  }

  public void testTheTableNamesTheActionsOfThePlugin() throws IOException {
    Set<String> named = new TreeSet<>(table.scopes().keySet());
    named.removeIf(action -> !action.contains("cross_modal"));
    Set<String> own = new TreeSet<>();
    try (CrossModalPlugin plugin = new CrossModalPlugin()) {
      for (ActionPlugin.ActionHandler<?, ?> handler : plugin.getActions()) {
        own.add(handler.getAction().name());
      }
    }
    assertEquals(own, named);
    table
        .scopes()
        .forEach(
            (action, scope) -> {
              boolean composite = Set.of("bulk", "msearch").contains(last(action));
              boolean scroll = action.contains("/scroll");
              assertEquals(
                  action,
                  action.startsWith("internal:")
                      ? "node"
                      : composite || scroll || action.startsWith("cluster:") ? "cluster" : "index",
                  scope);
            });
  }

  private static String last(String action) {
    return action.substring(action.lastIndexOf('/') + 1);
  }

  /** Whoever may ask the node over HTTP gets the page's three files, which hold nothing. */
  public void testThePageIsForAll() throws IOException {
    for (String role : table.roles().keySet()) {
      ok(role, "GET", "/_plugins/_cross_modal/ui", null);
    }
  }

  /** A reader of open indices, and one that may not read a single index. */
  public void testAnIndexThatOneMayNotReadIsNotThere() throws IOException {
    for (String index : List.of("secret-hr", "no-such-index")) {
      String of = DOCUMENT.replace("'1'", "'hr-7','index':'" + index + "'");
      List<Ask> asks =
          List.of(
              search(index, query(WORDS)),
              search(index, query(WORDS) + "," + FUSION),
              search("open," + index, query(WORDS)),
              search("open", query(of)),
              search("open", query(of + ",'query_field':'salary'")),
              search("open", query(of + ",'query_field':'nothing'")),
              search("open", query(WORDS) + ",'rescore':{'fusion':{" + of + "}}"),
              search(
                  "open",
                  query(WORDS)
                      + ",'rescore':{'fusion':{"
                      + of
                      + "}},'ext':{'cross_modal':{'global_window':20,'heat_map':true}}"),
              new Ask("POST", "/open/_explain/1", "{" + query(of) + "}"),
              new Ask("POST", "/open/_count", "{" + query(of) + "}"),
              new Ask("POST", "/_msearch", "{'index':'" + index + "'}\n{" + query(WORDS) + "}\n"),
              new Ask("POST", "/open/_msearch", "{}\n{" + query(of) + "}\n"),
              new Ask("POST", "/" + index + "/_search/point_in_time?keep_alive=1m", null));
      for (Ask ask : asks) {
        for (String role : table.roles().keySet()) {
          refused(role, ask, send(role, ask), SECRETS);
        }
      }
    }
    // Nothing tells the one that is there from the one that is not.
    for (String field : List.of("image", "salary", "nothing")) {
      List<String> said = new ArrayList<>();
      for (String index : List.of("secret-hr", "no-such-index")) {
        Answer answer =
            send(
                READER,
                search(
                    "open",
                    query(
                        String.format(
                            Locale.ROOT,
                            "'field':'image','query_id':'7','index':'%s','query_field':'%s'",
                            index,
                            field))));
        said.add(answer.toString().replace(index, "INDEX"));
      }
      assertEquals(said.get(0), said.get(1));
    }
  }

  public void testPatternsAndAliasesOverBoth() throws IOException {
    for (String indices : List.of("everything", "_all", "*", "*,-none", "secret*")) {
      Ask ask = search(indices, query(WORDS));
      List<String> others = new ArrayList<>(SECRETS);
      others.add("secret-hr");
      refused(READER, ask, send(READER, ask), others);
    }
  }

  /** The filter inside the query is core's: it looks up terms as the user. */
  public void testATermsLookupInTheFilter() throws IOException {
    Ask ask =
        search(
            "open",
            query(
                WORDS
                    + ",'filter':{'terms':{'caption':"
                    + "{'index':'secret-hr','id':'hr-7','path':'note'}}}"));
    refused(READER, ask, send(READER, ask), SECRETS);
  }

  /** Whoever may not look at models does not learn their names from an error either. */
  public void testModelsThatAreNot() throws IOException {
    for (Ask ask :
        List.of(
            new Ask("GET", MODELS + "/none", null),
            new Ask("GET", MODELS + "/hidden-model", null),
            new Ask("POST", MODELS + "/none/_load", null),
            new Ask("POST", MODELS + "/none/_unload", null),
            new Ask("POST", MODELS + "/none/_encode", "{'text':['a']}"),
            new Ask("DELETE", MODELS + "/none", null))) {
      for (String role : List.of(READER, WRITER)) {
        refused(role, ask, send(role, ask), List.of("hidden-model", "micro"));
      }
    }
    assertEquals(404, send(MONITOR, new Ask("GET", MODELS + "/none", null)).status());
    for (String action : List.of("_load", "_unload")) {
      Ask ask = new Ask("POST", MODELS + "/none/" + action, null);
      assertEquals(404, send(ADMINISTRATOR, ask).status());
    }
  }
}
