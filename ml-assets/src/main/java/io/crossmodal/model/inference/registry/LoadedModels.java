/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import ai.djl.engine.EngineException;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;

/**
 * The models that a {@link ModelLoader} has loaded. A thread of its own loads them, one at a time,
 * while the worker goes on with others. A new version of a model that is served takes its place
 * only when it is warm and has repeated its golden outputs; one that cannot leaves the old version
 * where it is. Thread-safe.
 */
public final class LoadedModels implements AutoCloseable {
  private static final int IDLE_SECONDS = 5;
  private static final int CLOSE_SECONDS = 30;

  private final ModelCatalog catalog;
  private final InferenceSettings settings;
  private final ModelLoader bundles;
  private final Runnable onSettled;
  private final ThreadPoolExecutor loader;
  private final Map<String, Slot> slots = new HashMap<>();
  private boolean closed;

  /**
   * @param bundles loads them, on a thread of its own
   * @param onSettled called whenever a model became warm or could not be loaded
   */
  public LoadedModels(
      ModelCatalog catalog, InferenceSettings settings, ModelLoader bundles, Runnable onSettled) {
    this.catalog = catalog;
    this.settings = settings;
    this.bundles = bundles;
    this.onSettled = onSettled;
    this.loader =
        new ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "cross-modal-loader");
              thread.setDaemon(true);
              return thread;
            });
    loader.allowCoreThreadTimeOut(true);
  }

  /** Returns the models that this node knows. */
  public ModelCatalog catalog() {
    return catalog;
  }

  /**
   * Returns the version that serves an id, warm or about to be; the first call has it loaded.
   *
   * @throws IllegalArgumentException when there is no such model
   * @throws InferenceException.ModelUnavailable when the node is shutting down
   */
  LoadedModel serving(String id) {
    return serving(id, settings.precision());
  }

  /**
   * Leases the version that serves an id, which keeps doing so until the lease ends. Taken under
   * the lock that versions are swapped under: between {@link #serving} and a lease of one's own,
   * another version may take its place and have it freed.
   *
   * @throws IllegalArgumentException when there is no such model
   * @throws InferenceException.ModelUnavailable when the node is shutting down
   */
  public synchronized LoadedModel.Lease lease(String id) {
    return serving(id).lease();
  }

  /**
   * Runs something on the version that serves an id, which is leased until it is done.
   *
   * @return what {@code work} returns, or fails with an {@link InferenceException} where there is
   *     no version to lease
   * @throws IllegalArgumentException when there is no such model
   */
  public <T> CompletableFuture<T> whileLeased(
      String id, Function<LoadedModel, CompletableFuture<T>> work) {
    return whileLeased(id, any -> true, work);
  }

  /**
   * As {@link #whileLeased(String, Function)}, on a version that can do what is asked. Where the
   * one that serves cannot and the one that is to take its place can, that one is leased, and its
   * first jobs wait until it is loaded.
   *
   * @param able whether a version can; where none can, {@code work} gets the one that serves
   */
  public <T> CompletableFuture<T> whileLeased(
      String id, Predicate<ModelConfig> able, Function<LoadedModel, CompletableFuture<T>> work) {
    LoadedModel.Lease lease;
    try {
      lease = lease(id, able);
    } catch (InferenceException e) {
      return CompletableFuture.failedFuture(e);
    }
    CompletableFuture<T> result;
    try {
      result = work.apply(lease.of());
    } catch (RuntimeException e) {
      lease.close();
      throw e;
    }
    CompletableFuture<?> unused = result.whenComplete((done, failure) -> lease.close());
    return result;
  }

  private synchronized LoadedModel.Lease lease(String id, Predicate<ModelConfig> able) {
    LoadedModel unused = serving(id);
    return slots.get(id).able(able, catalog.version(id)).lease();
  }

  private synchronized LoadedModel serving(String id, PrecisionPolicy fresh) {
    ModelVersion current = catalog.version(id);
    if (closed) {
      throw closing();
    }
    Slot slot = slots.computeIfAbsent(id, unknown -> new Slot(fresh));
    if (slot.serving != null && !slot.serving.version().sameSpaces(current)) {
      // The id was deleted and given to another model: what the old one makes is of no use.
      slot.end().forEach(LoadedModel::retire);
      slot = new Slot(fresh);
      slots.put(id, slot);
    }
    if (slot.serving == null || worthAnotherTry(slot.serving, current)) {
      slot.serving = new LoadedModel(current, slot.policy);
      start(slot, slot.serving);
    } else if (!slot.serving.is(current, slot.policy)
        && slot.next == null
        && (slot.refused == null || !slot.refused.is(current, slot.policy))) {
      slot.next = new LoadedModel(current, slot.policy);
      start(slot, slot.next);
    }
    return slot.serving;
  }

  /** Returns whether it failed and another attempt may do better. */
  private static boolean worthAnotherTry(LoadedModel model, ModelVersion current) {
    return model.failure() != null && (model.version() != current || !model.broken());
  }

  /**
   * Loads the current version, also where that failed before. What is served in another precision
   * serves until it is warm.
   *
   * @param policy for this version and those after it; null for what it was
   * @return completes when it is warm
   */
  public CompletableFuture<Void> load(String id, PrecisionPolicy policy) {
    LoadedModel wanted;
    synchronized (this) {
      Slot slot = slots.get(id);
      if (slot != null) {
        slot.refused = null;
        slot.policy = policy == null ? slot.policy : policy;
        if (slot.serving.failure() != null) {
          slots.remove(id);
          slot.end().forEach(LoadedModel::retire);
        }
      }
      PrecisionPolicy fresh = slot != null ? slot.policy : policy;
      LoadedModel serving = serving(id, fresh == null ? settings.precision() : fresh);
      Slot now = slots.get(id);
      LoadedModel next = now.next == null ? now.refused : now.next;
      wanted = next == null ? serving : next;
    }
    return wanted.done();
  }

  /** Frees a model when its last job has ended; the next job has it loaded again. */
  public void unload(String id) {
    List<LoadedModel> versions;
    synchronized (this) {
      Slot slot = slots.remove(id);
      versions = slot == null ? List.of() : slot.end();
    }
    versions.forEach(LoadedModel::retire);
  }

  /** Follows the catalog: has new versions of served models loaded, and lets go of lost models. */
  public void refresh() {
    List<String> lost = new ArrayList<>();
    synchronized (this) {
      if (closed) {
        return;
      }
      for (String id : List.copyOf(slots.keySet())) {
        if (!catalog.has(id)) {
          lost.add(id);
        } else if (catalog.version(id).readable()) {
          LoadedModel unused = serving(id);
        }
      }
    }
    lost.forEach(this::unload);
  }

  /** Returns where a model stands. */
  public synchronized ModelStatus status(String id) {
    Slot slot = slots.get(id);
    if (slot == null) {
      return ModelStatus.NOT_LOADED;
    }
    LoadedModel failed = slot.serving.failure() != null ? slot.serving : slot.refused;
    String error = failed == null ? "" : failed.failure().getMessage();
    long version = slot.serving.version().number();
    if (slot.serving.failure() != null) {
      return ModelStatus.without(ModelStatus.State.FAILED, version, error);
    }
    if (!slot.serving.settled()) {
      return ModelStatus.without(ModelStatus.State.LOADING, version, error);
    }
    try (LoadedModel.Lease lease = slot.serving.lease()) {
      ModelLoader.Loaded model = lease.model(ModelLoader.Loaded.class);
      return new ModelStatus(
          ModelStatus.State.LOADED,
          version,
          model.devices(),
          model.precision().name().toLowerCase(Locale.ROOT),
          model.bytes(),
          model.trials(),
          error);
    }
  }

  /**
   * Loads a bundle for once, to see whether it can be.
   *
   * @return fails with {@link BundleException} where the bundle is to blame, with an {@link
   *     InferenceException} where this node is
   */
  public CompletableFuture<Void> verify(ModelBundle bundle) {
    return Futures.reportingErrors(
        CompletableFuture.runAsync(
            () -> {
              try {
                bundles.load(bundle, PrecisionPolicy.FP32).close();
              } catch (BundleException e) {
                throw new CompletionException(e);
              } catch (EngineException e) {
                throw new InferenceException.ModelFailed(
                    "the engine failed while it tried model ["
                        + bundle.manifest().id()
                        + "], which may be for once; retry later: "
                        + e.getMessage(),
                    e);
              }
            },
            loader));
  }

  private void start(Slot slot, LoadedModel fresh) {
    ModelVersion version = fresh.version();
    CompletableFuture<?> unused =
        version
            .bundle()
            .thenAcceptAsync(bundle -> load(fresh, bundle), loader)
            .whenComplete(
                (done, failure) -> {
                  if (failure != null) {
                    fresh.failed(failure(failure), false);
                  }
                  settled(slot, fresh);
                });
  }

  private static InferenceException failure(Throwable failure) {
    RuntimeException cause = Futures.unwrap(failure);
    if (cause instanceof RejectedExecutionException) {
      return closing();
    }
    return cause instanceof InferenceException known
        ? known
        : new InferenceException.ModelUnavailable("the model cannot be loaded: " + cause, cause);
  }

  /** Loads a version. What fails otherwise than by the bundle's fault is tried by the next job. */
  private void load(LoadedModel fresh, ModelBundle bundle) {
    try {
      fresh.loaded(bundles.load(bundle, fresh.policy()));
    } catch (BundleException e) {
      fresh.failed(
          new InferenceException.ModelUnavailable(
              "model [" + bundle.manifest().id() + "] cannot be loaded: " + e.getMessage(), e),
          true);
    }
  }

  private void settled(Slot slot, LoadedModel model) {
    LoadedModel old = null;
    synchronized (this) {
      if (slot.next == model) {
        slot.next = null;
        if (model.failure() == null) {
          old = slot.serving;
          slot.serving = model;
          slot.refused = null;
        } else {
          slot.refused = model;
        }
      }
    }
    if (old != null) {
      old.retire();
    }
    model.settle();
    onSettled.run();
  }

  private static InferenceException.ModelUnavailable closing() {
    return new InferenceException.ModelUnavailable("the node is shutting down", null);
  }

  /** Frees all of them. The worker must have ended. */
  @Override
  public void close() {
    List<LoadedModel> left;
    synchronized (this) {
      closed = true;
      left = slots.values().stream().flatMap(slot -> slot.end().stream()).toList();
      slots.clear();
    }
    left.forEach(LoadedModel::retire);
    loader.shutdownNow();
    try {
      if (!loader.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        throw new IllegalStateException(
            "a model was still being loaded after " + CLOSE_SECONDS + " s");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the models' loader ends", e);
    }
    // Nobody leases any more, but a job that was cut off may not have said so.
    left.forEach(LoadedModels::end);
  }

  private static void end(LoadedModel model) {
    if (!model.settled()) {
      model.failed(closing(), false);
      model.settle();
    }
    model.free();
  }
}
