/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.scoring;

import io.crossmodal.plugin.inference.Deadline;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.InferenceStats;
import io.crossmodal.plugin.inference.InferenceStats.Counter;
import io.crossmodal.plugin.inference.InferenceStats.Stage;
import io.crossmodal.plugin.inference.ModelService;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.apache.lucene.util.SetOnce;
import org.opensearch.ExceptionsHelper;
import org.opensearch.cluster.node.DiscoveryNode;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.util.concurrent.ThreadContext;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.breaker.CircuitBreakingException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.concurrency.OpenSearchRejectedExecutionException;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.tasks.Task;
import org.opensearch.tasks.TaskManager;
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

  // After its deadline a scorer says so itself; this frees what waits for one that vanished.
  private static final long GRACE_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final ClusterService clusterService;
  private final ModelService service;
  private final String executor;
  private final SetOnce<TransportService> transport = new SetOnce<>();
  private final AtomicInteger turn = new AtomicInteger();
  private volatile ScoringPlace place;

  /**
   * @param executor name of the thread pool that reads tokens and continues after answers
   */
  public Scorers(
      ClusterService clusterService, ModelService service, String executor, ScoringPlace place) {
    this.clusterService = clusterService;
    this.service = service;
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

  /** Whether this node has others score now. */
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
   * Asks a scorer, and the next one where it gives no answer; what comes after the last follows
   * {@link ScoringPlace}.
   *
   * @param search the task of the shard's search; null for none
   * @return fails as {@link PairQuestion#ask} does; cancelling it reaches the scorer
   */
  public <T> CompletableFuture<T> ask(
      PairQuestion<T> question, Pairs pairs, Deadline deadline, Task search) {
    List<DiscoveryNode> nodes = others();
    if (!nodes.isEmpty()) {
      Collections.rotate(nodes, Math.floorMod(turn.getAndIncrement(), nodes.size()));
    }
    Asking<T> asking = new Asking<>(question, pairs, deadline, search, nodes.iterator(), place);
    asking.next();
    return asking.result;
  }

  /** One question on its way from scorer to scorer. */
  private final class Asking<T> {
    private final PairQuestion<T> question;
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

    private Asking(
        PairQuestion<T> question,
        Pairs pairs,
        Deadline deadline,
        Task search,
        Iterator<DiscoveryNode> nodes,
        ScoringPlace place) {
      this.question = question;
      this.pairs = pairs;
      this.deadline = deadline;
      this.search = search;
      this.nodes = nodes;
      this.place = place;
      this.stats = service.stats().of(pairs.model());
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
      TaskManager tasks = transport.get().getTaskManager();
      PairsRequest request = new PairsRequest(question, pairs, deadline);
      if (search != null) {
        request.setParentTask(clusterService.localNode().getId(), search.getId());
      }
      // A shard's search does not pass its cancellation on; this task between both does.
      PairsRequest.PairsTask task;
      try {
        task = (PairsRequest.PairsTask) tasks.register("direct", ScorePairsAction.NAME, request);
      } catch (TaskCancelledException e) {
        result.completeExceptionally(e);
        return;
      }
      CompletableFuture<?> unused =
          result.whenComplete(
              (given, failed) -> {
                if (result.isCancelled()) {
                  cancel(task);
                }
              });
      TransportRequestOptions options =
          TransportRequestOptions.builder()
              .withTimeout(
                  TimeValue.timeValueNanos(Math.max(0, deadline.remainingNanos()) + GRACE_NANOS))
              .build();
      transport
          .get()
          .sendChildRequest(
              node, ScorePairsAction.NAME, request, task, options, new Handler(node, task));
    }

    /** Has the scorer forget it. */
    private void cancel(PairsRequest.PairsTask task) {
      TransportService sender = transport.get();
      ThreadContext context = sender.getThreadPool().getThreadContext();
      ThreadContext.StoredContext before = context.stashContext();
      try {
        // Between nodes, whoever searches.
        context.markAsSystemContext();
        sender
            .getTaskManager()
            .cancelTaskAndDescendants(
                task,
                "nobody waits for the scores any more",
                false,
                ActionListener.wrap(
                    done -> {},
                    e -> LOGGER.debug("a scorer was not told that its answer is not needed", e)));
      } finally {
        before.restore();
      }
    }

    private void answered(PairsResponse response, DiscoveryNode node) {
      if (response.refusal() == null) {
        stats.increment(Counter.REMOTE_ANSWERS);
        result.complete(response.answer(question));
        return;
      }
      RuntimeException refused =
          response.refusal().toException("scorer [" + node.getName() + "]: " + response.why());
      switch (response.refusal()) {
        case QUEUE_FULL, MEMORY -> failed(Counter.REMOTE_REJECTIONS, refused);
        case UNAVAILABLE -> failed(Counter.REMOTE_UNAVAILABLE, refused);
        case FAILED -> failed(Counter.REMOTE_FAILURES, refused);
        // Another node would say the same.
        case LATE, FOREIGN_TOKENS, BAD_REQUEST -> result.completeExceptionally(refused);
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
        local = question.ask(service, pairs, deadline);
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

    /** Ends the task of one attempt, whatever came of it. */
    private final class Handler implements TransportResponseHandler<PairsResponse> {
      private final DiscoveryNode node;
      private final PairsRequest.PairsTask task;
      private final long start = System.nanoTime();

      private Handler(DiscoveryNode node, PairsRequest.PairsTask task) {
        this.node = node;
        this.task = task;
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
        end();
        answered(response, node);
      }

      @Override
      public void handleException(TransportException e) {
        end();
        failed(e, node);
      }

      private void end() {
        transport.get().getTaskManager().unregister(task);
        stats.record(Stage.REMOTE, System.nanoTime() - start);
      }
    }
  }
}
