/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.scoring;

import static org.hamcrest.Matchers.containsString;
import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.scoring.ScoringService.Scores;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.lucene.tests.util.LuceneTestCase.SuppressFileSystems;
import org.opensearch.test.OpenSearchTestCase;

@SuppressFileSystems("ExtrasFS") // puts files of its own into the folders of native code
public class ScoringServiceTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = TestModels.micro();

  // Scores of one pair alone and in a batch: the sums run in another order.
  private static final float TOLERANCE = 1e-4f;

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return Futures.unwrap(expectThrows(ExecutionException.class, () -> get(future)).getCause());
  }

  public void testScoreAloneIsScoreInABatch() throws Exception {
    try (TestService test = new TestService(createTempDir(), 100, randomIntBetween(1, 5))) {
      TokenBlock text = TestModels.tokens(random(), MODEL, randomIntBetween(2, 8));
      List<TokenBlock> images = new ArrayList<>();
      for (int i = 0; i < 7; i++) {
        images.add(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)));
      }
      Scores batch =
          get(
              test.get()
                  .scoring()
                  .score(
                      new ScoringService.Request(
                          TestModels.ID, List.of(text), images, Deadline.none())));
      for (int i = 0; i < images.size(); i++) {
        Scores alone =
            get(
                test.get()
                    .scoring()
                    .score(
                        new ScoringService.Request(
                            TestModels.ID,
                            List.of(text),
                            List.of(images.get(i)),
                            Deadline.none())));
        assertEquals(alone.itm()[0], batch.itm()[i], TOLERANCE);
        assertEquals(alone.biEncoder()[0], batch.biEncoder()[i], TOLERANCE);
      }
      assertEquals(14, test.get().stats().get(Counter.PAIRS));
    }
  }

  public void testTextsOfDifferentLengthsAgainstOneImage() throws Exception {
    try (TestService test = new TestService(createTempDir(), 100, 8)) {
      TokenBlock image = TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL));
      List<TokenBlock> texts = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        texts.add(TestModels.tokens(random(), MODEL, randomIntBetween(2, 10)));
      }
      Scores batch =
          get(
              test.get()
                  .scoring()
                  .score(
                      new ScoringService.Request(
                          TestModels.ID, texts, List.of(image), Deadline.none())));
      for (int i = 0; i < texts.size(); i++) {
        float alone =
            get(test.get()
                    .scoring()
                    .score(
                        new ScoringService.Request(
                            TestModels.ID, List.of(texts.get(i)), List.of(image), Deadline.none())))
                .itm()[0];
        assertEquals("padded as alone", alone, batch.itm()[i], TOLERANCE);
      }
    }
  }

  public void testAJobPastItsDeadlineIsDropped() throws Exception {
    try (TestService test = new TestService(createTempDir(), 100, 8)) {
      List<TokenBlock> text = List.of(TestModels.tokens(random(), MODEL, 3));
      List<TokenBlock> image =
          List.of(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)));
      Throwable late =
          failure(
              test.get()
                  .scoring()
                  .score(
                      new ScoringService.Request(
                          TestModels.ID, text, image, Deadline.after(Duration.ofNanos(1)))));
      assertThat(late, instanceOf(InferenceException.DeadlineExceeded.class));
      assertEquals(0, test.get().stats().get(Counter.PAIRS));
    }
  }

  public void testAFullQueueRefuses() throws Exception {
    try (TestService test = new TestService(createTempDir(), 1, 8)) {
      List<TokenBlock> text = List.of(TestModels.tokens(random(), MODEL, 3));
      List<TokenBlock> image =
          List.of(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL)));
      // The first loads the model, which takes far longer than submitting the others.
      List<CompletableFuture<Scores>> jobs = new ArrayList<>();
      for (int i = 0; i < 10; i++) {
        jobs.add(
            test.get()
                .scoring()
                .score(new ScoringService.Request(TestModels.ID, text, image, Deadline.none())));
      }
      int refused = 0;
      for (CompletableFuture<Scores> job : jobs) {
        try {
          get(job);
        } catch (ExecutionException e) {
          assertThat(e.getCause(), instanceOf(InferenceException.QueueFull.class));
          assertThat(e.getCause().getMessage(), containsString("it holds [1] jobs"));
          refused++;
        }
      }
      assertTrue("some of 10 jobs find the queue of 1 full", refused > 0 && refused < 10);
      assertEquals(refused, test.get().stats().get(Counter.REJECTIONS));
    }
  }
}
