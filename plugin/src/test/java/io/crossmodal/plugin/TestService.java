/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin;

import io.crossmodal.model.inference.DevicePolicy;
import io.crossmodal.model.inference.InferenceSettings;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.memory.MemoryBudget;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.runtime.NativeRuntime;
import io.crossmodal.plugin.inference.encoding.Encoded;
import io.crossmodal.plugin.inference.encoding.EncodingRequest;
import io.crossmodal.plugin.inference.encoding.EncodingService;
import io.crossmodal.plugin.inference.node.NodeInference;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Inference without a node. */
public final class TestService implements AutoCloseable {
  private final ExecutorService helpers = Executors.newFixedThreadPool(2);
  private final NodeInference inference;

  /**
   * Inference whose calls do not wait for company.
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
    inference =
        inference(
            new ModelCatalog(() -> List.of(TestModels.micro())), settings, budget, heap, helpers);
  }

  /** Inference whose two helpers prepare queries and documents. */
  public static NodeInference inference(
      ModelCatalog catalog,
      InferenceSettings settings,
      MemoryBudget budget,
      MemoryBudget heap,
      Executor helpers) {
    return new NodeInference(
        catalog,
        settings,
        () -> NativeRuntime.devices(settings),
        budget,
        heap,
        new EncodingService.Threads(helpers, helpers, 2));
  }

  /** Encodes texts of documents and keeps all outcomes. */
  public static CompletableFuture<List<Encoded>> encodeTexts(
      NodeInference inference, String model, List<String> texts) {
    List<Encoded> all = new ArrayList<>();
    return inference
        .encoding()
        .encodeTexts(EncodingRequest.ofDocuments(model, texts, (item, outcome) -> all.add(outcome)))
        .thenApply(done -> all);
  }

  /** Encodes images of documents and keeps all outcomes. */
  public static CompletableFuture<List<Encoded>> encodeImages(
      NodeInference inference, String sensor, List<byte[]> images) {
    List<Encoded> all = new ArrayList<>();
    return inference
        .encoding()
        .encodeImages(
            sensor,
            EncodingRequest.ofDocuments(TestModels.ID, images, (item, outcome) -> all.add(outcome)))
        .thenApply(done -> all);
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

  public NodeInference get() {
    return inference;
  }

  @Override
  public void close() {
    inference.close();
    helpers.shutdownNow();
  }
}
