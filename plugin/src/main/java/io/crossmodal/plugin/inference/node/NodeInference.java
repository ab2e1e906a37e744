/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.node;

import ai.djl.Device;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.engine.LocalEngine;
import io.crossmodal.model.inference.engine.ModelEngine;
import io.crossmodal.model.inference.memory.DeviceBudgets;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.stats.InferenceStats;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.scoring.ScoringService;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * All of a node's inference: builds its parts on an engine, passes changes of the settings and of
 * the catalog on to them, and closes them. Thread-safe.
 */
public final class NodeInference implements AutoCloseable {
  private final ModelEngine engine;
  private final EncodingService encoding;
  private final ScoringService scoring;

  /**
   * Builds the inference of a node.
   *
   * @param engine where models compute; closed with this
   * @param heap for pictures that are decoded, and what waits for a model or comes out of it
   * @param threads that prepare what is encoded
   */
  public NodeInference(ModelEngine engine, MemoryBudget heap, EncodingService.Threads threads) {
    this.engine = engine;
    this.encoding = new EncodingService(engine.models(), engine.jobs(), heap, threads);
    this.scoring = new ScoringService(engine.models(), engine.jobs(), heap);
  }

  /**
   * Builds the inference of a node that computes itself.
   *
   * @param devices where models compute; asked when the first one is loaded, at least one
   * @param nativeMemory for the models' weights and calls
   */
  public NodeInference(
      ModelCatalog catalog,
      InferenceSettings settings,
      Supplier<List<Device>> devices,
      MemoryBudget nativeMemory,
      MemoryBudget heap,
      EncodingService.Threads threads) {
    this(new LocalEngine(catalog, settings, devices, nativeMemory), heap, threads);
  }

  /** Returns what encodes texts, images and queries. */
  public EncodingService encoding() {
    return encoding;
  }

  /** Returns what scores pairs. */
  public ScoringService scoring() {
    return scoring;
  }

  /** Returns the models that are loaded. */
  public LoadedModels models() {
    return engine.models();
  }

  /** Returns the models that this node knows. */
  public ModelCatalog catalog() {
    return engine.models().catalog();
  }

  /** Returns what this node's models did. */
  public InferenceStats stats() {
    return engine.jobs().stats();
  }

  /** Returns the memory of the GPUs in use, by their names; empty where the CPU computes. */
  public Map<String, DeviceBudgets.GpuMemory> gpus() {
    return engine.gpus();
  }

  /** Returns the memory of weights and calls in this process; empty where others compute. */
  public Optional<MemoryBudget.Level> nativeMemory() {
    return engine.nativeMemory();
  }

  /** Returns the processes that compute for this node; empty where it computes itself. */
  public List<ModelEngine.WorkerStatus> workers() {
    return engine.workers();
  }

  /** Returns the number of jobs that wait for the worker. */
  public int queued() {
    return engine.jobs().queued();
  }

  /**
   * Changes what can change while the node runs: queue, batches, waits. Threads, folder and the
   * cache's size stay.
   */
  public void update(InferenceSettings changed) {
    engine.update(changed);
  }

  /**
   * Follows a change of the catalog: models that are loaded make place for their new versions when
   * those are warm, and go, with their statistics, when the catalog has lost them.
   */
  public void refresh() {
    engine.models().refresh();
    stats().retain(catalog()::has);
  }

  /** Ends the engine, fails what waits for it, and gives all of its memory back. */
  @Override
  public void close() {
    engine.close();
  }
}
