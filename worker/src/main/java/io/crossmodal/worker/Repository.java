/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.worker;

import io.crossmodal.model.Messages;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.registry.ModelVersion;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * The models that nodes have loaded into this worker. A version of the protocol is a bundle in a
 * precision, so that nodes of several clusters may share a worker, whatever their models are
 * called; it is freed when the last of its owners has unloaded it. Thread-safe.
 */
final class Repository {
  private final BundleFiles files;
  private final ModelCatalog catalog;
  private final LoadedModels models;
  private final Map<String, Held> held = new TreeMap<>();
  private long loads;

  /** A model and who wants it to stay. */
  private static final class Held {
    private final Name name;
    private final ModelVersion version;
    private final Set<String> owners = new HashSet<>();
    private final long order;

    private Held(Name name, ModelVersion version, long order) {
      this.name = name;
      this.version = version;
      this.order = order;
    }
  }

  /** A model's id and version in the protocol. */
  record Name(String id, String version) {
    /** Names a bundle in a precision. */
    static Name of(String id, String sha256, PrecisionPolicy policy) {
      return new Name(id, sha256.substring(0, 16) + '-' + policy.name().toLowerCase(Locale.ROOT));
    }

    /** Returns what the model is called where one word must do. */
    String key() {
      return id + '@' + version;
    }
  }

  /** A model as it stands. */
  record Entry(Name name, ModelStatus status) {}

  /**
   * @param catalog without models; this fills it
   */
  Repository(BundleFiles files, ModelCatalog catalog, LoadedModels models) {
    this.files = files;
    this.catalog = catalog;
    this.models = models;
  }

  /**
   * Loads a bundle that is here; reads and checks it on the caller's thread.
   *
   * @param owner for whom it stays loaded
   * @return completes when it is warm
   * @throws RequestException when the bundle is not here
   * @throws BundleException when it is to blame
   */
  CompletableFuture<Entry> load(String id, String sha256, PrecisionPolicy policy, String owner)
      throws IOException, BundleException {
    Name name = Name.of(id, sha256, policy);
    boolean known;
    synchronized (this) {
      known = held.containsKey(name.key());
    }
    // Outside the lock: it takes as long as reading the file.
    ModelBundle bundle = known ? null : files.open(sha256);
    synchronized (this) {
      Held now = held.get(name.key());
      if (now == null) {
        if (bundle == null) {
          throw new RequestException(Failure.MODEL_UNAVAILABLE, "it is being unloaded; try again");
        }
        now = new Held(name, ModelVersion.opened(name.key(), bundle), loads++);
        held.put(name.key(), now);
        publish();
      }
      now.owners.add(owner);
    }
    return models
        .load(name.key(), policy)
        .handle(
            (done, failure) -> {
              if (failure != null) {
                forget(name);
                throw failure instanceof CompletionException wrapped
                    ? wrapped
                    : new CompletionException(failure);
              }
              return new Entry(name, models.status(name.key()));
            });
  }

  /** Lets an owner's model go; without an owner, whoever else wants it. */
  void unload(String id, String version, String owner) {
    List<Name> gone = new ArrayList<>();
    synchronized (this) {
      for (Held model : held.values()) {
        if (model.name.id().equals(id)
            && (version.isEmpty() || model.name.version().equals(version))) {
          model.owners.remove(owner);
          if (owner.isEmpty() || model.owners.isEmpty()) {
            gone.add(model.name);
          }
        }
      }
    }
    gone.forEach(this::forget);
  }

  private void forget(Name name) {
    synchronized (this) {
      held.remove(name.key());
      publish();
    }
    models.unload(name.key());
  }

  private void publish() {
    catalog.update(held.values().stream().map(model -> model.version).toList());
  }

  /**
   * Finds a model.
   *
   * @param version empty for the one that was loaded last
   * @throws RequestException when there is none
   */
  synchronized Name find(String id, String version) {
    return held.values().stream()
        .filter(
            model ->
                model.name.id().equals(id)
                    && (version.isEmpty() || model.name.version().equals(version)))
        .max(Comparator.comparingLong(model -> model.order))
        .map(model -> model.name)
        .orElseThrow(
            () ->
                new RequestException(
                    Failure.NOT_FOUND,
                    "there is no model ["
                        + Messages.excerpt(id)
                        + "]"
                        + (version.isEmpty()
                            ? ""
                            : " of version [" + Messages.excerpt(version) + "]")
                        + " in this worker: load it first"));
  }

  /** Returns what is loaded, or about to be. */
  List<Entry> index() {
    List<Name> names;
    synchronized (this) {
      names = held.values().stream().map(model -> model.name).toList();
    }
    return names.stream().map(name -> new Entry(name, models.status(name.key()))).toList();
  }

  /** Returns where a model stands. */
  ModelStatus status(Name name) {
    return models.status(name.key());
  }

  /** Returns what is known of a model that {@link #find} has found. */
  ModelVersion version(Name name) {
    return catalog.version(name.key());
  }

  /** Leases a model that {@link #find} has found. */
  LoadedModel.Lease lease(Name name) {
    return models.lease(name.key());
  }
}
