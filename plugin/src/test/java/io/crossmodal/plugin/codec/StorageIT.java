/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.ClusterTestCase;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.lucene.util.BytesRef;
import org.opensearch.action.admin.cluster.health.ClusterHealthResponse;
import org.opensearch.action.bulk.BulkRequestBuilder;
import org.opensearch.action.bulk.BulkResponse;
import org.opensearch.cluster.routing.ShardRouting;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentHelper;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.core.xcontent.MediaType;
import org.opensearch.index.IndexService;
import org.opensearch.index.shard.IndexShard;
import org.opensearch.indices.IndicesService;
import org.opensearch.indices.recovery.RecoveryState;
import org.opensearch.search.SearchHit;
import org.opensearch.snapshots.SnapshotState;
import org.opensearch.test.InternalTestCluster;
import org.opensearch.test.OpenSearchIntegTestCase;

/**
 * Copies of shards: made from files, from operations that come out of Lucene, and from snapshots.
 * After each test the framework compares the operations in Lucene with those in the translogs.
 */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 2,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class StorageIT extends ClusterTestCase {
  private static final String FIELDS =
      "\"image\":{\"type\":\"cross_modal\"},\"label\":{\"type\":\"keyword\"}";

  private final Map<String, Object> expected = new TreeMap<>();

  private void create(String mapping) {
    prepareCreate("pictures")
        .setSettings(
            Settings.builder()
                .put("number_of_shards", 1)
                .put("number_of_replicas", 1)
                .put("refresh_interval", -1)
                // The framework's own would be Lucene's bare one.
                .put("index.codec", randomFrom("default", "best_compression"))
                // A node that comes back is to get operations, not files.
                .put("index.unassigned.node_left.delayed_timeout", "1h"))
        .setMapping(mapping)
        .get();
    ensureGreen("pictures");
  }

  private void index(int from, int to) {
    BulkRequestBuilder bulk = client().prepareBulk();
    for (int i = from; i < to; i++) {
      bulk.add(
          client()
              .prepareIndex("pictures")
              .setId(Integer.toString(i))
              .setSource(
                  i % 5 == 0
                      ? Map.of("label", "none")
                      : Map.of("label", "a", "image", StoredDocuments.image(random(), i % 2 == 0)),
                  randomFrom(XContentType.values())));
    }
    BulkResponse response = bulk.get();
    assertFalse(response.buildFailureMessage(), response.hasFailures());
    for (int i = from; i < to; i++) {
      String id = Integer.toString(i);
      expected.put(
          id,
          StoredDocuments.normal(
              client().prepareGet("pictures", id).setFetchSource(true).get().getSourceAsMap()));
    }
  }

  private static Map<String, Object> sources(String index, String preference) {
    Map<String, Object> sources = new TreeMap<>();
    for (SearchHit hit :
        client()
            .prepareSearch(index)
            .setFetchSource(true)
            .setPreference(preference)
            .setSize(1000)
            .get()
            .getHits()) {
      sources.put(hit.getId(), StoredDocuments.normal(hit.getSourceAsMap()));
    }
    return sources;
  }

  private void assertCopies(String index) {
    refresh(index);
    for (String preference : List.of("_primary", "_replica")) {
      assertEquals(preference, expected, sources(index, preference));
    }
  }

  /** No copy has an embedding or tokens in a stored source. */
  private static void assertThin(String index) throws IOException {
    int values = 0;
    for (IndicesService indices : internalCluster().getInstances(IndicesService.class)) {
      for (IndexService service : indices) {
        for (IndexShard shard : service) {
          if (shard.shardId().getIndexName().equals(index)) {
            for (BytesRef source : StoredDocuments.onDisk(shard, "_source")) {
              Object image =
                  XContentHelper.convertToMap(new BytesArray(source), true, (MediaType) null)
                      .v2()
                      .get("image");
              if (image instanceof Map<?, ?> map) {
                // Of either form: true for numbers, false for bytes.
                assertTrue("" + map, map.get("embedding") instanceof Boolean);
                assertTrue("" + map, map.get("tokens") instanceof Boolean);
                values++;
              }
            }
          }
        }
      }
    }
    assertTrue("the test stored something", values > 0);
  }

  private static String nodeOf(String index, boolean primary) {
    for (ShardRouting shard :
        client()
            .admin()
            .cluster()
            .prepareState()
            .get()
            .getState()
            .routingTable()
            .allShards(index)) {
      if (shard.primary() == primary) {
        return client()
            .admin()
            .cluster()
            .prepareState()
            .get()
            .getState()
            .nodes()
            .get(shard.currentNodeId())
            .getName();
      }
    }
    throw new AssertionError("no such copy");
  }

  /** A replica that was away gets what it missed as operations, whose sources Lucene gives back. */
  public void testAReplicaCatchesUpFromOperationsInLucene() throws Exception {
    boolean excluded = randomBoolean();
    create(
        (excluded ? "{\"_source\":{\"excludes\":[\"image.tokens\"]}," : "{")
            + "\"properties\":{"
            + FIELDS
            + "}}");
    index(0, 10);
    flush("pictures");
    long[] encoded = {total(Counter.ENCODED_IMAGES)};
    String replica = nodeOf("pictures", false);
    internalCluster()
        .restartNode(
            replica,
            new InternalTestCluster.RestartCallback() {
              @Override
              public Settings onNodeStopped(String nodeName) throws Exception {
                encoded[0] = total(Counter.ENCODED_IMAGES);
                index(10, 20);
                encoded[0] = total(Counter.ENCODED_IMAGES) - encoded[0];
                client().prepareUpdate("pictures", "1").setDoc("label", "changed").get();
                client().prepareDelete("pictures", "2").get();
                if (randomBoolean()) {
                  flush("pictures");
                }
                return super.onNodeStopped(nodeName);
              }
            });
    ensureGreen("pictures");
    assertEquals("the new pictures alone", 4, encoded[0]);
    List<RecoveryState> recoveries =
        client()
            .admin()
            .indices()
            .prepareRecoveries("pictures")
            .get()
            .shardRecoveryStates()
            .get("pictures");
    assertTrue(
        "recovered from operations: " + recoveries,
        recoveries.stream().anyMatch(state -> state.getTranslog().recoveredOperations() >= 12));
    expected.remove("2");
    expected.put(
        "1",
        StoredDocuments.normal(
            client().prepareGet("pictures", "1").setFetchSource(true).get().getSourceAsMap()));
    if (excluded) {
      refresh("pictures");
      Map<String, Object> primary = sources("pictures", "_primary");
      assertEquals(primary, sources("pictures", "_replica"));
      assertEquals(expected.keySet(), primary.keySet());
    } else {
      assertCopies("pictures");
      assertThin("pictures");
    }
  }

  /** A new copy gets segments, and goes on as primary when it is alone. */
  public void testANewCopyGetsFilesAndTakesOver() throws Exception {
    create("{\"properties\":{" + FIELDS + "}}");
    index(0, 15);
    flush("pictures");
    index(15, 20);
    long encoded = total(Counter.ENCODED_IMAGES);
    internalCluster().startDataOnlyNode();
    client()
        .admin()
        .indices()
        .prepareUpdateSettings("pictures")
        .setSettings(Settings.builder().put("index.number_of_replicas", 2))
        .get();
    ensureGreen("pictures");
    assertCopies("pictures");
    assertThin("pictures");
    assertEquals(encoded, total(Counter.ENCODED_IMAGES));
    internalCluster().stopRandomNode(InternalTestCluster.nameFilter(nodeOf("pictures", true)));
    ClusterHealthResponse health =
        client().admin().cluster().prepareHealth("pictures").setWaitForYellowStatus().get();
    assertFalse(health.isTimedOut());
    client().prepareUpdate("pictures", "1").setDoc("label", "changed").get();
    expected.put(
        "1",
        StoredDocuments.normal(
            client().prepareGet("pictures", "1").setFetchSource(true).get().getSourceAsMap()));
    assertCopies("pictures");
    assertThin("pictures");
  }

  public void testASnapshotBringsEverythingBack() throws Exception {
    create("{\"properties\":{" + FIELDS + "}}");
    index(0, 20);
    if (randomBoolean()) {
      forceMerge();
    }
    long encoded = total(Counter.ENCODED_IMAGES);
    client()
        .admin()
        .cluster()
        .preparePutRepository("backup")
        .setType("fs")
        .setSettings(Settings.builder().put("location", randomRepoPath()))
        .get();
    assertEquals(
        SnapshotState.SUCCESS,
        client()
            .admin()
            .cluster()
            .prepareCreateSnapshot("backup", "one")
            .setWaitForCompletion(true)
            .setIndices("pictures")
            .get()
            .getSnapshotInfo()
            .state());
    client().admin().indices().prepareDelete("pictures").get();
    client()
        .admin()
        .cluster()
        .prepareRestoreSnapshot("backup", "one")
        .setWaitForCompletion(true)
        .get();
    ensureGreen("pictures");
    assertCopies("pictures");
    client().prepareUpdate("pictures", "3").setDoc("label", "restored").get();
    List<String> ids = new ArrayList<>(expected.keySet());
    assertEquals(20, ids.size());
    expected.put(
        "3",
        StoredDocuments.normal(
            client().prepareGet("pictures", "3").setFetchSource(true).get().getSourceAsMap()));
    assertCopies("pictures");
    assertThin("pictures");
    assertEquals(encoded, total(Counter.ENCODED_IMAGES));
  }
}
