/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.Precision;
import io.crossmodal.model.bundle.BundleException;
import io.crossmodal.model.bundle.Fingerprints;
import io.crossmodal.model.bundle.ModelBundle;
import io.crossmodal.model.bundle.Sha256;
import io.crossmodal.model.inference.InferenceException;
import io.crossmodal.model.inference.registry.LoadedModels;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.plugin.errors.InferenceErrors;
import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.function.BiPredicate;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.OpenSearchStatusException;
import org.opensearch.action.ActionRunnable;
import org.opensearch.action.support.ActionFilters;
import org.opensearch.action.support.HandledTransportAction;
import org.opensearch.cluster.service.ClusterService;
import org.opensearch.common.inject.Inject;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.action.ActionListener;
import org.opensearch.core.common.unit.ByteSizeUnit;
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

  private final ThreadPool threadPool;
  private final ClusterService clusterService;
  private final Client client;
  private final ModelRegistry registry;
  private final LoadedModels models;
  private final ByteSizeValue maxSize;

  /** The part, the file of all parts, the chunks: each in the index's log and segments, too. */
  private static final int COPIES = 5;

  /** What stays free on a disk beside an upload. */
  private static final ByteSizeValue RESERVE = new ByteSizeValue(64, ByteSizeUnit.MB);

  private final int chunkSize;
  private final TimeValue uploadTimeout;

  @Inject
  public TransportUploadModelAction(
      TransportService transportService,
      ActionFilters actionFilters,
      ThreadPool threadPool,
      ClusterService clusterService,
      Client client,
      ModelRegistry registry,
      LoadedModels models) {
    super(UploadModelAction.NAME, transportService, actionFilters, UploadModelRequest::new);
    this.threadPool = threadPool;
    this.clusterService = clusterService;
    this.client = client;
    this.registry = registry;
    this.models = models;
    this.maxSize = CrossModalSettings.MODEL_MAX_SIZE.get(clusterService.getSettings());
    this.uploadTimeout = CrossModalSettings.UPLOAD_TIMEOUT.get(clusterService.getSettings());
    this.chunkSize =
        Math.toIntExact(
            CrossModalSettings.MODEL_CHUNK_SIZE.get(clusterService.getSettings()).getBytes());
  }

  @Override
  protected void doExecute(
      Task task, UploadModelRequest request, ActionListener<UploadModelResponse> listener) {
    requireOwnId(
        request.id(), (spaces, shipped) -> !shipped.embeddingSpace().equals(spaces.get("filter")));
    threadPool
        .generic()
        .execute(
            ActionRunnable.supply(
                listener, () -> request.parts() == 1 ? whole(request) : part(request)));
  }

  /**
   * Insists that an id is no shipped model's; unless the plugin once shipped another one under it,
   * and there are fields that were made with that and none with today's.
   *
   * @param former tells by a field's spaces, and the shipped model's, whether the field is such
   */
  private void requireOwnId(String id, BiPredicate<Map<?, ?>, Fingerprints> former) {
    ModelCatalog catalog = registry.catalog();
    if (!catalog.isShipped(id) || catalog.stored().containsKey(id)) {
      return;
    }
    Fingerprints shipped = catalog.manifest(id).fingerprints();
    boolean[] found = {false, false};
    registry.forEachField(
        clusterService.state(),
        id,
        (index, field) -> {
          if (field.get("spaces") instanceof Map<?, ?> spaces) {
            found[0] |= former.test(spaces, shipped);
            found[1] |= shipped.embeddingSpace().equals(spaces.get("filter"));
          }
        });
    if (!found[0] || found[1]) {
      throw new OpenSearchStatusException(
          "model [{}] comes with the plugin and cannot be replaced, choose another id; only the"
              + " model that an earlier plugin shipped under it is taken, while indices need that"
              + " one and none the new one",
          RestStatus.CONFLICT,
          id);
    }
  }

  private UploadModelResponse whole(UploadModelRequest request) throws IOException {
    requireRoom(request);
    return check(request, out -> out.write(request.bytes()));
  }

  /**
   * Insists that this node's disk takes what is still to come of an upload and keeps a reserve: on
   * a full disk OpenSearch cannot even write what would make room. Core's watermarks look twice a
   * minute, and an upload is faster.
   */
  private void requireRoom(UploadModelRequest request) throws IOException {
    long coming = (long) request.bytes().length * (request.parts() - request.part());
    long needed = COPIES * coming + RESERVE.getBytes();
    long usable = registry.store().usableBytes();
    if (usable < needed) {
      throw new OpenSearchStatusException(
          "the disk of node [{}] has [{}] left, and the upload of model [{}] may need [{}]: make"
              + " room, or send it to another node",
          RestStatus.INSUFFICIENT_STORAGE,
          clusterService.getNodeName(),
          new ByteSizeValue(usable),
          request.id(),
          new ByteSizeValue(needed));
    }
  }

  private UploadModelResponse part(UploadModelRequest request) throws IOException {
    requireRoom(request);
    ModelIndex index = registry.index();
    ModelRecords.Upload upload = request.upload();
    begin(request, upload);
    List<String> parts = upload.partIds();
    index.put(parts.get(request.part()), request.bytes());
    List<String> missing = index.missing(parts);
    if (!missing.isEmpty()) {
      return UploadModelResponse.incomplete(
          request.id(), missing.stream().map(parts::indexOf).toList());
    }
    UploadModelResponse response = check(request, out -> join(parts, out));
    registry.records().end(upload);
    return response;
  }

  /** Bounds what parts take: few uploads at once, one for each model, none larger than may be. */
  private void begin(UploadModelRequest request, ModelRecords.Upload upload) {
    ModelRecords records = registry.records();
    if (request.bytes().length * (request.parts() - 1L) > maxSize.getBytes()) {
      throw new OpenSearchStatusException(
          "a bundle may have [{}], [{}] parts of [{}] are more; [{}] sets the limit",
          RestStatus.REQUEST_ENTITY_TOO_LARGE,
          maxSize,
          request.parts(),
          new ByteSizeValue(request.bytes().length),
          CrossModalSettings.MODEL_MAX_SIZE.getKey());
    }
    ModelRecords.Upload before = records.upload(request.id());
    List<String> others = before == null ? records.uploads() : List.of();
    if (others.size() >= ModelRecords.MAX_UPLOADS) {
      throw new OpenSearchStatusException(
          "the cluster keeps the parts of [{}] other uploads already, of {}: complete them, delete"
              + " what nobody completes as you would delete the model, or wait until they are given"
              + " up after [{}]",
          RestStatus.TOO_MANY_REQUESTS,
          ModelRecords.MAX_UPLOADS,
          others,
          uploadTimeout);
    }
    boolean startsAnew = request.part() == 0 && request.sha256() == null;
    if (before != null && (startsAnew || !before.equals(upload))) {
      // Of one that was given up; without a SHA-256 nothing but the first part tells.
      records.end(before);
    }
    records.renew(upload);
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
            CrossModalSettings.UPLOAD_TIMEOUT.getKey());
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
          CrossModalSettings.MODEL_MAX_SIZE.getKey());
    }
  }

  /** Writes a bundle's bytes. */
  @FunctionalInterface
  private interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  private UploadModelResponse check(UploadModelRequest request, Content content) {
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
    String sha256 = Sha256.hex(file);
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
      ended(current);
      return UploadModelResponse.complete(current, false);
    }
    ModelBundle bundle = read(request, file);
    Fingerprints fingerprints = bundle.manifest().fingerprints();
    requireOwnId(
        request.id(),
        (spaces, shipped) ->
            fingerprints.embeddingSpace().equals(spaces.get("filter"))
                && fingerprints.tokenSpace().equals(spaces.get("tokens")));
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
    ended(model);
    return UploadModelResponse.complete(registered.model(), registered.created());
  }

  private ModelBundle read(UploadModelRequest request, Path file) throws IOException {
    try {
      return registry.store().open(() -> Files.newInputStream(file));
    } catch (InferenceException e) {
      throw InferenceErrors.toOpenSearch(e);
    } catch (BundleException e) {
      throw unservable(request, e.getMessage(), e);
    }
  }

  /** Loads the bundle on this node once, so that no node has to find out later. */
  private void verify(UploadModelRequest request, ModelBundle bundle) {
    try {
      models.verify(bundle).get();
      if (bundle.hasForeignCode()) {
        LOGGER.info(
            "model [{}]: model.pt holds other code than this plugin's, perhaps another version's;"
                + " it is [{}], and the golden outputs are repeated",
            request.id(),
            bundle.runsForeignCode(Precision.FP32) ? "run" : "not run");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new OpenSearchStatusException(
          "the node is shutting down", RestStatus.SERVICE_UNAVAILABLE, e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof BundleException broken) {
        String foreign =
            bundle.hasForeignCode() && !bundle.runsForeignCode(Precision.FP32)
                ? "; set ["
                    + CrossModalSettings.ALLOW_FOREIGN_CODE.getKey()
                    + "] to run it, where you trust its maker as you trust a plugin's"
                : "";
        throw unservable(request, broken.getMessage() + foreign, broken);
      }
      if (!(e.getCause() instanceof InferenceException.ModelUnavailable)) {
        throw failed(request, e.getCause());
      }
      // A node without the native library may still take uploads for those that have it.
      LOGGER.warn("model [{}] is kept without a trial on this node", request.id(), e.getCause());
    }
  }

  /** Returns a failure of the engine, the device or memory, which says nothing about the bundle. */
  private static RuntimeException failed(UploadModelRequest request, Throwable cause) {
    return cause instanceof InferenceException
        ? InferenceErrors.toOpenSearch(cause)
        : new OpenSearchStatusException(
            "this node could not try model [{}], which says nothing about the bundle; send it again"
                + " later, or to another node: {}",
            RestStatus.SERVICE_UNAVAILABLE,
            cause,
            request.id(),
            cause);
  }

  private static IllegalArgumentException unservable(
      UploadModelRequest request, String why, Exception cause) {
    return new IllegalArgumentException(
        "[bundle] of model [" + request.id() + "] is none that can be served: " + why, cause);
  }

  private void ended(StoredModel model) {
    registry.records().end(new ModelRecords.Upload(model.id(), model.sha256(), 0));
  }

  private void write(StoredModel model, Path file) throws IOException {
    ModelRecords records = registry.records();
    ModelRecords.Upload upload = new ModelRecords.Upload(model.id(), model.sha256(), 0);
    records.renew(upload);
    long renewed = threadPool.relativeTimeInMillis();
    try (InputStream in = Files.newInputStream(file)) {
      for (String chunk : model.chunks()) {
        registry.index().put(chunk, in.readNBytes(model.chunkSize()));
        long now = threadPool.relativeTimeInMillis();
        if (now - renewed > uploadTimeout.millis() / 4) {
          // However long it takes, nothing is swept under it.
          records.renew(upload);
          renewed = now;
        }
      }
    }
  }
}
