/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.registry;

import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.PrecisionPolicy;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/**
 * One version of a model on its way into native memory, in it, and out of it. Whoever wants it to
 * stay holds a lease; it is freed when it is retired and the last lease has ended, so that a job
 * that began with a version ends with it. Compared by identity. Thread-safe.
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

    /** What it keeps. */
    public LoadedModel of() {
      return LoadedModel.this;
    }

    /**
     * The warm model.
     *
     * @throws InferenceException when it could not be loaded, or was freed before this lease began
     */
    public ModelLoader.Loaded model() {
      synchronized (LoadedModel.this) {
        if (failure != null) {
          throw failure;
        }
        if (model == null || freed) {
          throw new InferenceException.ModelUnavailable(version + " is not loaded", null);
        }
        return model;
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

  /** What it was loaded from, or is to be. */
  public ModelVersion version() {
    return version;
  }

  PrecisionPolicy policy() {
    return policy;
  }

  /** Whether this is what an id should stand for. */
  boolean is(ModelVersion wanted, PrecisionPolicy inPrecision) {
    return version == wanted && policy == inPrecision;
  }

  /** Has it stay in memory until the lease ends. */
  public synchronized Lease lease() {
    leases++;
    return new Lease();
  }

  /**
   * Takes note of what a call took.
   *
   * @param operation kind of it
   */
  public void computed(Class<?> operation, int items, long nanos) {
    nanosOfItem.merge(
        operation,
        (double) nanos / items,
        (average, latest) -> average + LATEST * (latest - average));
  }

  /** Nanoseconds that an item of such operations takes lately; 0 where none was computed yet. */
  public double nanosOfItem(Class<?> operation) {
    return nanosOfItem.getOrDefault(operation, 0.0);
  }

  /** Completes when the model is warm; fails when it could not be loaded. */
  CompletableFuture<Void> done() {
    return done;
  }

  /** Whether loading has ended, well or not. */
  public boolean settled() {
    return done.isDone();
  }

  /** Why it could not be loaded; null where it could, or is still loading. */
  synchronized InferenceException failure() {
    return failure;
  }

  /** Whether another attempt would fail as this one did. */
  synchronized boolean broken() {
    return broken;
  }

  /** Loading has ended well; {@link #settle} tells those who wait. */
  synchronized void loaded(ModelLoader.Loaded warm) {
    model = warm;
    freeIfUnused();
  }

  /**
   * Loading has ended otherwise; {@link #settle} tells those who wait.
   *
   * @param lasting whether another attempt would end the same way
   */
  synchronized void failed(InferenceException cause, boolean lasting) {
    failure = cause;
    broken = lasting;
  }

  /** Lets the jobs go on that wait for this model. */
  void settle() {
    InferenceException cause = failure();
    if (cause == null) {
      done.complete(null);
    } else {
      done.completeExceptionally(cause);
    }
  }

  /** Lets go of it, as soon as nobody uses it. */
  synchronized void retire() {
    retired = true;
    freeIfUnused();
  }

  /** Lets go of it now, for nobody can use it any more. */
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
