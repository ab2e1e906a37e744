/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.engine;

import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.batching.JobRunner;
import io.crossmodal.model.inference.memory.DeviceBudgets.GpuMemory;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.LoadedModels;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Loads models and computes jobs with them, in this process or beside it. Thread-safe. */
public interface ModelEngine extends AutoCloseable {
  /**
   * A process that computes for this one.
   *
   * @param address its socket's file, or host and port
   * @param state whether it answers, in lower case: {@code ready}, {@code unreachable}
   * @param error why it does not; empty where it does
   * @param inFlight jobs that it computes or keeps waiting for this process
   * @param loads models that were loaded into it, again after each of its starts
   * @param losses times that it no longer answered, or not yet when it was first asked
   * @param badAnswers answers to jobs that were none
   */
  record WorkerStatus(
      String address,
      String state,
      String error,
      int inFlight,
      long loads,
      long losses,
      long badAnswers) {}

  /** Returns the models. */
  LoadedModels models();

  /** Returns who computes. */
  JobRunner jobs();

  /** Returns the memory of the GPUs in use, by their names; empty where the CPU computes. */
  Map<String, GpuMemory> gpus();

  /** Returns the memory of weights and calls in this process; empty where others compute. */
  Optional<MemoryBudget.Level> nativeMemory();

  /** Returns the processes that compute for this one; empty where none does. */
  List<WorkerStatus> workers();

  /** Changes what can change while the process runs: queue, batches, waits. */
  void update(InferenceSettings changed);

  /** Ends the work, fails what waits, and gives all memory back. */
  @Override
  void close();
}
