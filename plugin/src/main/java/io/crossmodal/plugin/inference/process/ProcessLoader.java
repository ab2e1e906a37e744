/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.process;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
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
import java.util.concurrent.CompletionException;

/** Has all workers that respond load a model; one of them must. */
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
    List<CompletableFuture<Void>> loads = there.stream().map(worker -> worker.hold(model)).toList();
    Throwable first = null;
    boolean held = false;
    for (CompletableFuture<Void> load : loads) {
      try {
        load.join();
        held = true;
      } catch (CompletionException e) {
        first = first == null ? e.getCause() : first;
      }
    }
    if (held) {
      wanted.add(model);
      return model;
    }
    workers.forEach(worker -> worker.release(model, false));
    if (first instanceof WorkerException.Refused refused) {
      if (refused.failure() == Failure.BUNDLE_REFUSED) {
        throw new BundleException(refused.getMessage(), refused);
      }
      throw refused.failure().exception(refused.getMessage());
    }
    throw new InferenceException.ModelUnavailable(String.valueOf(first.getMessage()), first);
  }

  private void release(RemoteModel model) {
    wanted.remove(model);
    // The same may have been loaded twice, to try what is uploaded again.
    boolean last = wanted.stream().noneMatch(model::isSame);
    workers.forEach(worker -> worker.release(model, last));
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
