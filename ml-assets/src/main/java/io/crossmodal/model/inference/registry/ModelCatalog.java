/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;

/**
 * The models that this node knows: those that come with the plugin, read on first use, and those
 * that the cluster keeps, as the last {@link #update} named them. Knowing a model costs nothing;
 * its bytes come with {@link ModelVersion#bundle}. Thread-safe.
 */
public final class ModelCatalog {
  private final Supplier<List<ModelBundle>> source;
  private Map<String, ModelVersion> shipped;
  private volatile Map<String, ModelVersion> stored = Map.of();

  /**
   * @param source called once, on first use; the first of its bundles is the default
   */
  public ModelCatalog(Supplier<List<ModelBundle>> source) {
    this.source = source;
  }

  /**
   * Replaces the cluster's models.
   *
   * @param versions one for each id; a version that is known already must be the same object, so
   *     that what was fetched stays fetched
   */
  public void update(Collection<ModelVersion> versions) {
    Map<String, ModelVersion> byId = new TreeMap<>();
    for (ModelVersion version : versions) {
      if (byId.put(version.id(), version) != null) {
        throw new IllegalArgumentException("two versions of model " + version.id());
      }
    }
    stored = Collections.unmodifiableMap(byId);
  }

  /** Returns the cluster's models, without those that come with the plugin. */
  public Map<String, ModelVersion> stored() {
    return stored;
  }

  /**
   * Returns the version that an id stands for now.
   *
   * @throws IllegalArgumentException when there is no such model, naming those there are
   */
  public ModelVersion version(String id) {
    // What a user uploaded goes before what a later plugin ships under the same name: his fields
    // were made with it.
    ModelVersion version = stored.get(id);
    if (version == null) {
      version = shipped().get(id);
    }
    if (version == null) {
      throw new IllegalArgumentException("unknown model [" + id + "], this node has " + ids());
    }
    return version;
  }

  /**
   * Returns what is known of a model.
   *
   * @throws IllegalArgumentException when there is no such model, naming those there are
   */
  public ModelManifest manifest(String id) {
    return version(id).manifest();
  }

  /** Returns the ids of all models; those that come with the plugin come first. */
  public Set<String> ids() {
    Set<String> ids = new LinkedHashSet<>(shipped().keySet());
    ids.addAll(stored.keySet());
    return ids;
  }

  public boolean has(String id) {
    return stored.containsKey(id) || isShipped(id);
  }

  /** Returns whether a model comes with the plugin. */
  public boolean isShipped(String id) {
    return shipped().containsKey(id);
  }

  /** Returns the model for mappings that name none. */
  public String defaultId() {
    return shipped().keySet().iterator().next();
  }

  private synchronized Map<String, ModelVersion> shipped() {
    if (shipped == null) {
      Map<String, ModelVersion> read = new LinkedHashMap<>();
      for (ModelBundle bundle : source.get()) {
        if (read.put(bundle.manifest().id(), ModelVersion.shipped(bundle)) != null) {
          throw new IllegalStateException("two models have the id " + bundle.manifest().id());
        }
      }
      shipped = Collections.unmodifiableMap(read);
    }
    return shipped;
  }
}
