/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.plugin.settings.CrossModalSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.common.xcontent.LoggingDeprecationHandler;
import org.opensearch.common.xcontent.XContentType;
import org.opensearch.core.common.bytes.BytesReference;
import org.opensearch.core.xcontent.MediaTypeRegistry;
import org.opensearch.core.xcontent.NamedXContentRegistry;
import org.opensearch.core.xcontent.ToXContent;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;

/**
 * Records that describe the documents of {@link ModelIndex}: one a bundle that was registered, one
 * an upload under way. A model's record outlives the cluster state's section, which a cluster that
 * is started once without the plugin drops, and keeps the model's bytes from being swept until it
 * was retired for as long as {@link CrossModalSettings#KEEP_UNUSED} says.
 */
final class ModelRecords {
  private static final Logger LOGGER = LogManager.getLogger(ModelRecords.class);

  /** Uploads in parts that a cluster holds at once. */
  static final int MAX_UPLOADS = 8;

  private static final String MODEL = "model";
  private static final String UPLOAD = "upload";
  private static final String CHUNK = "chunk.";

  private final ModelIndex index;

  ModelRecords(ModelIndex index) {
    this.index = index;
  }

  /**
   * An upload under way.
   *
   * @param id of the model
   * @param sha256 of the bundle; empty where the sender did not say
   * @param parts that it comes in; 0 for a whole bundle whose chunks are being written
   */
  record Upload(String id, String sha256, int parts) {
    /** Ids of the documents that hold the parts, in order, until all have come. */
    List<String> partIds() {
      return IntStream.range(0, parts).mapToObj(i -> prefix() + i).toList();
    }

    private String prefix() {
      return "part." + id + "." + sha256 + "." + parts + ".";
    }

    private String recordId() {
      return parts == 0 ? "writing." + sha256 : "upload." + id;
    }

    private boolean owns(String document) {
      return parts == 0 ? document.startsWith(CHUNK + sha256 + ".") : document.startsWith(prefix());
    }
  }

  /** Records that an upload is under way, again while it goes on. */
  void renew(Upload upload) {
    Map<String, Object> about =
        Map.of("id", upload.id(), "sha256", upload.sha256(), "parts", upload.parts());
    index.put(
        new ModelIndex.Entry(
            upload.recordId(), UPLOAD, json((json, params) -> json.map(about)), 0, 0));
  }

  /** Deletes the record and the parts of an upload that has ended. */
  void end(Upload upload) {
    List<String> ids = new ArrayList<>(upload.partIds());
    ids.add(upload.recordId());
    index.delete(ids);
  }

  /** Returns the upload in parts under way for a model; null where there is none. */
  Upload upload(String id) {
    ModelIndex.Entry entry = index.entry(new Upload(id, "", 1).recordId());
    return entry == null ? null : upload(entry);
  }

  /** Returns when an upload was last renewed, in milliseconds since 1970; 0 where there is none. */
  long created(Upload upload) {
    ModelIndex.Entry entry = index.entry(upload.recordId());
    return entry == null ? 0 : entry.created();
  }

  /** Returns ids of the models that uploads in parts are under way for, in order. */
  List<String> uploads() {
    return index.entries(UPLOAD).stream()
        .map(ModelRecords::upload)
        .filter(upload -> upload.parts() > 0)
        .map(Upload::id)
        .sorted()
        .toList();
  }

  /** Abandons the upload in parts for a model, if there is one. */
  boolean abandon(String id) {
    Upload upload = upload(id);
    if (upload != null) {
      end(upload);
    }
    return upload != null;
  }

  private static Upload upload(ModelIndex.Entry entry) {
    try (XContentParser parser = parser(entry.about())) {
      Map<String, Object> about = parser.map();
      return new Upload(
          String.valueOf(about.get("id")),
          String.valueOf(about.get("sha256")),
          about.get("parts") instanceof Number parts ? parts.intValue() : 0);
    } catch (IOException e) {
      throw new UncheckedIOException("reading from memory", e);
    }
  }

  /**
   * Returns the models that have a record and no place in the cluster state.
   *
   * @param known the cluster state's
   */
  List<StoredModel> lost(ModelsMetadata known) {
    Map<String, StoredModel> lost = new HashMap<>();
    for (ModelIndex.Entry entry : index.entries(MODEL)) {
      StoredModel model = readable(entry);
      if (model != null && entry.retired() == 0 && !known.models().containsKey(model.id())) {
        lost.merge(model.id(), model, (a, b) -> a.version() > b.version() ? a : b);
      }
    }
    return List.copyOf(lost.values());
  }

  /** Retires the records of a model that is about to be deleted. */
  void retire(String id, long now) {
    for (ModelIndex.Entry entry : index.entries(MODEL)) {
      if (entry.retired() == 0 && entry.id().startsWith(MODEL + "." + id + ".")) {
        index.put(entry.retiredAt(now));
      }
    }
  }

  /**
   * Brings the records to what the cluster state says, and deletes what no record and no model
   * needs any more.
   *
   * @param models the cluster state's
   * @param now in milliseconds since 1970
   * @param uploadTimeout after which an upload that is not renewed has ended
   * @param keepUnused for how long a retired record stays, and with it its bundle
   */
  void maintain(ModelsMetadata models, long now, TimeValue uploadTimeout, TimeValue keepUnused) {
    Map<String, StoredModel> missing = new HashMap<>();
    models.models().values().forEach(model -> missing.put(recordId(model), model));
    Set<String> needed = new HashSet<>();
    List<String> ended = new ArrayList<>();
    for (ModelIndex.Entry entry : index.entries(MODEL)) {
      StoredModel recorded = readable(entry);
      if (recorded == null) {
        // Of a newer plugin perhaps: what it names is not this one's to delete.
        needed.add(entry.id().substring(entry.id().lastIndexOf('.') + 1));
        continue;
      }
      StoredModel current = missing.get(entry.id());
      if (current != null && entry.retired() == 0 && current.equals(recorded)) {
        missing.remove(entry.id());
      } else if (current == null && entry.retired() == 0) {
        index.put(entry.retiredAt(now));
      } else if (current == null && entry.retired() < now - keepUnused.millis()) {
        ended.add(entry.id());
        continue;
      }
      needed.add(recorded.sha256());
    }
    missing.values().forEach(this::describe);
    models.models().values().forEach(model -> needed.add(model.sha256()));
    index.delete(ended);
    long before = now - uploadTimeout.millis();
    List<Upload> live =
        index.entries(UPLOAD).stream()
            .filter(entry -> entry.created() >= before)
            .map(ModelRecords::upload)
            .toList();
    index.sweep(
        before,
        id ->
            id.startsWith(MODEL + ".")
                || (id.startsWith(CHUNK) && needed.contains(id.split("\\.", 3)[1]))
                || live.stream().anyMatch(upload -> upload.owns(id)));
  }

  private void describe(StoredModel model) {
    index.put(new ModelIndex.Entry(recordId(model), MODEL, json(model::toXContent), 0, 0));
  }

  private static String recordId(StoredModel model) {
    return MODEL + "." + model.id() + "." + model.sha256();
  }

  /** Returns the model that a record names; null where this node cannot read it. */
  private static StoredModel readable(ModelIndex.Entry entry) {
    try (XContentParser parser = parser(entry.about())) {
      return StoredModel.fromXContent(parser);
    } catch (IOException | RuntimeException e) {
      LOGGER.warn("cannot read the record [{}] of a model", entry.id(), e);
      return null;
    }
  }

  /** Writes one JSON value. */
  @FunctionalInterface
  private interface Json {
    XContentBuilder writeTo(XContentBuilder builder, ToXContent.Params params) throws IOException;
  }

  private static BytesReference json(Json content) {
    try (XContentBuilder builder = MediaTypeRegistry.contentBuilder(XContentType.JSON)) {
      return BytesReference.bytes(content.writeTo(builder, ToXContent.EMPTY_PARAMS));
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
  }

  private static XContentParser parser(BytesReference json) throws IOException {
    return XContentType.JSON
        .xContent()
        .createParser(
            NamedXContentRegistry.EMPTY, LoggingDeprecationHandler.INSTANCE, json.streamInput());
  }
}
