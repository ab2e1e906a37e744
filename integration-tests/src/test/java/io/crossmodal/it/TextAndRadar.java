/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.it.CrossModalClient.Tile;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.KarpathyReader;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.OptionRecords;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * An archive of generated places on a node, each as a picture (rgb) and as a radar tile (s1), with
 * the shipped model that knows text and pictures, which radar joined by a few steps of training.
 */
final class TextAndRadar {
  /** Both sensors. */
  static final List<String> SENSORS = List.of("rgb", "s1");

  private static final String MODEL = "text-and-radar";
  private static final int TRAINED = 160;
  private static final int PLACES = 30;
  private static final int STEPS = 60;

  private final CrossModalClient client;
  private final String index;
  private final List<List<CaptionedImage>> tiles;

  private TextAndRadar(CrossModalClient client, String index, List<List<CaptionedImage>> tiles) {
    this.client = client;
    this.index = index;
    this.tiles = tiles;
  }

  /**
   * Generates places, trains on some of them, uploads the model and indexes the others.
   *
   * @param folder empty
   */
  static TextAndRadar create(Path folder, CrossModalClient client, String index) throws Exception {
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(TRAINED, 0, PLACES, 9, 96, 0))
            .write(folder.resolve("pairs"), () -> {});
    PairDataset pairs =
        PairsCsvReader.read(
            table,
            SensorSource.RGB,
            SensorSource.S1,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    ModelBundle teacher = ModelBundle.demo();
    Path file = folder.resolve("both.zip");
    BundleWriter.write(
        SensorTraining.open(folder.resolve("run"), options(teacher))
            .train(teacher, pairs, MODEL, taken -> {}),
        file,
        teacher.manifest().golden().texts());
    client.upload(MODEL, file);
    List<List<CaptionedImage>> tiles = new ArrayList<>();
    for (String sensor : SENSORS) {
      tiles.add(KarpathyReader.read(table.resolveSibling(sensor + ".json")).split(Split.TEST));
    }
    TextAndRadar archive = new TextAndRadar(client, index, tiles);
    client.indexTiles(index, MODEL, archive.documents());
    return archive;
  }

  private static SensorOptions options(ModelBundle teacher) {
    return OptionRecords.with(
        SensorOptions.onto(teacher.manifest(), "rgb"),
        Map.of(
            "steps",
            STEPS,
            "batch",
            16,
            "optimiser",
            new Optimiser(2e-3, 5, 0.02, 1, 0.9),
            "augmentation",
            SensorOptions.Augmentation.NONE,
            "checkpoint_every",
            STEPS));
  }

  private List<Tile> documents() {
    List<Tile> documents = new ArrayList<>();
    for (int s = 0; s < SENSORS.size(); s++) {
      String sensor = SENSORS.get(s);
      for (int place = 0; place < places(); place++) {
        Path file = tiles.get(s).get(place).file();
        documents.add(new Tile(SensorArchive.id(sensor, place), sensor, file));
      }
    }
    return documents;
  }

  /** Returns how many places there are. */
  int places() {
    return tiles.get(0).size();
  }

  /** Returns what is said of a place. */
  List<String> captions(int place) {
    return tiles.get(0).get(place).captions();
  }

  /** Returns how many captions there are. */
  int texts() {
    return tiles.get(0).stream().mapToInt(tile -> tile.captions().size()).sum();
  }

  /**
   * Searches by text.
   *
   * @param wanted sensor of the hits; null for those of both
   * @param rescore whether the fusion encoder reads all hits
   */
  List<Hit> search(String text, String wanted, boolean rescore) throws IOException {
    JsonObject side = new JsonObject();
    side.addProperty("query_text", text);
    int most = 2 * places();
    return client.search(index, side, most, wanted, rescore ? most : 0, most);
  }
}
