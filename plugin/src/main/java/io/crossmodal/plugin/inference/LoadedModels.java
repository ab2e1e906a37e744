/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.FusionModel;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import java.io.IOException;
import java.nio.file.Files;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The models in native memory. Only the worker calls it, but for {@link #state}; {@link #close}
 * after the worker ended.
 */
final class LoadedModels implements AutoCloseable {
  private final ModelCatalog catalog;
  private final InferenceSettings settings;
  private final MemoryBudget budget;
  private final Map<String, Loaded> loaded = new HashMap<>();
  private final Map<String, InferenceException.ModelUnavailable> failed = new HashMap<>();
  private final Map<String, ModelService.State> states = new ConcurrentHashMap<>();

  private record Loaded(FusionModel model, MemoryBudget.Reservation memory) {
    private void close() {
      model.close();
      memory.close();
    }
  }

  LoadedModels(ModelCatalog catalog, InferenceSettings settings, MemoryBudget budget) {
    this.catalog = catalog;
    this.settings = settings;
    this.budget = budget;
  }

  ModelService.State state(String id) {
    return states.getOrDefault(id, ModelService.State.NOT_LOADED);
  }

  /**
   * The warm model; loads it if this is its first job.
   *
   * @throws InferenceException.ModelUnavailable when it does not load, now or before
   * @throws InferenceException.MemoryExceeded when there is no memory for it; may be tried again
   */
  FusionModel get(String id) {
    Loaded present = loaded.get(id);
    if (present != null) {
      return present.model();
    }
    InferenceException.ModelUnavailable before = failed.get(id);
    if (before != null) {
      throw before;
    }
    ModelBundle bundle = catalog.bundle(id);
    MemoryBudget.Reservation memory = budget.reserve("model [" + id + "]", bundle.weightBytes());
    boolean kept = false;
    try {
      FusionModel model = load(bundle);
      loaded.put(id, new Loaded(model, memory));
      states.put(id, ModelService.State.LOADED);
      kept = true;
      return model;
    } catch (InferenceException.ModelUnavailable e) {
      failed.put(id, e);
      states.put(id, ModelService.State.FAILED);
      throw e;
    } finally {
      if (!kept) {
        memory.close();
      }
    }
  }

  private FusionModel load(ModelBundle bundle) {
    NativeRuntime.start(settings);
    try {
      return FusionModel.load(bundle, Files.createDirectories(settings.directory()));
    } catch (BundleException | IOException | RuntimeException e) {
      throw new InferenceException.ModelUnavailable(
          "model [" + bundle.manifest().id() + "] cannot be loaded: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    loaded.values().forEach(Loaded::close);
    loaded.clear();
    states.clear();
  }
}
