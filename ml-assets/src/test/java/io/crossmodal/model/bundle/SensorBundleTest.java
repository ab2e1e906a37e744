/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.bundle;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TransformerConfig;
import io.crossmodal.model.TransformerConfig.Activation;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.fixtures.TestTiffs;
import io.crossmodal.model.image.BandImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SensorBundleTest {
  @TempDir private Path folder;

  private static ModelConfig config(ImageTowerConfig.Kind kind, SensorConfig... sensors) {
    List<ImageTowerConfig.Stage> stages = List.of(new ImageTowerConfig.Stage(16, 2));
    ImageTowerConfig tower =
        switch (kind) {
          case VISION_TRANSFORMER -> ImageTowerConfig.visionTransformer(8, 2);
          case CONVOLUTIONAL -> ImageTowerConfig.convolutional(List.of(8), stages);
          case RESNET ->
              ImageTowerConfig.resnet(8, stages).withPooling(ImageTowerConfig.Pooling.GRID);
          case EFFICIENTNET_LITE ->
              ImageTowerConfig.efficientNetLite(
                  8,
                  List.of(
                      new ImageTowerConfig.Stage(8, 2, 5, 1),
                      new ImageTowerConfig.Stage(8, 1, 3, 4),
                      new ImageTowerConfig.Stage(16, 2, 5, 3)),
                  24,
                  true);
          case CLIP ->
              ImageTowerConfig.clip(8, 2, new TransformerConfig(24, 3, 40, Activation.GELU));
        };
    return ModelConfig.ofSensors(16, 2, 32, 8, tower, List.of(sensors));
  }

  @ParameterizedTest
  @EnumSource(ImageTowerConfig.Kind.class)
  void servesImagesOfEachSensor(ImageTowerConfig.Kind kind) throws IOException, BundleException {
    ModelConfig config =
        config(kind, SensorConfig.s1(16), SensorConfig.s2(16), SensorConfig.rgb(16));
    Path file = folder.resolve("sensors.zip");
    TestBundles.write(
        TestBundles.random("sensors", config, 3)
            .withSensorCalibrations(
                List.of(new SensorCalibration("s1", "s2", 9.5, -4)),
                List.of(new SensorCalibration("s2", "s1", 80, -60))),
        file,
        List.of());
    ModelBundle bundle = ModelBundle.read(file);
    assertEquals(config, bundle.manifest().config());
    assertEquals(9.5, bundle.manifest().sensorCalibration("s1", "s2").orElseThrow().scale());
    assertTrue(bundle.manifest().sensorCalibration("s2", "s1").isEmpty());
    assertEquals(80, bundle.manifest().maxSimCalibration("s2", "s1").orElseThrow().scale());
    assertTrue(bundle.manifest().maxSimCalibration("s1", "s2").isEmpty());
    long seed = System.nanoTime();
    SplittableRandom random = new SplittableRandom(seed);
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      for (SensorConfig sensor : config.sensors()) {
        if (sensor.bands() == null) {
          continue;
        }
        float[] values = new float[sensor.channels() * 24 * 24];
        for (int i = 0; i < values.length; i++) {
          values[i] = random.nextInt(3000);
        }
        byte[] tile =
            TestTiffs.write(
                new BandImage(sensor.channels(), 24, 24, values), TestTiffs.Values.UINT16);
        Encoding encoding =
            model
                .encodeImages(
                    sensor.name(), List.of(bundle.preprocessor(sensor.name()).preprocess(tile)))
                .get(0);
        double square = 0;
        for (float value : encoding.embedding()) {
          square += value * value;
        }
        assertEquals(1, square, 1e-4, "seed " + seed);
        assertEquals(config.imageTokens(sensor), encoding.tokens().count());
      }
      String message =
          assertThrows(IllegalStateException.class, () -> model.encodeTexts(List.of()))
              .getMessage();
      assertTrue(message.contains("encode_text") && message.contains("[s1, s2, rgb]"), message);
      assertThrows(
          IllegalStateException.class, () -> model.score(List.of(), new int[0], List.of()));
      assertThrows(IllegalStateException.class, () -> model.attention(List.of(), List.of()));
      assertThrows(IllegalStateException.class, bundle::tokenizer);
    }
  }

  @Test
  void aSensorIsPartOfTheFingerprints() {
    ImageTowerConfig.Kind kind = ImageTowerConfig.Kind.CONVOLUTIONAL;
    Fingerprints plain =
        TestBundles.random("a", config(kind, SensorConfig.s1(16)), 1).manifest().fingerprints();
    SensorConfig s1 = SensorConfig.s1(16);
    SensorConfig other = new SensorConfig("s1", 16, s1.mean(), List.of(5.0, 5.0), s1.bands());
    Fingerprints scaled = TestBundles.random("a", config(kind, other), 1).manifest().fingerprints();
    assertFalse(plain.embeddingSpace().equals(scaled.embeddingSpace()));
    assertFalse(SensorConfig.rgb(16).toString().contains("bands"));
  }

  /** A bundle that knows nothing of MaxSim is written to the letter as it was read. */
  @Test
  void manifestsWithoutMaxSimStayAsTheyAre() throws BundleException {
    List<SensorCalibration> cosines = List.of(new SensorCalibration("s1", "s1", 9.5, -4));
    ModelBundle bundle =
        TestBundles.random(
            "s", config(ImageTowerConfig.Kind.CONVOLUTIONAL, SensorConfig.s1(16)), 1);
    byte[] old = bundle.withSensorCalibrations(cosines, List.of()).manifest().toJson();
    assertFalse(new String(old, StandardCharsets.UTF_8).contains("max_sim"));
    ModelManifest read = ModelManifest.fromJson(old);
    assertEquals(cosines, read.sensorCalibrations());
    assertTrue(read.maxSimCalibration("s1", "s1").isEmpty());
    assertArrayEquals(old, read.toJson());

    List<SensorCalibration> maxSims = List.of(new SensorCalibration("s1", "s1", 80, -60));
    ModelManifest both = bundle.withSensorCalibrations(cosines, maxSims).manifest();
    assertEquals(both, ModelManifest.fromJson(both.toJson()));
    assertEquals(maxSims, both.withId("t").maxSimCalibrations());
    assertEquals(read.fingerprints(), both.fingerprints());
  }

  @Test
  void whatDoesNotFitIsRefused() throws IOException {
    ModelConfig config = config(ImageTowerConfig.Kind.CONVOLUTIONAL, SensorConfig.s1(16));
    ModelBundle bundle = TestBundles.random("s", config, 1);
    assertThrows(
        IllegalArgumentException.class,
        () -> TestBundles.write(bundle, folder.resolve("a.zip"), List.of("a text")));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            bundle.withSensorCalibrations(
                List.of(new SensorCalibration("s1", "s2", 1, 0)), List.of()));
    assertThrows(
        IllegalArgumentException.class,
        () ->
            bundle.withSensorCalibrations(
                List.of(), List.of(new SensorCalibration("s2", "s1", 1, 0))));
    assertThrows(IllegalStateException.class, () -> config.withVocabularySize(5));
    assertFalse(Files.exists(folder.resolve("a.zip")));
  }
}
