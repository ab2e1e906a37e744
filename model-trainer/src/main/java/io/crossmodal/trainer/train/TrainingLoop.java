/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.engine.EngineException;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.trainer.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.IntFunction;

/**
 * Takes steps to the last one, with the next batches made meanwhile, checkpoints, and a line of
 * metrics at each of these and every 50 steps; says what ended it.
 */
public final class TrainingLoop {
  private static final int LOG_EVERY = 50;

  private final RunFolder folder;
  private final int steps;
  private final int checkpointEvery;

  /**
   * A loop over a run's steps.
   *
   * @param steps to take, those before a checkpoint included
   */
  public TrainingLoop(RunFolder folder, int steps, int checkpointEvery) {
    this.folder = folder;
    this.steps = steps;
    this.checkpointEvery = checkpointEvery;
  }

  /**
   * What is trained.
   *
   * @param <B> a batch
   * @param <L> the losses of a step
   */
  public interface Trainee<B, L extends StepLosses<L>> {
    /** Steps taken so far. */
    int steps();

    /** Forward, backward, update; no update where a loss or a gradient is no finite number. */
    L step(List<B> batches);

    /** Writes everything that a resumed run needs; whole or not at all. */
    void save(Path file) throws IOException;
  }

  /** Told after each step how many were taken. */
  @FunctionalInterface
  public interface Listener {
    void stepped(int taken) throws IOException, BundleException;
  }

  /** A line of {@code metrics.jsonl}: means over the steps since the line before. */
  private record LogLine(int step, Object losses, double stepsPerSecond) {}

  /**
   * Trains from where the trainee stands.
   *
   * @param batches those of a step, by its number from 0; asked for on another thread
   * @throws TrainingException when the loss is no longer a number, memory or disk is full; the last
   *     checkpoint stays
   */
  public <B, L extends StepLosses<L>> void run(
      Trainee<B, L> trainee, IntFunction<List<B>> batches, Listener listener)
      throws IOException, TrainingException, BundleException {
    ExecutorService loader = Executors.newSingleThreadExecutor(r -> new Thread(r, "batches"));
    FileChannel lock = folder.lock();
    try {
      folder.dropHalfLine();
      CompletableFuture<List<B>> next = load(loader, batches, trainee.steps());
      L sum = null;
      int counted = 0;
      long since = System.nanoTime();
      while (trainee.steps() < steps) {
        List<B> now = await(next);
        next = load(loader, batches, trainee.steps() + 1);
        L losses = trainee.step(now);
        if (!losses.finite()) {
          throw ended(
              trainee.steps(),
              String.format(
                  Locale.ROOT,
                  "loss or gradient is no finite number (%s). Try a lower learning rate or clip",
                  losses),
              null);
        }
        sum = sum == null ? losses : sum.plus(losses);
        counted++;
        int taken = trainee.steps();
        listener.stepped(taken);
        boolean saves = taken % checkpointEvery == 0 || taken == steps;
        // A line ends where a checkpoint is, so that a resumed run logs what the whole one did.
        if (taken % LOG_EVERY == 0 || saves) {
          double seconds = (System.nanoTime() - since) / 1e9;
          folder.log(new LogLine(taken, sum.times(1.0 / counted), counted / seconds));
          sum = null;
          counted = 0;
          since = System.nanoTime();
        }
        if (saves) {
          trainee.save(folder.checkpoint());
        }
      }
    } catch (OutOfMemoryError e) {
      throw ended(trainee.steps(), e + ". Give Java more by -Xmx, or take a smaller batch", e);
    } catch (EngineException e) {
      throw ended(
          trainee.steps(),
          e.getMessage() + ". If it is memory that is short, take a smaller batch",
          e);
    } catch (CheckpointException e) {
      throw ended(trainee.steps(), e.getMessage() + ". Try a lower learning rate or clip", e);
    } catch (IOException e) {
      throw ended(
          trainee.steps(),
          String.format(
              Locale.ROOT, "cannot write to %s (%s). Make room there, run again", folder.path(), e),
          e);
    } finally {
      loader.shutdownNow();
      lock.close();
    }
  }

  /** Says where the run ended, why, and what is left of it. */
  private TrainingException ended(int taken, String why, Throwable cause) {
    String left =
        folder.resumes()
            ? "The last checkpoint is whole, in " + folder.checkpoint()
            : "There is no checkpoint yet in " + folder.checkpoint();
    return new TrainingException(
        String.format(Locale.ROOT, "ended at step %d: %s. %s.", taken, why, left), cause);
  }

  private static <B> CompletableFuture<List<B>> load(
      ExecutorService loader, IntFunction<List<B>> batches, int step) {
    return CompletableFuture.supplyAsync(() -> batches.apply(step), loader);
  }

  private static <B> List<B> await(CompletableFuture<List<B>> batches) {
    try {
      return batches.join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw e;
    }
  }
}
