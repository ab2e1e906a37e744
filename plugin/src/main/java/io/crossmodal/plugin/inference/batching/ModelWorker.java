/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.batching;

import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.InferenceSettings;
import io.crossmodal.plugin.inference.batching.Job.Slice;
import io.crossmodal.plugin.inference.memory.DeviceBudgets;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.registry.LoadedModel;
import io.crossmodal.plugin.inference.registry.ModelLoader;
import io.crossmodal.plugin.inference.stats.InferenceStats;
import io.crossmodal.plugin.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.inference.stats.InferenceStats.Stage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The threads that call models, one for each device, and the queues before them.
 *
 * <p>A call takes items of the longest waiting job first and fills up with those of other jobs that
 * ask for the same operation: the shards of a search, and other searches. A job larger than a call
 * goes to the end of the queue with its rest, so that it holds up a small one by one call at most.
 * While a call runs, the next one gathers; a call that is not full may wait a little for more.
 */
public final class ModelWorker {
  /** Of so many calls one is for documents, where both documents and searches wait. */
  static final int INGEST_TURN = 8;

  private final Supplier<InferenceSettings> settings;
  private final DeviceBudgets budgets;
  private final InferenceStats stats;
  private final List<Thread> threads = new ArrayList<>();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrival = lock.newCondition();
  private final Map<Priority, Deque<Job<?, ?>>> queues = new EnumMap<>(Priority.class);
  private int searchesInARow;
  private boolean closed;

  /** Slices of one operation. */
  private record Call<I, O>(Operation<I, O> operation, List<Slice<I, O>> slices) {}

  /**
   * @param settings read anew for each call
   */
  public ModelWorker(
      Supplier<InferenceSettings> settings, DeviceBudgets budgets, InferenceStats stats) {
    this.settings = settings;
    this.budgets = budgets;
    this.stats = stats;
    for (Priority priority : Priority.values()) {
      queues.put(priority, new ArrayDeque<>());
    }
  }

  /**
   * Sees to it that there is a thread for each of so many devices. The first is needed before any
   * device is known: it ends jobs whose model could not be loaded and those that are late.
   *
   * @param devices at least 1; they stay the same for as long as the node lives
   */
  public void start(int devices) {
    lock.lock();
    try {
      while (!closed && threads.size() < devices) {
        int device = threads.size();
        Thread thread = new Thread(() -> work(device), "cross-modal-model-" + device);
        thread.setDaemon(true);
        threads.add(thread);
        thread.start();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Puts a job into its queue, or fails it where the queue is full, where what waits in it already
   * takes longer than the job can wait, or where the node is shutting down.
   */
  public void submit(Priority priority, Job<?, ?> job) {
    int capacity = settings.get().queueSize();
    InferenceException refusal = null;
    List<Job<?, ?>> late = List.of();
    lock.lock();
    try {
      Deque<Job<?, ?>> queue = queues.get(priority);
      if (queue.size() >= capacity) {
        late = removeAbandoned();
      }
      long expected = expectedNanos(job, queue);
      if (closed) {
        refusal = closing();
      } else if (queue.size() >= capacity) {
        refusal = new InferenceException.QueueFull(capacity);
      } else if (!job.deadline().expired() && expected > job.deadline().remainingNanos()) {
        refusal =
            new InferenceException.QueueTooSlow(
                TimeUnit.NANOSECONDS.toMillis(expected),
                TimeUnit.NANOSECONDS.toMillis(job.deadline().remainingNanos()));
      } else {
        queue.add(job);
        arrival.signal();
      }
    } finally {
      lock.unlock();
    }
    // Jobs end outside the lock, for whoever waits goes on at once.
    late.forEach(Job::expire);
    if (refusal != null) {
      if (refusal instanceof InferenceException.QueueFull) {
        stats
            .of(job.operation().model())
            .increment(
                refusal instanceof InferenceException.QueueTooSlow
                    ? Counter.LATE_REJECTIONS
                    : Counter.REJECTIONS);
      }
      job.fail(refusal);
    }
  }

  /**
   * How long a job waits for those before it, at least. Each of them has one call for each call of
   * the job, as large jobs go to the end of the queue with their rest. An empty queue is no wait
   * whatever calls took before, so that a time once measured too long cannot refuse for ever.
   */
  private long expectedNanos(Job<?, ?> job, Deque<Job<?, ?>> queue) {
    InferenceSettings now = settings.get();
    int most = job.operation().most(now);
    long calls = (job.waiting() + most - 1L) / most;
    double nanos = 0;
    for (Job<?, ?> other : queue) {
      if (other.ready() && !other.abandoned()) {
        Operation<?, ?> operation = other.operation();
        nanos +=
            Math.min(other.waiting(), calls * operation.most(now))
                * operation.on().nanosOfItem(operation.getClass());
      }
    }
    return (long) (nanos / Math.max(1, threads.size()));
  }

  /** Takes a job that nobody wants any more out of its queue. */
  public void withdraw(Job<?, ?> job) {
    lock.lock();
    try {
      queues.values().forEach(queue -> queue.remove(job));
      arrival.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Has the queues looked at again, for a model became ready or the settings changed. */
  public void wake() {
    lock.lock();
    try {
      arrival.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Jobs that wait. */
  public int queued() {
    lock.lock();
    try {
      return queues.values().stream().mapToInt(Deque::size).sum();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Ends the threads after their calls and fails what waits.
   *
   * @return whether they ended in time
   */
  public boolean close(long seconds) throws InterruptedException {
    List<Job<?, ?>> left = new ArrayList<>();
    List<Thread> running;
    lock.lock();
    try {
      closed = true;
      running = List.copyOf(threads);
      queues.values().forEach(left::addAll);
      queues.values().forEach(Deque::clear);
      arrival.signalAll();
    } finally {
      lock.unlock();
    }
    left.forEach(job -> job.fail(closing()));
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
    for (Thread thread : running) {
      thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
    }
    return running.stream().noneMatch(Thread::isAlive);
  }

  private static InferenceException closing() {
    return new InferenceException.ModelUnavailable("the node is shutting down", null);
  }

  private void work(int device) {
    for (Call<?, ?> call = next(); call != null; call = next()) {
      run(call, device);
    }
  }

  /** The next call, waiting for one; null when the worker is closed. */
  private Call<?, ?> next() {
    while (true) {
      List<Job<?, ?>> late;
      lock.lock();
      try {
        late = removeAbandoned();
        if (closed) {
          return null;
        }
        if (late.isEmpty()) {
          Priority priority = turn();
          long patience = priority == null ? Long.MAX_VALUE : patience(queues.get(priority));
          if (patience <= 0) {
            searchesInARow = priority == Priority.SEARCH ? searchesInARow + 1 : 0;
            Deque<Job<?, ?>> queue = queues.get(priority);
            return gather(firstReady(queue), queue);
          }
          // Whether it was woken or ran out of patience, the queues are looked at again.
          long unused = arrival.awaitNanos(patience);
        }
      } catch (InterruptedException e) {
        // Only close ends this thread; whoever interrupts it has it look at the queues again.
        continue;
      } finally {
        lock.unlock();
      }
      late.forEach(Job::expire);
    }
  }

  private Priority turn() {
    boolean searches = firstReady(queues.get(Priority.SEARCH)) != null;
    boolean documents = firstReady(queues.get(Priority.INGEST)) != null;
    if (documents && (!searches || searchesInARow >= INGEST_TURN - 1)) {
      return Priority.INGEST;
    }
    return searches ? Priority.SEARCH : null;
  }

  /** Null where none is; a job whose model is being loaded lets others pass. */
  private static Job<?, ?> firstReady(Deque<Job<?, ?>> queue) {
    for (Job<?, ?> job : queue) {
      if (job.ready()) {
        return job;
      }
    }
    return null;
  }

  /** Nanoseconds that the first job's call may still wait for company. */
  private long patience(Deque<Job<?, ?>> queue) {
    InferenceSettings now = settings.get();
    Job<?, ?> first = firstReady(queue);
    int most = first.operation().most(now);
    if (!now.merge() || first.waiting() >= most) {
      return 0;
    }
    int waiting =
        queue.stream()
            .filter(job -> job.operation().equals(first.operation()))
            .mapToInt(Job::waiting)
            .sum();
    return waiting >= most ? 0 : now.batchWait().toNanos() - first.ageNanos();
  }

  private <I, O> Call<I, O> gather(Job<I, O> first, Deque<Job<?, ?>> queue) {
    InferenceSettings now = settings.get();
    int room = first.operation().most(now);
    List<Slice<I, O>> slices = new ArrayList<>();
    List<Job<?, ?>> unfinished = new ArrayList<>();
    Iterator<Job<?, ?>> waiting = queue.iterator();
    while (room > 0 && waiting.hasNext()) {
      Job<?, ?> job = waiting.next();
      if (job == first || (now.merge() && job.operation().equals(first.operation()))) {
        @SuppressWarnings("unchecked") // equal operations have equal types
        Job<I, O> same = (Job<I, O>) job;
        if (same.untouched()) {
          stats.of(same.operation().model()).record(Stage.QUEUE, same.ageNanos());
        }
        Slice<I, O> slice = same.take(room);
        slices.add(slice);
        room -= slice.size();
        waiting.remove();
        if (same.waiting() > 0) {
          unfinished.add(same);
        }
      }
    }
    queue.addAll(unfinished);
    return new Call<>(first.operation(), slices);
  }

  /** Those among them that somebody still waits for, too late. */
  private List<Job<?, ?>> removeAbandoned() {
    List<Job<?, ?>> late = new ArrayList<>();
    for (Deque<Job<?, ?>> queue : queues.values()) {
      queue.removeIf(
          job -> {
            boolean abandoned = job.abandoned();
            if (abandoned && !job.result().isDone()) {
              late.add(job);
            }
            return abandoned;
          });
    }
    return late;
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
      // Nobody may wait for ever for what the JVM could not do; the node decides about the rest.
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
      ModelLoader.Loaded loaded = lease.model();
      return SplitCall.compute(
          items,
          part -> call(operation, loaded.copies().get(device), part, counts, copies),
          loaded
              .spare()
              .map(
                  spare ->
                      part -> spare.use(model -> call(operation, model, part, counts, copies))),
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
      counts.record(Stage.MODEL, System.nanoTime() - start);
      long copied = model.takeCopyNanos();
      counts.record(Stage.COPY, copied);
      copies.add(copied);
      counts.increment(Counter.BATCHES);
      operation.count(counts, items.size());
      return outcomes;
    }
  }
}
