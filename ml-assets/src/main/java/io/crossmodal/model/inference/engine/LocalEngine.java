/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.engine;

import ai.djl.Device;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.batching.ModelWorker;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.DeviceBudgets.GpuMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.EngineLoader;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.crossmodal.model.inference.stats.InferenceStats;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Models in this process's native memory and the threads that call them. Nothing is loaded, and the
 * engine is not started, before the first request that needs a model. Thread-safe.
 */
public final class LocalEngine implements ModelEngine {
  private static final int CLOSE_SECONDS = 30;

  private final DeviceBudgets budgets;
  private final ModelWorker worker;
  private final EngineLoader loader;
  private final LoadedModels models;
  private volatile InferenceSettings settings;

  /**
   * @param devices where models compute; asked when the first one is loaded, at least one
   * @param nativeMemory for the models' weights and calls
   */
  public LocalEngine(
      ModelCatalog catalog,
      InferenceSettings settings,
      Supplier<List<Device>> devices,
      MemoryBudget nativeMemory) {
    this.settings = settings;
    this.budgets = new DeviceBudgets(nativeMemory, NativeRuntime::freeMemory);
    this.worker = new ModelWorker(() -> this.settings, budgets, new InferenceStats());
    // Also where no model can ever be loaded, for somebody has to tell those who wait.
    worker.start(1);
    this.loader =
        new EngineLoader(
            settings,
            budgets,
            () -> {
              List<Device> found = devices.get();
              worker.start(found.size());
              return found;
            });
    this.models = new LoadedModels(catalog, settings, loader, worker::wake);
  }

  @Override
  public LoadedModels models() {
    return models;
  }

  @Override
  public JobRunner jobs() {
    return worker;
  }

  @Override
  public Map<String, GpuMemory> gpus() {
    return budgets.gpus();
  }

  @Override
  public Optional<MemoryBudget.Level> nativeMemory() {
    return budgets.nativeMemory();
  }

  @Override
  public List<WorkerStatus> workers() {
    return List.of();
  }

  /**
   * Returns a call that hangs, as {@link ModelWorker#overdue}, or the loading of a model that does.
   *
   * @param longestLoad more than loading any model takes
   */
  public Optional<String> overdue(Duration grace, Duration longestLoad) {
    return worker.overdue(grace).or(() -> loader.overdue(longestLoad.plus(grace)));
  }

  /** Threads, folder and the cache's size stay. */
  @Override
  public void update(InferenceSettings changed) {
    settings = changed;
    worker.wake();
  }

  @Override
  public void close() {
    try {
      if (!worker.close(CLOSE_SECONDS)) {
        throw new IllegalStateException(
            "the model's worker did not end within "
                + CLOSE_SECONDS
                + " s; its native memory stays taken until the process ends");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the model's worker ends", e);
    }
    models.close();
  }
}
