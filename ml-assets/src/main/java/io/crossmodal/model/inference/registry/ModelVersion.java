/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.inference.InferenceException;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One version of a model: what it is, known at once, and its bytes, fetched when somebody needs
 * them. Immutable but for that; compared by identity. Thread-safe.
 */
public final class ModelVersion {
  private final String id;
  private final long number;
  private final String sha256;
  private final ModelManifest manifest;
  private final BundleException unreadable;
  private final Supplier<CompletableFuture<ModelBundle>> source;
  private CompletableFuture<ModelBundle> bundle;

  private ModelVersion(
      String id,
      long number,
      String sha256,
      ModelManifest manifest,
      BundleException unreadable,
      Supplier<CompletableFuture<ModelBundle>> source) {
    this.id = Objects.requireNonNull(id, "id");
    this.number = number;
    this.sha256 = Objects.requireNonNull(sha256, "sha256");
    this.manifest = manifest;
    this.unreadable = unreadable;
    this.source = Objects.requireNonNull(source, "source");
  }

  /** Returns a version of a model that comes with this library. */
  static ModelVersion shipped(ModelBundle bundle) {
    return opened(bundle.manifest().id(), bundle);
  }

  /**
   * Returns the only version of a model whose bytes are here.
   *
   * @param id it has in this process, be it another than its manifest's
   */
  public static ModelVersion opened(String id, ModelBundle bundle) {
    return new ModelVersion(
        id, 1, "", bundle.manifest(), null, () -> CompletableFuture.completedFuture(bundle));
  }

  /**
   * Returns a version of a model that the cluster keeps.
   *
   * @param manifest as {@link ModelManifest#toJson} gives it; one that this code cannot read, for
   *     it is of a newer format, is reported when somebody asks for it
   * @param source of the bytes; asked again after a failure
   */
  public static ModelVersion stored(
      String id,
      long number,
      String sha256,
      byte[] manifest,
      Supplier<CompletableFuture<ModelBundle>> source) {
    try {
      ModelManifest read = ModelManifest.fromJson(manifest).withId(id);
      return new ModelVersion(id, number, sha256, read, null, source);
    } catch (BundleException e) {
      return new ModelVersion(id, number, sha256, null, e, source);
    }
  }

  public String id() {
    return id;
  }

  /** Returns the version's number, which counts from 1 with each upload under this id. */
  public long number() {
    return number;
  }

  /** Returns the bundle's SHA-256, hexadecimal; empty for a model that was shipped. */
  public String sha256() {
    return sha256;
  }

  /**
   * Returns what is known of the model without its bytes.
   *
   * @throws IllegalArgumentException when this node is too old to read it
   */
  public ModelManifest manifest() {
    if (manifest == null) {
      throw new IllegalArgumentException(
          "this node cannot read model ["
              + id
              + "], upgrade its plugin: "
              + unreadable.getMessage(),
          unreadable);
    }
    return manifest;
  }

  /**
   * Returns the checked bytes. Callers share one fetch; after a failure the next call tries again.
   *
   * @return fails with {@link InferenceException.ModelUnavailable}
   */
  public synchronized CompletableFuture<ModelBundle> bundle() {
    if (bundle == null || bundle.isCompletedExceptionally()) {
      bundle = source.get();
    }
    return bundle;
  }

  /** Returns whether this node understands the manifest. */
  boolean readable() {
    return manifest != null;
  }

  /** Returns whether embeddings and tokens of both may be mixed. */
  boolean sameSpaces(ModelVersion other) {
    Fingerprints mine = manifest().fingerprints();
    Fingerprints theirs = other.manifest().fingerprints();
    return mine.embeddingSpace().equals(theirs.embeddingSpace())
        && mine.tokenSpace().equals(theirs.tokenSpace());
  }

  /** Returns whether this is that version of that model. */
  public boolean is(String otherId, long otherNumber, String otherSha256) {
    return id.equals(otherId) && number == otherNumber && sha256.equals(otherSha256);
  }

  @Override
  public String toString() {
    return id + " version " + number;
  }
}
