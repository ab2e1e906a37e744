/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.PrecisionPolicy;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A version of a model in native memory, freed when it is retired and its last lease has ended: a
 * job that began with a version ends with it. Compared by identity. Thread-safe.
 */
public final class LoadedModel {
  /** What the latest call weighs in the moving average of calls' times. */
  private static final double LATEST = 0.2;

  private final ModelVersion version;
  private final PrecisionPolicy policy;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private ModelLoader.Loaded model;
  private InferenceException failure;
  private boolean broken;
  private final Map<Class<?>, Double> nanosOfItem = new ConcurrentHashMap<>();
  private int leases;
  private boolean retired;
  private boolean freed;

  LoadedModel(ModelVersion version, PrecisionPolicy policy) {
    this.version = version;
    this.policy = policy;
  }

  /** Keeps the model from being freed. */
  public final class Lease implements AutoCloseable {
    private boolean ended;

    /** Returns the model that it keeps. */
    public LoadedModel of() {
      return LoadedModel.this;
    }

    /**
     * Returns the warm model.
     *
     * @param kind what the loader of this process makes
     * @throws InferenceException when it could not be loaded, or was freed before this lease began
     */
    public <T extends ModelLoader.Loaded> T model(Class<T> kind) {
      synchronized (LoadedModel.this) {
        if (failure != null) {
          throw failure;
        }
        if (model == null || freed) {
          throw new InferenceException.ModelUnavailable(version + " is not loaded", null);
        }
        return kind.cast(model);
      }
    }

    /** Ends the lease; a second call does nothing. */
    @Override
    public void close() {
      synchronized (LoadedModel.this) {
        if (!ended) {
          ended = true;
          leases--;
          freeIfUnused();
        }
      }
    }
  }

  /** Returns what it was loaded from, or is to be. */
  public ModelVersion version() {
    return version;
  }

  PrecisionPolicy policy() {
    return policy;
  }

  /** Returns whether this is what an id should stand for. */
  boolean is(ModelVersion wanted, PrecisionPolicy inPrecision) {
    return version == wanted && policy == inPrecision;
  }

  /** Leases it: it stays in memory until the lease ends. */
  public synchronized Lease lease() {
    leases++;
    return new Lease();
  }

  /**
   * Records the time of a call.
   *
   * @param operation kind of it
   */
  public void computed(Class<?> operation, int items, long nanos) {
    nanosOfItem.merge(
        operation,
        (double) nanos / items,
        (average, latest) -> average + LATEST * (latest - average));
  }

  /**
   * Returns nanoseconds that an item of such operations takes lately; 0 where none was computed
   * yet.
   */
  public double nanosOfItem(Class<?> operation) {
    return nanosOfItem.getOrDefault(operation, 0.0);
  }

  /** Returns a future that completes when the model is warm, and fails when it cannot be loaded. */
  public CompletableFuture<Void> done() {
    return done;
  }

  /** Returns whether loading has ended, well or not. */
  public boolean settled() {
    return done.isDone();
  }

  /** Returns why it could not be loaded; null where it could, or is still loading. */
  synchronized InferenceException failure() {
    return failure;
  }

  /** Returns whether another attempt would fail as this one did. */
  synchronized boolean broken() {
    return broken;
  }

  /** Takes the model that was loaded; {@link #settle} tells those who wait. */
  synchronized void loaded(ModelLoader.Loaded warm) {
    model = warm;
    freeIfUnused();
  }

  /**
   * Takes note that loading failed; {@link #settle} tells those who wait.
   *
   * @param lasting whether another attempt would end the same way
   */
  synchronized void failed(InferenceException cause, boolean lasting) {
    failure = cause;
    broken = lasting;
  }

  /** Completes {@link #done}, so that the jobs that wait for this model go on. */
  void settle() {
    InferenceException cause = failure();
    if (cause == null) {
      done.complete(null);
    } else {
      done.completeExceptionally(cause);
    }
  }

  /** Frees it as soon as nobody uses it. */
  synchronized void retire() {
    retired = true;
    freeIfUnused();
  }

  /** Frees it now, for nobody can use it any more. */
  synchronized void free() {
    retired = true;
    leases = 0;
    freeIfUnused();
  }

  private void freeIfUnused() {
    if (retired && leases == 0 && model != null && !freed) {
      freed = true;
      model.close();
    }
  }
}
