/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import ai.djl.engine.EngineException;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.trainer.checkpoint.CheckpointException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
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

  /** Steps in a row without finite numbers that a run passes over; one more ends it. */
  private static final int MOST_SKIPPED = 10;

  private final RunFolder folder;
  private final int steps;
  private final int checkpointEvery;
  private final int pictures;

  /**
   * Makes a loop over a run's steps.
   *
   * @param steps to take, those before a checkpoint included
   * @param pictures of a step
   */
  public TrainingLoop(RunFolder folder, int steps, int checkpointEvery, int pictures) {
    this.folder = folder;
    this.steps = steps;
    this.checkpointEvery = checkpointEvery;
    this.pictures = pictures;
  }

  /** Listens to a training. */
  @FunctionalInterface
  public interface Progress {
    /**
     * Is told after each step how many were taken.
     *
     * @throws CancellationException to end the run with this step, which is saved
     */
    void stepped(int taken);

    /** Is told after each step, before {@link #stepped}, what the next line would say. */
    default void measured(Metrics metrics) {}

    /**
     * Is told how much of what is computed before the first step is done.
     *
     * @throws CancellationException to end the run here; what is done is kept
     */
    default void prepared(long done, long all) {}

    /** Is told what a validation has found after so many steps. */
    default void validated(int taken, Map<String, Double> figures) {}

    /** Is told once, before the first step: what was left out of the data, a line each, or none. */
    default void skipped(List<String> problems) {}
  }

  /** Action that is taken when a number of steps is reached. */
  @FunctionalInterface
  interface Milestone {
    void reached(int taken) throws IOException, BundleException;
  }

  /**
   * A line of {@code metrics.jsonl}: means over the steps since the line before.
   *
   * @param step how many were taken
   * @param losses by name
   * @param skipped steps that changed nothing, as a loss or a gradient was no finite number; the
   *     losses leave them out
   * @param learningRate of the last step
   * @param gradientNorm before it is clipped; a step's is the mean of its batches'
   * @param temperature of the bi-encoder's softmax, after the last step; null where it has none
   */
  public record Metrics(
      int step,
      Map<String, Double> losses,
      int skipped,
      double learningRate,
      double gradientNorm,
      Double temperature,
      double stepsPerSecond,
      double picturesPerSecond) {

    /** Returns them for a progress line: losses that take part, rate, norm, temperature, speed. */
    public String brief() {
      StringBuilder brief = new StringBuilder();
      losses.forEach(
          (name, value) -> {
            if (value != 0) {
              brief.append(String.format(Locale.ROOT, "%s %.3f ", name, value));
            }
          });
      brief.append(String.format(Locale.ROOT, "rate %.1e norm %.2f ", learningRate, gradientNorm));
      if (skipped > 0) {
        brief.append("skipped ").append(skipped).append(' ');
      }
      if (temperature != null) {
        brief.append(String.format(Locale.ROOT, "temperature %.4f ", temperature));
      }
      return brief.append(String.format(Locale.ROOT, "%.0f/s", picturesPerSecond)).toString();
    }
  }

  /**
   * Trains from the run folder's checkpoint, or from the module's start where there is none.
   *
   * @param batches those of a step, by its number from 0; asked for on another thread
   * @throws TrainingException when the loss was no finite number more than {@value #MOST_SKIPPED}
   *     steps in a row, memory or disk is full; the last checkpoint stays
   */
  public <B> void run(TrainingModule<B> module, IntFunction<List<B>> batches, Progress progress)
      throws IOException, TrainingException, BundleException {
    run(module, batches, progress, null, taken -> {});
  }

  /**
   * Does the same under the eyes of a validation, which may end it before the last step.
   *
   * @param validation null for none
   */
  public <B> void run(
      TrainingModule<B> module,
      IntFunction<List<B>> batches,
      Progress progress,
      Validation validation)
      throws IOException, TrainingException, BundleException {
    run(module, batches, progress, validation, taken -> {});
  }

  /** Does the same, and what is due after each step besides. */
  <B> void run(
      TrainingModule<B> module,
      IntFunction<List<B>> batches,
      Progress progress,
      Validation validation,
      Milestone milestone)
      throws IOException, TrainingException, BundleException {
    if (folder.resumes()) {
      module.restore(folder.checkpoint());
    }
    ExecutorService loader = Executors.newSingleThreadExecutor(r -> new Thread(r, "batches"));
    FileChannel lock = folder.lock();
    try {
      folder.dropHalfLine();
      CompletableFuture<List<B>> next = load(loader, batches, module.steps());
      List<Losses> sinceLine = new ArrayList<>();
      int skipped = 0;
      int inARow = 0;
      double norms = 0;
      if (validation != null) {
        tell(progress, module.steps(), validation.resume(module.steps()));
      }
      long since = System.nanoTime();
      while (module.steps() < steps && (validation == null || !validation.exhausted())) {
        List<B> now = await(next);
        next = load(loader, batches, module.steps() + 1);
        Losses losses = module.step(now);
        if (losses.finite()) {
          inARow = 0;
          sinceLine.add(losses);
          norms += module.gradientNorm();
        } else if (++inARow > MOST_SKIPPED) {
          throw ended(
              module.steps() - inARow,
              String.format(
                  Locale.ROOT,
                  "loss or gradient is no finite number, %d steps in a row (%s). Try a lower"
                      + " learning rate or clip",
                  inARow,
                  losses.values()),
              null);
        } else {
          skipped++;
        }
        double seconds = (System.nanoTime() - since) / 1e9;
        double speed = (sinceLine.size() + skipped) / seconds;
        Metrics metrics =
            new Metrics(
                module.steps(),
                Losses.mean(sinceLine).values(),
                skipped,
                module.learningRate(),
                norms / Math.max(1, sinceLine.size()),
                module.temperature(),
                speed,
                speed * pictures);
        progress.measured(metrics);
        int taken = module.steps();
        boolean saves = taken % checkpointEvery == 0 || taken == steps;
        CancellationException cancelled = null;
        try {
          progress.stepped(taken);
        } catch (CancellationException e) {
          cancelled = e;
          saves = true;
        }
        milestone.reached(taken);
        // A line ends where a checkpoint is, so that a resumed run logs what the whole one did.
        if (taken % LOG_EVERY == 0 || saves) {
          folder.log(metrics);
          sinceLine.clear();
          skipped = 0;
          norms = 0;
          since = System.nanoTime();
        }
        if (saves) {
          module.save(folder.checkpoint());
        }
        if (cancelled != null) {
          throw cancelled;
        }
        if (validation != null) {
          long before = System.nanoTime();
          tell(progress, taken, validation.reached(taken));
          // Its time is none of a step's.
          since += System.nanoTime() - before;
          if (validation.exhausted() && !saves) {
            module.save(folder.checkpoint());
          }
        }
      }
    } catch (OutOfMemoryError e) {
      throw ended(module.steps(), e + ". Give Java more by -Xmx, or take a smaller batch", e);
    } catch (EngineException e) {
      throw ended(
          module.steps(),
          e.getMessage() + ". If it is memory that is short, take a smaller batch",
          e);
    } catch (CheckpointException e) {
      throw ended(module.steps(), e.getMessage() + ". Try a lower learning rate or clip", e);
    } catch (IOException e) {
      throw ended(
          module.steps(),
          String.format(
              Locale.ROOT, "cannot write to %s (%s). Make room there, run again", folder.path(), e),
          e);
    } finally {
      loader.shutdownNow();
      lock.close();
    }
  }

  private static void tell(Progress progress, int taken, Map<String, Double> figures) {
    if (figures != null) {
      progress.validated(taken, figures);
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
      if (e.getCause() instanceof UncheckedIOException unread) {
        throw unread;
      }
      throw e;
    }
  }
}
