/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.batching.Job.Slice;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

/**
 * The jobs that wait for the worker's threads, and the choice of what they compute next.
 *
 * <p>A call takes items of the longest waiting job first and fills up with those of other jobs that
 * ask for the same operation: the shards of a search, and other searches. A job larger than a call
 * goes to the end of the queue with its rest, so that it holds up a small one by one call at most.
 * While a call runs, the next one gathers; a call that is not full may wait a little for more.
 * Thread-safe.
 */
final class JobQueues {
  /** Of so many calls one is for documents, where both documents and searches wait. */
  static final int INGEST_TURN = 8;

  private final Supplier<InferenceSettings> settings;
  private final InferenceStats stats;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition arrival = lock.newCondition();
  private final Map<Priority, Deque<Job<?, ?>>> queues = new EnumMap<>(Priority.class);
  private volatile int threads = 1;
  private int searchesInARow;
  private boolean closed;

  /** Slices of one operation, for one call. */
  record Call<I, O>(Operation<I, O> operation, List<Slice<I, O>> slices) {}

  /**
   * @param settings read anew for each call
   */
  JobQueues(Supplier<InferenceSettings> settings, InferenceStats stats) {
    this.settings = settings;
    this.stats = stats;
    for (Priority priority : Priority.values()) {
      queues.put(priority, new ArrayDeque<>());
    }
  }

  /** Takes note of how many threads take calls, at least 1. */
  void servedBy(int count) {
    threads = count;
  }

  /**
   * Puts a job into its queue, or fails it where the queue is full, where what waits in it already
   * takes longer than the job can wait, or where the node is shutting down.
   */
  void submit(Priority priority, Job<?, ?> job) {
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
   * Estimates how long a job waits for those before it, at least. Each of them has one call for
   * each call of the job, as large jobs go to the end of the queue with their rest. An empty queue
   * is no wait whatever calls took before, so that a time once measured too long cannot refuse for
   * ever.
   */
  private long expectedNanos(Job<?, ?> job, Deque<Job<?, ?>> queue) {
    InferenceSettings now = settings.get();
    int most = job.operation().maxItems(now);
    long calls = (job.waiting() + most - 1L) / most;
    double nanos = 0;
    for (Job<?, ?> other : queue) {
      if (other.ready() && !other.abandoned()) {
        Operation<?, ?> operation = other.operation();
        nanos +=
            Math.min(other.waiting(), calls * operation.maxItems(now))
                * operation.on().nanosOfItem(operation.getClass());
      }
    }
    return (long) (nanos / threads);
  }

  /** Takes a job that nobody wants any more out of its queue. */
  void withdraw(Job<?, ?> job) {
    lock.lock();
    try {
      queues.values().forEach(queue -> queue.remove(job));
      arrival.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Wakes the threads that wait, for a model became ready or the settings changed. */
  void wake() {
    lock.lock();
    try {
      arrival.signal();
    } finally {
      lock.unlock();
    }
  }

  /** Returns the number of jobs that wait. */
  int size() {
    lock.lock();
    try {
      return queues.values().stream().mapToInt(Deque::size).sum();
    } finally {
      lock.unlock();
    }
  }

  /** Fails what waits and what comes, and has {@link #next} return null. */
  void close() {
    List<Job<?, ?>> left = new ArrayList<>();
    lock.lock();
    try {
      closed = true;
      queues.values().forEach(left::addAll);
      queues.values().forEach(Deque::clear);
      arrival.signalAll();
    } finally {
      lock.unlock();
    }
    left.forEach(job -> job.fail(closing()));
  }

  private static InferenceException closing() {
    return new InferenceException.ModelUnavailable("the node is shutting down", null);
  }

  /** Returns the next call, waiting for one; null when the queues are closed. */
  Call<?, ?> next() {
    while (true) {
      List<Job<?, ?>> late;
      lock.lock();
      try {
        late = removeAbandoned();
        if (closed) {
          return null;
        }
        if (late.isEmpty()) {
          Priority priority = nextPriority();
          long wait = priority == null ? Long.MAX_VALUE : remainingWait(queues.get(priority));
          if (wait <= 0) {
            searchesInARow = priority == Priority.SEARCH ? searchesInARow + 1 : 0;
            Deque<Job<?, ?>> queue = queues.get(priority);
            return gather(firstReady(queue), queue);
          }
          // Whether it was woken or its wait is over, the queues are looked at again.
          long unused = arrival.awaitNanos(wait);
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

  private Priority nextPriority() {
    boolean searches = firstReady(queues.get(Priority.SEARCH)) != null;
    boolean documents = firstReady(queues.get(Priority.INGEST)) != null;
    if (documents && (!searches || searchesInARow >= INGEST_TURN - 1)) {
      return Priority.INGEST;
    }
    return searches ? Priority.SEARCH : null;
  }

  /**
   * Returns the first job that can run, null where none can; one whose model loads lets others
   * pass.
   */
  private static Job<?, ?> firstReady(Deque<Job<?, ?>> queue) {
    for (Job<?, ?> job : queue) {
      if (job.ready()) {
        return job;
      }
    }
    return null;
  }

  /** Returns nanoseconds that the first job's call may still wait for company. */
  private long remainingWait(Deque<Job<?, ?>> queue) {
    InferenceSettings now = settings.get();
    Job<?, ?> first = firstReady(queue);
    int most = first.operation().maxItems(now);
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
    int room = first.operation().maxItems(now);
    List<Slice<I, O>> slices = new ArrayList<>();
    List<Job<?, ?>> unfinished = new ArrayList<>();
    Iterator<Job<?, ?>> waiting = queue.iterator();
    while (room > 0 && waiting.hasNext()) {
      Job<?, ?> job = waiting.next();
      if (job == first || (now.merge() && job.operation().equals(first.operation()))) {
        @SuppressWarnings("unchecked") // equal operations have equal types
        Job<I, O> same = (Job<I, O>) job;
        if (same.untouched()) {
          stats.of(same.operation().model()).record(Timing.QUEUE, same.ageNanos());
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

  /** Removes what nobody wants any more; returns those among it that somebody still waits for. */
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
}
