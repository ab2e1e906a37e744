/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import static org.hamcrest.Matchers.containsString;

import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.mapper.Embeddings;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import io.crossmodal.plugin.rescore.FusionOptions.FusionScoreMode;
import io.crossmodal.plugin.rescore.FusionOptions.MissingPolicy;
import io.crossmodal.plugin.rescore.Selection.Candidate;
import io.crossmodal.plugin.rescore.Selection.Result;
import io.crossmodal.plugin.rescore.Selection.Selected;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.opensearch.test.OpenSearchTestCase;

/** What is returned of a window, against slow oracles. */
public class SelectionTests extends OpenSearchTestCase {
  private static final float TOLERANCE = 1e-6f;

  /**
   * Hits best first, some without a p, a group or an embedding; p of two decimals, so with ties.
   */
  private static List<Candidate<Integer>> window(int size) {
    List<Candidate<Integer>> window = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      boolean passedOver = randomInt(9) == 0;
      float p = passedOver || randomInt(9) == 0 ? Float.NaN : randomInt(100) / 100f;
      window.add(
          new Candidate<>(
              i,
              Float.isNaN(p) ? randomFloat() : 1 + p,
              p,
              passedOver,
              randomInt(5) == 0 ? null : "place " + randomInt(6),
              randomInt(9) == 0 ? null : unit(4)));
    }
    window.sort(
        Comparator.<Candidate<Integer>>comparingDouble(hit -> -hit.score())
            .thenComparingInt(Candidate::key));
    return window;
  }

  private static List<Integer> keys(Result<Integer> result) {
    return result.hits().stream().map(Selected::key).toList();
  }

  public void testTheCutOff() {
    for (int turn = 0; turn < 50; turn++) {
      List<Candidate<Integer>> window = window(randomInt(30));
      float minP = randomInt(100) / 100f;
      Result<Integer> result = new Selection(minP, null, null).of(window);
      List<Integer> expected = new ArrayList<>();
      int below = 0;
      for (Candidate<Integer> hit : window) {
        below += hit.p() < minP ? 1 : 0;
        boolean unread = minP > 0 && hit.passedOver();
        if (!(hit.p() < minP) && !unread) {
          expected.add(hit.key());
        }
      }
      assertEquals(expected, keys(result));
      assertEquals(below, result.belowMinP());
      assertEquals(0, result.grouped());
    }
  }

  public void testGroups() {
    for (int turn = 0; turn < 50; turn++) {
      List<Candidate<Integer>> window = window(randomInt(30));
      float minP = randomBoolean() ? 0 : randomFloat() / 2;
      Selection selection = new Selection(minP, "place", null);
      List<Integer> cut = keys(new Selection(minP, null, null).of(window));
      Map<String, List<Integer>> byGroup = new LinkedHashMap<>();
      int alone = 0;
      for (Candidate<Integer> hit : window) {
        if (cut.contains(hit.key())) {
          String group = hit.group() == null ? "alone " + alone++ : hit.group();
          byGroup.computeIfAbsent(group, unused -> new ArrayList<>()).add(hit.key());
        }
      }
      Result<Integer> result = selection.of(window);
      assertEquals(byGroup.values().stream().map(hits -> hits.get(0)).toList(), keys(result));
      assertEquals(cut.size() - byGroup.size(), result.grouped());
      List<List<Integer>> groups = List.copyOf(byGroup.values());
      for (int i = 0; i < groups.size(); i++) {
        Selected<Integer> hit = result.hits().get(i);
        assertEquals(groups.get(i).size(), hit.outcome().hits());
        assertTrue(Float.isNaN(hit.outcome().novelty()));
      }
    }
  }

  private static double cosine(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * b[i];
    }
    return sum;
  }

  /** The textbook's greedy choice, all similarities anew in each turn. */
  public void testMaximalMarginalRelevance() {
    for (int turn = 0; turn < 50; turn++) {
      List<Candidate<Integer>> window = window(randomInt(25));
      float lambda = randomFrom(0f, 1f, randomFloat());
      Result<Integer> result = new Selection(0, null, lambda).of(window);
      assertEquals(window.size(), result.hits().size());
      Map<Integer, Candidate<Integer>> byKey = new LinkedHashMap<>();
      window.forEach(hit -> byKey.put(hit.key(), hit));
      List<Candidate<Integer>> above = new ArrayList<>();
      float before = Float.POSITIVE_INFINITY;
      for (Selected<Integer> hit : result.hits()) {
        Candidate<Integer> next = byKey.remove(hit.key());
        assertTrue("falls", hit.score() <= before);
        before = hit.score();
        if (Float.isNaN(next.p())) {
          assertTrue(
              "behind all with a p",
              byKey.values().stream().allMatch(rest -> Float.isNaN(rest.p())));
          assertEquals(next.score(), hit.score(), 0);
          continue;
        }
        assertEquals(marginal(next, above, lambda), hit.score(), TOLERANCE);
        for (Candidate<Integer> rest : byKey.values()) {
          if (!Float.isNaN(rest.p())) {
            assertTrue("the best", marginal(rest, above, lambda) <= hit.score() + TOLERANCE);
          }
        }
        assertTrue(hit.score() >= 1 && hit.score() <= 2);
        above.add(next);
      }
    }
  }

  private static double marginal(
      Candidate<Integer> hit, List<Candidate<Integer>> above, double lambda) {
    double novelty = hit.embedding() == null ? 0 : 1;
    for (Candidate<Integer> other : above) {
      if (hit.embedding() != null && other.embedding() != null) {
        novelty = Math.min(novelty, (1 - cosine(hit.embedding(), other.embedding())) / 2);
      }
    }
    return 1 + lambda * hit.p() + (1 - lambda) * Math.max(0, novelty);
  }

  public void testWithLambdaOneTheOrderIsThatOfP() {
    List<Candidate<Integer>> window = window(20);
    assertEquals(keys(Selection.ALL.of(window)), keys(new Selection(0, null, 1f).of(window)));
  }

  public void testBadValuesAreRefused() {
    for (float minP : new float[] {-0.1f, 1.1f, Float.NaN}) {
      refused(() -> new Selection(minP, null, null), "[min_p] must be from 0 to 1, got [" + minP);
      refused(() -> new Selection(0, null, minP), "[diversity] must be from 0 to 1, got [" + minP);
    }
    refused(() -> new Selection(0, "", null), "[group] must name a field");
    refused(
        () ->
            new FusionOptions(
                    new ScoreCombiner(FusionScoreMode.TOTAL, 1, 1),
                    MissingPolicy.FAIL,
                    FailurePolicy.FAIL,
                    null,
                    0,
                    new Selection(0, null, 0.5f))
                .check(),
        "[score_mode: replace] only, got [total]");
  }

  private static void refused(ThrowingRunnable made, String message) {
    assertThat(
        expectThrows(IllegalArgumentException.class, made).getMessage(), containsString(message));
  }

  private static float[] unit(int dimension) {
    return Embeddings.unit("v", TestModels.vector(random(), dimension), dimension);
  }
}
