/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.inference.InferenceException;
import io.crossmodal.plugin.inference.ModelCatalog;
import io.crossmodal.plugin.inference.ModelService;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.ActionRunnable;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.unit.ByteSizeValue;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.tasks.Task;
import org.opensearch.threadpool.ThreadPool;
import org.opensearch.transport.TransportService;
import org.opensearch.transport.client.Client;

/**
 * Takes uploads: gathers the parts, checks the bundle, puts its bytes into the system index and
 * only then has it named. What fails on the way leaves the cluster's models as they were; what it
 * wrote is swept.
 */
public final class TransportUploadModelAction
    extends HandledTransportAction<UploadModelRequest, UploadModelResponse> {
  private static final Logger LOGGER = LogManager.getLogger(TransportUploadModelAction.class);

  /** A bundle that is checked takes heap twice its size. */
  private static final int CHECKED_AT_ONCE = 2;

  private final ThreadPool threadPool;
  private final ClusterService clusterService;
  private final Client client;
  private final ModelRegistry registry;
  private final ModelService service;
  private final Semaphore checks = new Semaphore(CHECKED_AT_ONCE);
  private final ByteSizeValue maxSize;
  private final int chunkSize;
  private final boolean allowForeignCode;

  @Inject
  public TransportUploadModelAction(
      TransportService transportService,
      ActionFilters actionFilters,
      ThreadPool threadPool,
      ClusterService clusterService,
      Client client,
      ModelRegistry registry,
      ModelService service) {
    super(UploadModelAction.NAME, transportService, actionFilters, UploadModelRequest::new);
    this.threadPool = threadPool;
    this.clusterService = clusterService;
    this.client = client;
    this.registry = registry;
    this.service = service;
    this.maxSize = ModelSettings.MAX_SIZE.get(clusterService.getSettings());
    this.allowForeignCode = ModelSettings.ALLOW_FOREIGN_CODE.get(clusterService.getSettings());
    this.chunkSize =
        Math.toIntExact(ModelSettings.CHUNK_SIZE.get(clusterService.getSettings()).getBytes());
  }

  @Override
  protected void doExecute(
      Task task, UploadModelRequest request, ActionListener<UploadModelResponse> listener) {
    ModelCatalog catalog = registry.catalog();
    if (catalog.isShipped(request.id()) && !catalog.stored().containsKey(request.id())) {
      throw new OpenSearchStatusException(
          "model [{}] comes with the plugin and cannot be replaced, choose another id",
          RestStatus.CONFLICT,
          request.id());
    }
    threadPool
        .generic()
        .execute(
            ActionRunnable.supply(
                listener, () -> request.parts() == 1 ? whole(request) : part(request)));
  }

  private UploadModelResponse whole(UploadModelRequest request) {
    return check(request, out -> out.write(request.bytes()));
  }

  private UploadModelResponse part(UploadModelRequest request) {
    ModelIndex index = registry.index();
    List<String> parts = request.partIds();
    if (request.part() == 0 && request.sha256() == null) {
      // Nothing else tells the parts of this upload from those of one that was given up.
      index.delete(parts);
    }
    index.put(parts.get(request.part()), request.bytes());
    List<String> missing = index.missing(parts);
    if (!missing.isEmpty()) {
      return UploadModelResponse.incomplete(
          request.id(), missing.stream().map(parts::indexOf).toList());
    }
    UploadModelResponse response = check(request, out -> join(parts, out));
    index.delete(parts);
    return response;
  }

  private void join(List<String> parts, OutputStream out) throws IOException {
    long size = 0;
    for (String part : parts) {
      byte[] bytes = registry.index().get(part);
      if (bytes == null) {
        throw new OpenSearchStatusException(
            "part [{}] is gone: another request completed this upload, or it took longer than [{}];"
                + " look whether the model is there, or send all parts again",
            RestStatus.CONFLICT,
            parts.indexOf(part),
            ModelSettings.UPLOAD_TIMEOUT.getKey());
      }
      size += bytes.length;
      checkSize(size);
      out.write(bytes);
    }
  }

  private void checkSize(long size) {
    if (size > maxSize.getBytes()) {
      throw new OpenSearchStatusException(
          "a bundle may have [{}], this one has more; [{}] sets the limit",
          RestStatus.REQUEST_ENTITY_TOO_LARGE,
          maxSize,
          ModelSettings.MAX_SIZE.getKey());
    }
  }

  /** Writes a bundle's bytes. */
  @FunctionalInterface
  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private UploadModelResponse check(UploadModelRequest request, Content content) {
    if (!checks.tryAcquire()) {
      throw new OpenSearchStatusException(
          "this node checks [{}] other uploads already, send this one again later",
          RestStatus.TOO_MANY_REQUESTS,
          CHECKED_AT_ONCE);
    }
    Path file = null;
    try {
      checkSize(request.bytes().length);
      file = registry.store().temporary();
      try (OutputStream out = Files.newOutputStream(file)) {
        content.writeTo(out);
      }
      return accept(request, file);
    } catch (IOException e) {
      throw new OpenSearchStatusException(
          "this node cannot keep the upload of model [{}]: {}",
          RestStatus.SERVICE_UNAVAILABLE,
          e,
          request.id(),
          e);
    } finally {
      checks.release();
      delete(file);
    }
  }

  private void delete(Path file) {
    try {
      if (file != null) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      LOGGER.warn("cannot delete the upload's file", e);
    }
  }

  private UploadModelResponse accept(UploadModelRequest request, Path file) throws IOException {
    String sha256 = BundleStore.sha256(file);
    if (request.sha256() != null && !request.sha256().equals(sha256)) {
      throw new IllegalArgumentException(
          "the bundle should have the SHA-256 ["
              + request.sha256()
              + "], what came has ["
              + sha256
              + "]: a part was damaged, or belongs to another bundle");
    }
    StoredModel current = ModelsMetadata.of(clusterService.state()).models().get(request.id());
    if (current != null && current.sha256().equals(sha256)) {
      // Again, in case some of it was lost.
      write(current, file);
      return UploadModelResponse.complete(current, false);
    }
    ModelBundle bundle = read(request, file);
    StoredModel model =
        StoredModel.of(request.id(), bundle.manifest(), sha256, Files.size(file), chunkSize);
    // Early, what the cluster manager would refuse after all the work; it has the last word.
    RegisterModelAction.register(ModelsMetadata.of(clusterService.state()), model);
    verify(request, bundle);
    write(model, file);
    RegisterModelAction.Response registered =
        client
            .execute(RegisterModelAction.INSTANCE, new RegisterModelAction.Request(model))
            .actionGet();
    registry.store().keep(file, sha256);
    return UploadModelResponse.complete(registered.model(), registered.created());
  }

  private ModelBundle read(UploadModelRequest request, Path file) throws IOException {
    try {
      ModelBundle bundle = ModelBundle.open(file);
      if (!allowForeignCode) {
        checkOwnCode(bundle);
      }
      return bundle;
    } catch (BundleException | RuntimeException e) {
      // Whatever hostile bytes lead to, they are to blame.
      String why = String.valueOf(e.getMessage()).replace(file + ": ", "");
      throw unservable(request, why, e);
    }
  }

  private static void checkOwnCode(ModelBundle bundle) throws IOException, BundleException {
    try {
      bundle.checkOwnCode();
    } catch (BundleException e) {
      throw new BundleException(
          e.getMessage()
              + "; export it with the trainer of this version, or set ["
              + ModelSettings.ALLOW_FOREIGN_CODE.getKey()
              + "] where you trust its maker as you trust a plugin's",
          e);
    }
  }

  /** Has this node load it, so that no node has to find out later. */
  private void verify(UploadModelRequest request, ModelBundle bundle) {
    try {
      service.verify(bundle).get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new OpenSearchStatusException(
          "the node is shutting down", RestStatus.SERVICE_UNAVAILABLE, e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof BundleException broken) {
        throw unservable(request, broken.getMessage(), broken);
      }
      if (!(e.getCause() instanceof InferenceException.ModelUnavailable)) {
        throw InferenceErrors.toOpenSearch(e.getCause());
      }
      // A node without the native library may still take uploads for those that have it.
      LOGGER.warn("model [{}] is kept without a trial on this node", request.id(), e.getCause());
    }
  }

  private static IllegalArgumentException unservable(
      UploadModelRequest request, String why, Exception cause) {
    return new IllegalArgumentException(
        "[bundle] of model [" + request.id() + "] is none that can be served: " + why, cause);
  }

  private void write(StoredModel model, Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      for (String chunk : model.chunks()) {
        registry.index().put(chunk, in.readNBytes(model.chunkSize()));
      }
    }
  }
}
