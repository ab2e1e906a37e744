/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.Georeference;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs without a journal: parts of scenes, and what the index holds. */
final class IndexedDocumentsTest {
  private static final int SIDE = 200;
  private static final Cutting CUTTING = new Cutting(20, 10, false, OptionalDouble.empty(), 0.5);
  private static final int CHIPS = 19 * 19;
  private static final Look LOOK = new Look(0, Optional.of(Stretch.of("0:5000")), List.of(2, 1, 0));
  private static final Retry ONCE = Retry.lasting(Duration.ZERO);

  @TempDir static Path shared;
  private static FusionModel model;

  @TempDir Path folder;
  private DocumentFormat format;
  private Scenes.Listed listed;

  /** Documents of the index, by id. */
  private final Map<String, JsonObject> index = new TreeMap<>();

  private final List<Integer> asked = new ArrayList<>();

  @BeforeAll
  static void load() throws Exception {
    model = FusionModel.load(TestBundles.random("micro", ModelConfig.micro(), 1), shared);
  }

  @AfterAll
  static void unload() {
    model.close();
  }

  @BeforeEach
  void draw() throws IOException {
    format = new DocumentFormat("a.image", "rgb", model.bundle().manifest(), TokenForm.NONE, true);
    SplittableRandom random = new SplittableRandom(7);
    float[] values = new float[3 * SIDE * SIDE];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(5000);
    }
    Files.write(
        folder.resolve("scene.tif"),
        GeoTiffWriter.write(
            new BandImage(3, SIDE, SIDE, values),
            GeoTiffWriter.Values.UINT16,
            new Georeference(32633, SIDE, SIDE, List.of(500_000d, 10d, 0d, 5_342_400d, 0d, -10d))));
    try (Scenes scenes = whole(LOOK)) {
      listed = scenes.list().get(0);
    }
  }

  private Scenes whole(Look look) throws IOException {
    SourceImages source = SourceImages.read(folder.resolve("scene.tif"), Optional.empty(), 0);
    return Scenes.plan(source.images(), CUTTING, model.bundle(), "rgb", look);
  }

  private Scenes part(int from, int to, Look look) {
    return Scenes.part(listed, from, to, CUTTING, model.bundle(), "rgb", look);
  }

  /** Answers as {@code _mget} does. */
  private Response multiGet(byte[] body) {
    JsonArray ids =
        JsonParser.parseString(new String(body, StandardCharsets.UTF_8))
            .getAsJsonObject()
            .getAsJsonArray("ids");
    asked.add(ids.size());
    JsonArray documents = new JsonArray();
    for (JsonElement id : ids) {
      JsonObject document = new JsonObject();
      document.add("_id", id);
      document.addProperty("found", index.containsKey(id.getAsString()));
      if (index.containsKey(id.getAsString())) {
        document.add("_source", index.get(id.getAsString()));
      }
      documents.add(document);
    }
    JsonObject answer = new JsonObject();
    answer.add("docs", documents);
    return new Response(200, answer.toString());
  }

  private IndexedDocuments documents(BulkSink.Transport transport) {
    return new IndexedDocuments("archive", "a.image", transport, ONCE);
  }

  /** Takes lines as {@code _bulk} does; a field with dots lies within objects. */
  private Response bulk(byte[] body) {
    List<String> lines = new String(body, StandardCharsets.UTF_8).lines().toList();
    JsonArray items = new JsonArray();
    for (int i = 0; i < lines.size(); i += 2) {
      JsonObject action =
          JsonParser.parseString(lines.get(i)).getAsJsonObject().getAsJsonObject("index");
      JsonObject source = JsonParser.parseString(lines.get(i + 1)).getAsJsonObject();
      JsonObject a = new JsonObject();
      a.add("image", source.remove("a.image"));
      source.add("a", a);
      synchronized (index) {
        index.put(action.get("_id").getAsString(), source);
      }
      JsonObject status = new JsonObject();
      status.addProperty("status", 201);
      JsonObject item = new JsonObject();
      item.add("index", status);
      items.add(item);
    }
    JsonObject answer = new JsonObject();
    answer.add("items", items);
    return new Response(200, answer.toString());
  }

  private EncodeRun.Summary send(Scenes scenes, Look look, BulkSink.Transport multiGet)
      throws Exception {
    try (scenes) {
      assertEquals(List.of(), scenes.problems());
      EncodeRun.Options options = new EncodeRun.Options(8, 3, 0, look);
      return new EncodeRun(model, format, options, Journal.none(), Optional.of(documents(multiGet)))
          .run(scenes, listener -> new BulkSink(this::bulk, format, 2, ONCE, listener), done -> {});
    }
  }

  /** Parts of a scene, cut by those who know it from a list, make up the whole of it. */
  @Test
  void partsMakeTheWhole() throws Exception {
    send(whole(LOOK), LOOK, this::multiGet);
    Map<String, JsonObject> all = Map.copyOf(index);
    assertEquals(CHIPS, all.size());
    assertEquals(CHIPS, listed.chips());
    index.clear();
    int sent = 0;
    for (int from = 0; from < CHIPS; from += 100) {
      Scenes part = part(from, Math.min(from + 100, CHIPS), LOOK);
      sent += send(part, LOOK, this::multiGet).kept();
    }
    assertEquals(CHIPS, sent);
    assertEquals(all.keySet(), index.keySet());
    // Embeddings differ in their last digits by the batch that a chip is in.
    all.forEach((id, document) -> assertEquals(told(document), told(index.get(id)), id));
  }

  private static JsonObject told(JsonObject document) {
    JsonObject copy = document.deepCopy();
    copy.getAsJsonObject("a").getAsJsonObject("image").remove("embedding");
    return copy;
  }

  /** A part that was sent by half sends the other half; as it is looked at now, all of it. */
  @Test
  void passesOverWhatIsThere() throws Exception {
    send(part(100, 250, LOOK), LOOK, this::multiGet);
    Map<String, JsonObject> before = Map.copyOf(index);
    asked.clear();
    EncodeRun.Summary rest = send(part(0, 300, LOOK), LOOK, this::multiGet);
    assertEquals(new EncodeRun.Summary(150, 150, 0, 0, List.of(), List.of()), rest);
    assertEquals(
        List.of(MissingPictures.ASKED, MissingPictures.ASKED, 300 - 2 * MissingPictures.ASKED),
        asked);
    assertEquals(300, index.size());
    before.forEach((id, document) -> assertEquals(document, index.get(id)));

    Look other = new Look(0, Optional.of(Stretch.of("0:4000")), List.of(2, 1, 0));
    EncodeRun.Summary replaced = send(part(0, 300, other), other, this::multiGet);
    assertEquals(new EncodeRun.Summary(300, 0, 0, 0, List.of(), List.of()), replaced);
    assertEquals(300, index.size());
  }

  /** Pictures with files of their own are known by them. */
  @Test
  void passesOverPictures() throws Exception {
    SourceImages source = SourceImages.read(folder.resolve("scene.tif"), Optional.empty(), 0);
    for (int known = 0; known < 2; known++) {
      EncodeRun.Summary summary =
          new EncodeRun(
                  model,
                  format,
                  new EncodeRun.Options(8, 1, 0, LOOK),
                  Journal.none(),
                  Optional.of(documents(this::multiGet)))
              .run(
                  source.images(),
                  listener -> new BulkSink(this::bulk, format, 1, ONCE, listener),
                  done -> {});
      assertEquals(new EncodeRun.Summary(1 - known, known, 0, 0, List.of(), List.of()), summary);
    }
  }

  @Test
  void saysWhatTheIndexSaysInsteadOfGuessing() {
    String[] answers = {
      "{\"docs\":[{\"_id\":\"1\",\"error\":{\"reason\":\"alias has 2 indices\"}}]}",
      "{\"docs\":[{}]}",
      "no JSON",
    };
    for (String answer : answers) {
      UncheckedIOException failed =
          assertThrows(
              UncheckedIOException.class,
              () -> send(part(0, 9, LOOK), LOOK, body -> new Response(200, answer)));
      assertTrue(
          failed.getMessage().startsWith("[archive] does not say which documents it holds: "),
          failed.getMessage());
    }
    UncheckedIOException away =
        assertThrows(
            UncheckedIOException.class,
            () -> send(part(0, 9, LOOK), LOOK, body -> new Response(503, "no shards")));
    assertTrue(away.getMessage().contains("503 no shards"), away.getMessage());
    assertEquals(0, index.size());
  }

  @Test
  void aSceneThatChangedIsAProblem() throws Exception {
    Path file = folder.resolve("scene.tif");
    Files.write(file, new byte[] {0}, StandardOpenOption.APPEND);
    try (Scenes scenes = part(0, 9, LOOK)) {
      assertEquals(0, scenes.chips());
      assertEquals(List.of(file + ": was changed after it was listed"), scenes.problems());
    }
    Files.delete(file);
    try (Scenes scenes = part(0, 9, LOOK)) {
      assertEquals(1, scenes.problems().size());
      assertTrue(scenes.problems().get(0).contains("no such file"), scenes.problems().get(0));
    }
  }
}
