/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.distill;

import io.crossmodal.model.Calibration;
import io.crossmodal.model.PairLogits;
import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.tokens.TokenBlock;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * The teacher's lists: its logits for each text's candidates; made once, before the students learn.
 *
 * @param candidates (texts, K) image numbers, the text's own first; no other one matches
 * @param itm (texts, K) matching logits
 * @param ranking (texts, K) the logits that the teacher ranks by, its own bi-encoder's share
 *     included
 */
@SuppressWarnings("ArrayRecordComponent") // made once, never compared
record TeacherLists(int[][] candidates, float[][] itm, float[][] ranking) {
  /**
   * Has the teacher score every list.
   *
   * @param texts one per image, at the image's place
   * @param matches whether image i and text t belong together
   * @param calibration what the teacher ranks by
   * @param kept file of the logits scored so far, gone on with
   * @param progress told the texts scored so far
   */
  static TeacherLists prepare(
      FusionModel teacher,
      List<Encoding> images,
      List<Encoding> texts,
      Distiller.Matches matches,
      DistillationOptions options,
      Calibration calibration,
      Path kept,
      IntConsumer progress)
      throws IOException {
    int[][] candidates = new int[texts.size()][];
    IntStream.range(0, texts.size())
        .parallel()
        .forEach(t -> candidates[t] = candidates(t, images, texts, matches, options));
    float[][] itm = new float[texts.size()][];
    float[][] ranking = new float[texts.size()][];
    int k = candidates[0].length;
    int done = 0;
    // What an interrupted run has scored is not scored again.
    byte[] known = Files.exists(kept) ? Files.readAllBytes(kept) : new byte[0];
    FloatBuffer floats = ByteBuffer.wrap(known).asFloatBuffer();
    for (; done < texts.size() && (done + 1) * 2 * k <= floats.capacity(); done++) {
      itm[done] = new float[k];
      ranking[done] = new float[k];
      floats.get(itm[done]).get(ranking[done]);
    }
    try (FileChannel file =
        FileChannel.open(kept, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      file.truncate((long) done * 2 * k * Float.BYTES).position(file.size());
      for (int t = done; t < candidates.length; t++) {
        score(t, teacher, images, texts, candidates[t], calibration, itm, ranking);
        ByteBuffer row = ByteBuffer.allocate(2 * k * Float.BYTES);
        row.asFloatBuffer().put(itm[t]).put(ranking[t]);
        while (row.hasRemaining()) {
          file.write(row);
        }
        progress.accept(t + 1);
      }
    }
    return new TeacherLists(candidates, itm, ranking);
  }

  private static void score(
      int t,
      FusionModel teacher,
      List<Encoding> images,
      List<Encoding> texts,
      int[] candidates,
      Calibration calibration,
      float[][] itm,
      float[][] ranking) {
    List<TokenBlock> found =
        Arrays.stream(candidates).mapToObj(i -> images.get(i).tokens()).toList();
    PairLogits logits = teacher.score(List.of(texts.get(t).tokens()), found);
    itm[t] = logits.itm();
    ranking[t] = new float[found.size()];
    for (int k = 0; k < found.size(); k++) {
      ranking[t][k] = (float) calibration.logit(logits.itm()[k], logits.biEncoder()[k]);
    }
  }

  private static int[] candidates(
      int t,
      List<Encoding> images,
      List<Encoding> texts,
      Distiller.Matches matches,
      DistillationOptions options) {
    float[] query = texts.get(t).embedding();
    double[] similarity = new double[images.size()];
    for (int i = 0; i < similarity.length; i++) {
      float[] embedding = images.get(i).embedding();
      for (int d = 0; d < query.length; d++) {
        similarity[i] += query[d] * embedding[d];
      }
    }
    List<Integer> negatives =
        new ArrayList<>(
            IntStream.range(0, images.size())
                .filter(i -> !matches.test(i, t))
                .boxed()
                .sorted((a, b) -> Double.compare(similarity[b], similarity[a]))
                .toList());
    int k = 1 + options.hard() + options.easy();
    if (negatives.size() < k - 1) {
      throw new IllegalArgumentException(
          "a text has only "
              + negatives.size()
              + " images that do not match it, "
              + (k - 1)
              + " candidates need more training images");
    }
    int[] chosen = new int[k];
    chosen[0] = t;
    for (int h = 0; h < options.hard(); h++) {
      chosen[1 + h] = negatives.get(h);
    }
    List<Integer> rest = negatives.subList(options.hard(), negatives.size());
    SplittableRandom random = new SplittableRandom(options.seed() * 0x9E3779B97F4A7C15L + t);
    for (int e = 0; e < options.easy(); e++) {
      // Fisher and Yates, as far as needed.
      int from = e + random.nextInt(rest.size() - e);
      int picked = rest.get(from);
      rest.set(from, rest.get(e));
      rest.set(e, picked);
      chosen[1 + options.hard() + e] = picked;
    }
    return chosen;
  }
}
