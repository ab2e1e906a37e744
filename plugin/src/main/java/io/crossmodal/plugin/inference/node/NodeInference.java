/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.node;

import ai.djl.Device;
import io.crossmodal.plugin.inference.InferenceSettings;
import io.crossmodal.plugin.inference.batching.ModelWorker;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.memory.DeviceBudgets;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.registry.LoadedModels;
import io.crossmodal.plugin.inference.registry.ModelCatalog;
import io.crossmodal.plugin.inference.runtime.NativeRuntime;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import io.crossmodal.plugin.inference.stats.InferenceStats;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * All of a node's inference: builds its parts, passes changes of the settings and of the catalog on
 * to them, and closes them. Thread-safe.
 */
public final class NodeInference implements AutoCloseable {
  private static final int CLOSE_SECONDS = 30;

  private final ModelCatalog catalog;
  private final InferenceStats stats = new InferenceStats();
  private final DeviceBudgets budgets;
  private final ModelWorker worker;
  private final LoadedModels models;
  private final EncodingService encoding;
  private final ScoringService scoring;
  private volatile InferenceSettings settings;

  /**
   * Builds the inference of a node. Nothing is loaded, and the engine is not started, before the
   * first request that needs a model.
   *
   * @param devices where models compute; asked when the first one is loaded, at least one
   * @param nativeMemory for the models' weights and calls
   * @param heap for pictures that are decoded, and what waits for a model or comes out of it
   * @param threads that prepare what is encoded
   */
  public NodeInference(
      ModelCatalog catalog,
      InferenceSettings settings,
      Supplier<List<Device>> devices,
      MemoryBudget nativeMemory,
      MemoryBudget heap,
      EncodingService.Threads threads) {
    this.catalog = catalog;
    this.settings = settings;
    this.budgets = new DeviceBudgets(nativeMemory, NativeRuntime::freeMemory);
    this.worker = new ModelWorker(() -> this.settings, budgets, stats);
    // Also where no model can ever be loaded, for somebody has to tell those who wait.
    worker.start(1);
    this.models =
        new LoadedModels(
            catalog,
            settings,
            budgets,
            () -> {
              List<Device> found = devices.get();
              worker.start(found.size());
              return found;
            },
            worker::wake);
    this.encoding = new EncodingService(models, worker, heap, threads);
    this.scoring = new ScoringService(models, worker, heap);
  }

  /** Returns what encodes texts, images and queries. */
  public EncodingService encoding() {
    return encoding;
  }

  /** Returns what scores pairs. */
  public ScoringService scoring() {
    return scoring;
  }

  /** Returns the models in native memory. */
  public LoadedModels models() {
    return models;
  }

  /** Returns the models that this node knows. */
  public ModelCatalog catalog() {
    return catalog;
  }

  /** Returns what this node's models did. */
  public InferenceStats stats() {
    return stats;
  }

  /** Returns the memory of the GPUs in use, by their names; empty where the CPU computes. */
  public Map<String, DeviceBudgets.GpuMemory> gpus() {
    return budgets.gpus();
  }

  /** Returns the number of jobs that wait for the worker. */
  public int queued() {
    return worker.queued();
  }

  /**
   * Changes what can change while the node runs: queue, batches, waits. Threads, folder and the
   * cache's size stay.
   */
  public void update(InferenceSettings changed) {
    settings = changed;
    worker.wake();
  }

  /**
   * Follows a change of the catalog: models that are loaded make place for their new versions when
   * those are warm, and go, with their statistics, when the catalog has lost them.
   */
  public void refresh() {
    models.refresh();
    stats.retain(catalog::has);
  }

  /** Ends the worker, fails what waits for it, and frees all native memory. */
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
