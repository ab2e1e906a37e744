/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.crossmodal.trainer.cluster.ClusterClient;
import io.crossmodal.trainer.cluster.ClusterClient.Response;
import io.crossmodal.trainer.cluster.Retry;
import io.crossmodal.trainer.encode.Provenance.Owner;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * What an index holds of one source in one field: which scenes, made from what, page by page; and
 * what takes them out of it. Documents of other sources or fields, or of none, are neither seen nor
 * touched.
 */
public final class OwnedDocuments {
  /** Scenes of a page, and of a request that deletes. */
  private static final int PAGE = 500;

  private static final int DELETED_AT_ONCE = 100;

  /** Deleting many documents takes a while. */
  private static final Duration TIMEOUT = Duration.ofMinutes(30);

  private static final String ORIGIN = DocumentFormat.ORIGIN + ".";
  private static final int NOT_FOUND = 404;

  /** Null where there is no index yet. */
  private final ClusterClient cluster;

  private final String path;
  private final String source;
  private final String field;
  private final Retry retry;

  /**
   * Makes a view of one source.
   *
   * @param index whose documents have the fields of {@link TargetIndex#addProvenance}
   * @param source its name
   * @param field that its pictures are kept in
   */
  public OwnedDocuments(
      ClusterClient cluster, TargetIndex index, String source, String field, Retry retry) {
    this(cluster, TargetIndex.path(index.name()), source, field, retry);
  }

  private OwnedDocuments(
      ClusterClient cluster, String path, String source, String field, Retry retry) {
    if (source.isBlank()) {
      throw new IllegalArgumentException("a source needs a name");
    }
    this.cluster = cluster;
    this.path = path;
    this.source = source;
    this.field = field;
    this.retry = retry;
  }

  /** Returns a view, for a plan, of an index that is yet to be made: it has nothing. */
  public static OwnedDocuments none(String source, String field, Retry retry) {
    return new OwnedDocuments(null, "", source, field, retry);
  }

  /**
   * Returns how documents of a scene say whose they are.
   *
   * @param checksum of what they are made from
   * @param made names how
   */
  Owner owner(String scene, String checksum, String made) {
    return new Owner(source, field, scene, checksum, made);
  }

  /**
   * Documents of a scene that were made alike.
   *
   * @param count how many there are
   */
  record Group(Owner owner, long count) {}

  /** Is told of documents. */
  @FunctionalInterface
  interface Visitor {
    void visit(Group group) throws IOException, InterruptedException;
  }

  /**
   * Tells of all documents of the source, scene by scene; a page is held at a time.
   *
   * @throws IllegalArgumentException when the name stands for several indices
   */
  void visit(Visitor visitor) throws IOException, InterruptedException {
    if (cluster != null) {
      JsonObject indices = call("GET", path, null);
      if (indices.size() != 1) {
        throw new IllegalArgumentException(
            "--sync keeps one index in step; the alias stands for " + indices.keySet());
      }
      refresh();
      visit(new JsonArray(), visitor);
    }
  }

  /**
   * Remembers scenes of which no chip was kept, under clouds or without data, so that nobody reads
   * them again while they and what is asked of them stay as they are. Each gets a document, of its
   * origin alone, which is found and deleted as the others are.
   *
   * @param scenes of which all was read, and kept what is to be kept; the index is refreshed
   * @return how many have no chip
   */
  int markEmpty(Collection<Owner> scenes) throws IOException, InterruptedException {
    int marked = 0;
    for (List<Owner> some : parts(List.copyOf(scenes))) {
      JsonArray names = new JsonArray();
      some.forEach(owner -> names.add(owner.scene()));
      JsonArray which = new JsonArray();
      which.add(object("terms", object(ORIGIN + ProvenanceFields.SCENE, names)));
      Set<Owner> there = new HashSet<>();
      visit(which, group -> there.add(group.owner()));
      for (Owner owner : some) {
        if (!there.contains(owner)) {
          JsonObject origin = bare();
          origin.addProperty(ProvenanceFields.SCENE, owner.scene());
          origin.addProperty(ProvenanceFields.CHECKSUM, owner.checksum());
          origin.addProperty(ProvenanceFields.MADE, owner.made());
          call("PUT", document("empty", owner.scene()), object(DocumentFormat.ORIGIN, origin));
          marked++;
        }
      }
    }
    return marked;
  }

  /**
   * Adds what is true of the source's documents. Those that were sent before documents named their
   * field are told by having it.
   */
  private void own(JsonArray filter) {
    JsonObject unnamed = new JsonObject();
    unnamed.add("must_not", object("exists", object("field", ORIGIN + ProvenanceFields.FIELD)));
    unnamed.add("filter", object("exists", object("field", field)));
    JsonArray any = new JsonArray();
    any.add(term(ProvenanceFields.FIELD, field));
    any.add(object("bool", unnamed));
    filter.add(term(ProvenanceFields.SOURCE, source));
    filter.add(object("bool", object("should", any)));
  }

  /** Returns the origin of a document that has no picture. */
  private JsonObject bare() {
    JsonObject origin = new JsonObject();
    origin.addProperty(ProvenanceFields.SOURCE, source);
    origin.addProperty(ProvenanceFields.FIELD, field);
    origin.addProperty(ProvenanceFields.EMPTY, true);
    return origin;
  }

  /** Returns the path of such a document. */
  private String document(String kind, String scene) {
    String name = String.join("\0", kind, source, field, scene);
    return path + "/_doc/" + ContentId.shortened(name);
  }

  private void visit(JsonArray which, Visitor visitor) throws IOException, InterruptedException {
    own(which);
    JsonElement after = null;
    do {
      JsonObject page = page(which, after);
      for (JsonElement element : page.getAsJsonArray("buckets")) {
        JsonObject bucket = element.getAsJsonObject();
        JsonObject key = bucket.getAsJsonObject("key");
        Owner owner =
            owner(
                key.get(ProvenanceFields.SCENE).getAsString(),
                key.get(ProvenanceFields.CHECKSUM).getAsString(),
                key.get(ProvenanceFields.MADE).getAsString());
        visitor.visit(new Group(owner, bucket.get("doc_count").getAsLong()));
      }
      after = page.get("after_key");
    } while (after != null);
  }

  private JsonObject page(JsonArray which, JsonElement after)
      throws IOException, InterruptedException {
    JsonArray sources = new JsonArray();
    for (String field :
        List.of(ProvenanceFields.SCENE, ProvenanceFields.CHECKSUM, ProvenanceFields.MADE)) {
      sources.add(object(field, object("terms", object("field", ORIGIN + field))));
    }
    JsonObject composite = new JsonObject();
    composite.addProperty("size", PAGE);
    composite.add("sources", sources);
    if (after != null) {
      composite.add("after", after);
    }
    JsonObject body = new JsonObject();
    body.addProperty("size", 0);
    body.addProperty("track_total_hits", false);
    body.add("query", object("bool", object("filter", which)));
    body.add("aggs", object("scenes", object("composite", composite)));
    // A shard that is away must not look like scenes that are not there.
    JsonObject response = call("POST", path + "/_search?allow_partial_search_results=false", body);
    return response.getAsJsonObject("aggregations").getAsJsonObject("scenes");
  }

  void refresh() throws IOException, InterruptedException {
    call("POST", path + "/_refresh", new JsonObject());
  }

  /**
   * Deletes documents of scenes that were made otherwise than these.
   *
   * @return how many
   */
  long deleteOthers(Collection<Owner> current) throws IOException, InterruptedException {
    long deleted = 0;
    for (List<Owner> some : parts(List.copyOf(current))) {
      JsonArray any = new JsonArray();
      for (Owner owner : some) {
        JsonObject same = new JsonObject();
        JsonArray both = new JsonArray();
        both.add(term(ProvenanceFields.CHECKSUM, owner.checksum()));
        both.add(term(ProvenanceFields.MADE, owner.made()));
        same.add("filter", both);
        JsonObject other = new JsonObject();
        other.add("filter", term(ProvenanceFields.SCENE, owner.scene()));
        other.add("must_not", object("bool", same));
        any.add(object("bool", other));
      }
      JsonObject which = new JsonObject();
      which.add("should", any);
      which.addProperty("minimum_should_match", 1);
      deleted += delete(object("bool", which));
    }
    return deleted;
  }

  /**
   * Deletes all documents of scenes.
   *
   * @return how many
   */
  long delete(Collection<String> scenes) throws IOException, InterruptedException {
    long deleted = 0;
    for (List<String> some : parts(List.copyOf(scenes))) {
      JsonArray names = new JsonArray();
      some.forEach(names::add);
      deleted += delete(object("terms", object(ORIGIN + ProvenanceFields.SCENE, names)));
    }
    return deleted;
  }

  private static <T> List<List<T>> parts(List<T> all) {
    return IntStream.range(0, Math.ceilDiv(all.size(), DELETED_AT_ONCE))
        .mapToObj(
            i -> all.subList(i * DELETED_AT_ONCE, Math.min(all.size(), (i + 1) * DELETED_AT_ONCE)))
        .toList();
  }

  private long delete(JsonObject which) throws IOException, InterruptedException {
    JsonArray filter = new JsonArray();
    own(filter);
    filter.add(which);
    JsonObject body = object("query", object("bool", object("filter", filter)));
    // What was sent anew meanwhile, under the same id, is no conflict: it stays.
    String action = "/_delete_by_query?conflicts=proceed&refresh=true";
    JsonObject response = call("POST", path + action, body);
    JsonArray failures = response.getAsJsonArray("failures");
    if (failures != null && !failures.isEmpty()) {
      throw new IOException(
          "the cluster could not delete all documents: " + failures.get(0) + "; run again");
    }
    return response.get("deleted").getAsLong();
  }

  /** Returns the scenes that an earlier run began to send and did not finish. */
  Set<String> unfinished() throws IOException, InterruptedException {
    Set<String> names = new TreeSet<>();
    if (cluster != null) {
      String target = document("unfinished", "");
      Response response = send("GET", target, null);
      if (response.status() != NOT_FOUND) {
        JsonObject origin =
            accepted("GET", target, response)
                .getAsJsonObject("_source")
                .getAsJsonObject(DocumentFormat.ORIGIN);
        origin
            .getAsJsonArray(ProvenanceFields.UNFINISHED)
            .forEach(name -> names.add(name.getAsString()));
      }
    }
    return names;
  }

  /**
   * Notes which scenes are being sent, in the place of those that were: in a document of the source
   * and field, which runs of others do not touch.
   */
  void setUnfinished(Set<String> scenes) throws IOException, InterruptedException {
    String target = document("unfinished", "");
    if (scenes.isEmpty()) {
      Response response = send("DELETE", target, null);
      if (response.status() != NOT_FOUND) {
        accepted("DELETE", target, response);
      }
      return;
    }
    JsonArray names = new JsonArray();
    scenes.forEach(names::add);
    JsonObject origin = bare();
    origin.add(ProvenanceFields.UNFINISHED, names);
    call("PUT", target, object(DocumentFormat.ORIGIN, origin));
  }

  private JsonObject call(String method, String target, JsonObject body)
      throws IOException, InterruptedException {
    return accepted(method, target, send(method, target, body));
  }

  private Response send(String method, String target, JsonObject body)
      throws IOException, InterruptedException {
    byte[] json = body == null ? new byte[0] : body.toString().getBytes(StandardCharsets.UTF_8);
    // Asked twice, each does what it does once.
    return retry.untilAnswered(() -> cluster.send(method, target, json, TIMEOUT));
  }

  private JsonObject accepted(String method, String target, Response response) throws IOException {
    if (response.status() >= 300) {
      throw cluster.refused(method, target, response);
    }
    return JsonParser.parseString(response.body()).getAsJsonObject();
  }

  private static JsonObject term(String field, String value) {
    return object("term", object(ORIGIN + field, new JsonPrimitive(value)));
  }

  private static JsonObject object(String name, String value) {
    return object(name, new JsonPrimitive(value));
  }

  private static JsonObject object(String name, JsonElement value) {
    JsonObject object = new JsonObject();
    object.add(name, value);
    return object;
  }
}
