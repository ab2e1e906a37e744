/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.batching;

import io.crossmodal.model.inference.Deadline;
import io.crossmodal.model.inference.InferenceException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * One caller's items, which the worker takes in slices and may merge with those of others. Guarded
 * by the worker's lock for what waits, by its own for the outcomes: slices of one job may be in
 * calls on several devices.
 */
public final class Job<I, O> {
  private final Operation<I, O> operation;
  private final List<I> items;
  private final Deadline deadline;
  private final CompletableFuture<List<O>> result = new CompletableFuture<>();
  private final long arrived = System.nanoTime();
  private final List<O> outcomes;
  private int taken;
  private int done;
  private long queuedNanos;
  private long copyNanos;
  private long modelNanos;

  /** Whose work comes first. The worker has a queue of its own for each. */
  public enum Priority {
    /** Somebody waits for a search. */
    SEARCH,
    /**
     * Documents on their way in. One call in {@link JobQueues#INGEST_TURN} is theirs however many
     * searches wait, so that neither starves the other.
     */
    INGEST
  }

  /**
   * Times of a job, in nanoseconds.
   *
   * @param queueNanos from asking the worker to its first call
   * @param copyNanos of the copies into and out of the device, of the calls that took part in it
   * @param modelNanos of these calls but for the copies; a call that also served others counts
   *     whole
   */
  public record Times(long queueNanos, long copyNanos, long modelNanos) {
    /** Those of no job. */
    public static final Times NONE = new Times(0, 0, 0);

    /**
     * Returns the times of two jobs of one request, which wait side by side, compute one by one.
     */
    public Times and(Times other) {
      return new Times(
          Math.max(queueNanos, other.queueNanos),
          copyNanos + other.copyNanos,
          modelNanos + other.modelNanos);
    }
  }

  /** Some of a job's items, in one call. */
  record Slice<I, O>(Job<I, O> job, int from, int to) {
    List<I> items() {
      return job.items.subList(from, to);
    }

    int size() {
      return to - from;
    }
  }

  /**
   * @param items not empty
   */
  public Job(Operation<I, O> operation, List<I> items, Deadline deadline) {
    this.operation = operation;
    this.items = List.copyOf(items);
    this.deadline = deadline;
    this.outcomes = new ArrayList<>(Collections.nCopies(items.size(), null));
  }

  /** Returns what is to be computed. */
  public Operation<I, O> operation() {
    return operation;
  }

  /** Returns as many outcomes as items, in their order; completes on the worker. */
  public CompletableFuture<List<O>> result() {
    return result;
  }

  long ageNanos() {
    return System.nanoTime() - arrived;
  }

  /** Returns whether no slice was taken yet. */
  boolean untouched() {
    return taken == 0;
  }

  /** Returns items that no slice has taken yet. */
  int waiting() {
    return items.size() - taken;
  }

  /** Returns whether its model is warm, or will never be. */
  boolean ready() {
    return operation.on().settled();
  }

  /** Returns what the operation is to be done with. */
  public List<I> items() {
    return items;
  }

  /** Returns when nobody waits any more. */
  public Deadline deadline() {
    return deadline;
  }

  /** Returns whether nobody waits for the outcomes any more. */
  boolean abandoned() {
    return result.isDone() || deadline.expired();
  }

  /** Tells whoever still waits that it is too late. */
  void expire() {
    result.completeExceptionally(
        new InferenceException.DeadlineExceeded("a job of " + items.size() + " items"));
  }

  Slice<I, O> take(int most) {
    if (untouched()) {
      queuedNanos = ageNanos();
    }
    int from = taken;
    taken = Math.min(items.size(), from + most);
    return new Slice<>(this, from, taken);
  }

  /**
   * Adds a call that computed some of its items, before their outcomes are placed.
   *
   * @param copies of the call's nanoseconds, those that were copies into and out of the device
   */
  void computed(long nanos, long copies) {
    synchronized (outcomes) {
      copyNanos += copies;
      modelNanos += nanos - copies;
    }
  }

  /** Returns where the time of a complete job went. */
  public Times times() {
    synchronized (outcomes) {
      return new Times(queuedNanos, copyNanos, modelNanos);
    }
  }

  /** Keeps a slice's outcomes; the last slice completes the job. */
  void place(Slice<I, O> slice, List<O> slicesOutcomes) {
    boolean complete;
    synchronized (outcomes) {
      for (int i = 0; i < slice.size(); i++) {
        outcomes.set(slice.from() + i, slicesOutcomes.get(i));
      }
      done += slice.size();
      complete = done == items.size();
    }
    if (complete) {
      result.complete(outcomes);
    }
  }

  /**
   * Completes a job that was computed elsewhere, as a whole.
   *
   * @param computed as many outcomes as items, in their order
   * @param times where the time went there
   */
  public void complete(List<O> computed, Times times) {
    synchronized (outcomes) {
      queuedNanos = times.queueNanos;
      copyNanos = times.copyNanos;
      modelNanos = times.modelNanos;
    }
    result.complete(computed);
  }

  /** Ends the job; its other slices are abandoned. */
  public void fail(Throwable cause) {
    result.completeExceptionally(cause);
  }
}
