/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.codec;

import static org.opensearch.test.hamcrest.OpenSearchAssertions.assertNoFailures;

import io.crossmodal.plugin.ClusterTestCase;
import io.crossmodal.plugin.action.QuerySource;
import io.crossmodal.plugin.query.CrossModalQueryBuilder;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.lucene.index.CheckIndex;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FilterDirectory;
import org.apache.lucene.store.Lock;
import org.apache.lucene.store.NoLockFactory;
import org.opensearch.action.DocWriteResponse;
import org.opensearch.action.search.SearchResponse;
import org.opensearch.common.settings.Settings;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesArray;
import org.opensearch.index.IndexService;
import org.opensearch.index.query.QueryBuilders;
import org.opensearch.index.shard.IndexShard;
import org.opensearch.indices.IndicesService;
import org.opensearch.search.SearchHit;
import org.opensearch.test.OpenSearchIntegTestCase;

/**
 * Anything that indices are put through, in any order: at its end all copies hold what was written
 * last, as it was before it reached a segment, and Lucene's own check finds each segment sound. The
 * framework prints its seed.
 */
@OpenSearchIntegTestCase.ClusterScope(
    scope = OpenSearchIntegTestCase.Scope.TEST,
    numDataNodes = 2,
    numClientNodes = 0,
    supportsDedicatedMasters = false)
public class RandomIndexingIT extends ClusterTestCase {
  private static final String INDEX = "archive";
  private static final int IDS = 25;

  /** What each document's source is, from the translog or, after a refresh, as it was then. */
  private final Map<String, Object> expected = new TreeMap<>();

  private boolean filtered;

  public void testCopiesReplicatedByDocument() throws Exception {
    drive("DOCUMENT");
  }

  public void testCopiesReplicatedBySegment() throws Exception {
    drive("SEGMENT");
  }

  private void create(String replication) {
    Settings.Builder settings =
        Settings.builder()
            .put("number_of_shards", randomIntBetween(1, 2))
            .put("number_of_replicas", 1)
            .put("refresh_interval", -1)
            .put("index.replication.type", replication)
            // The framework's own would be Lucene's bare one.
            .put("index.codec", randomFrom("default", "best_compression"))
            .put("index.merge.policy.segments_per_tier", 2 + random().nextInt(4))
            .put("index.merge.policy.max_merge_at_once", 2 + random().nextInt(4))
            .put("index.soft_deletes.retention_lease.period", randomFrom("1ms", "12h"));
    if (randomBoolean()) {
      settings
          .putList("index.sort.field", "label", "number")
          .putList("index.sort.order", "desc", "asc");
    }
    String graph = "";
    if (randomBoolean()) {
      settings.put("index.cross_modal", true);
      graph =
          ",\"m\":8,\"vector_encoding\":\"" + randomFrom("float32", "int8", "int4", "bit1") + "\"";
    }
    // Derived sources of others lost these: a filtered one, and what only recoveries read.
    filtered = randomBoolean();
    String excludes =
        filtered ? "\"_source\":{\"excludes\":[\"image.embedding\",\"site.*\"]}," : "";
    prepareCreate(INDEX)
        .setSettings(settings)
        .setMapping(
            "{"
                + excludes
                + "\"properties\":{\"image\":{\"type\":\"cross_modal\""
                + graph
                + "},\"label\":{\"type\":\"keyword\"},\"number\":{\"type\":\"double\"},"
                + "\"site\":{\"properties\":{\"view\":{\"type\":\"cross_modal\",\"tokens\":\"fp16\"}}},"
                + "\"free\":{\"type\":\"object\",\"enabled\":false},"
                + "\"caption\":{\"type\":\"cross_modal\",\"modality\":\"text\",\"tokens\":\"none\"},"
                + "\"picture\":{\"type\":\"alias\",\"path\":\"image\"}}}")
        .get();
    ensureGreen(INDEX);
  }

  private void drive(String replication) throws Exception {
    create(replication);
    int steps = scaledRandomIntBetween(80, 200);
    for (int step = 0; step < steps; step++) {
      String id = Integer.toString(random().nextInt(IDS));
      switch (random().nextInt(12)) {
        case 0, 1, 2, 3, 4, 5 -> index(id);
        case 6 -> delete(id);
        case 7 -> update(id);
        case 8 -> hostile();
        case 9 -> refresh(INDEX);
        case 10 -> flush(INDEX);
        default ->
            client()
                .admin()
                .indices()
                .prepareForceMerge(INDEX)
                .setMaxNumSegments(1 + random().nextInt(3))
                .setOnlyExpungeDeletes(false)
                .get();
      }
    }
    if (expected.isEmpty()) {
      index("0");
    }
    assertCopies();
    client().admin().indices().prepareForceMerge(INDEX).setMaxNumSegments(1).get();
    assertCopies();
    checkIndex();
  }

  private void index(String id) {
    Map<String, Object> source = new LinkedHashMap<>();
    source.put("label", "l" + random().nextInt(5));
    source.put("number", randomBoolean() ? (Object) 1.5e30 : (Object) (double) randomInt());
    if (randomBoolean()) {
      // Under the same names, where nobody looks.
      source.put(
          "free",
          Map.of(
              "image",
              Map.of("embedding", true, "tokens", "AAAA"),
              "_cross_modal_kept",
              "image.embedding"));
    }
    if (!rarely()) {
      source.put("image", StoredDocuments.image(random(), randomBoolean()));
    }
    if (randomBoolean()) {
      Map<String, Object> view = StoredDocuments.image(random(), randomBoolean());
      source.put(randomBoolean() ? "site.view" : "site", view);
      if (source.containsKey("site")) {
        source.put("site", randomBoolean() ? Map.of("view", view) : List.of(Map.of("view", view)));
      }
    }
    if (randomBoolean()) {
      source.put("caption", randomBoolean() ? "a pond" : Map.of("text", "a road"));
    }
    client()
        .prepareIndex(INDEX)
        .setId(id)
        .setSource(source, randomFrom(XContentType.values()))
        .get();
    remember(id);
  }

  private void update(String id) {
    if (filtered || !expected.containsKey(id)) {
      // What was left out of a source cannot be there after an update.
      return;
    }
    Map<String, Object> change =
        randomBoolean()
            ? Map.of("label", "updated")
            : Map.of("image", Map.of("bytes", pictureBytes()), "label", "pictured");
    client().prepareUpdate(INDEX, id).setDoc(change).get();
    remember(id);
  }

  private static String pictureBytes() {
    return (String) StoredDocuments.image(random(), false).get("bytes");
  }

  private void delete(String id) {
    DocWriteResponse response = client().prepareDelete(INDEX, id).get();
    assertEquals(
        expected.remove(id) != null, response.getResult() == DocWriteResponse.Result.DELETED);
  }

  /** Each is refused, and changes nothing. */
  private void hostile() {
    String source =
        randomFrom(
            "{\"_cross_modal_kept\":\"label.embedding\",\"label\":\"a\"}",
            "{\"_cross_modal_kept\":[\"nodot\"]}",
            "{\"image\":{\"embedding\":true,\"tokens\":true}}",
            "{\"image\":{\"bytes\":\"AAAA\"}}",
            "{\"image\":[{\"embedding\":[1]}]}",
            "{\"image\":{\"embedding\":[1e39]}}",
            "{\"image._tokens\":\"AAAA\"}",
            "{\"site\":{\"view\":{\"tokens\":\"AAAA\"}}}",
            "{\"picture\":{\"bytes\":\"AAAA\"}}");
    String id = Integer.toString(random().nextInt(IDS));
    expectThrows(
        Exception.class,
        () ->
            client()
                .prepareIndex(INDEX)
                .setId(id)
                .setSource(new BytesArray(source), XContentType.JSON)
                .get());
  }

  /** From the translog before a refresh, where no codec had to do with it. */
  private void remember(String id) {
    expected.put(
        id,
        StoredDocuments.normal(
            client().prepareGet(INDEX, id).setFetchSource(true).get().getSourceAsMap()));
  }

  private void assertCopies() throws Exception {
    refresh(INDEX);
    assertBusy(
        () -> {
          for (String copy : List.of("_primary", "_replica")) {
            SearchResponse all =
                client()
                    .prepareSearch(INDEX)
                    .setFetchSource(true)
                    .setPreference(copy)
                    .setSize(1000)
                    .get();
            assertNoFailures(all);
            Map<String, Object> sources = new TreeMap<>();
            for (SearchHit hit : all.getHits()) {
              sources.put(hit.getId(), StoredDocuments.normal(hit.getSourceAsMap()));
            }
            assertEquals(copy, expected, sources);
            long pictures =
                client()
                    .prepareSearch(INDEX)
                    .setPreference(copy)
                    .setQuery(QueryBuilders.existsQuery("image"))
                    .setSize(0)
                    .get()
                    .getHits()
                    .getTotalHits()
                    .value();
            SearchResponse nearest =
                client()
                    .prepareSearch(INDEX)
                    .setPreference(copy)
                    .setQuery(
                        new CrossModalQueryBuilder(
                            "picture", new QuerySource.Text("a pond"), 1000, null))
                    .setSize(1000)
                    .get();
            assertNoFailures(nearest);
            assertEquals(copy, pictures, nearest.getHits().getHits().length);
          }
        });
  }

  private void checkIndex() throws IOException {
    flush(INDEX);
    // So that nobody writes: the lock that says so is held by the engines, closed ones too.
    client().admin().indices().prepareClose(INDEX).get();
    ensureGreen(INDEX);
    int shards = 0;
    for (IndicesService indices : internalCluster().getDataNodeInstances(IndicesService.class)) {
      for (IndexService service : indices) {
        for (IndexShard shard : service) {
          shards++;
          shard.store().incRef();
          Directory files =
              new FilterDirectory(shard.store().directory()) {
                @Override
                public Lock obtainLock(String name) throws IOException {
                  return NoLockFactory.INSTANCE.obtainLock(this, name);
                }
              };
          try (CheckIndex check = new CheckIndex(files)) {
            check.setLevel(CheckIndex.Level.MIN_LEVEL_FOR_SLOW_CHECKS);
            CheckIndex.Status status = check.checkIndex();
            assertTrue(shard.shardId().toString(), status.clean);
            for (CheckIndex.Status.SegmentInfoStatus segment : status.segmentInfos) {
              assertEquals(CrossModalCodec.NAME, segment.codec.getName());
            }
          } finally {
            shard.store().decRef();
          }
        }
      }
    }
    assertTrue("two copies", shards >= 2);
  }
}
