/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import io.crossmodal.model.inference.Futures;
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
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

/** The models that one worker holds for this node: loads them, and lets them go. Thread-safe. */
@SuppressWarnings("FutureReturnValueIgnored") // whoever waits has the future that these end
final class HeldModels {
  private static final Logger LOGGER = LogManager.getLogger(HeldModels.class);

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

  private final WorkerHttp http;
  private final String address;
  private final String owner;
  private final Path directory;
  private final Executor disk;
  private final EventLoopGroup group;
  private final UnaryOperator<Throwable> noticed;
  private final Map<RemoteModel, Holding> loaded = new HashMap<>();
  private final AtomicLong loads = new AtomicLong();
  private volatile boolean asked;
  private volatile boolean binary = true;

  /** Whether it is a worker of this project, as it said last. */
  private volatile boolean ours;

  /** Whether it may hold what this node does not need, as after a start of either. */
  private boolean owed = true;

  private CompletableFuture<Void> settling = CompletableFuture.completedFuture(null);

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
   * @param address of the worker, for messages
   * @param owner this node, in the words of the protocol
   * @param directory for a bundle on its way
   * @param disk writes it there
   * @param noticed told why a load failed; returns it without its wrappings
   */
  HeldModels(
      WorkerHttp http,
      String address,
      String owner,
      Path directory,
      Executor disk,
      EventLoopGroup group,
      UnaryOperator<Throwable> noticed) {
    this.http = http;
    this.address = address;
    this.owner = owner;
    this.directory = directory;
    this.disk = disk;
    this.group = group;
    this.noticed = noticed;
  }

  /** Returns whether the worker was ever asked for a model. */
  boolean areAsked() {
    return asked;
  }

  /** Returns whether it takes tensors as bytes behind the JSON. */
  boolean takesBinary() {
    return binary;
  }

  /** Returns how often it has loaded one. */
  long loads() {
    return loads.get();
  }

  /** Takes note that it went away, and may be another process when it is back, or the same. */
  void clear() {
    synchronized (loaded) {
      loaded.clear();
      owed = true;
    }
  }

  /** Has it hold a model; whoever asks meanwhile waits for the same. */
  CompletableFuture<Void> hold(RemoteModel model) {
    synchronized (loaded) {
      Holding known = loaded.get(model);
      if (known == null || known.isStale()) {
        asked = true;
        AtomicLong failedAt = new AtomicLong();
        known =
            new Holding(
                settling
                    .thenCompose(settled -> load(model))
                    .whenComplete(
                        (done, thrown) -> {
                          failedAt.set(System.nanoTime());
                          noteUnneeded(model);
                        }),
                failedAt);
        loaded.put(model, known);
      }
      return known.ready;
    }
  }

  /** A model that was let go while it was loaded is there now, and nobody needs it. */
  private void noteUnneeded(RemoteModel model) {
    synchronized (loaded) {
      owed |= !loaded.containsKey(model);
    }
  }

  /** Returns whether it has loaded a model, so that a job need not wait for that. */
  boolean holds(RemoteModel model) {
    synchronized (loaded) {
      Holding known = loaded.get(model);
      return known != null && known.isDone();
    }
  }

  /** Takes note that it does not hold a model, though it did. */
  void forget(RemoteModel model, CompletableFuture<Void> was) {
    synchronized (loaded) {
      Holding known = loaded.get(model);
      if (known != null && known.ready == was) {
        loaded.remove(model);
      }
    }
  }

  private CompletableFuture<Void> load(RemoteModel model) {
    CompletableFuture<Void> done =
        http.get("/v2")
            .thenCompose(
                server -> {
                  JsonObject said = server.json();
                  ours = said.has("name") && WORKER.equals(said.get("name").getAsString());
                  binary =
                      ours
                          || (said.get("extensions") instanceof JsonArray known
                              && known.contains(new JsonPrimitive(BINARY)));
                  return ours ? loadByDigest(model) : findElsewhere(model);
                });
    // So that one that never says it has loaded a model does not keep others from being loaded.
    ScheduledFuture<?> patience =
        group.schedule(
            () ->
                done.completeExceptionally(
                    new TimeoutException("the worker on [" + address + "] loads for ever")),
            LOAD_MINUTES,
            TimeUnit.MINUTES);
    return done.whenComplete(
        (held, thrown) -> {
          patience.cancel(false);
          Throwable unused = thrown == null ? null : noticed.apply(thrown);
          loads.addAndGet(thrown == null ? 1 : 0);
        });
  }

  /** A server of another make that speaks the protocol has its models from its operator. */
  private CompletableFuture<Void> findElsewhere(RemoteModel model) {
    return http.get(model.readyPath())
        .handle(
            (ready, thrown) -> {
              if (thrown == null) {
                model.heldElsewhere(address);
                return CompletableFuture.<Void>completedFuture(null);
              }
              Throwable cause = Futures.cause(thrown);
              return CompletableFuture.<Void>failedFuture(
                  cause instanceof WorkerException.Refused
                      ? new WorkerException.Refused(
                          Failure.MODEL_UNAVAILABLE,
                          "the server on ["
                              + address
                              + "] serves no such model: there is no "
                              + model.readyPath())
                      : cause);
            })
        .thenCompose(known -> known);
  }

  private CompletableFuture<Void> loadByDigest(RemoteModel model) {
    byte[] request = model.request(owner).toString().getBytes(StandardCharsets.UTF_8);
    String path = model.loadPath();
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

  /** Takes note that the node needs a model no more. */
  void release(RemoteModel model) {
    synchronized (loaded) {
      loaded.remove(model);
      owed = true;
    }
  }

  /**
   * Tells the worker what this node needs, where it may hold more for it: it lets go of the rest.
   * Loads wait until that is done, so that it is known which of them it has not seen.
   */
  void settle() {
    synchronized (loaded) {
      if (owed && ours) {
        settling = settling.thenCompose(before -> retain());
      }
    }
  }

  private CompletableFuture<Void> retain() {
    JsonArray needed = new JsonArray();
    synchronized (loaded) {
      if (!owed) {
        // Told while this waited.
        return CompletableFuture.completedFuture(null);
      }
      owed = false;
      loaded.keySet().forEach(model -> needed.add(model.name()));
    }
    JsonObject all = new JsonObject();
    all.addProperty("owner", owner);
    all.add("models", needed);
    byte[] request = all.toString().getBytes(StandardCharsets.UTF_8);
    return http.post("/v2/repository/retain", new InferMessage.Body(request, List.of()))
        .handle(
            (done, thrown) -> {
              if (thrown != null) {
                LOGGER.debug("a worker did not hear what this node needs", thrown);
                synchronized (loaded) {
                  owed = true;
                }
              }
              return null;
            });
  }

  /** Has it hold what the node needs and it does not have: it was away, or could not load it. */
  void holdAll(Set<RemoteModel> wanted) {
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
                        LOGGER.warn(
                            "the worker on [{}] did not load a model",
                            address,
                            Futures.cause(thrown));
                      }
                    });
        if (!wanted.contains(model)) {
          // It was let go in between, by another thread.
          release(model);
        }
      }
    }
  }

  /** Waits a moment until the worker knows what was let go. */
  void awaitSettled() {
    try {
      CompletableFuture<?> last;
      synchronized (loaded) {
        last = settling;
      }
      Object unused = last.get(UNLOAD_MILLIS, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      LOGGER.debug("the worker on [{}] may hold models that are let go", address, e);
    }
  }
}
