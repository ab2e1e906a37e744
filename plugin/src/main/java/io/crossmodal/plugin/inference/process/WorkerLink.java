/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.engine.ModelEngine.WorkerStatus;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.crossmodal.model.inference.protocol.JobSender;
import io.netty.channel.EventLoopGroup;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/**
 * One worker as this node knows it: whether it responds, and which models it holds for the node. It
 * is asked for its health every second. While it does not respond nothing is sent to it, and what
 * it had under way fails; when it is back, the node's models are loaded into it again, and it lets
 * go of what the node does not need any more. Thread-safe.
 */
@SuppressWarnings("FutureReturnValueIgnored") // whoever waits has the future that these end
final class WorkerLink implements AutoCloseable {
  private static final Logger LOGGER = LogManager.getLogger(WorkerLink.class);
  private static final long PULSE_MILLIS = 1000;

  private final WorkerAddress address;
  private final WorkerHttp http;
  private final HeldModels models;
  private final EventLoopGroup group;
  private final long silenceMillis;
  private final Set<RemoteModel> wanted;
  private final AtomicInteger inFlight = new AtomicInteger();
  private final AtomicLong losses = new AtomicLong();
  private final AtomicLong badAnswers = new AtomicLong();
  private final ScheduledFuture<?> pulse;
  private volatile String silent = "";

  /**
   * @param owner this node, in the words of the protocol
   * @param trust as {@link WorkerHttp}
   * @param directory for a bundle on its way
   * @param disk writes it there, and looks up the address's host
   * @param silenceMillis for which a worker may not respond
   * @param wanted the node's models, which a worker that comes back is to load
   */
  WorkerLink(
      WorkerAddress address,
      String owner,
      WorkerHttp.Trust trust,
      Path directory,
      Executor disk,
      EventLoopGroup group,
      long silenceMillis,
      Set<RemoteModel> wanted) {
    this.address = address;
    this.http = new WorkerHttp(address, trust, group, disk);
    this.models =
        new HeldModels(http, address.text(), owner, directory, disk, group, this::noticed);
    this.group = group;
    this.silenceMillis = silenceMillis;
    this.wanted = wanted;
    this.pulse =
        group.scheduleWithFixedDelay(
            this::pulse, PULSE_MILLIS, PULSE_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** Returns whether it may be asked: it responded when it was last asked, or was not yet. */
  boolean responds() {
    return silent.isEmpty();
  }

  /** Returns what it is called in a message. */
  String address() {
    return "the worker on [" + address.text() + "]";
  }

  /** Returns how many jobs it computes for this node, or keeps waiting. */
  int inFlight() {
    return inFlight.get();
  }

  /** Counts an answer that is none: too long, no HTTP, or not what the model gives. */
  void badAnswer() {
    badAnswers.incrementAndGet();
  }

  /** Returns why it does not respond; empty where it does. */
  String silence() {
    return silent;
  }

  WorkerStatus status() {
    return new WorkerStatus(
        address.text(),
        responds() ? (models.areAsked() ? "ready" : "unknown") : "unreachable",
        silent,
        inFlight.get(),
        models.loads(),
        losses.get(),
        badAnswers.get());
  }

  /**
   * Sends a job's request to the model, which is loaded first where it is not.
   *
   * @param body made when it is known whether the worker takes binary tensors
   * @param numbers that its answer has
   */
  CompletableFuture<WorkerHttp.Reply> infer(
      RemoteModel model, String path, Function<Boolean, InferMessage.Body> body, long numbers) {
    inFlight.incrementAndGet();
    CompletableFuture<WorkerHttp.Reply> result = new CompletableFuture<>();
    CompletableFuture<?> unused =
        result.whenComplete((done, failure) -> inFlight.decrementAndGet());
    inferOnce(
        model,
        () -> {
          boolean binary = models.takesBinary();
          return http.post(path, body.apply(binary), JobSender.longestAnswer(numbers, binary));
        },
        result,
        true);
    return result;
  }

  private void inferOnce(
      RemoteModel model,
      Supplier<CompletableFuture<WorkerHttp.Reply>> request,
      CompletableFuture<WorkerHttp.Reply> result,
      boolean first) {
    CompletableFuture<Void> ready = models.hold(model);
    CompletableFuture<?> unused =
        ready.whenComplete(
            (done, missing) -> {
              if (missing != null) {
                result.completeExceptionally(Futures.cause(missing));
                return;
              }
              if (result.isDone()) {
                return;
              }
              CompletableFuture<WorkerHttp.Reply> reply;
              try {
                reply = request.get();
              } catch (RuntimeException | Error e) {
                // Nobody would hear of it here, and the job would wait for ever.
                result.completeExceptionally(e);
                return;
              }
              result.whenComplete((given, failure) -> reply.cancel(false));
              reply.whenComplete(
                  (given, thrown) -> {
                    if (thrown == null) {
                      result.complete(given);
                    } else if (first && restarted(thrown)) {
                      // It was restarted, or another node's owner took it along.
                      models.forget(model, ready);
                      inferOnce(model, request, result, false);
                    } else {
                      result.completeExceptionally(noticed(thrown));
                    }
                  });
            });
  }

  private static boolean restarted(Throwable thrown) {
    return Futures.cause(thrown) instanceof WorkerException.Refused refused
        && refused.failure() == Failure.NOT_FOUND;
  }

  /** Has the pulse look at once where a connection was lost. */
  private Throwable noticed(Throwable thrown) {
    Throwable cause = Futures.cause(thrown);
    if (cause instanceof WorkerException.Gone && responds()) {
      group.execute(this::pulse);
    }
    return cause;
  }

  /** Has it hold a model; whoever asks meanwhile waits for the same. */
  CompletableFuture<Void> hold(RemoteModel model) {
    return models.hold(model);
  }

  /** Returns whether it has loaded a model, so that a job need not wait for that. */
  boolean holds(RemoteModel model) {
    return models.holds(model);
  }

  /**
   * Takes note that the node needs a model no more; tells the worker, at once or when it is back.
   */
  void release(RemoteModel model) {
    models.release(model);
    if (responds()) {
      models.settle();
    }
  }

  private void pulse() {
    if (!models.areAsked()) {
      // Nobody needs it yet.
      return;
    }
    CompletableFuture<WorkerHttp.Reply> health = http.get("/v2/health/live");
    ScheduledFuture<?> patience =
        group.schedule(
            () -> health.completeExceptionally(new TimeoutException("its health is not told")),
            silenceMillis,
            TimeUnit.MILLISECONDS);
    CompletableFuture<?> unused =
        health.whenComplete(
            (alive, thrown) -> {
              patience.cancel(false);
              Throwable cause = Futures.cause(thrown);
              // One that refuses, as for too many connections, is there.
              if (cause != null && !(cause instanceof WorkerException.Refused)) {
                lost(cause);
              } else {
                if (!responds()) {
                  LOGGER.info("{} responds again", address());
                  silent = "";
                }
                models.holdAll(wanted);
                models.settle();
              }
            });
  }

  private void lost(Throwable thrown) {
    boolean first = responds();
    String why =
        thrown instanceof WorkerException.Gone
            ? thrown.getMessage()
            : address() + " has not answered for " + silenceMillis + " ms: " + thrown;
    silent = why;
    if (first) {
      losses.incrementAndGet();
      LOGGER.warn("{}; it is asked again every second", why);
      models.clear();
      // What it has under way may never end.
      http.disconnect();
    }
  }

  @Override
  public void close() {
    pulse.cancel(false);
    models.awaitSettled();
    http.close();
  }
}
