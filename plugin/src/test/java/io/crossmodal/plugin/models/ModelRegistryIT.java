/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.not;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.action.LoadModelAction;
import io.crossmodal.plugin.inference.node.NodeInference;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.opensearch.ExceptionsHelper;
import org.opensearch.cluster.ClusterName;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.coordination.OpenSearchNodeCommand;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.common.action.ActionFuture;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.env.NodeEnvironment;
import org.opensearch.gateway.PersistedClusterStateService;
import org.opensearch.test.InternalTestCluster;
import org.opensearch.test.OpenSearchIntegTestCase;
import org.opensearch.transport.client.Client;

/** Models on three nodes: replicated, judged by one cluster manager, there after a restart. */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 3,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class ModelRegistryIT extends ClusterTestCase {
  private static final String PATH = "/_plugins/_cross_modal/models/";

  @Override
  protected Settings nodeSettings(int nodeOrdinal) {
    return Settings.builder()
        .put(super.nodeSettings(nodeOrdinal))
        .put(CrossModalSettings.MODEL_CHUNK_SIZE.getKey(), "4kb")
        .put(CrossModalSettings.ALLOW_FOREIGN_CODE.getKey(), true)
        .build();
  }

  private static byte[] zip(ModelBundle bundle) {
    return TestModels.zip(bundle, createTempDir());
  }

  private static UploadModelResponse upload(Client client, String id, byte[] bytes)
      throws IOException {
    return client
        .execute(
            UploadModelAction.INSTANCE,
            ModelUploadTests.request(XContentType.SMILE, id, bytes, null, 0, 1))
        .actionGet();
  }

  private static void assertEveryNodeHas(String id, String sha256) {
    for (ModelRegistry registry : internalCluster().getInstances(ModelRegistry.class)) {
      ModelVersion version = registry.catalog().version(id);
      assertEquals(sha256, version.sha256());
      assertEquals(id, version.bundle().join().manifest().id());
    }
  }

  public void testTwoNodesRegisterAtOnce() throws Exception {
    byte[] micro = zip(TestModels.micro());
    byte[] foreign = zip(TestModels.foreign());
    CyclicBarrier together = new CyclicBarrier(2);
    ExecutorService callers = Executors.newFixedThreadPool(2);
    List<String> outcomes = new ArrayList<>();
    try {
      List<Future<UploadModelResponse>> uploads = new ArrayList<>();
      String[] nodes = internalCluster().getNodeNames();
      for (int i = 0; i < 2; i++) {
        byte[] bytes = i == 0 ? micro : foreign;
        Client client = internalCluster().client(nodes[i]);
        uploads.add(
            callers.submit(
                () -> {
                  together.await();
                  return upload(client, "clash", bytes);
                }));
      }
      for (Future<UploadModelResponse> upload : uploads) {
        try {
          outcomes.add("version " + upload.get().version());
        } catch (ExecutionException e) {
          Throwable cause = ExceptionsHelper.unwrapCause(e.getCause());
          assertEquals(e.toString(), RestStatus.CONFLICT, ExceptionsHelper.status(cause));
          assertThat(cause.getMessage(), containsString("choose another id"));
          outcomes.add("conflict");
        }
      }
    } finally {
      callers.shutdownNow();
    }
    outcomes.sort(null);
    assertEquals(List.of("conflict", "version 1"), outcomes);
    String first =
        internalCluster().getInstance(ModelRegistry.class).catalog().version("clash").sha256();
    assertEveryNodeHas("clash", first);
  }

  public void testModelsAndMappingsSurviveAFullRestart() throws Exception {
    UploadModelResponse uploaded = upload(client(), "mine", zip(TestModels.newHead("any", 7)));
    assertEquals(1, uploaded.version());
    prepareCreate("pictures")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}")
        .get();
    ensureGreen("pictures", ModelIndex.NAME);
    String sha256 =
        internalCluster().getInstance(ModelRegistry.class).catalog().version("mine").sha256();
    internalCluster().fullRestart();
    ensureGreen("pictures", ModelIndex.NAME);
    assertEveryNodeHas("mine", sha256);
    client()
        .prepareIndex("pictures")
        .setId("1")
        .setSource("{\"image\":{\"embedding\":[1,0,0,0,0,0,0,0]}}", XContentType.JSON)
        .get();
  }

  /** A node that starts without the plugin drops what it does not know of its cluster state. */
  public void testModelsComeBackAfterAStartWithoutThePlugin() throws Exception {
    upload(client(), "mine", zip(TestModels.newHead("any", 7)));
    upload(client(), "mine", zip(TestModels.newHead("any", 8)));
    upload(client(), "other", zip(TestModels.foreign()));
    upload(client(), "gone", zip(TestModels.foreign()));
    prepareCreate("pictures")
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}")
        .get();
    client().execute(DeleteModelAction.INSTANCE, new DeleteModelAction.Request("gone")).actionGet();
    ensureGreen("pictures", ModelIndex.NAME);
    ModelsMetadata before = ModelsMetadata.of(internalCluster().clusterService().state());
    assertEquals(Set.of("mine", "other"), before.ids());
    ModelRegistry manager =
        internalCluster().getCurrentClusterManagerNodeInstance(ModelRegistry.class);
    assertBusy(() -> assertEquals(2, manager.records().lost(ModelsMetadata.EMPTY).size()));
    Map<String, Path[]> folders = new HashMap<>();
    for (String node : internalCluster().getNodeNames()) {
      folders.put(node, internalCluster().getInstance(NodeEnvironment.class, node).nodeDataPaths());
    }
    internalCluster()
        .fullRestart(
            new InternalTestCluster.RestartCallback() {
              @Override
              public Settings onNodeStopped(String node) throws Exception {
                forgetModels(folders.get(node));
                return super.onNodeStopped(node);
              }
            });
    ensureGreen("pictures", ModelIndex.NAME);
    assertBusy(
        () -> assertEquals(before, ModelsMetadata.of(internalCluster().clusterService().state())));
    for (StoredModel model : before.models().values()) {
      assertBusy(() -> assertEveryNodeHas(model.id(), model.sha256()));
    }
    client()
        .prepareIndex("pictures")
        .setSource(
            "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}",
            XContentType.JSON)
        .get();
  }

  /** What a start without the plugin leaves of the section: nothing. */
  private static void forgetModels(Path[] folders) throws IOException {
    PersistedClusterStateService stored =
        OpenSearchNodeCommand.createPersistedClusterStateService(Settings.EMPTY, folders);
    PersistedClusterStateService.OnDiskState state = stored.loadBestOnDiskState();
    assertNotNull(state.metadata.custom(ModelsMetadata.TYPE));
    try (PersistedClusterStateService.Writer writer = stored.createWriter()) {
      writer.writeFullStateAndCommit(
          state.currentTerm,
          ClusterState.builder(ClusterName.DEFAULT)
              .version(state.lastAcceptedVersion)
              .metadata(Metadata.builder(state.metadata).removeCustom(ModelsMetadata.TYPE))
              .build());
    }
  }

  public void testANodeGoesAwayWithItsCopy() throws Exception {
    upload(client(), "mine", zip(TestModels.newHead("any", 7)));
    ensureGreen(ModelIndex.NAME);
    internalCluster().stopRandomDataNode();
    // Of two copies one is left, whichever node went; the other takes its time to be made again.
    ensureYellow(ModelIndex.NAME);
    String sha256 =
        internalCluster().getInstance(ModelRegistry.class).catalog().version("mine").sha256();
    assertEveryNodeHas("mine", sha256);
    internalCluster().startNode();
    assertEveryNodeHas("mine", sha256);
  }

  public void testSearchesGoOnWhileTheirModelIsUnloadedOrDeleted() throws Exception {
    upload(client(), "mine", zip(TestModels.newHead("any", 7)));
    prepareCreate("pictures")
        .setSettings(Settings.builder().put("number_of_shards", 3).put("number_of_replicas", 0))
        .setMapping("{\"properties\":{\"image\":{\"type\":\"cross_modal\",\"model\":\"mine\"}}}")
        .get();
    for (int i = 0; i < 12; i++) {
      client()
          .prepareIndex("pictures")
          .setSource(
              "{\"image\":{\"bytes\":\"" + TestModels.base64(TestModels.png(random(), 20)) + "\"}}",
              XContentType.JSON)
          .get();
    }
    refresh("pictures");
    AtomicBoolean stop = new AtomicBoolean();
    List<String> answers = Collections.synchronizedList(new ArrayList<>());
    ExecutorService callers = Executors.newFixedThreadPool(3);
    try {
      List<Future<?>> running = new ArrayList<>();
      for (int caller = 0; caller < 3; caller++) {
        int first = caller;
        running.add(
            callers.submit(
                () -> {
                  for (int i = first; !stop.get(); i++) {
                    answers.add(search("word" + (char) ('a' + i % 20)));
                  }
                  return null;
                }));
      }
      assertBusy(() -> assertTrue("searches before", answers.size() > 3));
      for (int i = 0; i < 3; i++) {
        assertStatus(409, "is used by the indices", "DELETE", "mine", null);
        model("POST", "mine/_unload", null);
        model("POST", "mine/_load", null);
        int before = answers.size();
        assertBusy(() -> assertTrue("searches in between", answers.size() > before));
      }
      assertEquals("all were answered", List.of("200"), List.copyOf(new TreeSet<>(answers)));
      client().admin().indices().prepareDelete("pictures").get();
      assertThat(model("DELETE", "mine", null), containsString("\"acknowledged\":true"));
      int before = answers.size();
      assertBusy(() -> assertTrue("searches after", answers.size() > before + 3));
      stop.set(true);
      for (Future<?> caller : running) {
        caller.get();
      }
    } finally {
      stop.set(true);
      callers.shutdownNow();
    }
    // Shards that vanish under a search are core's; 404 is said of an index that is gone.
    assertThat(new TreeSet<>(answers).toString(), not(containsString("500")));
    for (NodeInference service : internalCluster().getInstances(NodeInference.class)) {
      assertBusy(() -> assertEquals(0, service.queued()));
      assertFalse(service.catalog().has("mine"));
    }
  }

  /** The status of the answer, or that of its first failed shard. */
  private static String search(String words) throws IOException {
    String side = "{'field':'image','query_text':'" + words + "'}";
    Answer answer =
        send(
            "POST",
            "/pictures/_search",
            "{'query':{'cross_modal':" + side + "},'rescore':{'fusion':" + side + "}}");
    Matcher failure = Pattern.compile("\"status\":(\\d+)").matcher(answer.text());
    return answer.status() == 200 && failure.find()
        ? failure.group(1)
        : Integer.toString(answer.status());
  }

  public void testANodeThatIsKilledWhileItLoadsAModel() throws Exception {
    upload(client(), "mine", zip(TestModels.newHead("any", 7)));
    ensureGreen(ModelIndex.NAME);
    String victim = internalCluster().startNode();
    String sha256 =
        internalCluster().getInstance(ModelRegistry.class).catalog().version("mine").sha256();
    ActionFuture<?> load =
        client()
            .execute(
                LoadModelAction.INSTANCE, new LoadModelAction.Request("mine", true, null, victim));
    if (randomBoolean()) {
      // Otherwise in the middle of the fetch, or before.
      assertBusy(
          () ->
              assertNotEquals(
                  ModelStatus.State.NOT_LOADED,
                  internalCluster()
                      .getInstance(LoadedModels.class, victim)
                      .status("mine")
                      .state()));
    }
    internalCluster()
        .restartNode(
            victim,
            new InternalTestCluster.RestartCallback() {
              @Override
              public Settings onNodeStopped(String node) throws Exception {
                // Whoever asked is told of the node, not left waiting.
                assertNotNull(load.actionGet(TimeValue.timeValueMinutes(1)));
                return super.onNodeStopped(node);
              }
            });
    assertEveryNodeHas("mine", sha256);
    internalCluster()
        .getInstance(LoadedModels.class, victim)
        .load("mine", null)
        .get(60, TimeUnit.SECONDS);
  }

  public void testOverHttp() throws Exception {
    byte[] zip = zip(TestModels.newHead("any", 7));
    String whole = "{\"bundle\":\"" + TestModels.base64(zip) + "\"}";
    assertThat(model("PUT", "mine", whole), containsString("\"version\":1,\"created\":true"));
    assertThat(model("PUT", "mine", whole), containsString("\"created\":false"));

    byte[][] parts = {Arrays.copyOf(zip, 1000), Arrays.copyOfRange(zip, 1000, zip.length)};
    Answer waits =
        send(
            "PUT",
            path("parts?part=0&parts=2"),
            "{\"bundle\":\"" + TestModels.base64(parts[0]) + "\"}");
    assertEquals(202, waits.status());
    assertThat(waits.text(), containsString("\"missing_parts\":[1]"));
    Answer complete =
        send(
            "PUT",
            path("parts?part=1&parts=2"),
            "{\"bundle\":\"" + TestModels.base64(parts[1]) + "\"}");
    assertEquals(200, complete.status());

    String listed = model("GET", "", null);
    for (String id : List.of("micro", "mine", "parts")) {
      assertThat(listed, containsString("\"id\":\"" + id + "\""));
    }
    assertThat(model("GET", "mine", null), containsString("\"version\":1,\"sha256\":"));

    String loaded = model("POST", "mine/_load", "{\"precision\":\"fp32\"}");
    assertEquals(loaded, 4, loaded.split("\"state\":\"loaded\"", -1).length);
    assertThat(loaded, containsString("\"device\":\"cpu"));
    assertThat(loaded, containsString("\"memory_in_bytes\":"));
    String unloaded = model("POST", "mine/_unload", null);
    assertEquals(unloaded, 4, unloaded.split("\"state\":\"not_loaded\"", -1).length);
    String one = internalCluster().getNodeNames()[0];
    assertThat(
        model("POST", "mine/_load?node_id=" + one, null),
        containsString("\"name\":\"" + one + "\",\"state\":\"loaded\""));
    String reduced = model("POST", "mine/_load", "{\"precision\":\"bf16\"}");
    assertEquals(reduced, 4, reduced.split("\"precision\":\"bf16\"", -1).length);
    String measured = model("POST", "mine/_load?node_id=" + one, "{\"precision\":\"auto\"}");
    assertThat(measured, containsString("\"precisions\":{\"fp32\":{\"micros\":"));

    String foreign = "{\"bundle\":\"" + TestModels.base64(TestModels.withForeignCode(zip)) + "\"}";
    assertThat(model("PUT", "trusted", foreign), containsString("\"created\":true"));
    String trusted = model("POST", "trusted/_load?node_id=" + one, "{\"precision\":\"bf16\"}");
    assertThat(trusted, containsString("\"state\":\"loaded\""));
    assertThat(trusted, containsString("\"precision\":\"bf16\""));
    assertStatus(400, "[precision] must be one of", "POST", "mine/_load", "{\"precision\":\"x\"}");
    assertStatus(400, "unknown field [device]", "POST", "mine/_load", "{\"device\":\"cpu\"}");
    assertStatus(404, "unknown model [bad]", "POST", "bad/_load", null);
    assertStatus(404, "unknown model [bad]", "POST", "bad/_unload", null);
    for (String action : List.of("_load", "_unload")) {
      String none = "mine/" + action + "?node_id=nope";
      assertStatus(404, "no node of the cluster is [nope]", "POST", none, null);
    }
    assertStatus(400, "no base64", "PUT", "bad", "{\"bundle\":\"%%\"}");
    assertStatus(400, "ends early", "PUT", "bad", "{\"bundle\":\"AAAA");
    assertStatus(400, "no zip", "PUT", "bad", "{\"bundle\":\"AAAA\"}");
    assertStatus(400, "go together", "PUT", "bad?part=1", "{\"bundle\":\"AAAA\"}");
    assertStatus(400, "[part]", "PUT", "bad?part=x&parts=2", "{\"bundle\":\"AAAA\"}");
    assertStatus(400, "id must match", "PUT", "Bad", "{\"bundle\":\"AAAA\"}");
    assertStatus(409, "comes with the plugin", "PUT", "micro", whole);
    assertStatus(409, "comes with the plugin", "DELETE", "micro", null);
    assertStatus(404, "unknown model [bad]", "DELETE", "bad", null);
    assertStatus(404, "unknown model [bad]", "GET", "bad", null);
    assertStatus(
        409,
        "choose another id",
        "PUT",
        "mine",
        "{\"bundle\":\"" + TestModels.base64(zip(TestModels.foreign())) + "\"}");
    assertThat(model("DELETE", "mine", null), containsString("\"acknowledged\":true"));
    assertStatus(404, "unknown model [mine]", "GET", "mine", null);
  }

  private static String path(String path) {
    return path.isEmpty() ? PATH.substring(0, PATH.length() - 1) : PATH + path;
  }

  private static String model(String method, String path, String json) throws IOException {
    return ok(method, path(path), json).text();
  }

  private static void assertStatus(
      int status, String message, String method, String path, String json) throws IOException {
    Answer answer = send(method, path(path), json);
    assertEquals(answer.text(), status, answer.status());
    assertThat(
        answer.text().toLowerCase(Locale.ROOT), containsString(message.toLowerCase(Locale.ROOT)));
  }
}
