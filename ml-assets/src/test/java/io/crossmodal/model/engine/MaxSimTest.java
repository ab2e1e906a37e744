/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.fixtures.Seeds;
import io.crossmodal.model.fixtures.TestBundles;
import io.crossmodal.model.tokens.TokenBlock;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Late interaction, on a model of sensors alone, against the plain formula. */
class MaxSimTest {
  private static final float TOLERANCE = 2e-6f;
  private static final long SEED = Seeds.next();
  private static final int HIDDEN = 16;

  @TempDir static Path scratch;
  private static FusionModel model;

  private final SplittableRandom random = new SplittableRandom(SEED);

  @BeforeAll
  static void load() throws Exception {
    ModelConfig micro = ModelConfig.micro();
    ModelConfig config =
        ModelConfig.ofSensors(
            HIDDEN, 2, 32, 8, micro.image(), List.of(SensorConfig.s1(16), SensorConfig.s2(16)));
    model = FusionModel.load(TestBundles.random("sensors", config, SEED), scratch);
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private TokenBlock image(int tokens) {
    float[] values = new float[tokens * HIDDEN];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (10 * random.nextGaussian());
    }
    return new TokenBlock(tokens, HIDDEN, values);
  }

  private List<TokenBlock> images(int count, int tokens) {
    List<TokenBlock> images = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      images.add(image(tokens));
    }
    return images;
  }

  private static double cosine(TokenBlock a, int i, TokenBlock b, int j) {
    double dot = 0;
    double aa = 0;
    double bb = 0;
    for (int h = 0; h < HIDDEN; h++) {
      double x = a.values()[i * HIDDEN + h];
      double y = b.values()[j * HIDDEN + h];
      dot += x * y;
      aa += x * x;
      bb += y * y;
    }
    return dot / Math.sqrt(aa * bb);
  }

  private static double oracle(TokenBlock query, TokenBlock image) {
    double sum = 0;
    for (int i = 1; i < query.count(); i++) {
      double best = -1;
      for (int j = 1; j < image.count(); j++) {
        best = Math.max(best, cosine(query, i, image, j));
      }
      sum += best;
    }
    return sum / (query.count() - 1);
  }

  private static float alone(TokenBlock query, TokenBlock image) {
    return model.maxSim(List.of(query), new int[] {0}, List.of(image))[0];
  }

  @Test
  void candidatesOfSeveralQueriesScoreAsThePlainFormulaSays() {
    List<TokenBlock> queries = List.of(image(17), image(5), image(2), image(10));
    List<TokenBlock> images = images(7, 5);
    int[] queryOf = {2, 0, 0, 3, 1, 0, 2};
    float[] scores = model.maxSim(queries, queryOf, images);
    for (int b = 0; b < queryOf.length; b++) {
      TokenBlock query = queries.get(queryOf[b]);
      assertEquals(oracle(query, images.get(b)), scores[b], TOLERANCE, "seed " + SEED);
    }
  }

  @Test
  void aPairScoresAloneAsInABatch() {
    TokenBlock query = image(17);
    List<TokenBlock> images = images(9, 17);
    float[] batch = model.maxSim(List.of(query), new int[9], images);
    for (int b = 0; b < batch.length; b++) {
      assertEquals(batch[b], alone(query, images.get(b)), TOLERANCE, "seed " + SEED);
    }
  }

  @Test
  void whatIsTheSameButForItsClassTokenAndItsOrderScoresOne() {
    TokenBlock image = image(5);
    float[] moved = image.values().clone();
    System.arraycopy(image.values(), HIDDEN, moved, 2 * HIDDEN, HIDDEN);
    System.arraycopy(image.values(), 2 * HIDDEN, moved, HIDDEN, HIDDEN);
    moved[0] += 5;
    assertEquals(1, alone(image, new TokenBlock(5, HIDDEN, moved)), TOLERANCE);
    // A token without a direction is like nothing, and is no NaN.
    assertEquals(0, alone(image, new TokenBlock(5, HIDDEN, new float[5 * HIDDEN])), TOLERANCE);
  }

  @Test
  void whatCannotBeComparedIsRefused() {
    List<TokenBlock> one = images(1, 5);
    assertArrayEquals(new float[0], model.maxSim(one, new int[0], List.of()));
    assertThrows(IllegalArgumentException.class, () -> model.maxSim(one, new int[2], images(1, 5)));
    assertThrows(
        IndexOutOfBoundsException.class, () -> model.maxSim(one, new int[] {1}, images(1, 5)));
    assertThrows(IllegalArgumentException.class, () -> model.maxSim(one, new int[1], images(1, 1)));
    assertThrows(
        IllegalArgumentException.class,
        () -> model.maxSim(one, new int[2], List.of(image(5), image(6))));
    assertThrows(
        IllegalArgumentException.class,
        () -> model.maxSim(one, new int[1], List.of(new TokenBlock(5, 3, new float[15]))));
  }
}
