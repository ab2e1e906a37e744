/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.plugin.inference.DevicePolicy;
import io.crossmodal.plugin.inference.InferenceSettings;
import io.crossmodal.plugin.inference.ModelService;
import io.crossmodal.plugin.inference.PrecisionPolicy;
import io.crossmodal.plugin.inference.memory.MemoryBudget;
import io.crossmodal.plugin.inference.registry.ModelCatalog;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A model service without a node. */
public final class TestService implements AutoCloseable {
  private final ExecutorService helpers = Executors.newFixedThreadPool(2);
  private final ModelService service;

  /**
   * A service whose calls do not wait for company.
   *
   * @param queueSize jobs that may wait
   * @param batch most items in one call of the model
   */
  public TestService(Path directory, int queueSize, int batch) {
    this(
        settings(directory, queueSize, batch, true, Duration.ZERO),
        MemoryBudget.UNLIMITED,
        MemoryBudget.UNLIMITED);
  }

  public TestService(InferenceSettings settings, MemoryBudget budget, MemoryBudget heap) {
    service =
        new ModelService(
            new ModelCatalog(() -> List.of(TestModels.micro())),
            settings,
            budget,
            heap,
            helpers,
            helpers,
            2);
  }

  public static InferenceSettings settings(
      Path directory, int queueSize, int batch, boolean merge, Duration batchWait) {
    return new InferenceSettings(
        DevicePolicy.AUTO,
        PrecisionPolicy.FP32,
        1,
        queueSize,
        batch,
        batch,
        merge,
        batchWait,
        1 << 20,
        // A busy machine may take a minute to unpack and start the engine.
        Duration.ofMinutes(10),
        directory);
  }

  public ModelService get() {
    return service;
  }

  @Override
  public void close() {
    service.close();
    helpers.shutdownNow();
  }
}
