/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.ScriptModule;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.data.PairDataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * A frozen model with text that a new sensor's tower is trained onto: it says what the tower should
 * make of a place, from what it makes of the same place by a sensor of its own, and becomes, with
 * the tower, a model of one sensor more.
 */
final class Teacher implements AutoCloseable {
  private final ModelBundle bundle;
  private final SensorConfig seen;
  private final StateDict weights;
  private final FusionModel model;

  private Teacher(ModelBundle bundle, SensorConfig seen, StateDict weights, FusionModel model) {
    this.bundle = bundle;
    this.seen = seen;
    this.weights = weights;
    this.model = model;
  }

  /**
   * Loads a teacher.
   *
   * @param pairs of a sensor that the teacher has and of one that it shall get
   * @param scratch an existing folder for temporary files
   * @throws IllegalArgumentException when the teacher cannot teach these pairs, saying why
   */
  static Teacher load(ModelBundle bundle, PairDataset pairs, SensorOptions options, Path scratch)
      throws IOException, BundleException {
    ModelManifest manifest = bundle.manifest();
    List<String> sensors = manifest.config().sensors().stream().map(SensorConfig::name).toList();
    String teacher = "teacher [" + manifest.id() + "] of " + sensors;
    if (!manifest.config().hasText()) {
      throw new IllegalArgumentException(
          teacher + " has no text tower; a model with text is needed, such as train makes");
    }
    if (manifest.config().tokenProjection() != null) {
      throw new IllegalArgumentException(
          teacher
              + " stores projected tokens, and a new tower learns whole ones: give the model that"
              + " train-fusion --token-width started from");
    }
    if (!manifest.weightsSha256().equals(options.teacher())) {
      throw new IllegalArgumentException(teacher + " is not the one that the options are for");
    }
    String first = pairs.first().name();
    String second = pairs.second().name();
    if (!sensors.contains(first)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s lacks [%s]: of a pair's sensors the first must be one of its own",
              teacher,
              first));
    }
    if (sensors.contains(second)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s has [%s] already: of a pair's sensors the second must be new",
              teacher,
              second));
    }
    SensorConfig seen = manifest.config().sensor(first);
    if (!Objects.equals(pairs.first().input(), seen.bands())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s takes %s for [%s], the pairs have %s",
              teacher,
              described(seen.bands()),
              first,
              described(pairs.first().input())));
    }
    if (seen.imageSize() != options.imageSize()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s sees [%s] at %d pixels, the options say %d",
              teacher,
              first,
              seen.imageSize(),
              options.imageSize()));
    }
    return new Teacher(bundle, seen, bundle.weights(), FusionModel.load(bundle, scratch));
  }

  private static String described(Object bands) {
    return bands == null ? "ordinary pictures" : bands.toString();
  }

  /** Returns the teacher's sensor of the pairs. */
  SensorConfig seen() {
    return seen;
  }

  /** Returns the shape of what is trained: a tower as the teacher's, and its projection. */
  ModelConfig student(SensorConfig sensor) {
    return bundle.manifest().config().withoutText(List.of(sensor));
  }

  /**
   * Returns what is trained, as it starts: the teacher's projection, and the teacher's tower, but
   * for the first convolution where the sensor has another number of channels.
   */
  ScriptModule studentModel(SensorConfig sensor, long seed) {
    Weights fresh = Weights.random(seed);
    return MtgfeArchitecture.build(
        student(sensor),
        (name, init, shape) -> {
          String taught = name.replace(tower(sensor), tower(seen));
          ScriptTensor tensor = weights.tensors().get(taught);
          return tensor != null && Arrays.equals(tensor.shape(), shape)
              ? tensor
              : fresh.get(name, init, shape);
        });
  }

  private static String tower(SensorConfig sensor) {
    return "image_" + sensor.name() + ".";
  }

  /**
   * Returns what the teacher makes of a batch's first tiles: (B, M, H) tokens and (B, D) features.
   */
  NDList encode(NDManager call, SensorSet.Batch batch) {
    int b = batch.images();
    int each = batch.first().length / b;
    List<PixelTensor> images = new ArrayList<>();
    for (int i = 0; i < b; i++) {
      images.add(
          new PixelTensor(
              seen.channels(),
              seen.imageSize(),
              Arrays.copyOfRange(batch.first(), i * each, (i + 1) * each)));
    }
    ModelConfig config = bundle.manifest().config();
    int m = config.imageTokens(seen);
    int h = config.hidden();
    int d = config.embeddingDimension();
    float[] tokens = new float[b * m * h];
    float[] features = new float[b * d];
    List<Encoding> encodings = model.encodeImages(seen.name(), images);
    for (int i = 0; i < b; i++) {
      System.arraycopy(encodings.get(i).tokens().values(), 0, tokens, i * m * h, m * h);
      System.arraycopy(encodings.get(i).embedding(), 0, features, i * d, d);
    }
    return new NDList(
        call.create(tokens, new Shape(b, m, h)), call.create(features, new Shape(b, d)));
  }

  /**
   * Returns the teacher with one sensor more; all else of it stays as it is, to the bit.
   *
   * @param student what {@link #studentModel} became
   */
  ModelBundle with(
      String id, SensorConfig sensor, StateDict student, ModelManifest.Training training) {
    ModelManifest manifest = bundle.manifest();
    ModelConfig config = manifest.config();
    List<SensorConfig> sensors = new ArrayList<>(config.sensors());
    sensors.add(sensor);
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(weights.tensors());
    student
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (name.startsWith(tower(sensor))) {
                tensors.put(name, tensor);
              }
            });
    return ModelBundle.of(
            id,
            config.withSensors(sensors),
            bundle.tokenizerEntries(),
            new StateDict(tensors),
            manifest.storedPrecision(),
            manifest.calibration(),
            training,
            manifest.metrics())
        .withPrompts(manifest.prompts())
        .withSensorCalibrations(manifest.sensorCalibrations(), manifest.fittedMaxSims());
  }

  @Override
  public void close() {
    model.close();
  }
}
