/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.batching.Job.Slice;
import io.crossmodal.model.inference.batching.JobQueues.Call;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.EngineLoader;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;

/**
 * The threads that call models, one for each device; {@link JobQueues} tells them what to compute
 * next. Thread-safe.
 */
public final class ModelWorker implements JobRunner {
  private final Supplier<InferenceSettings> settings;
  private final DeviceBudgets budgets;
  private final InferenceStats stats;
  private final JobQueues queues;
  private final List<Thread> threads = new ArrayList<>();
  private final Map<Integer, Running> running = new ConcurrentHashMap<>();
  private boolean closed;

  /**
   * A call of the engine that has not returned.
   *
   * @param start in the time of {@link System#nanoTime}
   * @param awaited until when anybody waits for it; {@code start} where nobody says how long
   */
  private record Running(String model, int items, long start, long awaited) {
    private static Running of(Call<?, ?> call) {
      long now = System.nanoTime();
      int items = call.slices().stream().mapToInt(Slice::size).sum();
      long left =
          call.slices().stream()
              .map(slice -> slice.job().deadline())
              .mapToLong(deadline -> deadline.isNone() ? 0 : deadline.remainingNanos())
              .max()
              .orElse(0);
      return new Running(call.operation().model(), items, now, now + Math.max(0, left));
    }
  }

  /**
   * @param settings read anew for each call
   */
  public ModelWorker(
      Supplier<InferenceSettings> settings, DeviceBudgets budgets, InferenceStats stats) {
    this.settings = settings;
    this.budgets = budgets;
    this.stats = stats;
    this.queues = new JobQueues(settings, stats);
  }

  /**
   * Starts one thread for each of so many devices, where there is none yet. The first is needed
   * before any device is known: it ends jobs whose model could not be loaded and those that are
   * late.
   *
   * @param devices at least 1; they stay the same for as long as the node lives
   */
  public void start(int devices) {
    synchronized (threads) {
      while (!closed && threads.size() < devices) {
        int device = threads.size();
        Thread thread = new Thread(() -> work(device), "cross-modal-model-" + device);
        thread.setDaemon(true);
        threads.add(thread);
        queues.servedBy(threads.size());
        thread.start();
      }
    }
  }

  @Override
  public InferenceSettings settings() {
    return settings.get();
  }

  @Override
  public InferenceStats stats() {
    return stats;
  }

  @Override
  public void submit(Priority priority, Job<?, ?> job) {
    queues.submit(priority, job);
  }

  @Override
  public void cancel(Job<?, ?> job) {
    if (job.result().cancel(false)) {
      queues.withdraw(job);
    }
  }

  /** Has what waits looked at again, for a model became ready or the settings changed. */
  public void wake() {
    queues.wake();
  }

  @Override
  public int queued() {
    return queues.size();
  }

  /**
   * Returns a call that goes on though nobody has waited for it for a while: the engine hangs, for
   * a call cannot be broken off. Empty where there is none.
   *
   * @param grace how long after its last caller's deadline, or after its start where no caller has
   *     one
   */
  public Optional<String> overdue(Duration grace) {
    long now = System.nanoTime();
    return running.values().stream()
        .filter(call -> now - call.awaited - grace.toNanos() > 0)
        .findFirst()
        .map(
            call ->
                String.format(
                    Locale.ROOT,
                    "a call of model [%s] with %d items has not returned for %d s, %d s longer than"
                        + " anybody waits",
                    call.model,
                    call.items,
                    TimeUnit.NANOSECONDS.toSeconds(now - call.start),
                    TimeUnit.NANOSECONDS.toSeconds(now - call.awaited)));
  }

  /**
   * Ends the work after the calls that are under way and fails what waits.
   *
   * @return whether it ended in time
   */
  public boolean close(long seconds) throws InterruptedException {
    List<Thread> running;
    synchronized (threads) {
      closed = true;
      running = List.copyOf(threads);
    }
    queues.close();
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    for (Thread thread : running) {
      thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
    }
    return running.stream().noneMatch(Thread::isAlive);
  }

  private void work(int device) {
    for (Call<?, ?> call = queues.next(); call != null; call = queues.next()) {
      running.put(device, Running.of(call));
      try {
        run(call, device);
      } finally {
        running.remove(device);
      }
    }
  }

  private <I, O> void run(Call<I, O> call, int device) {
    List<Slice<I, O>> slices = call.slices();
    InferenceStats counts = stats.of(call.operation().model());
    try {
      List<I> items = slices.stream().flatMap(slice -> slice.items().stream()).toList();
      long start = System.nanoTime();
      LongAdder copies = new LongAdder();
      List<O> outcomes = compute(call.operation(), device, items, counts, copies);
      long took = System.nanoTime() - start;
      call.operation().on().computed(call.operation().getClass(), items.size(), took);
      if (slices.size() > 1) {
        counts.increment(Counter.MERGED_BATCHES);
      }
      int from = 0;
      for (Slice<I, O> slice : slices) {
        slice.job().computed(took, copies.sum());
        slice.job().place(slice, outcomes.subList(from, from + slice.size()));
        from += slice.size();
      }
    } catch (RuntimeException | LinkageError e) {
      if (slices.size() == 1) {
        fail(slices, failed(call.operation(), e));
      } else {
        // One of them may be to blame, be it for its size alone; the others get their scores.
        counts.increment(Counter.ISOLATED_BATCHES);
        slices.forEach(slice -> run(new Call<>(call.operation(), List.of(slice)), device));
      }
    } catch (Error e) {
      // Nobody may wait for ever for what the JVM could not do; the handler of uncaught
      // failures, the node's or the worker's, decides about the rest.
      fail(slices, failed(call.operation(), e));
      throw e;
    }
  }

  private static InferenceException failed(Operation<?, ?> operation, Throwable cause) {
    if (cause instanceof InferenceException known) {
      return known;
    }
    return new InferenceException.ModelFailed(
        "model [" + operation.model() + "] failed: " + cause, cause);
  }

  private static <I, O> void fail(List<Slice<I, O>> slices, InferenceException cause) {
    slices.forEach(slice -> slice.job().fail(cause));
  }

  /**
   * Computes items in one call, or in several where it takes that.
   *
   * @param copies takes the nanoseconds that were copies into and out of the device
   */
  private <I, O> List<O> compute(
      Operation<I, O> operation,
      int device,
      List<I> items,
      InferenceStats counts,
      LongAdder copies) {
    // Of its own, for the jobs' may end while the call runs.
    try (LoadedModel.Lease lease = operation.on().lease()) {
      EngineLoader.Copies loaded = lease.model(EngineLoader.Copies.class);
      return SplitCall.compute(
          items,
          part -> call(operation, loaded.copies().get(device), part, counts, copies),
          loaded
              .fallback()
              .map(
                  fallback ->
                      part -> fallback.use(model -> call(operation, model, part, counts, copies))),
          counts);
    }
  }

  private <I, O> List<O> call(
      Operation<I, O> operation,
      FusionModel model,
      List<I> items,
      InferenceStats counts,
      LongAdder copies) {
    long bytes = operation.bytes(model, items);
    MemoryBudget.Reservation memory =
        budgets.reserveCall(model.device(), "a call of model [" + operation.model() + "]", bytes);
    try (memory) {
      long start = System.nanoTime();
      List<O> outcomes = operation.run(model, items);
      counts.record(Timing.MODEL, System.nanoTime() - start);
      long copied = model.takeCopyNanos();
      counts.record(Timing.COPY, copied);
      copies.add(copied);
      counts.increment(Counter.BATCHES);
      operation.count(counts, items.size());
      return outcomes;
    }
  }
}
