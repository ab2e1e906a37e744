/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.it;

import com.google.gson.JsonObject;
import io.crossmodal.it.CrossModalClient.Hit;
import io.crossmodal.it.CrossModalClient.Tile;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.GeoTiffWriter;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import io.crossmodal.trainer.sensors.SensorCalibrationFit;
import io.crossmodal.trainer.sensors.SensorOptions;
import io.crossmodal.trainer.sensors.SensorTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.OptionRecords;
import io.crossmodal.trainer.train.TrainingException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * An archive of generated places, each seen by radar (s1) and by an optical sensor (s2), with a
 * small model trained on others of their kind, on a node. A document's id is the sensor and the
 * number of the place: {@code s1-7} and {@code s2-7} are partners.
 */
public final class SensorArchive {
  /** Both sensors. */
  public static final List<String> SENSORS = List.of("s1", "s2");

  private static final String MODEL = "sensors";
  private static final int SIZE = 48;
  private static final int TRAINED = 200;
  private static final int VALIDATED = 40;
  private static final int STEPS = 600;

  private final CrossModalClient client;
  private final String index;
  private final DecodedPairs tiles;

  private SensorArchive(CrossModalClient client, String index, DecodedPairs tiles) {
    this.client = client;
    this.index = index;
    this.tiles = tiles;
  }

  /**
   * Generates places, trains on some of them (about 20 s of CPU), uploads the model and indexes the
   * others.
   *
   * @param folder empty
   * @param places indexed, each with two documents
   * @param trained told the steps that were taken
   */
  public static SensorArchive create(
      Path folder, CrossModalClient client, String index, int places, IntConsumer trained)
      throws IOException, InvalidDatasetException, BundleException, TrainingException {
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(TRAINED, VALIDATED, places, 5, SIZE, 0))
            .write(folder.resolve("pairs"), () -> {});
    PairDataset pairs =
        PairsCsvReader.read(
            table,
            SensorSource.S1,
            SensorSource.S2,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    ModelBundle bundle =
        SensorTraining.open(folder.resolve("run"), options()).train(pairs, MODEL, trained::accept);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      SensorCalibrationFit.Fitted fitted = SensorCalibrationFit.fit(model, pairs);
      bundle = bundle.withSensorCalibrations(fitted.cosines(), fitted.maxSims());
    }
    Path file = folder.resolve("sensors.zip");
    BundleWriter.write(bundle, file, List.of());
    client.upload(MODEL, file);
    SensorArchive archive =
        new SensorArchive(client, index, DecodedPairs.decode(pairs, Split.TEST, SIZE));
    client.indexTiles(index, MODEL, archive.documents());
    return archive;
  }

  /** Contrasts patches too: late interaction needs it (decision 0014). */
  private static SensorOptions options() {
    return OptionRecords.with(
        SensorOptions.Recipe.SCRATCH.options(),
        Map.of(
            "preset",
            SensorOptions.Preset.MICRO,
            "image_size",
            SensorOptions.Preset.MICRO.imageSize(),
            "steps",
            STEPS,
            "batch",
            32,
            "optimiser",
            new Optimiser(3e-3, 20, 0.02, 1, 0.9),
            "losses",
            new SensorOptions.Losses(1, 0, 0, 1, 0, 0.1, false, true, 1, 0.3, 0),
            "checkpoint_every",
            STEPS));
  }

  private List<Tile> documents() {
    List<Tile> documents = new ArrayList<>();
    for (int place = 0; place < places(); place++) {
      for (String sensor : SENSORS) {
        documents.add(new Tile(id(sensor, place), sensor, file(sensor, place)));
      }
    }
    return documents;
  }

  /** Returns how many places there are. */
  public int places() {
    return tiles.pairs().size();
  }

  /** Returns the id of a place's document. */
  public static String id(String sensor, int place) {
    return sensor + "-" + place;
  }

  /** Returns the GeoTIFF of a place. */
  private Path file(String sensor, int place) {
    TilePair pair = tiles.pairs().get(place);
    return (sensor.equals(SENSORS.get(0)) ? pair.first() : pair.second()).get(0);
  }

  /** Returns what a place looks like. */
  private BandImage tile(String sensor, int place) {
    return (sensor.equals(SENSORS.get(0)) ? tiles.first() : tiles.second()).get(place);
  }

  /**
   * Returns a GeoTIFF of a place seen in a mirror: the same place to a model, another file to an
   * index.
   */
  public byte[] mirrored(String sensor, int place) {
    BandImage tile = tile(sensor, place);
    float[] values = new float[tile.values().length];
    for (int i = 0; i < values.length; i++) {
      int x = i % SIZE;
      values[i] = tile.values()[i - x + SIZE - 1 - x];
    }
    return GeoTiffWriter.write(
        new BandImage(tile.bands(), SIZE, SIZE, values), GeoTiffWriter.Values.FLOAT32, null);
  }

  /**
   * Searches by a tile.
   *
   * @param tile a GeoTIFF
   * @param sensor of the tile
   * @param wanted sensor of the hits; null for those of both in one list
   * @param rescore whether the hits are compared patch by patch
   */
  public List<Hit> search(byte[] tile, String sensor, String wanted, boolean rescore)
      throws IOException {
    JsonObject side = new JsonObject();
    side.addProperty("query_image", base64(tile));
    side.addProperty("sensor", sensor);
    int most = 2 * places();
    return client.search(index, side, places(), wanted, rescore ? most : 0, most);
  }

  private static String base64(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
