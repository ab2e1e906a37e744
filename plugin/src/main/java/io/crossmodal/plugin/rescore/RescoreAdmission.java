/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rescore;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.model.inference.stats.InferenceStats.Counter;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.ext.CrossModalExtBuilder;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.rescore.FusionOptions.FailurePolicy;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.Version;
import org.opensearch.action.search.SearchTransportService;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.tasks.TaskCancelledException;
import org.opensearch.core.transport.TransportResponse;
import org.opensearch.search.builder.SearchSourceBuilder;
import org.opensearch.search.fetch.ShardFetchSearchRequest;
import org.opensearch.search.internal.ShardSearchRequest;
import org.opensearch.search.query.QuerySearchRequest;
import org.opensearch.tasks.CancellableTask;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.Scheduler;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportChannel;
import org.opensearch.transport.TransportInterceptor;
import org.opensearch.transport.TransportRequest;
import org.opensearch.transport.TransportRequestHandler;

/**
 * Lets at most half of a node's search threads serve shards that rescore, for such a thread waits
 * for a model. It stands before core's handlers of a shard's search, which run before there is any
 * search thread: what finds no place waits here without a thread, as many as {@link
 * RescoreLimits#maxWaiting} and no longer than the rescore itself may last. What may not wait, or
 * waited in vain, follows {@code on_failure}. Thread-safe.
 */
public final class RescoreAdmission implements TransportInterceptor {
  private static final Logger LOGGER = LogManager.getLogger(RescoreAdmission.class);

  private static final Set<String> ACTIONS =
      Set.of(
          SearchTransportService.QUERY_ACTION_NAME,
          SearchTransportService.QUERY_ID_ACTION_NAME,
          SearchTransportService.FETCH_ID_ACTION_NAME);

  private final ThreadPool threadPool;
  private final ScoringService scoring;
  private final RescoreLimits limits;
  private final int places;
  private final Semaphore free;
  private final Queue<Admission<?>> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicInteger waits = new AtomicInteger();

  /**
   * @param threadPool whose pool {@code search} is shared
   * @param scoring for its longest wait and stats
   */
  public RescoreAdmission(ThreadPool threadPool, ScoringService scoring, RescoreLimits limits) {
    this.threadPool = threadPool;
    this.scoring = scoring;
    this.limits = limits;
    this.places = Math.max(1, threadPool.info(ThreadPool.Names.SEARCH).getMax() / 2);
    this.free = new Semaphore(places);
  }

  @Override
  public <T extends TransportRequest> TransportRequestHandler<T> interceptHandler(
      String action, String executor, boolean forceExecution, TransportRequestHandler<T> handler) {
    if (!ACTIONS.contains(action)) {
      return handler;
    }
    return (request, channel, task) -> {
      ShardSearchRequest search = search(request);
      List<FusionRescorerBuilder> rescorers =
          search == null ? List.of() : RescoredSearch.fusions(search.source());
      // Where the coordinating node chooses the hits, the first round scores none.
      boolean scores =
          rescorers.stream().anyMatch(one -> !one.isDeferred() || search.numberOfShards() == 1);
      if (scores) {
        new Admission<>(request, search, rescorers, channel, task, handler).start();
      } else {
        handler.messageReceived(request, channel, task);
      }
    };
  }

  private static ShardSearchRequest search(TransportRequest request) {
    if (request instanceof QuerySearchRequest query) {
      return query.shardSearchRequest();
    }
    // Of a page, what its hits are asked for; most are asked for nothing that needs a model.
    if (request instanceof ShardFetchSearchRequest fetch) {
      ShardSearchRequest search = fetch.getShardSearchRequest();
      return search != null && search.source() != null && asksModel(search.source())
          ? search
          : null;
    }
    return request instanceof ShardSearchRequest search ? search : null;
  }

  private static boolean asksModel(SearchSourceBuilder source) {
    return Boolean.TRUE.equals(source.explain())
        || source.ext().stream()
            .anyMatch(ext -> ext instanceof CrossModalExtBuilder wanted && wanted.describesHits());
  }

  /** Gives a place to the request that waits longest. */
  private void release() {
    free.release();
    admit();
  }

  private void admit() {
    while (!waiting.isEmpty() && free.tryAcquire()) {
      Admission<?> next = waiting.poll();
      if (next == null || !next.leaveQueue()) {
        free.release();
      } else {
        next.runElsewhere();
      }
    }
  }

  /**
   * Reason for which a shard must not rescore.
   *
   * @param searchIsOver whether the search's own time was over, which is no failure
   */
  record Refusal(InferenceException why, boolean searchIsOver) {}

  /** A request on its way to core's handler. */
  private final class Admission<T extends TransportRequest> {
    private final T request;
    private final ShardSearchRequest search;
    private final List<FusionRescorerBuilder> rescorers;
    private final TransportChannel channel;
    private final Task task;
    private final TransportRequestHandler<T> handler;
    // Whoever asked: a page's hits cannot be refused here, they only wait.
    private final boolean isFetch;
    private final AtomicBoolean queued = new AtomicBoolean(true);
    private Runnable inContext;
    private Scheduler.ScheduledCancellable end;

    private Admission(
        T request,
        ShardSearchRequest search,
        List<FusionRescorerBuilder> rescorers,
        TransportChannel channel,
        Task task,
        TransportRequestHandler<T> handler) {
      this.request = request;
      this.search = search;
      this.rescorers = rescorers;
      this.channel = channel;
      this.task = task;
      this.handler = handler;
      this.isFetch = request instanceof ShardFetchSearchRequest;
    }

    private void start() throws Exception {
      if (waiting.isEmpty() && free.tryAcquire()) {
        run();
        return;
      }
      stats(Counter.QUEUED_RESCORES);
      if (waits.incrementAndGet() > limits.maxWaiting() && !isFetch) {
        waits.decrementAndGet();
        refuse(
            new InferenceException.SearchThreadsBusy(
                String.format(
                    Locale.ROOT,
                    "half of the node's search threads rescore, which are [%d], and [%d] searches"
                        + " wait for them; retry later, or raise"
                        + " [plugins.cross_modal.inference.queue_size]",
                    places,
                    limits.maxWaiting())),
            Counter.SEARCH_THREADS_BUSY,
            false);
        return;
      }
      inContext = threadPool.getThreadContext().preserveContext(this::runQueued);
      if (!isFetch) {
        TimeValue longest = longest();
        end =
            threadPool.schedule(
                threadPool.getThreadContext().preserveContext(() -> waitedInVain(longest)),
                longest,
                ThreadPool.Names.GENERIC);
      }
      waiting.add(this);
      // A place may have become free in between.
      admit();
    }

    /** Returns how long it may wait: as long as its rescore may last. */
    private TimeValue longest() {
      TimeValue longest = TimeValue.timeValueNanos(scoring.longestWait().toNanos());
      longest = shorter(longest, search.source().timeout());
      for (FusionRescorerBuilder rescorer : rescorers) {
        longest = shorter(longest, rescorer.options().timeout());
      }
      return longest;
    }

    private static TimeValue shorter(TimeValue one, TimeValue other) {
      return other == null || other.nanos() < 0 || other.compareTo(one) > 0 ? one : other;
    }

    /**
     * @return false when another thread took it out
     */
    private boolean leaveQueue() {
      boolean first = queued.compareAndSet(true, false);
      if (first) {
        waits.decrementAndGet();
        if (end != null) {
          end.cancel();
        }
      }
      return first;
    }

    private void waitedInVain(TimeValue longest) {
      if (leaveQueue()) {
        waiting.remove(this);
        try {
          refuse(
              new InferenceException.DeadlineExceeded(
                  String.format(
                      Locale.ROOT,
                      "a rescore, which waited [%s] for one of the node's [%d] search threads that"
                          + " may rescore,",
                      longest,
                      places)),
              Counter.TIMEOUTS,
              longest.equals(search.source().timeout()));
        } catch (Exception e) {
          answer(e);
        }
      }
    }

    private void runElsewhere() {
      try {
        threadPool.generic().execute(inContext);
      } catch (RuntimeException e) {
        release();
        answer(e);
      }
    }

    private void runQueued() {
      if (task instanceof CancellableTask cancellable && cancellable.isCancelled()) {
        release();
        answer(new TaskCancelledException("cancelled while it waited to rescore"));
        return;
      }
      try {
        run();
      } catch (Exception e) {
        answer(e);
      }
    }

    /** Runs the search with a place, which its answer gives back. */
    private void run() throws Exception {
      Once once = new Once(channel, RescoreAdmission.this::release);
      try {
        handler.messageReceived(request, once, task);
      } catch (Exception e) {
        once.release();
        throw e;
      }
    }

    private void stats(Counter counter) {
      InferenceStats stats = scoring.stats();
      for (FusionRescorerBuilder rescorer : rescorers) {
        rescorer.modelIfKnown().map(stats::of).orElse(stats).increment(counter);
      }
    }

    /** Fails the search, or runs it without a place and without its rescores. */
    private void refuse(InferenceException why, Counter reason, boolean searchIsOver)
        throws Exception {
      boolean fails =
          rescorers.stream().anyMatch(one -> one.options().onFailure() == FailurePolicy.FAIL);
      if (fails && !searchIsOver) {
        stats(reason);
        answer(InferenceErrors.toOpenSearch(why));
      } else {
        Refusal refusal = new Refusal(why, searchIsOver);
        search.source(RescoredSearch.changed(search.source(), fusion -> fusion.refused(refusal)));
        handler.messageReceived(request, channel, task);
      }
    }

    private void answer(Exception failure) {
      try {
        channel.sendResponse(failure);
      } catch (IOException | RuntimeException e) {
        e.addSuppressed(failure);
        LOGGER.warn("no answer went out that a shard's search was refused", e);
      }
    }
  }

  /** Gives a place back with the first answer. */
  private static final class Once implements TransportChannel {
    private final TransportChannel channel;
    private final Runnable release;
    private final AtomicBoolean released = new AtomicBoolean();

    private Once(TransportChannel channel, Runnable release) {
      this.channel = channel;
      this.release = release;
    }

    private void release() {
      if (released.compareAndSet(false, true)) {
        release.run();
      }
    }

    @Override
    public void sendResponse(TransportResponse response) throws IOException {
      release();
      channel.sendResponse(response);
    }

    @Override
    public void sendResponse(Exception failure) throws IOException {
      release();
      channel.sendResponse(failure);
    }

    @Override
    public void sendResponseBatch(TransportResponse response) {
      channel.sendResponseBatch(response);
    }

    @Override
    public void completeStream() {
      release();
      channel.completeStream();
    }

    @Override
    public String getProfileName() {
      return channel.getProfileName();
    }

    @Override
    public String getChannelType() {
      return channel.getChannelType();
    }

    @Override
    public Version getVersion() {
      return channel.getVersion();
    }

    @Override
    public <V> Optional<V> get(String name, Class<V> type) {
      return channel.get(name, type);
    }
  }
}
