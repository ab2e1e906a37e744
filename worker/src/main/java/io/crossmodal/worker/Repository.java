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
import io.crossmodal.model.inference.protocol.RemoteOperation;
import io.crossmodal.model.inference.registry.LoadedModel;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.inference.registry.ModelStatus;
import io.crossmodal.model.inference.registry.ModelVersion;
import io.crossmodal.model.inference.stats.InferenceStats;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;

/**
 * The models that nodes have loaded into this worker. A version of the protocol is a bundle in a
 * precision, so that nodes of several clusters may share a worker, whatever their models are
 * called; it is freed when the last of its owners has unloaded it. Thread-safe.
 */
final class Repository {
  private final BundleFiles files;
  private final ModelCatalog catalog;
  private final LoadedModels models;
  private final InferenceStats stats;
  private final Map<String, Held> held = new TreeMap<>();
  private long loads;

  /** A model and who wants it to stay. */
  private static final class Held {
    private final Name name;
    private final String sha256;
    private final ModelVersion version;
    private final Set<String> owners = new HashSet<>();
    private final long order;

    /** What the last load waits for: an earlier one's failure is none of it. */
    private CompletableFuture<Void> loading;

    private Held(Name name, String sha256, ModelVersion version, long order) {
      this.name = name;
      this.sha256 = sha256;
      this.version = version;
      this.order = order;
    }
  }

  /** A model's id and version in the protocol. */
  record Name(String id, String version) {
    /**
     * Names a bundle in a precision.
     *
     * @throws RequestException when the digest is none
     */
    static Name of(String id, String sha256, PrecisionPolicy policy) {
      BundleFiles.requireDigest(sha256);
      return new Name(id, RemoteOperation.version(sha256, policy));
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
   * @param stats loses a model's share when it is let go
   */
  Repository(BundleFiles files, ModelCatalog catalog, LoadedModels models, InferenceStats stats) {
    this.files = files;
    this.catalog = catalog;
    this.models = models;
    this.stats = stats;
  }

  /**
   * Loads a bundle that is here; reads and checks it on the caller's thread.
   *
   * @param owner for whom it stays loaded
   * @return completes when it is warm
   * @throws RequestException when the bundle is not here, or the digest is none
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
    Held wanted;
    CompletableFuture<Void> loading;
    synchronized (this) {
      Held now = held.get(name.key());
      if (now == null) {
        if (bundle == null) {
          throw new RequestException(Failure.MODEL_UNAVAILABLE, "it is being unloaded; try again");
        }
        now = new Held(name, sha256, ModelVersion.opened(name.key(), bundle), loads++);
        held.put(name.key(), now);
        publish();
      }
      now.owners.add(owner);
      // Under the lock, so that nobody lets it go before it is asked for.
      loading = models.load(name.key(), policy);
      now.loading = loading;
      wanted = now;
    }
    return loading.handle(
        (done, failure) -> {
          if (failure != null) {
            failed(wanted, loading);
            throw failure instanceof CompletionException wrapped
                ? wrapped
                : new CompletionException(failure);
          }
          return new Entry(name, models.status(name.key()));
        });
  }

  /** Lets an owner's model go; without an owner, whoever else wants it. */
  synchronized void unload(String id, String version, String owner) {
    for (Held model : List.copyOf(held.values())) {
      if (model.name.id().equals(id)
          && (version.isEmpty() || model.name.version().equals(version))) {
        model.owners.remove(owner);
        if (owner.isEmpty() || model.owners.isEmpty()) {
          forget(model);
        }
      }
    }
  }

  /** Lets go of all that an owner does not need any more; what others have loaded stays. */
  synchronized void retain(String owner, Set<Name> needed) {
    for (Held model : List.copyOf(held.values())) {
      if (!needed.contains(model.name) && model.owners.remove(owner) && model.owners.isEmpty()) {
        forget(model);
      }
    }
  }

  /** Lets go of what could not be loaded, unless somebody has it loaded anew. */
  private synchronized void failed(Held model, CompletableFuture<Void> loading) {
    if (model.loading == loading && held.get(model.name.key()) == model) {
      forget(model);
    }
  }

  /** Under the lock as a whole: whoever loads it in between would lose it. */
  private void forget(Held model) {
    held.remove(model.name.key());
    publish();
    models.unload(model.name.key());
    stats.retain(catalog::has);
    files.used(model.sha256);
    files.deleteUnused(held.values().stream().map(each -> each.sha256).collect(Collectors.toSet()));
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
