/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.engine.ModelEngine.WorkerStatus;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.protocol.InferMessage;
import io.netty.channel.EventLoopGroup;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
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
 * it had under way fails; when it is back, the node's models are loaded into it again. Thread-safe.
 */
@SuppressWarnings("FutureReturnValueIgnored") // whoever waits has the future that these end
final class WorkerLink implements AutoCloseable {
  private static final Logger LOGGER = LogManager.getLogger(WorkerLink.class);
  private static final long PULSE_MILLIS = 1000;

  /** For so long a load that was refused is not tried again: each costs the worker a bundle. */
  private static final long RELOAD_MILLIS = 10_000;

  /** For so long a node that stops waits until its workers know that it needs no model any more. */
  private static final long UNLOAD_MILLIS = 1000;

  private static final String ON_ITS_WAY = "to-worker-";

  /** Longer than sending and trying the largest model takes. */
  private static final long LOAD_MINUTES = 30;

  /** What our worker calls itself; another server has no repository by digest. */
  private static final String WORKER = "crossmodal-worker";

  /** What a server lists that takes tensors as bytes behind the JSON. */
  private static final String BINARY = "binary_tensor_data";

  private final WorkerAddress address;
  private final WorkerHttp http;
  private final String owner;
  private final Path directory;
  private final Executor disk;
  private final EventLoopGroup group;
  private final long silenceMillis;
  private final Set<RemoteModel> wanted;
  private final Map<RemoteModel, Holding> loaded = new HashMap<>();
  private final AtomicInteger inFlight = new AtomicInteger();
  private final AtomicLong loads = new AtomicLong();
  private final AtomicLong losses = new AtomicLong();
  private final AtomicLong badAnswers = new AtomicLong();
  private final ScheduledFuture<?> pulse;
  private volatile boolean asked;
  private CompletableFuture<?> unloading = CompletableFuture.completedFuture(null);
  private volatile boolean binary = true;
  private volatile String silent = "";

  /** A model that it holds, is loading, or could not load at a time. */
  private record Holding(CompletableFuture<Void> ready, AtomicLong failedAt) {
    boolean isDone() {
      return ready.isDone() && !ready.isCompletedExceptionally();
    }

    /** Returns whether it failed, and another try may end otherwise. */
    boolean isStale() {
      return ready.isCompletedExceptionally()
          && (!(Futures.cause(ready.exceptionNow()) instanceof WorkerException.Refused)
              || System.nanoTime() - failedAt.get() > TimeUnit.MILLISECONDS.toNanos(RELOAD_MILLIS));
    }
  }

  /**
   * @param owner this node, in the words of the protocol
   * @param trust as {@link WorkerHttp}
   * @param directory for a bundle on its way
   * @param disk writes it there
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
    this.http = new WorkerHttp(address, trust, group);
    this.owner = owner;
    this.directory = directory;
    this.disk = disk;
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
        responds() ? (asked ? "ready" : "unknown") : "unreachable",
        silent,
        inFlight.get(),
        loads.get(),
        losses.get(),
        badAnswers.get());
  }

  /**
   * Sends a job's request to the model, which is loaded first where it is not.
   *
   * @param body made when it is known whether the worker takes binary tensors
   * @param longest bytes of its answer at most
   */
  CompletableFuture<WorkerHttp.Reply> infer(
      RemoteModel model, String path, Function<Boolean, InferMessage.Body> body, long longest) {
    inFlight.incrementAndGet();
    CompletableFuture<WorkerHttp.Reply> result = new CompletableFuture<>();
    CompletableFuture<?> unused =
        result.whenComplete((done, failure) -> inFlight.decrementAndGet());
    inferOnce(model, () -> http.post(path, body.apply(binary), longest), result, true);
    return result;
  }

  private void inferOnce(
      RemoteModel model,
      Supplier<CompletableFuture<WorkerHttp.Reply>> request,
      CompletableFuture<WorkerHttp.Reply> result,
      boolean first) {
    CompletableFuture<Void> ready = hold(model);
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
                      forget(model, ready);
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
    synchronized (loaded) {
      Holding known = loaded.get(model);
      if (known == null || known.isStale()) {
        AtomicLong failedAt = new AtomicLong();
        known =
            new Holding(
                load(model).whenComplete((done, thrown) -> failedAt.set(System.nanoTime())),
                failedAt);
        loaded.put(model, known);
      }
      return known.ready;
    }
  }

  /** Returns whether it has loaded a model, so that a job need not wait for that. */
  boolean holds(RemoteModel model) {
    synchronized (loaded) {
      Holding known = loaded.get(model);
      return known != null && known.isDone();
    }
  }

  private void forget(RemoteModel model, CompletableFuture<Void> was) {
    synchronized (loaded) {
      Holding known = loaded.get(model);
      if (known != null && known.ready == was) {
        loaded.remove(model);
      }
    }
  }

  private CompletableFuture<Void> load(RemoteModel model) {
    asked = true;
    CompletableFuture<Void> done =
        http.get("/v2")
            .thenCompose(
                server -> {
                  JsonObject said = server.json();
                  boolean ours = said.has("name") && WORKER.equals(said.get("name").getAsString());
                  binary =
                      ours
                          || (said.get("extensions") instanceof JsonArray known
                              && known.contains(new JsonPrimitive(BINARY)));
                  return ours ? loadByDigest(model) : findElsewhere(model);
                });
    // So that one that never says it has loaded a model does not keep others from being loaded.
    ScheduledFuture<?> patience =
        group.schedule(
            () -> done.completeExceptionally(new TimeoutException(address() + " loads for ever")),
            LOAD_MINUTES,
            TimeUnit.MINUTES);
    return done.whenComplete(
        (held, thrown) -> {
          patience.cancel(false);
          Throwable unused = thrown == null ? null : noticed(thrown);
          loads.addAndGet(thrown == null ? 1 : 0);
        });
  }

  /** A server of another make that speaks the protocol has its models from its operator. */
  private CompletableFuture<Void> findElsewhere(RemoteModel model) {
    return http.get(model.readyPath())
        .handle(
            (ready, thrown) -> {
              if (thrown == null) {
                model.heldElsewhere(address.text());
                return CompletableFuture.<Void>completedFuture(null);
              }
              Throwable cause = Futures.cause(thrown);
              return CompletableFuture.<Void>failedFuture(
                  cause instanceof WorkerException.Refused
                      ? new WorkerException.Refused(
                          Failure.MODEL_UNAVAILABLE,
                          "the server on ["
                              + address.text()
                              + "] serves no such model: there is no "
                              + model.readyPath())
                      : cause);
            })
        .thenCompose(known -> known);
  }

  private CompletableFuture<Void> loadByDigest(RemoteModel model) {
    byte[] request = model.request(owner).toString().getBytes(StandardCharsets.UTF_8);
    String path = model.repositoryPath("load");
    return http.post(path, new InferMessage.Body(request, List.of()))
        .handle(
            (reply, thrown) -> {
              if (thrown == null) {
                return CompletableFuture.completedFuture(reply);
              }
              return Futures.cause(thrown) instanceof WorkerException.Refused refused
                      && refused.failure() == Failure.BUNDLE_MISSING
                  ? send(model, path, request)
                  : CompletableFuture.<WorkerHttp.Reply>failedFuture(Futures.cause(thrown));
            })
        .thenCompose(reply -> reply)
        .thenAccept(reply -> model.heldAs(reply.json()));
  }

  private CompletableFuture<WorkerHttp.Reply> send(RemoteModel model, String path, byte[] request) {
    return CompletableFuture.supplyAsync(
            () -> {
              try {
                Path file = Files.createTempFile(directory, ON_ITS_WAY, ".zip");
                boolean written = false;
                try {
                  model.bundle().writeUncompressedTo(Files.newOutputStream(file));
                  written = true;
                  return Files.newInputStream(file, StandardOpenOption.DELETE_ON_CLOSE);
                } finally {
                  if (!written) {
                    Files.deleteIfExists(file);
                  }
                }
              } catch (IOException e) {
                throw new UncheckedIOException("the bundle cannot be written for the worker", e);
              }
            },
            disk)
        .thenCompose(bundle -> http.post(path, request, bundle));
  }

  /**
   * Deletes the bundles on their way that a node left when it was killed.
   *
   * @param directory as the constructor's; need not exist
   */
  static void deleteLeftovers(Path directory) throws IOException {
    if (Files.isDirectory(directory)) {
      try (DirectoryStream<Path> left = Files.newDirectoryStream(directory, ON_ITS_WAY + "*")) {
        for (Path file : left) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /**
   * Takes note that the node needs a model no more.
   *
   * @param unload whether the worker is told, for no other model of the node is the same to it
   */
  void release(RemoteModel model, boolean unload) {
    CompletableFuture<Void> held;
    synchronized (loaded) {
      Holding known = loaded.remove(model);
      held = known == null ? null : known.ready;
    }
    if (unload && held != null && model.isLoadedByDigest() && responds()) {
      byte[] request = model.request(owner).toString().getBytes(StandardCharsets.UTF_8);
      CompletableFuture<WorkerHttp.Reply> told =
          held.thenCompose(
              done ->
                  http.post(
                      model.repositoryPath("unload"), new InferMessage.Body(request, List.of())));
      CompletableFuture<?> ended =
          told.handle(
              (done, thrown) -> {
                if (thrown != null) {
                  LOGGER.debug("a worker did not unload a model", thrown);
                }
                return null;
              });
      synchronized (loaded) {
        unloading = CompletableFuture.allOf(unloading, ended);
      }
    }
  }

  private void pulse() {
    if (!asked) {
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
              } else if (!responds()) {
                back();
              } else {
                holdWanted();
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
      synchronized (loaded) {
        loaded.clear();
      }
      // What it has under way may never end.
      http.disconnect();
    }
  }

  private void back() {
    LOGGER.info("{} responds again", address());
    silent = "";
    holdWanted();
  }

  /** Has it hold what the node needs and it does not have: it was away, or could not load it. */
  private void holdWanted() {
    for (RemoteModel model : wanted) {
      boolean known;
      synchronized (loaded) {
        Holding holding = loaded.get(model);
        known = holding != null && !holding.isStale();
      }
      if (!known) {
        CompletableFuture<?> unused =
            hold(model)
                .whenComplete(
                    (done, thrown) -> {
                      if (thrown != null) {
                        LOGGER.warn("{} did not load a model", address(), Futures.cause(thrown));
                      }
                    });
      }
    }
  }

  @Override
  public void close() {
    pulse.cancel(false);
    try {
      CompletableFuture<?> last;
      synchronized (loaded) {
        last = unloading;
      }
      Object unused = last.get(UNLOAD_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      LOGGER.debug("{} may hold models for this node that it has let go", address(), e);
    }
    http.close();
  }
}
