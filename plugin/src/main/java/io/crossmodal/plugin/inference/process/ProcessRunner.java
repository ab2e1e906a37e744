/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.Job;
import io.crossmodal.model.inference.batching.Job.Priority;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobSender;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import io.netty.channel.EventLoopGroup;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * Sends each job to the worker that has the fewest of this node among those that hold the model,
 * and to another one where that goes away. Queues, batches and priorities are the workers'.
 * Thread-safe.
 */
final class ProcessRunner implements JobRunner {
  private final Supplier<InferenceSettings> settings;
  private final List<WorkerLink> workers;
  private final EventLoopGroup timers;
  private final InferenceStats stats = new InferenceStats();
  private final Map<Priority, AtomicInteger> underWay = new EnumMap<>(Priority.class);
  private final Set<Job<?, ?>> jobs = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /**
   * @param settings read anew for each job
   * @param timers end jobs that are late
   */
  ProcessRunner(
      Supplier<InferenceSettings> settings, List<WorkerLink> workers, EventLoopGroup timers) {
    this.settings = settings;
    this.workers = workers;
    this.timers = timers;
    for (Priority priority : Priority.values()) {
      underWay.put(priority, new AtomicInteger());
    }
  }

  /** Returns the failure of a node none of whose workers responds. */
  static InferenceException nobody(List<WorkerLink> workers) {
    return new InferenceException.ModelUnavailable(
        String.join("; ", workers.stream().map(WorkerLink::silence).toList())
            + "; start a worker there (java -jar crossmodal-worker.jar --socket ...), or set"
            + " [plugins.cross_modal.engine] to embedded and restart the node",
        null);
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
    InferenceStats counts = stats.of(job.operation().model());
    AtomicInteger count = underWay.get(priority);
    int capacity = settings.get().queueSize();
    if (count.incrementAndGet() > capacity) {
      count.decrementAndGet();
      counts.increment(Counter.REJECTIONS);
      job.fail(new InferenceException.QueueFull(capacity));
      return;
    }
    jobs.add(job);
    long left = job.deadline().remainingNanos();
    ScheduledFuture<?> late =
        timers.schedule(
            () ->
                job.fail(
                    new InferenceException.DeadlineExceeded(
                        "a job of " + job.items().size() + " items")),
            Math.max(0, left),
            TimeUnit.NANOSECONDS);
    CompletableFuture<?> unused =
        job.result()
            .whenComplete(
                (done, failure) -> {
                  late.cancel(false);
                  jobs.remove(job);
                  count.decrementAndGet();
                });
    if (closed) {
      job.fail(closing());
      return;
    }
    unused =
        job.operation()
            .on()
            .done()
            .whenComplete(
                (warm, failure) -> {
                  if (failure != null) {
                    job.fail(Futures.unwrap(failure));
                  } else {
                    start(priority, job, counts);
                  }
                });
  }

  private void start(Priority priority, Job<?, ?> job, InferenceStats counts) {
    try {
      LoadedModel.Lease lease = job.operation().on().lease();
      CompletableFuture<?> unused = job.result().whenComplete((done, failure) -> lease.close());
      RemoteModel model = lease.model(RemoteModel.class);
      send(
          new Sending(job, counts, model, binary -> JobSender.request(priority, job, binary)),
          null);
    } catch (RuntimeException e) {
      job.fail(Futures.unwrap(e));
    }
  }

  /** A job on its way to a worker. */
  private record Sending(
      Job<?, ?> job,
      InferenceStats counts,
      RemoteModel model,
      Function<Boolean, InferMessage.Body> body) {}

  /**
   * @param lost the worker that went away with the job; null at first
   */
  private void send(Sending sending, WorkerLink lost) {
    Job<?, ?> job = sending.job;
    if (job.result().isDone()) {
      return;
    }
    Optional<WorkerLink> chosen =
        workers.stream()
            .filter(worker -> worker.responds() && worker != lost)
            .min(
                Comparator.comparing((WorkerLink worker) -> !worker.holds(sending.model))
                    .thenComparingInt(WorkerLink::inFlight));
    if (chosen.isEmpty()) {
      job.fail(
          lost == null
              ? nobody(workers)
              : new InferenceException.ModelUnavailable(
                  "the worker went away while it computed, and there is no other", null));
      return;
    }
    WorkerLink worker = chosen.get();
    CompletableFuture<WorkerHttp.Reply> reply =
        worker.infer(
            sending.model,
            sending.model.inferPath(job.operation()),
            sending.body,
            JobSender.numbers(job, sending.model.config()));
    CompletableFuture<?> unused = job.result().whenComplete((done, failure) -> reply.cancel(false));
    unused =
        reply.whenComplete(
            (given, thrown) -> {
              if (thrown == null) {
                complete(sending, given, worker);
              } else if (thrown instanceof WorkerException.Gone && lost == null) {
                send(sending, worker);
              } else {
                if (thrown instanceof WorkerException.Unreadable) {
                  worker.badAnswer();
                }
                job.fail(
                    thrown instanceof Error ? Futures.unwrap(thrown) : failure(sending, thrown));
              }
            });
  }

  private static void complete(Sending sending, WorkerHttp.Reply reply, WorkerLink worker) {
    Job<?, ?> job = sending.job;
    try {
      ModelConfig config = sending.model.config();
      JobSender.complete(job, config, reply.message(JobSender.numbers(job, config)));
    } catch (Error e) {
      // Thrown on, it would end in a future that nobody looks at.
      job.fail(Futures.unwrap(e));
      return;
    } catch (RuntimeException e) {
      worker.badAnswer();
      job.fail(
          new InferenceException.ModelFailed(
              worker.address() + " gave an answer that is none: " + Messages.excerpt(e, 300), e));
      return;
    }
    InferenceStats counts = sending.counts;
    Job.Times times = job.times();
    counts.record(Timing.QUEUE, times.queueNanos());
    counts.record(Timing.MODEL, times.modelNanos() + times.copyNanos());
    counts.record(Timing.COPY, times.copyNanos());
    counts.increment(Counter.BATCHES);
    job.operation().count(counts, job.items().size());
  }

  private static InferenceException failure(Sending sending, Throwable thrown) {
    if (thrown instanceof WorkerException.Refused refused) {
      if (refused.failure() == Failure.QUEUE_FULL) {
        sending.counts.increment(Counter.REJECTIONS);
      } else if (refused.failure() == Failure.QUEUE_TOO_SLOW) {
        sending.counts.increment(Counter.LATE_REJECTIONS);
      }
      return refused.failure().exception(refused.getMessage());
    }
    return thrown instanceof WorkerException.Gone
        ? new InferenceException.ModelUnavailable(thrown.getMessage(), thrown)
        : new InferenceException.ModelFailed(Messages.excerpt(thrown.getMessage(), 300), thrown);
  }

  @Override
  public void cancel(Job<?, ?> job) {
    boolean unused = job.result().cancel(false);
  }

  @Override
  public int queued() {
    return jobs.size();
  }

  private static InferenceException closing() {
    return new InferenceException.ModelUnavailable("the node is shutting down", null);
  }

  /** Fails what is under way, and what comes. */
  void close() {
    closed = true;
    jobs.forEach(job -> job.fail(closing()));
  }
}
