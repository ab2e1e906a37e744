/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import io.crossmodal.model.Calibration;
import io.crossmodal.model.ImageTowerConfig;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.Precision;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.TokenProjection;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.fixtures.ReferenceFusion;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.text.WordPieceTokenizer;
import io.crossmodal.model.torchscript.MtgfeArchitecture;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.bundle.BundleWriter;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingRunTest {
  private static final long SEED = MicroTraining.seed();

  @TempDir static Path folder;
  private static CaptionedDataset scenes;

  /** What a killed process is in a test. */
  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @BeforeAll
  static void generate() throws Exception {
    scenes = MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 24, 4, 4, SEED));
  }

  private static ModelBundle train(String run, TrainingOptions options) throws Exception {
    return TrainingRun.open(folder.resolve(run), options).train(scenes, "micro", step -> {});
  }

  private static void killAt(String run, TrainingOptions options, int last) {
    assertThrows(
        Killed.class,
        () ->
            TrainingRun.open(folder.resolve(run), options)
                .train(
                    scenes,
                    "micro",
                    step -> {
                      if (step == last) {
                        throw new Killed();
                      }
                    }));
  }

  private static void assertSameWeights(ModelBundle expected, ModelBundle found) throws Exception {
    StateDict state = found.weights();
    assertEquals(expected.weights().names(), state.names());
    for (String name : state.names()) {
      float[] values = expected.weights().tensors().get(name).values();
      assertArrayEquals(values, state.tensors().get(name).values(), name);
    }
  }

  @Test
  void aKilledRunEndsWhereAnUninterruptedOneDoes() throws Exception {
    ModelBundle whole = train("whole", MicroTraining.options(SEED, 9, MicroTraining.ALL, 1e-3, 4));
    TrainingOptions options = MicroTraining.options(SEED, 9, MicroTraining.ALL, 1e-3, 4);
    killAt("killed", options, 2); // before the first checkpoint: from the start
    killAt("killed", options, 6); // behind the checkpoint of step 4
    killAt("killed", options, 7); // behind the same one again
    List<Integer> steps = new ArrayList<>();
    ModelBundle resumed =
        TrainingRun.open(folder.resolve("killed"), options).train(scenes, "micro", steps::add);
    assertEquals(List.of(5, 6, 7, 8, 9), steps);
    assertSameWeights(whole, resumed);
    assertEquals(whole.manifest().fingerprints(), resumed.manifest().fingerprints());
    // A run that has ended takes no further step.
    steps.clear();
    ModelBundle again =
        TrainingRun.open(folder.resolve("killed"), options).train(scenes, "micro", steps::add);
    assertEquals(List.of(), steps);
    assertSameWeights(whole, again);
    assertEquals(options, TrainingRun.options(folder.resolve("killed")));
  }

  /** Small images until step 5, the filter alone until step 4. */
  private static final TrainingOptions STAGED =
      MicroTraining.options(
          SEED, 9, MicroTraining.ALL, new TrainingOptions.Stages(0.45, 0.5, 0.55, 8), 1e-3, 3);

  @Test
  void aStagedRunResumesInEitherStage() throws Exception {
    ModelBundle whole = train("staged", STAGED);
    killAt("staged-killed", STAGED, 3); // in the first stage, at its checkpoint
    killAt("staged-killed", STAGED, 5);
    killAt("staged-killed", STAGED, 7); // in the second
    assertSameWeights(whole, train("staged-killed", STAGED));
  }

  @Test
  void theFilterIsHandedOverBeforeTheOtherTasksJoin() throws Exception {
    List<Integer> steps = new ArrayList<>();
    List<ModelBundle> biEncoders = new ArrayList<>();
    ModelBundle last =
        TrainingRun.open(folder.resolve("handed"), STAGED)
            .train(
                scenes,
                "micro",
                new TrainingRun.Progress() {
                  @Override
                  public void stepped(int step) {
                    steps.add(step);
                  }

                  @Override
                  public void biEncoderTrained(ModelBundle biEncoder) {
                    assertEquals(List.of(1, 2, 3, 4), steps);
                    biEncoders.add(biEncoder);
                  }
                });
    assertEquals(1, biEncoders.size());
    StateDict initial =
        StateDict.of(
            MtgfeArchitecture.build(
                last.manifest().config(),
                (name, init, shape) -> Weights.random(SEED).get("model." + name, init, shape)));
    StateDict first = biEncoders.get(0).weights();
    for (String name : initial.names()) {
      float[] start = initial.tensors().get(name).values();
      float[] then = first.tensors().get(name).values();
      if (name.startsWith("fusion.")
          || name.startsWith("itm.")
          || name.startsWith("image_rgb.project.")
          || name.equals("image_rgb.position")) {
        assertArrayEquals(start, then, name);
      }
      if (name.equals("filter.text.weight") || name.equals("image_rgb.pool.weight")) {
        assertTrue(distance(start, then) > 0, name);
      }
      assertTrue(distance(then, last.weights().tensors().get(name).values()) > 0, name);
    }
  }

  /** Two batches in the queue. */
  private static final TrainingOptions MOMENTUM =
      MicroTraining.options(
          SEED,
          9,
          MicroTraining.ALL,
          new TrainingOptions.Momentum(16, 0.4),
          TrainingOptions.Stages.NONE,
          1e-3,
          3);

  @Test
  void aRunWithMomentumResumesWithItsQueue() throws Exception {
    ModelBundle whole = train("queue", MOMENTUM);
    killAt("queue-killed", MOMENTUM, 2);
    killAt("queue-killed", MOMENTUM, 5);
    assertSameWeights(whole, train("queue-killed", MOMENTUM));
    assertArrayEquals(
        read(folder.resolve("queue/checkpoint.safetensors")).get("queue"),
        read(folder.resolve("queue-killed/checkpoint.safetensors")).get("queue"));
  }

  @Test
  void theQueueHoldsWhatTheAveragedModelMadeOfTheLastBatches() throws Exception {
    try (Trial trial = trial(MOMENTUM)) {
      int d = trial.config().embeddingDimension();
      float[] before = new float[0];
      for (int step = 0; step < 4; step++) {
        StateDict averaged = trial.module().averaged().below("model");
        CaptionSet.Batch batch = trial.set().batch(step);
        assertTrue(trial.module().step(List.of(batch)).finite());
        float[] queue = state(trial.module()).get("queue");
        int held = Math.min(8 * (step + 1), 16);
        assertEquals(2 * held * d, queue.length);
        float[] fresh = embeddings(trial.config(), averaged, batch);
        assertArrayEquals(
            Arrays.copyOf(fresh, 8 * d), Arrays.copyOf(queue, 8 * d), 1e-5f, "images");
        assertArrayEquals(
            Arrays.copyOfRange(fresh, 8 * d, 16 * d),
            Arrays.copyOfRange(queue, held * d, (held + 8) * d),
            1e-5f,
            "texts");
        if (step > 0) {
          assertArrayEquals(
              Arrays.copyOf(before, 8 * d),
              Arrays.copyOfRange(queue, 8 * d, 16 * d),
              "the batch before");
        }
        before = queue;
      }
    }
  }

  /** Of the images of a batch, then of its texts, by weights as a bundle holds them. */
  private static float[] embeddings(ModelConfig config, StateDict weights, CaptionSet.Batch batch)
      throws IOException {
    float[] all = new float[2 * batch.size() * config.embeddingDimension()];
    Weights start = (name, init, shape) -> weights.get(name.substring("model.".length()), shape);
    try (CaptionTask.MomentumEncoder encoder =
            new CaptionTask.MomentumEncoder(config, start, folder);
        NDManager manager = NDManager.newBaseManager("PyTorch")) {
      int side = batch.imageShape().get(1);
      int n = batch.tokens();
      NDArray keys =
          encoder.encode(
              manager,
              manager.create(batch.pixels(), new Shape(16, 3, side, side)),
              manager.create(batch.ids(), new Shape(8, n)),
              manager.create(batch.mask(), new Shape(8, n)));
      System.arraycopy(keys.toFloatArray(), 0, all, 0, all.length);
    }
    return all;
  }

  @Test
  void anotherSeedGivesAnotherModel() throws Exception {
    ModelBundle one = train("seed", MicroTraining.options(SEED, 1, MicroTraining.ALL, 1e-3, 5));
    ModelBundle other =
        train("other", MicroTraining.options(SEED + 1, 1, MicroTraining.ALL, 1e-3, 5));
    assertFalse(
        one.manifest()
            .fingerprints()
            .tokenSpace()
            .equals(other.manifest().fingerprints().tokenSpace()));
  }

  @Test
  void aRunIsResumedWithItsOwnOptionsAlone() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5);
    Path run = folder.resolve("options");
    TrainingOptions others = MicroTraining.options(SEED, 3, MicroTraining.ALL, 1e-3, 5);
    TrainingRun.open(run, others); // never took off
    train("options", options);
    TrainingRun.open(run, options);
    String message =
        assertThrows(IllegalArgumentException.class, () -> TrainingRun.open(run, others))
            .getMessage();
    assertTrue(message.contains(run.toString()), message);
    assertTrue(message.contains("\"steps\":2") && message.contains("\"steps\":3"), message);
    assertThrows(IOException.class, () -> TrainingRun.options(folder.resolve("nothing")));
  }

  @Test
  void resumingLeavesWhatTheRunIsKnownByAlone() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5);
    train("known", options);
    Path run = folder.resolve("known");
    for (String name : List.of("options.json", "data.sha256")) {
      Path file = run.resolve(name);
      Files.setLastModifiedTime(file, FileTime.fromMillis(0));
      train("known", options);
      assertEquals(FileTime.fromMillis(0), Files.getLastModifiedTime(file), name);
      byte[] content = Files.readAllBytes(file);
      Files.delete(file);
      assertThrows(IllegalArgumentException.class, () -> train("known", options), name);
      Files.write(file, content);
    }
    train("known", options);
  }

  @Test
  void aRunFolderIsOneTrainingsAtATime() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5);
    Path run = folder.resolve("locked");
    List<String> refused = new ArrayList<>();
    TrainingRun.open(run, options)
        .train(
            scenes,
            "micro",
            step ->
                refused.add(
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> RunFolder.open(run, options).lock())
                        .getMessage()));
    assertEquals(2, refused.size());
    assertTrue(refused.get(0).contains(run.toString()), refused.get(0));
    RunFolder.open(run, options).lock().close();
    // What a run that was killed while it saved has left is not left for ever.
    Path left = run.resolve("checkpoint.safetensors.tmp");
    Files.writeString(left, "half");
    Files.delete(run.resolve("checkpoint.safetensors"));
    train("locked", options);
    assertFalse(Files.exists(left));
  }

  @Test
  void aResumedRunLogsWhatAnUninterruptedOneDoes() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 9, MicroTraining.ALL, 1e-3, 4);
    train("logged", options);
    killAt("logged-killed", options, 7);
    train("logged-killed", options);
    Pattern speed = Pattern.compile(",\"steps_per_second.*");
    List<List<String>> logs = new ArrayList<>();
    for (String run : List.of("logged", "logged-killed")) {
      logs.add(
          Files.readAllLines(folder.resolve(run).resolve("metrics.jsonl")).stream()
              .map(line -> speed.matcher(line).replaceFirst(""))
              .toList());
    }
    assertEquals(3, logs.get(0).size());
    assertEquals(logs.get(0), logs.get(1));
  }

  /** The paper's recipe trains no filter: ranked with it, a model would be ranked by chance. */
  @Test
  void aFilterThatNobodyTrainedHasNoSay() throws Exception {
    TrainingOptions.Tasks paper = new TrainingOptions.Tasks(0, 1, 1, 1, 0, 0.15, 1);
    ModelBundle bundle = train("paper", MicroTraining.options(SEED, 2, paper, 1e-3, 5));
    assertEquals(0, bundle.manifest().calibration().lambda());
    ModelBundle filtered =
        train("filtered", MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5));
    assertEquals(Calibration.NONE, filtered.manifest().calibration());
    // Two steps of 8 pairs, where each of 24 images has five captions.
    assertEquals(16 / 120.0, bundle.manifest().training().epochs(), 1e-9);
  }

  @Test
  void anImageThatEveryTextMatchesHasNoNegative() throws Exception {
    TrainingOptions.Tasks matching = new TrainingOptions.Tasks(0, 1, 0, 0, 0, 0.15, 1);
    TrainingOptions options =
        MicroTraining.options(
            SEED,
            10,
            matching,
            TrainingOptions.Momentum.NONE,
            TrainingOptions.Stages.NONE,
            0,
            Precision.FP32,
            1e-9,
            5);
    try (Trial trial = trial(options)) {
      CaptionSet.Batch batch = trial.set().batch(0);
      int b = batch.size();
      float[] all = new float[b * b];
      Arrays.fill(all, 1);
      // Positives alone, whose loss does not depend on what the noise would have drawn.
      double positives = trial.module().step(List.of(with(batch, all, 1))).get("itm");
      assertEquals(positives, trial.module().step(List.of(with(batch, all, -1))).get("itm"), 1e-5);
      // One image that all texts match: 2B - 1 negatives are left.
      float[] one = batch.matches().clone();
      Arrays.fill(one, 0, b, 1);
      double usual = trial.module().step(List.of(with(batch, batch.matches(), 1))).get("itm");
      double less = trial.module().step(List.of(with(batch, one, 1))).get("itm");
      assertTrue(Double.isFinite(less) && Math.abs(less - usual) > 1e-6, usual + " " + less);
      assertTrue(Math.abs(positives - usual) > 1e-4, positives + " " + usual);
    }
  }

  private static CaptionSet.Batch with(CaptionSet.Batch batch, float[] matches, float sign) {
    float[] noise = batch.noise().clone();
    for (int i = 0; i < noise.length; i++) {
      noise[i] *= sign;
    }
    return new CaptionSet.Batch(
        batch.size(),
        batch.views(),
        batch.imageShape(),
        batch.tokens(),
        batch.pixels(),
        batch.ids(),
        batch.mask(),
        batch.masked(),
        batch.labels(),
        matches,
        batch.similar(),
        noise,
        batch.hard(),
        batch.keyMatches());
  }

  @Test
  void aForeignCheckpointIsRefused() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 1, MicroTraining.ALL, 1e-3, 5);
    train("first", options);
    Path run = folder.resolve("foreign");
    TrainingRun.open(run, options);
    // The same options over a vocabulary of three more words.
    List<String> words =
        new ArrayList<>(Files.readAllLines(folder.resolve("first").resolve("vocab.txt")));
    words.addAll(List.of("xx", "yy", "zz"));
    Files.write(run.resolve("vocab.txt"), words);
    for (String name : List.of("checkpoint.safetensors", "data.sha256")) {
      Files.copy(folder.resolve("first").resolve(name), run.resolve(name));
    }
    String message =
        assertThrows(
                IOException.class,
                () -> TrainingRun.open(run, options).train(scenes, "micro", step -> {}))
            .getMessage();
    assertTrue(message.contains("no checkpoint of this run"), message);
  }

  @Test
  void aRunOverOtherImagesIsNotResumed() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5);
    train("data", options);
    CaptionedDataset others =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("others"), 24, 4, 4, SEED + 1));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () ->
                    TrainingRun.open(folder.resolve("data"), options)
                        .train(others, "micro", step -> {}))
            .getMessage();
    assertTrue(message.contains("other images or captions"), message);
    train("data", options);
    // The same names and captions over other pixels.
    CaptionedDataset repainted =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("repainted"), 24, 4, 4, SEED));
    List<CaptionedImage> images = repainted.split(Split.TRAIN);
    Files.copy(images.get(1).file(), images.get(0).file(), StandardCopyOption.REPLACE_EXISTING);
    assertThrows(
        IllegalArgumentException.class,
        () ->
            TrainingRun.open(folder.resolve("data"), options)
                .train(repainted, "micro", step -> {}));
  }

  @Test
  void aCheckpointThatIsCutShortIsRefused() throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 2, MicroTraining.ALL, 1e-3, 5);
    train("cut", options);
    Path checkpoint = folder.resolve("cut").resolve("checkpoint.safetensors");
    byte[] whole = Files.readAllBytes(checkpoint);
    Files.write(checkpoint, Arrays.copyOf(whole, whole.length - 10));
    String message = assertThrows(IOException.class, () -> train("cut", options)).getMessage();
    assertTrue(message.contains(checkpoint.toString()) && message.contains("cut short"), message);
  }

  /** From weights that burst at once to gradients that overflow where the loss does not. */
  @ParameterizedTest
  @ValueSource(doubles = {30, 1e3, 1e6, 1e25})
  void aRunThatDivergesEndsAndLeavesAUsableCheckpoint(double learningRate) throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 60, MicroTraining.ALL, learningRate, 1);
    String run = "diverged" + learningRate;
    Path checkpoint = folder.resolve(run).resolve("checkpoint.safetensors");
    String message = assertThrows(TrainingException.class, () -> train(run, options)).getMessage();
    assertTrue(message.contains("at step") && message.contains(checkpoint.toString()), message);
    if (Files.exists(checkpoint)) {
      for (Map.Entry<String, float[]> entry : read(checkpoint).entrySet()) {
        for (float value : entry.getValue()) {
          assertTrue(Float.isFinite(value), entry.getKey() + " holds " + value);
        }
      }
    }
  }

  /** At the very first step, when no gradient has its place yet, and at a later one. */
  @ParameterizedTest
  @ValueSource(ints = {0, 3})
  void aStepWithoutFiniteNumbersIsPassedOver(int spoilt) throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 6, MicroTraining.ALL, 1e-3, 6);
    RunFolder run = RunFolder.open(folder.resolve("spoilt" + spoilt), options);
    try (Trial trial = trial(options)) {
      new TrainingLoop(run, 6, 6, 8)
          .run(
              trial.module(),
              step -> {
                CaptionSet.Batch batch = trial.set().batch(step);
                if (step == spoilt) {
                  Arrays.fill(batch.pixels(), Float.NaN);
                }
                return List.of(batch);
              },
              taken -> {});
      assertEquals(6, trial.module().steps());
      for (Map.Entry<String, float[]> entry : state(trial.module()).entrySet()) {
        for (float value : entry.getValue()) {
          assertTrue(Float.isFinite(value), entry.getKey());
        }
      }
    }
    assertEquals(1, RunFolder.metrics(run.path()).get(6).get("skipped").getAsInt());
  }

  // One step.

  /** A module with the batches of its run. */
  private record Trial(TrainingModule<CaptionSet.Batch> module, CaptionSet set, ModelConfig config)
      implements AutoCloseable {
    @Override
    public void close() {
      module.close();
    }
  }

  private static Trial trial(TrainingOptions options) throws IOException {
    return trial(options, ModelConfig.micro());
  }

  private static Trial trial(TrainingOptions options, ModelConfig shape) throws IOException {
    List<String> vocabulary = CaptionSet.vocabulary(scenes.split(Split.TRAIN), 1);
    ModelConfig config = shape.withVocabularySize(vocabulary.size());
    SensorConfig sensor = config.sensors().get(0);
    CaptionSet set =
        new CaptionSet(
            options,
            DecodedImages.decode(scenes.split(Split.TRAIN), new ImagePreprocessor(sensor), 0),
            new WordPieceTokenizer(vocabulary, config.text().maxTokens()),
            sensor);
    return new Trial(
        new TrainingModule<>(new CaptionTask(options, config, folder), folder), set, config);
  }

  private static Map<String, float[]> read(Path checkpoint) throws IOException {
    Map<String, float[]> arrays = new LinkedHashMap<>();
    try (NDManager manager = NDManager.newBaseManager("PyTorch");
        InputStream in = Files.newInputStream(checkpoint)) {
      for (NDArray array : NDList.decode(manager, in)) {
        if (!array.getName().equals("steps")) {
          arrays.put(array.getName(), array.toFloatArray());
        }
      }
    }
    return arrays;
  }

  private static Map<String, float[]> state(TrainingModule<?> module) throws IOException {
    Path file = folder.resolve("state.safetensors");
    module.save(file);
    return read(file);
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.abs(a[i] - b[i]);
    }
    return sum;
  }

  @Test
  void oneStepMovesWeightsMomentsAndAverages() throws Exception {
    try (Trial trial = trial(MicroTraining.options(SEED, 10, MicroTraining.ALL, 1e-3, 5))) {
      Map<String, float[]> before = state(trial.module());
      trial.module().step(List.of(trial.set().batch(0)));
      assertEquals(1, trial.module().steps());
      Map<String, float[]> after = state(trial.module());
      for (String name :
          List.of(
              "model.text.word",
              "model.text.layer0.attention.query.weight",
              "model.image_rgb.stem0.weight",
              "model.image_rgb.stage0.block.second.norm.bias",
              "model.fusion.layer0.self_attention.value.weight",
              "model.fusion.layer1.cross_attention.value.weight",
              "model.itm.weight",
              "model.filter.text.weight",
              "model.filter.log_scale",
              "mlm.dense.weight",
              "mlm.bias",
              "mvjrc.project.fc1.weight",
              "mvjrc.predict.fc2.weight")) {
        for (String kind : List.of("parameter.", "first.", "second.", "average.")) {
          assertTrue(distance(before.get(kind + name), after.get(kind + name)) > 0, kind + name);
        }
        assertArrayEquals(new float[] {1}, after.get("count." + name), name);
        // The average lies between the old and the new weight.
        assertTrue(
            distance(before.get("average." + name), after.get("average." + name))
                < distance(before.get("parameter." + name), after.get("parameter." + name)) * 1.001,
            name);
      }
      String mean = "model.image_rgb.stem0.norm.running_mean";
      assertTrue(distance(before.get("buffer." + mean), after.get("buffer." + mean)) > 0);
      assertTrue(
          distance(before.get("averaged_buffer." + mean), after.get("averaged_buffer." + mean))
              > 0);
    }
  }

  @Test
  void clippingBoundsTheFirstStep() throws Exception {
    // AdamW's first step is the learning rate times the gradient's sign: no weight moves further.
    TrainingOptions options = MicroTraining.options(SEED, 10, MicroTraining.ALL, 1e-3, 5);
    try (Trial trial = trial(options)) {
      Map<String, float[]> before = state(trial.module());
      trial.module().step(List.of(trial.set().batch(0)));
      double rate = options.learningRate(0);
      state(trial.module())
          .forEach(
              (name, values) -> {
                if (name.startsWith("parameter.")) {
                  float[] old = before.get(name);
                  for (int i = 0; i < values.length; i++) {
                    double decay = rate * options.optimiser().weightDecay() * Math.abs(old[i]);
                    assertEquals(old[i], values[i], rate + decay + 1e-6, name);
                  }
                } else if (name.startsWith("first.")) {
                  double square = 0;
                  for (float value : values) {
                    square += value * value;
                  }
                  // The first moment is a tenth of the clipped gradient.
                  assertTrue(Math.sqrt(square) <= 0.1 * options.optimiser().clip() + 1e-6, name);
                }
              });
    }
  }

  /** The same batch twice has the gradient of once; its sum would be twice that. */
  @Test
  void accumulatedBatchesStepByTheirMeanGradient() throws Exception {
    TrainingOptions one = withDropout(0);
    Map<String, float[]> twice;
    Map<String, float[]> once;
    try (Trial trial = trial(one)) {
      CaptionSet.Batch batch = trial.set().batch(0);
      trial.module().step(List.of(batch, batch));
      assertEquals(1, trial.module().steps());
      twice = state(trial.module());
    }
    try (Trial trial = trial(one)) {
      trial.module().step(List.of(trial.set().batch(0)));
      once = state(trial.module());
    }
    for (String name : once.keySet()) {
      if (name.startsWith("first.")) {
        assertArrayEquals(once.get(name), twice.get(name), 1e-5f, name);
      }
    }
  }

  private static TrainingOptions withDropout(double dropout) {
    return MicroTraining.options(
        SEED,
        10,
        new TrainingOptions.Tasks(0, 0, 1, 0, 0, 0.15, 1),
        TrainingOptions.Momentum.NONE,
        TrainingOptions.Stages.NONE,
        dropout,
        Precision.FP32,
        1e-3,
        5);
  }

  @Test
  void towersForTrainingFromScratchLearnInEveryWeight() throws Exception {
    ModelConfig micro = ModelConfig.micro();
    ModelConfig config =
        new ModelConfig(
            micro.hidden(),
            micro.heads(),
            micro.feedForward(),
            micro.embeddingDimension(),
            micro.layerNormEpsilon(),
            new TextConfig(57, 16, 1, TextConfig.Kind.MEAN),
            ImageTowerConfig.residual(
                List.of(8),
                List.of(new ImageTowerConfig.Stage(8, 1), new ImageTowerConfig.Stage(16, 2))),
            2,
            micro.sensors());
    try (Trial trial = trial(withDropout(0.1), config)) {
      Map<String, float[]> before = state(trial.module());
      // Behind a gain of zero a block's first convolution has a gradient from the second step on.
      trial.module().step(List.of(trial.set().batch(0)));
      trial.module().step(List.of(trial.set().batch(1)));
      Map<String, float[]> after = state(trial.module());
      // Second moments, as weight decay alone would move a weight; keys need no bias.
      for (String tower : List.of("second.model.text.", "second.model.image_rgb.")) {
        Set<String> names = new TreeSet<>(before.keySet());
        names.removeIf(name -> !name.startsWith(tower) || name.endsWith("key.bias"));
        assertTrue(names.size() > 15, names.toString());
        for (String name : names) {
          assertTrue(distance(before.get(name), after.get(name)) > 0, name);
        }
      }
    }
  }

  private double firstLoss(double dropout) throws Exception {
    try (Trial trial = trial(withDropout(dropout))) {
      return trial.module().step(List.of(trial.set().batch(0))).total();
    }
  }

  @Test
  void dropoutDrawsTheSameForTheSameStep() throws Exception {
    double loss = firstLoss(0.3);
    assertEquals(loss, firstLoss(0.3), 1e-6);
    assertTrue(Math.abs(loss - firstLoss(0)) > 1e-4, "nothing was dropped");
  }

  @Test
  void aTaskThatIsSwitchedOffTouchesNothing() throws Exception {
    assertUntouched(
        new TrainingOptions.Tasks(1, 0, 0, 0, 0.5, 0.15, 1),
        Set.of("fusion", "itm", "image_rgb.project", "image_rgb.position"));
    assertUntouched(new TrainingOptions.Tasks(0, 1, 0, 0, 0, 0.15, 1), Set.of("filter"));
    assertUntouched(new TrainingOptions.Tasks(0, 0, 1, 0, 0.5, 0.15, 1), Set.of("filter", "itm"));
    assertUntouched(new TrainingOptions.Tasks(0, 0, 0, 1, 0.5, 0.15, 1), Set.of("filter", "itm"));
  }

  private static void assertUntouched(TrainingOptions.Tasks tasks, Set<String> parts)
      throws Exception {
    try (Trial trial = trial(MicroTraining.options(SEED, 10, tasks, 1e-2, 5))) {
      StateDict initial =
          StateDict.of(
              MtgfeArchitecture.build(
                  trial.config(),
                  (name, init, shape) -> Weights.random(SEED).get("model." + name, init, shape)));
      for (int step = 0; step < 3; step++) {
        Losses losses = trial.module().step(List.of(trial.set().batch(step)));
        assertEquals(tasks.itc() > 0, losses.get("itc") != 0, losses.toString());
        assertEquals(tasks.itm() > 0, losses.get("itm") != 0, losses.toString());
        assertEquals(tasks.mlm() > 0, losses.get("mlm") != 0, losses.toString());
        assertEquals(tasks.mvjrc() > 0, losses.get("mvjrc") != 0, losses.toString());
        double sum =
            losses.get("itc") + losses.get("itm") + losses.get("mlm") + losses.get("mvjrc");
        assertEquals(sum, losses.total(), 1e-4);
      }
      Set<String> state = state(trial.module()).keySet();
      for (Map.Entry<String, Double> head :
          Map.of("mlm", tasks.mlm(), "mvjrc", tasks.mvjrc()).entrySet()) {
        String start = "parameter." + head.getKey() + ".";
        assertEquals(
            head.getValue() > 0, state.stream().anyMatch(name -> name.startsWith(start)), start);
      }
      StateDict trained = trial.module().averaged().below("model");
      Set<String> moved =
          initial.names().stream()
              .filter(
                  name ->
                      distance(
                              initial.tensors().get(name).values(),
                              trained.tensors().get(name).values())
                          > 0)
              .collect(Collectors.toSet());
      for (String part : List.of("text.", "image_rgb.")) {
        assertTrue(moved.stream().anyMatch(name -> name.startsWith(part)), part + moved);
      }
      for (String part : parts) {
        assertTrue(initial.names().stream().anyMatch(name -> name.startsWith(part)), part);
        assertFalse(moved.stream().anyMatch(name -> name.startsWith(part)), part + " has moved");
      }
    }
  }

  private static TrainingOptions in(Precision precision, int steps, double rate, int checkpoint) {
    return MicroTraining.options(
        SEED,
        steps,
        MicroTraining.ALL,
        TrainingOptions.Momentum.NONE,
        TrainingOptions.Stages.NONE,
        0.1,
        precision,
        rate,
        checkpoint);
  }

  @Test
  void mixedPrecisionRoundsWhatIsComputedAndNoWeight() throws Exception {
    try (Trial whole = trial(in(Precision.FP32, 10, 1e-3, 5));
        Trial mixed = trial(in(Precision.BF16, 10, 1e-3, 5))) {
      for (Map.Entry<String, float[]> fresh : state(whole.module()).entrySet()) {
        assertArrayEquals(
            fresh.getValue(), state(mixed.module()).get(fresh.getKey()), fresh.getKey());
      }
      CaptionSet.Batch batch = whole.set().batch(0);
      Losses expected = whole.module().step(List.of(batch));
      Losses found = mixed.module().step(List.of(batch));
      // bfloat16 has 8 bits of precision.
      assertEquals(expected.total(), found.total(), 0.03 * expected.total());
      assertTrue(expected.total() != found.total(), "nothing was rounded");
      float[] weight = state(mixed.module()).get("parameter.model.itm.weight");
      int finer = 0;
      for (float value : weight) {
        finer += (Float.floatToRawIntBits(value) & 0xFFFF) != 0 ? 1 : 0;
      }
      assertTrue(finer > weight.length / 2, "weights are kept in fp32");
    }
  }

  @Test
  void aKilledRunInMixedPrecisionEndsWhereAnUninterruptedOneDoes() throws Exception {
    ModelBundle whole = train("mixed", in(Precision.BF16, 6, 1e-3, 3));
    killAt("mixed-killed", in(Precision.BF16, 6, 1e-3, 3), 4);
    assertSameWeights(whole, train("mixed-killed", in(Precision.BF16, 6, 1e-3, 3)));
  }

  @ParameterizedTest
  @EnumSource(names = {"FP32", "BF16"})
  void trainingLowersEveryLoss(Precision precision) throws Exception {
    TrainingOptions options = in(precision, 80, 1e-2, 1000);
    try (Trial trial = trial(options)) {
      CaptionSet.Batch batch = trial.set().batch(0); // learnt by heart
      Losses first = trial.module().step(List.of(batch));
      Losses last = first;
      for (int step = 1; step < 80; step++) {
        last = trial.module().step(List.of(batch));
        assertTrue(last.finite());
      }
      assertTrue(last.total() < 0.6 * first.total(), first + " to " + last);
      assertTrue(
          last.get("itc") < first.get("itc") && last.get("mlm") < first.get("mlm"),
          first + " to " + last);
      assertTrue(last.get("itm") < first.get("itm"), first + " to " + last);
      assertTrue(
          last.get("mvjrc") < first.get("mvjrc") && last.get("mvjrc") >= -1, first + " to " + last);
    }
  }

  /** With whole tokens, and with a projection of them that learns from the start. */
  @ParameterizedTest
  @CsvSource({"parity, , ", "narrow, 6, 2"})
  void aTrainedBundleScoresAsThePlainJavaReference(String run, Integer width, Integer grid)
      throws Exception {
    TrainingOptions options = MicroTraining.options(SEED, 4, MicroTraining.ALL, 1e-2, 10);
    ModelBundle trained =
        train(run, MicroTraining.with(options, "token_width", width, "token_grid", grid));
    ModelConfig config = trained.manifest().config();
    assertEquals(width == null ? null : new TokenProjection(width, grid), config.tokenProjection());
    StateDict random =
        StateDict.of(
            MtgfeArchitecture.build(
                config,
                (name, init, shape) -> Weights.random(SEED).get("model." + name, init, shape)));
    for (String name : random.names()) {
      if (name.matches("tokens[.].*weight")) {
        assertFalse(
            Arrays.equals(
                random.tensors().get(name).values(),
                trained.weights().tensors().get(name).values()),
            name);
      }
    }
    Path file = folder.resolve(run + ".zip");
    BundleWriter.write(trained, file, List.of(scenes.images().get(0).captions().get(0)));
    ModelBundle bundle = ModelBundle.read(file);
    ReferenceFusion reference = new ReferenceFusion(bundle.manifest().config(), bundle.weights());
    try (FusionModel model = FusionModel.load(bundle, folder)) {
      for (int i = 0; i < 4; i++) {
        Encoding text =
            model
                .encodeTexts(
                    List.of(bundle.tokenizer().tokenize(scenes.images().get(i).captions().get(0))))
                .get(0);
        Encoding image =
            model
                .encodeImages(
                    "rgb",
                    List.of(
                        bundle
                            .preprocessor("rgb")
                            .preprocess(Files.readAllBytes(scenes.images().get(i).file()))))
                .get(0);
        PairLogits expected = reference.score(text.tokens(), image.tokens());
        PairLogits found = model.score(List.of(text.tokens()), List.of(image.tokens()));
        assertEquals(expected.itm()[0], found.itm()[0], 2e-5);
        assertEquals(expected.biEncoder()[0], found.biEncoder()[0], 1e-4);
      }
    }
  }
}
