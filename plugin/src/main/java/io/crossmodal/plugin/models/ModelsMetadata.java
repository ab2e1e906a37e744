/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.opensearch.Version;
import org.opensearch.cluster.AbstractNamedDiffable;
import org.opensearch.cluster.ClusterState;
import org.opensearch.cluster.NamedDiff;
import org.opensearch.cluster.metadata.Metadata;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.ConstructingObjectParser;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;

/**
 * The models that the cluster keeps, as a section of the cluster state: persistent, and changed by
 * the cluster manager alone, one change after the other. Left out of snapshots, for a snapshot's
 * global state does not bring the bytes along.
 */
public final class ModelsMetadata extends AbstractNamedDiffable<Metadata.Custom>
    implements Metadata.Custom {
  public static final String TYPE = "cross_modal_models";

  /** Every node holds the list in its heap; a cluster serves a few models. */
  static final int MAX_MODELS = 200;

  static final ModelsMetadata EMPTY = new ModelsMetadata(List.of());

  private static final ConstructingObjectParser<ModelsMetadata, Void> PARSER =
      new ConstructingObjectParser<>(TYPE, args -> new ModelsMetadata(models(args[0])));

  static {
    PARSER.declareObjectArray(
        ConstructingObjectParser.constructorArg(),
        (parser, context) -> StoredModel.fromXContent(parser),
        new ParseField("models"));
  }

  private final Map<String, StoredModel> models;

  ModelsMetadata(Collection<StoredModel> models) {
    Map<String, StoredModel> byId = new TreeMap<>();
    models.forEach(model -> byId.put(model.id(), model));
    this.models = Collections.unmodifiableMap(byId);
  }

  /** Reads what {@link #writeTo} wrote. */
  public ModelsMetadata(StreamInput in) throws IOException {
    this(in.readList(StoredModel::new));
  }

  @SuppressWarnings("unchecked") // the parser above makes the list
  private static List<StoredModel> models(Object list) {
    return (List<StoredModel>) list;
  }

  /** Reads the section as the gateway wrote it. */
  public static ModelsMetadata fromXContent(XContentParser parser) throws IOException {
    return PARSER.parse(parser, null);
  }

  /** Reads a difference between two states. */
  public static NamedDiff<Metadata.Custom> readDiffFrom(StreamInput in) throws IOException {
    return readDiffFrom(Metadata.Custom.class, TYPE, in);
  }

  /** Returns the models of a state; none where it has no such section. */
  static ModelsMetadata of(ClusterState state) {
    ModelsMetadata models = state.metadata().custom(TYPE);
    return models == null ? EMPTY : models;
  }

  /** Returns a state with these models: the same one where it has them. */
  ClusterState in(ClusterState state) {
    if (equals(of(state))) {
      return state;
    }
    Metadata.Builder metadata = Metadata.builder(state.metadata());
    // Nodes without the plugin cannot read an empty section either.
    return ClusterState.builder(state)
        .metadata(models.isEmpty() ? metadata.removeCustom(TYPE) : metadata.putCustom(TYPE, this))
        .build();
  }

  /** Returns the models' ids, in alphabetical order. */
  public Set<String> ids() {
    return models.keySet();
  }

  /** Returns the models by id, in alphabetical order. */
  Map<String, StoredModel> models() {
    return models;
  }

  /** Returns these models with one more, or another version of one. */
  ModelsMetadata with(StoredModel model) {
    List<StoredModel> all = new ArrayList<>(models.values());
    all.removeIf(other -> other.id().equals(model.id()));
    all.add(model);
    return new ModelsMetadata(all);
  }

  ModelsMetadata without(String id) {
    return new ModelsMetadata(
        models.values().stream().filter(model -> !model.id().equals(id)).toList());
  }

  @Override
  public EnumSet<Metadata.XContentContext> context() {
    return Metadata.API_AND_GATEWAY;
  }

  @Override
  public String getWriteableName() {
    return TYPE;
  }

  @Override
  public Version getMinimalSupportedVersion() {
    return Version.V_3_0_0;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeCollection(models.values());
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startArray("models");
    for (StoredModel model : models.values()) {
      model.toXContent(builder, params);
    }
    return builder.endArray();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ModelsMetadata metadata && models.equals(metadata.models);
  }

  @Override
  public int hashCode() {
    return models.hashCode();
  }

  @Override
  public String toString() {
    return models.toString();
  }
}
