/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import ai.djl.engine.EngineException;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.opensearch.test.OpenSearchTestCase;

/** What becomes of a call that its device does not take; no GPU is needed to give out. */
public class SplitCallTests extends OpenSearchTestCase {
  private final InferenceStats counts = new InferenceStats();

  /** Doubles its items, as many at once as it has room for. */
  private static final class Device implements SplitCall.Attempt<Integer, Integer> {
    private final int room;
    private final boolean counted;
    private final List<Integer> taken = new ArrayList<>();
    private int attempts;

    /**
     * @param counted whether the budget knows of the room; else the engine finds out
     */
    private Device(int room, boolean counted) {
      this.room = room;
      this.counted = counted;
    }

    @Override
    public List<Integer> compute(List<Integer> items) {
      attempts++;
      if (items.size() > room) {
        throw counted
            ? new InferenceException.MemoryExceeded("a call", items.size(), "the test", null)
            : new EngineException("words that nobody reads");
      }
      taken.addAll(items);
      return items.stream().map(item -> 2 * item).toList();
    }
  }

  private static List<Integer> items(int n) {
    return IntStream.range(0, n).boxed().toList();
  }

  private static List<Integer> doubled(int n) {
    return IntStream.range(0, n).map(i -> 2 * i).boxed().toList();
  }

  public void testACallThatFitsIsOneCall() {
    int n = randomIntBetween(1, 200);
    Device gpu = new Device(n, randomBoolean());
    Device cpu = new Device(n, randomBoolean());
    assertEquals(doubled(n), SplitCall.compute(items(n), gpu, Optional.of(cpu), counts));
    assertEquals(1, gpu.attempts);
    assertEquals(0, cpu.attempts);
    assertEquals(0, counts.get(Counter.SPLIT_BATCHES));
  }

  public void testWhatIsTooMuchAtOnceIsHalvedUntilItFits() {
    int n = randomIntBetween(2, 200);
    int room = randomIntBetween(1, n - 1);
    Device gpu = new Device(room, randomBoolean());
    Device cpu = new Device(n, true);
    assertEquals(doubled(n), SplitCall.compute(items(n), gpu, Optional.of(cpu), counts));
    assertEquals("the GPU computed everything", items(n), gpu.taken);
    long splits = counts.get(Counter.SPLIT_BATCHES);
    assertTrue(splits >= 1);
    assertEquals(gpu.counted ? 0 : splits, counts.get(Counter.ENGINE_FAILURES));
    assertEquals(0, counts.get(Counter.SPARE_BATCHES));
  }

  public void testWhatAGpuDoesNotTakeGoesToTheCpu() {
    int n = randomIntBetween(1, 200);
    Device gpu = new Device(0, randomBoolean());
    Device cpu = new Device(randomIntBetween(1, n), true);
    assertEquals(doubled(n), SplitCall.compute(items(n), gpu, Optional.of(cpu), counts));
    assertTrue(
        gpu.attempts + " attempts", gpu.attempts <= 1 + Math.ceil(Math.log(n) / Math.log(2)));
    assertEquals(items(n), cpu.taken);
    assertEquals(1, counts.get(Counter.SPARE_BATCHES));
  }

  /** A GPU that is lost in the middle: what it did is kept, what is left is done elsewhere. */
  public void testTheCpuEndsWhatAGpuBegan() {
    int n = randomIntBetween(2, 200);
    int last = randomIntBetween(0, n - 2);
    List<Integer> onCpu = new ArrayList<>();
    SplitCall.Attempt<Integer, Integer> gpu =
        items -> {
          if (items.get(items.size() - 1) > last) {
            throw new EngineException("lost");
          }
          return items.stream().map(item -> 2 * item).toList();
        };
    SplitCall.Attempt<Integer, Integer> cpu =
        items -> {
          onCpu.addAll(items);
          return items.stream().map(item -> 2 * item).toList();
        };
    assertEquals(doubled(n), SplitCall.compute(items(n), gpu, Optional.of(cpu), counts));
    assertEquals(items(n).subList(last + 1, n), onCpu);
  }

  public void testWithoutASpareTheFailureIsTold() {
    int n = randomIntBetween(1, 200);
    expectThrows(
        InferenceException.MemoryExceeded.class,
        () -> SplitCall.compute(items(n), new Device(0, true), Optional.empty(), counts));
    expectThrows(
        EngineException.class,
        () -> SplitCall.compute(items(n), new Device(0, false), Optional.empty(), counts));
    expectThrows(
        EngineException.class,
        () ->
            SplitCall.compute(
                items(n), new Device(0, true), Optional.of(new Device(0, false)), counts));
  }

  /** Bad input is nobody's lack of memory: it is tried once. */
  public void testOtherFailuresAreNotTriedAgain() {
    int[] attempts = new int[1];
    expectThrows(
        IllegalArgumentException.class,
        () ->
            SplitCall.compute(
                items(8),
                items -> {
                  attempts[0]++;
                  throw new IllegalArgumentException("narrow");
                },
                Optional.of(new Device(8, true)),
                counts));
    assertEquals(1, attempts[0]);
  }
}
