/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.DecodedPairs;
import io.crossmodal.trainer.data.PairDataset;
import io.crossmodal.trainer.data.PairDataset.TilePair;
import io.crossmodal.trainer.data.PairsCsvReader;
import io.crossmodal.trainer.data.SensorSource;
import io.crossmodal.trainer.data.Split;
import io.crossmodal.trainer.data.StoredPictures;
import io.crossmodal.trainer.data.scene.SceneDatasetWriter;
import io.crossmodal.trainer.data.scene.ScenePairsWriter;
import io.crossmodal.trainer.train.Losses;
import io.crossmodal.trainer.train.MicroTraining;
import io.crossmodal.trainer.train.Optimiser;
import io.crossmodal.trainer.train.TrainingModule;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A new sensor's tower onto a frozen model with text. */
class OntoTrainingTest {
  private static final List<String> TEXTS = List.of("a pond", "two ships beside a pier");

  @TempDir static Path folder;

  private static Path table;
  private static ModelBundle teacher;
  private static PairDataset radar;

  @BeforeAll
  static void generate() throws Exception {
    table =
        new ScenePairsWriter(new SceneDatasetWriter.Config(24, 8, 12, 5, 32, 0))
            .write(folder.resolve("scenes"), () -> {});
    radar = pairs(SensorSource.RGB, SensorSource.S1);
    ModelConfig config = ModelConfig.micro().withPreRanker(true);
    ModelBundle random = TestBundles.random("teacher", config, 4);
    teacher =
        BundleWriter.write(
            ModelBundle.of(
                "teacher",
                random.manifest().config(),
                random.words(),
                random.weights(),
                new Calibration(0.5, 2, -3),
                random.manifest().training(),
                List.of(new ModelManifest.Metric("val.r@1", 12))),
            folder.resolve("teacher.zip"),
            TEXTS);
  }

  private static PairDataset pairs(SensorSource first, SensorSource second) throws Exception {
    return PairsCsvReader.read(
        table,
        first,
        second,
        new PairsCsvReader.Options(Optional.empty(), Split.Shares.DEFAULT, 1, 0));
  }

  private static SensorOptions options(ModelBundle teacher, int steps, double tokens, int queue) {
    return MicroTraining.with(
        SensorOptions.onto(teacher.manifest(), "rgb"),
        "seed",
        3,
        "steps",
        steps,
        "batch",
        8,
        "optimiser",
        new Optimiser(3e-3, 2, 0.02, 1, 0.5),
        "losses",
        new SensorOptions.Losses(1, 0.5, 0.5, 0.25, tokens, 0.2, false, true, 2, 0.25, queue),
        "checkpoint_every",
        5);
  }

  private static ModelBundle train(String run, ModelBundle onto, PairDataset data, int steps)
      throws Exception {
    SensorOptions options = options(onto, steps, 1, 16);
    Path file = folder.resolve(run + ".zip");
    BundleWriter.write(
        SensorTraining.open(folder.resolve(run), options).train(onto, data, run, taken -> {}),
        file,
        TEXTS);
    return ModelBundle.read(file);
  }

  private static void assertSame(ModelBundle expected, ModelBundle found) throws Exception {
    Map<String, ScriptTensor> tensors = found.weights().tensors();
    expected
        .weights()
        .tensors()
        .forEach(
            (name, tensor) -> assertArrayEquals(tensor.values(), tensors.get(name).values(), name));
  }

  private static List<PixelTensor> tiles(ModelBundle bundle, DecodedPairs pairs, String sensor) {
    ImagePreprocessor preprocessor = bundle.preprocessor(sensor);
    List<BandImage> tiles = sensor.equals("rgb") ? pairs.first() : pairs.second();
    return tiles.stream().map(preprocessor::normalise).toList();
  }

  @Test
  void nothingOfTheTeacherChanges() throws Exception {
    ModelBundle both = train("stays", teacher, radar, 12);
    assertSame(teacher, both);
    Set<String> added = new HashSet<>(both.weights().names());
    added.removeAll(teacher.weights().names());
    assertTrue(added.stream().allMatch(name -> name.startsWith("image_s1.")), added.toString());
    ModelManifest before = teacher.manifest();
    ModelManifest after = both.manifest();
    assertEquals(before.calibration(), after.calibration());
    assertEquals(before.metrics(), after.metrics());
    assertEquals(before.vocabularySha256(), after.vocabularySha256());
    assertNotEquals(before.fingerprints().embeddingSpace(), after.fingerprints().embeddingSpace());
    assertEquals(List.of("rgb", "s1"), names(after));
    assertEquals("none, then scenes", after.training().dataSet());

    DecodedPairs test = DecodedPairs.decode(radar, Split.TEST, 16);
    try (FusionModel old = FusionModel.load(teacher, folder);
        FusionModel now = FusionModel.load(both, folder)) {
      List<Encoding> texts =
          old.encodeTexts(TEXTS.stream().map(teacher.tokenizer()::tokenize).toList());
      List<Encoding> same =
          now.encodeTexts(TEXTS.stream().map(both.tokenizer()::tokenize).toList());
      List<Encoding> images = old.encodeImages("rgb", tiles(teacher, test, "rgb"));
      List<Encoding> again = now.encodeImages("rgb", tiles(both, test, "rgb"));
      for (int i = 0; i < texts.size(); i++) {
        assertArrayEquals(texts.get(i).embedding(), same.get(i).embedding());
      }
      for (int i = 0; i < images.size(); i++) {
        assertArrayEquals(images.get(i).embedding(), again.get(i).embedding());
        assertArrayEquals(images.get(i).tokens().values(), again.get(i).tokens().values());
        PairLogits score =
            old.score(List.of(texts.get(0).tokens()), List.of(images.get(i).tokens()));
        PairLogits repeated =
            now.score(List.of(same.get(0).tokens()), List.of(again.get(i).tokens()));
        assertArrayEquals(score.itm(), repeated.itm());
        assertArrayEquals(score.biEncoder(), repeated.biEncoder());
      }
    }
  }

  private static List<String> names(ModelManifest manifest) {
    return manifest.config().sensors().stream().map(SensorConfig::name).toList();
  }

  /** Mean squared difference of the new tower's tokens from the teacher's, on test tiles. */
  private static double distance(ModelBundle bundle) throws Exception {
    DecodedPairs test = DecodedPairs.decode(radar, Split.TEST, 16);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      List<Encoding> wanted = model.encodeImages("rgb", tiles(bundle, test, "rgb"));
      List<Encoding> found = model.encodeImages("s1", tiles(bundle, test, "s1"));
      double sum = 0;
      int values = 0;
      for (int i = 0; i < wanted.size(); i++) {
        float[] a = wanted.get(i).tokens().values();
        float[] b = found.get(i).tokens().values();
        for (int v = 0; v < a.length; v++) {
          sum += (a[v] - b[v]) * (a[v] - b[v]);
          values++;
        }
      }
      return sum / values;
    }
  }

  @Test
  void tokensComeNearerToTheTeachers() throws Exception {
    double start = distance(train("start", teacher, radar, 1));
    double end = distance(train("end", teacher, radar, 60));
    assertTrue(end < 0.7 * start, "from " + start + " to " + end);
  }

  @Test
  void aKilledRunEndsWhereAnUninterruptedOneDoes() throws Exception {
    ModelBundle whole = train("whole", teacher, radar, 12);
    SensorOptions options = options(teacher, 12, 1, 16);
    assertThrows(
        CancellationException.class,
        () ->
            SensorTraining.open(folder.resolve("killed"), options)
                .train(
                    teacher,
                    radar,
                    "s",
                    taken -> {
                      if (taken == 8) {
                        throw new CancellationException();
                      }
                    }));
    // The same pairs, of another sensor of the same shapes, are other data.
    PairDataset renamed = pairs(SensorSource.RGB, SensorSource.parse("s1=VH,VV@decibel"));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            SensorTraining.open(folder.resolve("killed"), options)
                .train(teacher, renamed, "s", taken -> {}));
    SensorOptions other = options(TestBundles.random("t", ModelConfig.micro(), 5), 12, 1, 16);
    assertTrue(
        assertThrows(
                IllegalArgumentException.class,
                () -> SensorTraining.open(folder.resolve("killed"), other))
            .getMessage()
            .contains("other options"));
    assertSame(whole, train("killed", teacher, radar, 12));
  }

  /** One more sensor, of pairs with the sensor that came before or with the teacher's own. */
  @Test
  void theResultTeachesTheNextSensor() throws Exception {
    ModelBundle both =
        BundleWriter.write(
            train("first", teacher, radar, 3)
                .withSensorCalibrations(
                    List.of(new SensorCalibration("rgb", "s1", 2, -1)),
                    List.of(new SensorCalibration("rgb", "s1", 7, -5))),
            folder.resolve("calibrated.zip"),
            TEXTS);
    for (SensorSource first : List.of(SensorSource.RGB, SensorSource.S1)) {
      PairDataset optical = pairs(first, SensorSource.S2);
      ModelBundle all = train("all-" + first.name(), both, optical, 3);
      assertEquals(List.of("rgb", "s1", "s2"), names(all.manifest()));
      assertSame(both, all);
      assertEquals(both.manifest().sensorCalibrations(), all.manifest().sensorCalibrations());
      assertEquals(both.manifest().fittedMaxSims(), all.manifest().fittedMaxSims());
      assertEquals("none, then scenes, then scenes", all.manifest().training().dataSet());
      SensorCalibrationFit.Fitted fitted;
      try (FusionModel model = FusionModel.load(all, folder)) {
        fitted = SensorCalibrationFit.fit(model, optical);
      }
      // Eight validation pairs are too few to fit anything.
      assertTrue(fitted.cosines().isEmpty() && fitted.maxSims().isEmpty());
    }
  }

  /** All that is shared is frozen, so it does not matter what else has joined before. */
  @Test
  void twoSensorsAreTwoTrainings() throws Exception {
    PairDataset optical = pairs(SensorSource.RGB, SensorSource.S2);
    ModelBundle alone = train("alone", teacher, optical, 3);
    ModelBundle second = train("second", train("before", teacher, radar, 1), optical, 3);
    assertEquals(List.of("rgb", "s1", "s2"), names(second.manifest()));
    assertSame(alone, second);
  }

  @Test
  void theLossIsTheWeightedSumOfItsParts() throws Exception {
    SensorOptions options = options(teacher, 1, 3, 16);
    SensorConfig s1 = SensorConfig.s1(16);
    DecodedPairs train = DecodedPairs.decode(radar, Split.TRAIN, 20);
    try (Teacher frozen = Teacher.load(teacher, radar, options, folder);
        TrainingModule<SensorSet.Batch> module =
            new TrainingModule<>(new SensorTask(options, frozen, s1), folder)) {
      SensorSet set = new SensorSet(options, frozen.student(s1), frozen.seen(), s1, train);
      // (iii) begins after a quarter of the only step: at once.
      Losses losses = module.step(List.of(set.batch(0)));
      assertTrue(
          losses.get("tokens") > 0 && losses.get("patches") > 0 && losses.get("neighbours") < 0);
      assertEquals(
          losses.get("mutual")
              + 0.5 * losses.get("angular")
              + 0.5 * losses.get("neighbours")
              + 0.25 * losses.get("patches")
              + 3 * losses.get("tokens"),
          losses.total(),
          1e-4);
    }
  }

  /** Crop, flip and turn are shared; light, speckle and their like are for the new sensor alone. */
  @Test
  void theTeacherSeesTheSamePlaceUnchanged() throws Exception {
    SensorConfig shown = teacher.manifest().config().sensor("rgb");
    SensorConfig other = new SensorConfig("other", 16, shown.mean(), shown.std());
    List<TilePair> ids = radar.split(Split.TRAIN);
    StoredPictures<BandImage> tiles = DecodedPairs.decode(radar, Split.TRAIN, 20).first();
    DecodedPairs same = new DecodedPairs(ids, tiles, tiles, List.of());
    for (double light : new double[] {0, 0.3}) {
      SensorOptions base = options(teacher, 1, 1, 0);
      SensorOptions options =
          MicroTraining.with(
              base, "augmentation", new SensorOptions.Augmentation(0.5, true, 0, light, 0, 0));
      SensorSet.Batch batch =
          new SensorSet(options, teacher.manifest().config(), shown, other, same).batch(0);
      double difference = 0;
      double gained = 0;
      for (int i = 0; i < batch.first().length; i++) {
        int channel = i / 256 % 3;
        double offset = shown.mean().get(channel) / shown.std().get(channel);
        difference += Math.abs(batch.first()[i] - batch.second()[i]);
        // A gain changes all of a tile by one factor, so dark pixels stay dark.
        gained += Math.abs(batch.first()[i] + offset) * 1e-6;
      }
      assertEquals(light > 0, difference > gained, light + ": " + difference);
    }
  }

  @Test
  void saysWhyATeacherCannotTeach() throws Exception {
    List<SensorConfig> sensors = List.of(SensorConfig.s1(16), SensorConfig.s2(16));
    ModelBundle textless =
        TestBundles.random("mute", SensorOptions.Preset.MICRO.config(sensors), 1);
    SensorOptions mute = SensorOptions.onto(textless.manifest(), "s1");
    assertSays(() -> Teacher.load(textless, radar, mute, folder), "mute", "[s1, s2]", "text tower");
    SensorOptions options = options(teacher, 1, 1, 0);
    PairDataset foreign = pairs(SensorSource.S2, SensorSource.S1);
    assertSays(
        () -> Teacher.load(teacher, foreign, options, folder), "[teacher] of [rgb] lacks [s2]");
    assertSays(() -> SensorOptions.onto(teacher.manifest(), "s2"), "unknown sensor [s2]", "[rgb]");
    PairDataset known = pairs(SensorSource.S1, SensorSource.RGB);
    ModelBundle both = train("both", teacher, radar, 1);
    assertSays(
        () -> Teacher.load(both, known, options(both, 1, 1, 0), folder), "has [rgb] already");
    PairDataset banded = pairs(SensorSource.parse("rgb=R,G,B@as_stored"), SensorSource.S1);
    assertSays(
        () -> Teacher.load(teacher, banded, options, folder),
        "takes ordinary pictures for [rgb]",
        "AS_STORED");
    assertSays(() -> Teacher.load(both, radar, options, folder), "not the one");
    assertSays(
        () -> Teacher.load(teacher, radar, MicroTraining.with(options, "image_size", 32), folder),
        "16",
        "32");
    SensorOptions scratch = SensorOptions.Recipe.SCRATCH.options();
    assertSays(
        () ->
            SensorTraining.open(folder.resolve("scratch"), scratch)
                .train(teacher, radar, "s", taken -> {}),
        "not the one");
    assertSays(
        () -> MicroTraining.with(scratch, "tokens", 1), "without one their weight must be 0");
    assertSays(
        () -> MicroTraining.with(options, "preset", SensorOptions.Preset.MICRO),
        "preset must be absent");
  }

  /** Something that fails. */
  @FunctionalInterface
  private interface Failing {
    void run() throws Exception;
  }

  private static void assertSays(Failing failing, String... parts) {
    String message = assertThrows(IllegalArgumentException.class, failing::run).getMessage();
    List<String> missing = new ArrayList<>(List.of(parts));
    missing.removeIf(message::contains);
    assertTrue(missing.isEmpty(), message + " lacks " + missing);
  }
}
