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
   * @param progress told the texts scored so far
   */
  static TeacherLists prepare(
      FusionModel teacher,
      List<Encoding> images,
      List<Encoding> texts,
      Distiller.Matches matches,
      DistillationOptions options,
      IntConsumer progress) {
    int[][] candidates = new int[texts.size()][];
    IntStream.range(0, texts.size())
        .parallel()
        .forEach(t -> candidates[t] = candidates(t, images, texts, matches, options));
    Calibration calibration = teacher.bundle().manifest().calibration();
    float[][] itm = new float[texts.size()][];
    float[][] ranking = new float[texts.size()][];
    for (int t = 0; t < candidates.length; t++) {
      List<TokenBlock> found =
          Arrays.stream(candidates[t]).mapToObj(i -> images.get(i).tokens()).toList();
      PairLogits logits = teacher.score(List.of(texts.get(t).tokens()), found);
      itm[t] = logits.itm();
      ranking[t] = new float[found.size()];
      for (int k = 0; k < found.size(); k++) {
        ranking[t][k] = (float) calibration.logit(logits.itm()[k], logits.biEncoder()[k]);
      }
      progress.accept(t + 1);
    }
    return new TeacherLists(candidates, itm, ranking);
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
