/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.inference.Futures;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.PrecisionPolicy;
import io.crossmodal.model.inference.protocol.Failure;
import io.crossmodal.model.inference.registry.ModelLoader;
import java.io.IOException;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * Has all workers that respond load a model; it is there when one of them has it, and the others
 * get jobs of it when they do.
 */
final class ProcessLoader implements ModelLoader {
  private final List<WorkerLink> workers;
  private final Set<RemoteModel> wanted;

  /**
   * @param wanted takes the models that are loaded, for workers that come back
   */
  ProcessLoader(List<WorkerLink> workers, Set<RemoteModel> wanted) {
    this.workers = workers;
    this.wanted = wanted;
  }

  @Override
  public RemoteModel load(ModelBundle bundle, PrecisionPolicy policy) throws BundleException {
    List<WorkerLink> there = workers.stream().filter(WorkerLink::responds).toList();
    if (there.isEmpty()) {
      throw ProcessRunner.nobody(workers);
    }
    RemoteModel model = new RemoteModel(bundle, sha256(bundle), policy, this::release);
    try {
      first(there.stream().map(worker -> worker.hold(model)).toList()).get();
      wanted.add(model);
      return model;
    } catch (InterruptedException e) {
      release(model);
      Thread.currentThread().interrupt();
      throw new InferenceException.ModelUnavailable("the node is shutting down", e);
    } catch (ExecutionException e) {
      release(model);
      throw failure(Futures.cause(e.getCause()));
    }
  }

  /** Returns what the first load completes that ends well, so that none waits for the slowest. */
  private static CompletableFuture<Void> first(List<CompletableFuture<Void>> loads) {
    CompletableFuture<Void> first = new CompletableFuture<>();
    CompletableFuture<?> unused =
        CompletableFuture.allOf(
                loads.stream()
                    .map(load -> load.thenRun(() -> first.complete(null)))
                    .toArray(CompletableFuture<?>[]::new))
            .whenComplete(
                (all, failure) -> {
                  if (failure != null) {
                    // Of no effect where one has ended well.
                    first.completeExceptionally(failure);
                  }
                });
    return first;
  }

  private static InferenceException failure(Throwable cause) throws BundleException {
    if (cause instanceof WorkerException.Refused refused) {
      if (refused.failure() == Failure.BUNDLE_REFUSED) {
        throw new BundleException(refused.getMessage(), refused);
      }
      return refused.failure().exception(refused.getMessage());
    }
    return new InferenceException.ModelUnavailable(String.valueOf(cause.getMessage()), cause);
  }

  private void release(RemoteModel model) {
    wanted.remove(model);
    workers.forEach(worker -> worker.release(model));
  }

  /** Returns the digest of the file that a bundle is, as a worker keeps it. */
  private static String sha256(ModelBundle bundle) {
    try (DigestOutputStream digest =
        new DigestOutputStream(
            OutputStream.nullOutputStream(), MessageDigest.getInstance("SHA-256"))) {
      bundle.writeUncompressedTo(digest);
      return HexFormat.of().formatHex(digest.getMessageDigest().digest());
    } catch (IOException e) {
      throw new InferenceException.ModelUnavailable("the bundle cannot be read: " + e, e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
