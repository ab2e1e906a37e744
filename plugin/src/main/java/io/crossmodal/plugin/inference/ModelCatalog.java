/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelBundle;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The models that this node knows, read on first use and checked by reading. Immutable once read;
 * thread-safe.
 */
public final class ModelCatalog {
  private final Supplier<List<ModelBundle>> source;
  private Map<String, ModelBundle> bundles;

  /**
   * @param source called once, on first use; the first of its bundles is the default
   */
  public ModelCatalog(Supplier<List<ModelBundle>> source) {
    this.source = source;
  }

  /**
   * The model of an id.
   *
   * @throws IllegalArgumentException when there is no such model, naming those there are
   */
  public ModelBundle bundle(String id) {
    ModelBundle bundle = bundles().get(id);
    if (bundle == null) {
      throw new IllegalArgumentException(
          "unknown model [" + id + "], this node has " + bundles().keySet());
    }
    return bundle;
  }

  public Set<String> ids() {
    return bundles().keySet();
  }

  /** The model for mappings that name none. */
  public String defaultId() {
    return bundles().keySet().iterator().next();
  }

  /**
   * The sensor that a picture is read with.
   *
   * @param given what the user named; null where he named none
   * @throws IllegalArgumentException when the model has no such sensor, or several and none is
   *     named
   */
  public static String sensor(ModelConfig config, String given) {
    if (given != null) {
      return config.sensor(given).name();
    }
    if (config.sensors().size() > 1) {
      throw new IllegalArgumentException(
          "[sensor] is missing, this model has "
              + config.sensors().stream().map(SensorConfig::name).toList());
    }
    return config.sensors().get(0).name();
  }

  private synchronized Map<String, ModelBundle> bundles() {
    if (bundles == null) {
      Map<String, ModelBundle> read = new LinkedHashMap<>();
      for (ModelBundle bundle : source.get()) {
        if (read.put(bundle.manifest().id(), bundle) != null) {
          throw new IllegalStateException("two models have the id " + bundle.manifest().id());
        }
      }
      bundles = read;
    }
    return bundles;
  }
}
