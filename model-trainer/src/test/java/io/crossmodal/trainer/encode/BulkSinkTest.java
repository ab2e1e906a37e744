/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.encode.DocumentFormat.Document;
import io.crossmodal.trainer.train.MicroTraining;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class BulkSinkTest {
  private static final long SEED = MicroTraining.seed();

  private final List<Long> waits = new CopyOnWriteArrayList<>();

  /** Passes while somebody waits, and where a test lets it. */
  private final AtomicLong now = new AtomicLong(SEED);

  private final Told told = new Told();

  private Retry retry(int seconds) {
    return new Retry(
        Duration.ofSeconds(1),
        Duration.ofSeconds(8),
        Duration.ofSeconds(seconds),
        wait -> {
          waits.add(wait.toSeconds());
          now.addAndGet(wait.toNanos());
        },
        now::get);
  }

  /** What a sink says. */
  private static final class Told implements DocumentSink.Listener {
    final List<String> kept = new ArrayList<>();
    final Map<String, String> refused = new HashMap<>();

    @Override
    public synchronized void kept(List<Document> documents, long position) {
      documents.forEach(document -> kept.add(document.id()));
    }

    @Override
    public synchronized void refused(Document document, String reason) {
      refused.put(document.id(), reason);
    }
  }

  /** A cluster that keeps documents by id, when it feels like it. */
  private static final class Cluster implements BulkSink.Transport {
    private final SplittableRandom random = new SplittableRandom(SEED);
    private final Set<String> unwanted;
    final Map<String, String> documents = new HashMap<>();
    final List<Integer> requests = new ArrayList<>();
    int longest = Integer.MAX_VALUE;
    double trouble;

    Cluster(Set<String> unwanted) {
      this.unwanted = unwanted;
    }

    @Override
    public synchronized Response post(byte[] bytes) throws IOException {
      List<String> lines = new String(bytes, StandardCharsets.UTF_8).lines().toList();
      requests.add(lines.size() / 2);
      if (bytes.length > longest) {
        return new Response(413, "too large");
      }
      double luck = random.nextDouble() / Math.max(trouble, 1e-9);
      if (luck < 0.3) {
        return new Response(luck < 0.1 ? 503 : 429, "full");
      }
      if (luck < 0.4) {
        throw new IOException("cut off before");
      }
      JsonArray items = new JsonArray();
      for (int i = 0; i < lines.size(); i += 2) {
        String id =
            JsonParser.parseString(lines.get(i))
                .getAsJsonObject()
                .getAsJsonObject("index")
                .get("_id")
                .getAsString();
        items.add(item(id, lines.get(i + 1)));
      }
      if (luck < 0.5) {
        throw new IOException("cut off behind");
      }
      JsonObject answer = new JsonObject();
      answer.add("items", items);
      return new Response(200, answer.toString());
    }

    private JsonObject item(String id, String document) {
      if (unwanted.contains(id)) {
        return JsonParser.parseString(
                "{\"index\":{\"status\":400,\"error\":{\"reason\":\"failed to parse [image]\","
                    + "\"caused_by\":{\"type\":\"x\",\"reason\":\"of another model\"}}}}")
            .getAsJsonObject();
      }
      if (random.nextDouble() < trouble / 2) {
        return JsonParser.parseString(
                "{\"index\":{\"status\":429,\"error\":{\"reason\":\"queue is full\"}}}")
            .getAsJsonObject();
      }
      documents.put(id, document);
      return JsonParser.parseString("{\"index\":{\"status\":201}}").getAsJsonObject();
    }
  }

  private static Set<String> ids(List<Document> documents) {
    return documents.stream().map(Document::id).collect(Collectors.toSet());
  }

  private BulkSink sink(BulkSink.Transport transport, int connections, int patience) {
    return new BulkSink(transport, Documents.FORMAT, connections, retry(patience), told);
  }

  @Test
  void everyDocumentIsKeptOrRefusedOnceWhateverTheClusterDoes() throws Exception {
    List<Document> documents = Documents.some(300, SEED);
    Set<String> unwanted = ids(documents.subList(100, 110));
    Cluster cluster = new Cluster(unwanted);
    cluster.trouble = 1;
    cluster.longest = 12 * Documents.FORMAT.lines(documents.subList(0, 1)).length;
    try (BulkSink sink = sink(cluster, 3, 100_000)) {
      for (int from = 0; from < documents.size(); from += 25) {
        sink.send(documents.subList(from, from + 25));
      }
      sink.finish();
    }
    Set<String> wanted = new HashSet<>(ids(documents));
    wanted.removeAll(unwanted);
    assertEquals(wanted, cluster.documents.keySet());
    assertEquals(wanted.size(), told.kept.size());
    assertEquals(wanted, new HashSet<>(told.kept));
    assertEquals(unwanted, told.refused.keySet());
    assertEquals(
        Set.of("400 failed to parse [image]: of another model"),
        new HashSet<>(told.refused.values()));
  }

  @Test
  void onlyWhatFailedIsSentAgain() throws Exception {
    List<Document> documents = Documents.some(4, SEED);
    List<Integer> sent = new ArrayList<>();
    BulkSink.Transport once =
        lines -> {
          int count = (int) new String(lines, StandardCharsets.UTF_8).lines().count() / 2;
          sent.add(count);
          String full = "{\"index\":{\"status\":429,\"error\":{\"reason\":\"full\"}}}";
          String kept = "{\"index\":{\"status\":200}}";
          return new Response(
              200,
              "{\"items\":["
                  + (count == 4 ? String.join(",", kept, full, kept, full) : kept + "," + kept)
                  + "]}");
        };
    try (BulkSink sink = sink(once, 1, 10)) {
      sink.send(documents);
      sink.finish();
    }
    assertEquals(List.of(4, 2), sent);
    assertEquals(List.of(0, 2, 1, 3).stream().map(i -> documents.get(i).id()).toList(), told.kept);
  }

  @Test
  void waitsLongerAndLongerThenGivesUp() throws Exception {
    try (BulkSink sink = sink(lines -> new Response(429, "full"), 1, 30)) {
      sink.send(Documents.some(2, SEED));
      IOException given = assertThrows(IOException.class, sink::finish);
      assertTrue(given.getMessage().contains("given up after 30 s"), given.getMessage());
      assertTrue(given.getMessage().contains("429 full"), given.getMessage());
      assertThrows(IOException.class, () -> sink.send(Documents.some(1, SEED)));
    }
    assertEquals(List.of(1L, 2L, 4L, 8L, 8L, 7L), waits);
    assertEquals(List.of(), told.kept);
  }

  /** A node that takes connections and answers late, or never, has no more time than a full one. */
  @Test
  void theTimeThatRequestsTakeCounts() throws Exception {
    BulkSink.Transport silent =
        lines -> {
          now.addAndGet(Duration.ofMinutes(5).toNanos());
          throw new IOException("timed out");
        };
    try (BulkSink sink = sink(silent, 1, 600)) {
      sink.send(Documents.some(2, SEED));
      IOException given = assertThrows(IOException.class, sink::finish);
      assertTrue(given.getMessage().contains("given up after 601 s"), given.getMessage());
    }
    assertEquals(List.of(1L), waits);
    assertThrows(IllegalArgumentException.class, () -> retry(-1));
  }

  @Test
  void anErrorOfASenderEndsTheRun() throws Exception {
    try (BulkSink sink =
        sink(
            lines -> {
              throw new OutOfMemoryError("no heap");
            },
            1,
            10)) {
      sink.send(Documents.some(2, SEED));
      IOException failed = assertThrows(IOException.class, sink::finish);
      assertTrue(failed.getMessage().contains("no heap"), failed.getMessage());
      assertEquals(List.of(), told.kept);
    }
  }

  @Test
  void aRefusalOfTheWholeRequestEndsTheRun() throws Exception {
    try (BulkSink sink = sink(lines -> new Response(403, "no permission"), 1, 30)) {
      sink.send(Documents.some(2, SEED));
      IOException refused = assertThrows(IOException.class, sink::finish);
      assertTrue(refused.getMessage().contains("403: no permission"), refused.getMessage());
    }
    assertEquals(List.of(), waits);
    for (String odd : List.of("<html>", "{}", "{\"items\":[]}", "[]")) {
      try (BulkSink sink = sink(lines -> new Response(200, odd), 1, 30)) {
        sink.send(Documents.some(2, SEED));
        IOException strange = assertThrows(IOException.class, sink::finish);
        assertTrue(strange.getMessage().contains(odd), strange.getMessage());
      }
    }
  }

  @Test
  void aDocumentThatFitsNoRequestIsRefusedAlone() throws Exception {
    Cluster cluster = new Cluster(Set.of());
    cluster.longest = 10;
    try (BulkSink sink = sink(cluster, 2, 30)) {
      sink.send(Documents.some(3, SEED));
      sink.finish();
    }
    assertEquals(3, told.refused.size());
    assertTrue(told.refused.values().iterator().next().contains("http.max_content_length"));
  }
}
