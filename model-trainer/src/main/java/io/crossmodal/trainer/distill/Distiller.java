/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.torchscript.ScriptTensor;
import io.crossmodal.model.torchscript.StateDict;
import io.crossmodal.trainer.train.RunFolder;
import io.crossmodal.trainer.train.TrainingException;
import io.crossmodal.trainer.train.TrainingLoop;
import io.crossmodal.trainer.train.TrainingModule;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Distils a model's fusion encoder, a cross-encoder, into its bi-encoder and into an MLP
 * pre-ranker, by what it says of training pairs.
 *
 * <p>The teacher scores every pair once and its class tokens are kept, so an epoch costs no tower
 * and no fusion. In a bundle the dot product replaces the head that the towers were trained with;
 * the calibration is void then and must be fitted again.
 */
public final class Distiller {
  /** Tells whether an image and a text belong together, by their numbers. */
  @FunctionalInterface
  public interface Matches {
    boolean test(int image, int text);
  }

  private final FusionModel teacher;
  private final List<Encoding> images;
  private final List<Encoding> texts;
  private final Matches matches;
  private final DistillationOptions options;

  /**
   * Makes a distiller of one model.
   *
   * @param images encoded by the teacher
   * @param texts a caption of each image, at its place
   * @param matches whether image i and text t belong together; i and i always do
   */
  public Distiller(
      FusionModel teacher,
      List<Encoding> images,
      List<Encoding> texts,
      Matches matches,
      DistillationOptions options) {
    if (images.size() != texts.size() || images.size() < options.batch()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%d images and %d texts: as many of each are needed, and at least a batch of %d",
              images.size(),
              texts.size(),
              options.batch()));
    }
    if (teacher.bundle().manifest().config().tokenProjection() != null) {
      throw new IllegalArgumentException(
          "model "
              + teacher.bundle().manifest().id()
              + " stores projected tokens, and the bi-encoder is distilled from whole class tokens:"
              + " distil first, then train-fusion --token-width");
    }
    this.teacher = teacher;
    this.images = List.copyOf(images);
    this.texts = List.copyOf(texts);
    this.matches = matches;
    this.options = options;
  }

  /**
   * Distils both; run again with the same folder, it goes on where it was interrupted.
   *
   * @param folder of the run, made where it is absent
   * @param ranking what the teacher ranks by: its lambda as it ships
   * @param scored told the texts that the teacher has scored
   * @param progress told after each step
   * @return the teacher with both, not calibrated
   * @throws IllegalArgumentException when the folder holds a run of other options, another teacher
   *     or other data
   * @throws TrainingException when a loss is no finite number
   */
  public ModelBundle distil(
      Path folder, Calibration ranking, IntConsumer scored, TrainingLoop.Progress progress)
      throws IOException, TrainingException, BundleException {
    RunFolder run = RunFolder.open(folder, options);
    String hash = run.requireSameData(digest(ranking), "data, or of another teacher");
    TeacherLists lists =
        TeacherLists.prepare(
            teacher,
            images,
            texts,
            matches,
            options,
            ranking,
            folder.resolve("teacher-" + hash.substring(0, 16) + ".bin"),
            scored);
    ModelBundle before = teacher.bundle();
    ModelConfig config = before.manifest().config().withPreRanker(true);
    Map<String, ScriptTensor> tensors = new LinkedHashMap<>(before.weights().tensors());
    int perEpoch = stepsAnEpoch();
    int steps = perEpoch * options.epochs();
    SplittableRandom random = new SplittableRandom(options.seed());
    List<List<Integer>> orders =
        IntStream.range(0, options.epochs()).mapToObj(e -> shuffled(texts.size(), random)).toList();
    int q = options.batch();
    try (TrainingModule<DistillationTask.Batch> students =
        new TrainingModule<>(
            new DistillationTask(config, before.weights(), options, steps), folder)) {
      new TrainingLoop(run, steps, perEpoch, q)
          .run(
              students,
              step -> {
                // The next batch is asked for ahead, also behind the last.
                List<Integer> order = orders.get(Math.min(step / perEpoch, orders.size() - 1));
                int from = step % perEpoch * q;
                return List.of(batch(lists, order.subList(from, from + q)));
              },
              progress,
              null);
      tensors.putAll(students.averaged().tensors());
    }
    return ModelBundle.of(
            before.manifest().id(),
            config,
            before.tokenizerEntries(),
            new StateDict(tensors),
            before.manifest().storedPrecision(),
            Calibration.NONE,
            before.manifest().training(),
            List.of())
        .withPrompts(before.manifest().prompts());
  }

  /** Returns how many steps an epoch has. */
  public int stepsAnEpoch() {
    return texts.size() / options.batch();
  }

  /** Returns a digest of all that the lists depend on. */
  private MessageDigest digest(Calibration ranking) {
    MessageDigest digest = Sha256.digest();
    String words = teacher.bundle().manifest().weightsSha256() + options + ranking;
    digest.update(words.getBytes(StandardCharsets.UTF_8));
    for (List<Encoding> side : List.of(images, texts)) {
      for (Encoding encoding : side) {
        ByteBuffer bytes = ByteBuffer.allocate(Float.BYTES * encoding.embedding().length);
        bytes.asFloatBuffer().put(encoding.embedding());
        digest.update(bytes);
      }
    }
    return digest;
  }

  private DistillationTask.Batch batch(TeacherLists lists, List<Integer> chosen) {
    int q = chosen.size();
    int k = lists.candidates()[0].length;
    int h = texts.get(0).tokens().hidden();
    float[] w = new float[q * h];
    float[] v = new float[q * k * h];
    float[] itm = new float[q * k];
    float[] ranking = new float[q * k];
    long[] labels = new long[q * k];
    float[] match = new float[q * q];
    for (int row = 0; row < q; row++) {
      int t = chosen.get(row);
      System.arraycopy(texts.get(t).tokens().values(), 0, w, row * h, h);
      for (int c = 0; c < k; c++) {
        int at = row * k + c;
        int image = lists.candidates()[t][c];
        System.arraycopy(images.get(image).tokens().values(), 0, v, at * h, h);
        itm[at] = lists.itm()[t][c];
        ranking[at] = lists.ranking()[t][c];
        labels[at] = c == 0 ? 1 : 0;
      }
      for (int other = 0; other < q; other++) {
        match[row * q + other] = row == other || matches.test(t, chosen.get(other)) ? 1 : 0;
      }
    }
    return new DistillationTask.Batch(q, k, w, v, itm, ranking, labels, match);
  }

  private static List<Integer> shuffled(int size, SplittableRandom random) {
    List<Integer> order = new ArrayList<>(size);
    for (int i = 0; i < size; i++) {
      int at = random.nextInt(i + 1);
      order.add(i);
      order.set(i, order.get(at));
      order.set(at, i);
    }
    return order;
  }
}
