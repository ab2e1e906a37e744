/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.node;

import static org.hamcrest.Matchers.instanceOf;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.plugin.TestModels;
import io.crossmodal.plugin.TestService;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.scoring.ScoringService;
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
public class NodeInferenceTests extends OpenSearchTestCase {
  private static final ModelBundle MODEL = TestModels.micro();

  private static <T> T get(CompletableFuture<T> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  private static Throwable failure(CompletableFuture<?> future) {
    return Futures.unwrap(expectThrows(ExecutionException.class, () -> get(future)).getCause());
  }

  public void testClosingFailsWhatWaitsAndWhatComes() throws Exception {
    TestService test = new TestService(createTempDir(), 100, 8);
    List<CompletableFuture<List<Encoded>>> waiting = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      waiting.add(TestService.encodeTexts(test.get(), TestModels.ID, List.of("a")));
    }
    test.get().close();
    for (CompletableFuture<List<Encoded>> future : waiting) {
      for (Encoded outcome : get(future)) {
        if (outcome instanceof Encoded.Failure failed) {
          assertThat(failed.cause(), instanceOf(InferenceException.ModelUnavailable.class));
        }
      }
    }
    assertThat(
        failure(
            test.get()
                .scoring()
                .score(
                    new ScoringService.Request(
                        TestModels.ID,
                        List.of(TestModels.tokens(random(), MODEL, 3)),
                        List.of(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL))),
                        Deadline.none()))),
        instanceOf(InferenceException.ModelUnavailable.class));
    test.close();
  }

  public void testAnEngineThatDoesNotStartFailsEveryJob() throws Exception {
    InferenceException missing =
        new InferenceException.ModelUnavailable("the native library is missing", null);
    try (NodeInference service =
        new NodeInference(
            new ModelCatalog(() -> List.of(MODEL)),
            TestService.settings(createTempDir(), 100, 8, true, Duration.ZERO),
            () -> {
              throw missing;
            },
            MemoryBudget.UNLIMITED,
            MemoryBudget.UNLIMITED,
            new EncodingService.Threads(Runnable::run, Runnable::run, 1))) {
      for (int i = 0; i < 2; i++) {
        CompletableFuture<Scores> scores =
            service
                .scoring()
                .score(
                    new ScoringService.Request(
                        TestModels.ID,
                        List.of(TestModels.tokens(random(), MODEL, 3)),
                        List.of(TestModels.tokens(random(), MODEL, TestModels.imageTokens(MODEL))),
                        Deadline.none()));
        assertSame(missing, failure(scores));
      }
      assertEquals(ModelStatus.State.FAILED, service.models().status(TestModels.ID).state());
    }
  }
}
