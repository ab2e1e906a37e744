/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.model.inference.stats.InferenceStats.Timing;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.lucene.util.SetOnce;
import org.opensearch.ExceptionsHelper;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.breaker.CircuitBreakingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.Scheduler;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportException;
import org.opensearch.transport.TransportRequestOptions;
import org.opensearch.transport.TransportResponseHandler;
import org.opensearch.transport.TransportService;

/**
 * The nodes that score for others, those with {@code node.attr.cross_modal.scorer: true}, as this
 * node sees them. Thread-safe.
 */
public final class Scorers {
  /** The node attribute, without {@code node.attr.}. */
  public static final String ATTRIBUTE = "cross_modal.scorer";

  private static final Logger LOGGER = LogManager.getLogger(Scorers.class);

  // After its share of the time a scorer is given up; this frees what belongs to one that vanished.
  private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final ClusterService clusterService;
  private final ScoringService scoring;
  private final String executor;
  private final SetOnce<TransportService> transport = new SetOnce<>();
  private final AtomicInteger turn = new AtomicInteger();
  private final ScorerBackoff backoff = new ScorerBackoff(System::nanoTime);
  private volatile ScoringPlace place;

  /**
   * @param executor name of the thread pool that reads tokens and continues after answers
   */
  public Scorers(
      ClusterService clusterService, ScoringService scoring, String executor, ScoringPlace place) {
    this.clusterService = clusterService;
    this.scoring = scoring;
    this.executor = executor;
    this.place = place;
  }

  void connect(TransportService transportService) {
    transport.set(transportService);
  }

  String executor() {
    return executor;
  }

  /** Follows the setting. */
  public void update(ScoringPlace changed) {
    place = changed;
  }

  /** Returns whether this node has others score now. */
  public boolean elsewhere() {
    return switch (place) {
      case LOCAL -> false;
      case REMOTE -> !isScorer(clusterService.localNode());
      case AUTO -> !isScorer(clusterService.localNode()) && !others().isEmpty();
    };
  }

  private static boolean isScorer(DiscoveryNode node) {
    return Boolean.parseBoolean(node.getAttributes().get(ATTRIBUTE));
  }

  private List<DiscoveryNode> others() {
    List<DiscoveryNode> others = new ArrayList<>();
    String local = clusterService.localNode().getId();
    for (DiscoveryNode node : clusterService.state().nodes()) {
      if (isScorer(node) && !node.getId().equals(local)) {
        others.add(node);
      }
    }
    others.sort(Comparator.comparing(DiscoveryNode::getId));
    return others;
  }

  /**
   * Returns the scorers in the order in which to ask them, beginning with another each time. Who
   * did not answer in time comes last, or not at all where this node can score itself.
   */
  private List<DiscoveryNode> inTurn(ScoringPlace now) {
    List<DiscoveryNode> nodes = others();
    if (nodes.isEmpty()) {
      return nodes;
    }
    Collections.rotate(nodes, Math.floorMod(turn.getAndIncrement(), nodes.size()));
    List<DiscoveryNode> rested = new ArrayList<>();
    List<DiscoveryNode> last = new ArrayList<>();
    for (DiscoveryNode node : nodes) {
      (backoff.mayAsk(node.getId()) ? rested : last).add(node);
    }
    if (now == ScoringPlace.REMOTE) {
      rested.addAll(last);
    }
    return rested;
  }

  /**
   * Sends an operation to a scorer, and to the next one where it gives no response in its share of
   * the time; what comes after the last follows {@link ScoringPlace}.
   *
   * @param search the task of the shard's search; null for none
   * @return fails as {@link PairOperation#ask} does; cancelling it reaches the scorer
   * @throws InferenceException.MemoryExceeded when there is no heap for the tokens' copies
   */
  public <T> CompletableFuture<T> ask(
      PairOperation<T> operation, Pairs pairs, Deadline deadline, Task search) {
    MemoryBudget.Reservation sent =
        scoring.heap().reserve("the tokens on their way to a scorer", pairs.bytes());
    ScoringPlace now = place;
    RemoteRequest<T> request =
        new RemoteRequest<>(operation, pairs, deadline, search, inTurn(now).iterator(), now);
    CompletableFuture<?> unused = request.result.whenComplete((given, failed) -> sent.close());
    request.next();
    return request.result;
  }

  /** One operation that is sent from scorer to scorer until one responds. */
  private final class RemoteRequest<T> {
    private final PairOperation<T> operation;
    private final Pairs pairs;
    private final Deadline deadline;
    private final Task search;
    private final Iterator<DiscoveryNode> nodes;
    private final ScoringPlace place;
    private final InferenceStats stats;
    private final CompletableFuture<T> result = new CompletableFuture<>();
    private RuntimeException failure =
        new InferenceException.ModelUnavailable(
            "no node of the cluster scores for others: start one with [node.attr."
                + ATTRIBUTE
                + ": true], or set [plugins.cross_modal.scoring] to auto or local",
            null);

    private RemoteRequest(
        PairOperation<T> operation,
        Pairs pairs,
        Deadline deadline,
        Task search,
        Iterator<DiscoveryNode> nodes,
        ScoringPlace place) {
      this.operation = operation;
      this.pairs = pairs;
      this.deadline = deadline;
      this.search = search;
      this.nodes = nodes;
      this.place = place;
      this.stats = scoring.stats().of(pairs.model());
    }

    private void next() {
      if (result.isDone()) {
        return;
      }
      if (!nodes.hasNext()) {
        giveUp();
        return;
      }
      DiscoveryNode node = nodes.next();
      ChildTask childTask;
      try {
        childTask = ChildTask.begin(transport.get(), ScorePairsAction.NAME, search);
      } catch (TaskCancelledException e) {
        result.completeExceptionally(e);
        return;
      }
      CompletableFuture<?> unused =
          result.whenComplete(
              (given, failed) -> {
                if (result.isCancelled()) {
                  childTask.cancel("nobody waits for the scores any more");
                }
              });
      Deadline share = share();
      long nanos = Math.max(1, share.remainingNanos());
      Attempt attempt = new Attempt(node, childTask);
      attempt.end =
          transport
              .get()
              .getThreadPool()
              .schedule(attempt::late, TimeValue.timeValueNanos(nanos), ThreadPool.Names.GENERIC);
      transport
          .get()
          .sendChildRequest(
              node,
              ScorePairsAction.NAME,
              new PairsRequest(operation, pairs, share),
              childTask.task(),
              TransportRequestOptions.builder()
                  .withTimeout(TimeValue.timeValueNanos(nanos + GRACE_NANOS))
                  .build(),
              attempt);
    }

    /**
     * Returns until when a scorer may answer: for half of the time that is left, but for as long as
     * all but one of a hundred answers took, so that somebody else has time to answer after it. The
     * last has all of it.
     */
    private Deadline share() {
      if (place == ScoringPlace.REMOTE && !nodes.hasNext()) {
        return deadline;
      }
      long half = deadline.remainingNanos() / 2;
      long usual = TimeUnit.MICROSECONDS.toNanos(stats.get(Timing.REMOTE).p99());
      return deadline.earlier(Deadline.after(Duration.ofNanos(Math.max(0, Math.max(half, usual)))));
    }

    /** Goes on to the next scorer, and has this one asked last for a while. */
    private void late(DiscoveryNode node) {
      backoff.late(node.getId());
      failed(Counter.REMOTE_TIMEOUTS, new InferenceException.DeadlineExceeded("a rescore"));
    }

    private void answered(PairsResponse response, DiscoveryNode node) {
      if (response.refusal() == null) {
        stats.increment(Counter.REMOTE_ANSWERS);
        backoff.answered(node.getId());
        result.complete(response.answer(operation));
        return;
      }
      RuntimeException refused =
          response.refusal().toException("scorer [" + node.getName() + "]: " + response.why());
      switch (response.refusal()) {
        case QUEUE_FULL, MEMORY -> failed(Counter.REMOTE_REJECTIONS, refused);
        case UNAVAILABLE -> failed(Counter.REMOTE_UNAVAILABLE, refused);
        case FAILED -> failed(Counter.REMOTE_FAILURES, refused);
        case LATE -> late(node);
        // Another node would say the same.
        case FOREIGN_TOKENS, BAD_REQUEST -> result.completeExceptionally(refused);
      }
    }

    private void failed(TransportException e, DiscoveryNode node) {
      Throwable cause = ExceptionsHelper.unwrapCause(e);
      if (cause instanceof TaskCancelledException cancelled) {
        result.completeExceptionally(cancelled);
        return;
      }
      String why = "scorer [" + node.getName() + "]: " + cause.getMessage();
      if (cause instanceof CircuitBreakingException
          || cause instanceof OpenSearchRejectedExecutionException) {
        failed(Counter.REMOTE_REJECTIONS, new InferenceException.QueueFull(why));
      } else {
        failed(Counter.REMOTE_UNREACHABLE, new InferenceException.ModelUnavailable(why, e));
      }
    }

    private void failed(Counter counter, RuntimeException cause) {
      stats.increment(counter);
      LOGGER.debug("a scorer gave no answer", cause);
      failure = cause;
      next();
    }

    private void giveUp() {
      if (place == ScoringPlace.REMOTE || deadline.expired()) {
        result.completeExceptionally(failure);
        return;
      }
      stats.increment(Counter.REMOTE_FALLBACKS);
      CompletableFuture<T> local;
      try {
        local = operation.ask(scoring, pairs, deadline);
      } catch (RuntimeException e) {
        result.completeExceptionally(e);
        return;
      }
      CompletableFuture<?> unused =
          local.whenComplete(
              (given, failed) -> {
                if (failed == null) {
                  result.complete(given);
                } else {
                  result.completeExceptionally(failed);
                }
              });
      unused =
          result.whenComplete(
              (given, failed) -> {
                if (result.isCancelled()) {
                  local.cancel(true);
                }
              });
    }

    /** A request to one scorer: what comes first counts, its response or the end of its time. */
    private final class Attempt implements TransportResponseHandler<PairsResponse> {
      private final DiscoveryNode node;
      private final ChildTask childTask;
      private final long start = System.nanoTime();
      private final AtomicBoolean open = new AtomicBoolean(true);
      private volatile Scheduler.ScheduledCancellable end;

      private Attempt(DiscoveryNode node, ChildTask childTask) {
        this.node = node;
        this.childTask = childTask;
      }

      private void late() {
        if (open.compareAndSet(true, false)) {
          childTask.cancel("it did not answer in its share of the time");
          RemoteRequest.this.late(node);
        }
      }

      @Override
      public PairsResponse read(StreamInput in) throws IOException {
        return new PairsResponse(in);
      }

      @Override
      public String executor() {
        return executor;
      }

      @Override
      public void handleResponse(PairsResponse response) {
        childTask.end();
        end.cancel();
        if (open.compareAndSet(true, false)) {
          stats.record(Timing.REMOTE, System.nanoTime() - start);
          answered(response, node);
        }
      }

      @Override
      public void handleException(TransportException e) {
        childTask.end();
        end.cancel();
        if (open.compareAndSet(true, false)) {
          failed(e, node);
        }
      }
    }
  }
}
