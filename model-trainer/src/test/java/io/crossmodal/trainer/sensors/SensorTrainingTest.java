/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import io.crossmodal.trainer.report.ModelCard;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainingModule;
import io.crossmodal.trainer.train.Validation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SensorTrainingTest {
  @TempDir static Path folder;

  private static PairDataset pairs;

  @BeforeAll
  static void generate() throws Exception {
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(24, 8, 12, 5, 32, 0))
            .write(folder.resolve("scenes"), () -> {});
    pairs =
        PairsCsvReader.read(
            table,
            SensorSource.S1,
            SensorSource.S2,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
  }

  private static SensorOptions options(int queue) {
    return MicroTraining.with(
        SensorOptions.Recipe.SCRATCH.options(),
        "preset",
        SensorOptions.Preset.MICRO,
        "image_size",
        16,
        "seed",
        3,
        "steps",
        12,
        "batch",
        8,
        "optimiser",
        new Optimiser(3e-3, 2, 0.02, 1, 0.5),
        "losses",
        new SensorOptions.Losses(1, 1, 1, 1, 0, 0.2, false, true, 2, 0.25, queue),
        "checkpoint_every",
        5,
        "validate_every",
        0);
  }

  private static ModelBundle train(String run, SensorOptions options) throws Exception {
    return SensorTraining.open(folder.resolve(run), options).train(pairs, "s", taken -> {});
  }

  private static void assertSame(ModelBundle expected, ModelBundle found) throws Exception {
    var tensors = found.weights().tensors();
    expected
        .weights()
        .tensors()
        .forEach(
            (name, tensor) -> assertArrayEquals(tensor.values(), tensors.get(name).values(), name));
  }

  @Test
  void aKilledRunEndsWhereAnUninterruptedOneDoes() throws Exception {
    SensorOptions options = options(16);
    ModelBundle whole = train("whole", options);
    assertThrows(
        CancellationException.class,
        () ->
            SensorTraining.open(folder.resolve("killed"), options)
                .train(
                    pairs,
                    "s",
                    taken -> {
                      if (taken == 8) {
                        throw new CancellationException();
                      }
                    }));
    assertSame(whole, train("killed", options));
    assertThrows(
        IllegalArgumentException.class,
        () -> SensorTraining.open(folder.resolve("killed"), options(0)));
  }

  @Test
  void validatesWithoutDisturbingAndGoesOnAfterAnInterruption() throws Exception {
    ModelBundle without = train("unseen", options(16));
    SensorOptions watched =
        MicroTraining.with(
            options(16), "validation", new Validation.Options(4, 0, Validation.Ships.LAST));
    assertSame(without, train("watched", watched));
    SensorOptions best =
        MicroTraining.with(
            options(16), "validation", new Validation.Options(4, 0, Validation.Ships.BEST));
    ModelBundle whole = train("best", best);
    assertThrows(
        CancellationException.class,
        () ->
            SensorTraining.open(folder.resolve("best-interrupted"), best)
                .train(
                    pairs,
                    "s",
                    taken -> {
                      if (taken == 8) {
                        throw new CancellationException();
                      }
                    }));
    assertSame(whole, train("best-interrupted", best));
    for (String run : List.of("watched", "best", "best-interrupted")) {
      var lines = RunFolder.metrics(folder.resolve(run));
      lines.values().removeIf(line -> !line.has("validation"));
      assertEquals(List.of(4, 8, 12), List.copyOf(lines.keySet()), run);
      double found = lines.get(12).getAsJsonObject("validation").get("partner_r@10").getAsDouble();
      // Eight validation pairs are all among the first ten.
      assertEquals(100, found, 1e-9);
    }
    assertTrue(Files.exists(folder.resolve("best").resolve("best.zip")));
  }

  @Test
  void otherTilesUnderTheSameIdsAreNotResumed() throws Exception {
    SensorOptions options = options(0);
    Path scenes = folder.resolve("same-ids");
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(24, 8, 12, 6, 32, 0))
            .write(scenes, () -> {});
    // Tiles of another seed under the ids of the first.
    Files.copy(
        folder.resolve("scenes").resolve("pairs.csv"), table, StandardCopyOption.REPLACE_EXISTING);
    PairDataset others =
        PairsCsvReader.read(
            table,
            SensorSource.S1,
            SensorSource.S2,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    SensorTraining.open(folder.resolve("tiles"), options).train(pairs, "s", taken -> {});
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    SensorTraining.open(folder.resolve("tiles"), options)
                        .train(others, "s", taken -> {}))
            .getMessage();
    assertTrue(message.contains("other pairs"), message);
  }

  @Test
  void trainsAndServesIt() throws Exception {
    Path file = folder.resolve("trained.zip");
    BundleWriter.write(train("trained", options(0)), file, List.of());
    ModelBundle bundle = ModelBundle.read(file);
    SensorEvaluation evaluation = new SensorEvaluation(pairs);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      evaluation.add("trained", model);
      // Eight validation pairs are too few to fit anything.
      SensorCalibrationFit.Fitted none = SensorCalibrationFit.fit(model, pairs);
      assertTrue(none.cosines().isEmpty() && none.maxSims().isEmpty());
      assertTrue(none.notes().get(0).contains("needs 10 validation pairs, there are 8"));
    }
    evaluation.addDescriptor(32);
    assertEquals(8, evaluation.rows().size());
    for (SensorEvaluation.Row row : evaluation.rows()) {
      assertTrue(row.f1() > 0 && row.f1() <= 100, row.toString());
      assertTrue(row.precision() <= row.map() + 100, row.toString());
      boolean across = row.direction().equals("s1 -> s2") || row.direction().equals("s2 -> s1");
      assertEquals(across, row.recall10() >= row.recall1());
    }
    assertTrue(evaluation.markdown().contains("| trained | s1 -> s2 |"));
    String card = ModelCard.ofSensors(bundle.manifest(), pairs, evaluation.rows(), "CC-BY-4.0");
    for (String said :
        List.of("# s\n", "s1 (VV, VH)", "CC-BY-4.0", "| trained | s1 -> s2 |", " to ")) {
      assertTrue(card.contains(said), card);
    }
    assertFalse(card.contains("s1 -> s1") || card.contains("NaN"), card);
  }

  @Test
  void statisticsAreThoseOfTheTrainingTiles() throws Exception {
    ModelBundle bundle = SensorTraining.untrained(pairs, options(0), "u");
    SensorConfig s1 = bundle.manifest().config().sensor("s1");
    assertEquals(List.of("VV", "VH"), s1.bands().names());
    DecodedPairs train = DecodedPairs.decode(pairs, Split.TRAIN, 20);
    double sum = 0;
    int count = 0;
    for (BandImage tile : train.first()) {
      for (int i = 0; i < 400; i++) {
        sum += tile.values()[i];
        count++;
      }
    }
    assertEquals(sum / count, s1.mean().get(0), 1e-6);
  }

  /** Batch norms learn their statistics in training and keep them afterwards. */
  @Test
  void aResNetLearnsItsStatisticsInTrainingOnly() throws Exception {
    SensorOptions options = options(0);
    List<ImageTowerConfig.Stage> blocks =
        List.of(new ImageTowerConfig.Stage(16, 1), new ImageTowerConfig.Stage(32, 2));
    ModelConfig config =
        ModelConfig.ofSensors(
            16,
            2,
            32,
            8,
            ImageTowerConfig.resnet(8, blocks),
            List.of(SensorConfig.s1(16), SensorConfig.s2(16)));
    DecodedPairs decoded = DecodedPairs.decode(pairs, Split.TRAIN, 20);
    SensorSet set = new SensorSet(options, config, decoded);
    StateDict before = StateDict.of(SensorTask.model(config, options.seed(), Map.of()));
    StateDict after;
    try (TrainingModule<SensorSet.Batch> module =
        new TrainingModule<>(new SensorTask(options, config, Map.of()), folder)) {
      // Behind a gain of zero a block's first convolutions have a gradient from the second step on.
      for (int step = 0; step < 3; step++) {
        assertTrue(module.step(List.of(set.batch(step))).finite());
      }
      after = module.averaged().below("model");
    }
    int statistics = 0;
    for (Map.Entry<String, ScriptTensor> entry : before.tensors().entrySet()) {
      float[] learned = after.tensors().get(entry.getKey()).values();
      assertFalse(Arrays.equals(entry.getValue().values(), learned), entry.getKey());
      statistics += entry.getKey().contains(".running_") ? 1 : 0;
    }
    // Of 2 towers: a stem, two blocks of three convolutions, a shortcut of each.
    assertEquals(2 * 2 * 9, statistics);
    ModelBundle bundle =
        ModelBundle.of(
            "r",
            config,
            List.of(),
            after,
            Calibration.NONE,
            new ModelManifest.Training("scenes", 3, 1, "test"),
            List.of());
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      ImagePreprocessor preprocessor = bundle.preprocessor("s2");
      List<PixelTensor> tiles =
          decoded.second().stream().map(t -> preprocessor.normalise(t.resize(16))).toList();
      float[] alone = model.encodeImages("s2", tiles.subList(0, 1)).get(0).embedding();
      // Statistics of this batch, or learned from it, would move the first tile's embedding.
      for (int call = 0; call < 2; call++) {
        float[] among = model.encodeImages("s2", tiles).get(0).embedding();
        assertArrayEquals(alone, among, 1e-5f);
      }
    }
  }

  /** A view keeps a pair on one place: what it does to one band it does to all, of both tiles. */
  @Test
  void bothTilesOfAPairAreSeenAlike() {
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[2 * 20 * 20];
    for (int i = 0; i < 400; i++) {
      values[i] = random.nextInt(1000);
      values[400 + i] = 3 * values[i] + 5;
    }
    BandImage two = new BandImage(2, 20, 20, values);
    BandImage one = two.select(0);
    for (int trial = 0; trial < 50; trial++) {
      SensorSet.View view =
          SensorSet.View.draw(new SensorOptions.Augmentation(0.4, true, 0.2, 0.1, 0, 0), random);
      BandImage a = view.place(one, 16);
      BandImage b = view.place(two, 16);
      for (int i = 0; i < 256; i++) {
        assertEquals(a.values()[i], b.values()[i], "seed " + seed);
        assertEquals(3 * a.values()[i] + 5, b.values()[256 + i], 0.01, "seed " + seed);
      }
    }
  }

  /** Radar's level is a measurement: only noise of mean 0 may touch it. */
  @Test
  void radarKeepsItsLevel() {
    SensorOptions.Augmentation augmentation =
        new SensorOptions.Augmentation(1, false, 0.5, 0.5, 0, 0);
    SplittableRandom random = new SplittableRandom(4);
    float[] radar = new float[2 * 64 * 64];
    SensorSet.View view = SensorSet.View.draw(augmentation, random);
    view.change(radar, SensorConfig.s1(64), augmentation, random);
    double mean = 0;
    double square = 0;
    for (float value : radar) {
      mean += value / radar.length;
      square += value * value / radar.length;
    }
    assertEquals(0, mean, 0.03);
    assertEquals(0.25, square, 0.02);
    float[] optical = new float[10 * 4];
    view.change(optical, SensorConfig.s2(2), augmentation, random);
    assertTrue(optical[0] != 0 && optical[0] == optical[3]);
  }

  /** The ratio of radar's bands is what they measure; optical bands vary apart. */
  @Test
  void bandsOfRadarAreChangedAlike() {
    SensorOptions.Augmentation augmentation =
        new SensorOptions.Augmentation(1, false, 0, 0, 0.4, 0.8);
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    SensorSet.View view = SensorSet.View.draw(augmentation, random);
    for (int trial = 0; trial < 20; trial++) {
      float[] radar = new float[2 * 8 * 8];
      float[] optical = new float[10 * 8 * 8];
      for (int i = 0; i < 64; i++) {
        float value = (float) random.nextDouble(-2, 2);
        for (int at = i; at < optical.length; at += 64) {
          optical[at] = value;
        }
        radar[i] = value;
        radar[64 + i] = value;
      }
      float[] before = radar.clone();
      view.change(radar, SensorConfig.s1(8), augmentation, random);
      view.change(optical, SensorConfig.s2(8), augmentation, random);
      double ratio = (radar[1] - radar[0]) / (before[1] - before[0]);
      assertTrue(ratio > 0.59 && ratio < 1.41, "seed " + seed + ": " + ratio);
      for (int i = 0; i < 64; i++) {
        assertEquals(radar[i], radar[64 + i], 1e-5, "seed " + seed);
        assertTrue(Math.abs(radar[i] - before[i]) < 0.4 * 4 + 0.8, "seed " + seed);
      }
      assertTrue(optical[0] != optical[64], "seed " + seed);
    }
  }

  @Test
  void calibrationsRankPairsOfSensorsInOneList() throws Exception {
    Path table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(8, 12, 0, 6, 32, 0))
            .write(folder.resolve("validation"), () -> {});
    PairDataset validated =
        PairsCsvReader.read(
            table,
            SensorSource.S1,
            SensorSource.S2,
            new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
    ModelBundle bundle = SensorTraining.untrained(validated, options(0), "u");
    SensorCalibrationFit.Fitted fitted;
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      fitted = SensorCalibrationFit.fit(model, validated);
    }
    assertEquals(4, fitted.cosines().size());
    // A direction has a calibration of MaxSim, or a note why not.
    assertEquals(4, fitted.maxSims().size() + fitted.notes().size());
    for (SensorCalibration pair : fitted.cosines()) {
      assertTrue(pair.probability(1) >= pair.probability(0.5f), pair.toString());
    }
    Path file = folder.resolve("calibrated.zip");
    BundleWriter.write(
        bundle.withSensorCalibrations(fitted.cosines(), fitted.maxSims()), file, List.of());
    assertEquals(
        Optional.of(fitted.cosines().get(1)),
        ModelBundle.read(file).manifest().sensorCalibration("s1", "s2"));
  }

  @Test
  void optionsSayWhatIsWrong() {
    String message = assertThrows(IllegalArgumentException.class, () -> options(9)).getMessage();
    assertTrue(message.contains("queue") && message.contains("9"), message);
    assertThrows(
        IllegalArgumentException.class,
        () -> new SensorOptions.Losses(0, 0, 0, 0, 0, 0.1, false, true, 1, 0, 0));
    SensorOptions options = options(0);
    assertEquals(0, options.weights(2)[2]);
    assertEquals(1, options.weights(3)[2]);
    assertFalse(options.learningRate(0) > options.learningRate(1));
  }
}
