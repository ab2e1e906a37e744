/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.crossmodal.model.Precision;
import io.crossmodal.model.TextConfig;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.model.torchscript.Weights;
import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.train.CaptionStates;
import io.crossmodal.trainer.train.FeatureCache;
import io.crossmodal.trainer.train.FrozenTowers;
import io.crossmodal.trainer.train.MicroTraining;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What stands beside what in a batch. */
class FusionSetTest {
  private static final long SEED = MicroTraining.seed();
  private static final int PICTURES = 9;
  private static final int CANDIDATES = 3;

  @TempDir Path folder;

  /** Every picture has captions 2i and 2i + 1; all others are wrong answers, in any order. */
  private static HardCandidates hard() {
    int[][] images =
        IntStream.range(0, 2 * PICTURES)
            .mapToObj(c -> IntStream.range(0, PICTURES).filter(i -> i != c / 2).toArray())
            .toArray(int[][]::new);
    int[][] captions =
        IntStream.range(0, PICTURES)
            .mapToObj(i -> IntStream.range(0, 2 * PICTURES).filter(c -> c / 2 != i).toArray())
            .toArray(int[][]::new);
    return new HardCandidates(images, captions);
  }

  @Test
  void everyPairHasItsPictureAndItsText() throws Exception {
    CaptionedDataset scenes =
        MicroTraining.read(MicroTraining.scenes(folder.resolve("scenes"), 4, 0, 0, SEED));
    ModelBundle towers =
        MicroTraining.towers(MicroTraining.CONVOLUTIONAL, TextConfig.Kind.BERT_MEAN, scenes, SEED);
    // Two that the tokenizer knows, so that no two captions are alike.
    List<String> known =
        towers.words().stream().filter(word -> word.matches("[a-z]+")).limit(2).toList();
    TokenizedText[] captions =
        IntStream.range(0, 2 * PICTURES)
            .mapToObj(
                c -> (known.get(0) + " ").repeat(1 + c % 4) + (known.get(1) + " ").repeat(c / 4))
            .map(towers.tokenizer()::tokenize)
            .toArray(TokenizedText[]::new);
    int[][] of =
        IntStream.range(0, PICTURES)
            .mapToObj(i -> new int[] {2 * i, 2 * i + 1})
            .toArray(int[][]::new);
    FusionOptions options =
        MicroTraining.with(
            FusionOptions.defaults(),
            "seed",
            SEED,
            "queries",
            4,
            "candidates",
            CANDIDATES,
            "pool",
            8);
    try (FrozenTowers frozen =
            new FrozenTowers(
                towers.manifest().config(),
                Weights.of(towers.weights()),
                towers.manifest().config().sensors().get(0),
                Precision.FP32,
                folder);
        CaptionStates states =
            CaptionStates.through(frozen, captions, folder.resolve("cache"), step -> {});
        FeatureCache features =
            FeatureCache.open(
                folder.resolve("numbers"),
                List.of(1),
                PICTURES,
                2,
                (from, to) -> numbers(from, to),
                done -> {})) {
      FusionSet set = new FusionSet(options, states, of, hard(), features, 2);
      assertEquals(PICTURES, set.size());
      for (int number = 0; number < 5; number++) {
        check(set.batch(number), states, number);
      }
    }
  }

  /** Pictures' features are their numbers, in both views. */
  private static float[] numbers(long from, long to) {
    float[] numbers = new float[(int) (to - from)];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (from + i) % PICTURES;
    }
    return numbers;
  }

  private static void check(FusionTask.Batch batch, CaptionStates states, int number)
      throws Exception {
    int row = batch.tokens() * states.hidden();
    for (int k = 0; k < batch.place().length; k++) {
      int pair = (int) batch.place()[k];
      int image = (int) batch.features()[(int) batch.image()[pair]];
      int at = (int) batch.text()[pair];
      float[] words = Arrays.copyOfRange(batch.words(), at * row, (at + 1) * row);
      int text = caption(states, words);
      float length = 0;
      for (int i = 0; i < batch.tokens(); i++) {
        length += batch.mask()[at * batch.tokens() + i];
      }
      assertEquals(states.length(text), length);
      // A query's own answer comes first, the others are wrong.
      assertEquals(k % CANDIDATES == 0, text / 2 == image, "pair " + k + " of batch " + number);
    }
    assertEquals(2 * 4 * CANDIDATES, batch.place().length);
  }

  private static int caption(CaptionStates states, float[] words) {
    for (int caption = 0; caption < states.size(); caption++) {
      float[] own = new float[words.length];
      if (states.length(caption) * states.hidden() <= own.length) {
        states.read(caption, own, 0);
        if (Arrays.equals(own, words)) {
          return caption;
        }
      }
    }
    throw new AssertionError("no caption has these tokens");
  }
}
