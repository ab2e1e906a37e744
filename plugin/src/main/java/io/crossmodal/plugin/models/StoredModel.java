/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.bundle.ModelManifest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.IntStream;
import org.opensearch.common.compress.CompressedXContent;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ConstructingObjectParser;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.ToXContentObject;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.core.xcontent.XContentParser;

/**
 * A model as the cluster state names it. Its bytes lie in {@link ModelIndex}, in chunks.
 *
 * @param id alias under which the model is served
 * @param version counts from 1 with each upload under this id
 * @param sha256 of the bundle, hexadecimal
 * @param size of the bundle in bytes
 * @param chunkSize bytes of every chunk but the last
 * @param embeddingSpace fingerprint, for nodes that cannot read the manifest
 * @param tokenSpace fingerprint
 * @param manifest the bundle's {@linkplain ModelManifest#brief in brief}, as JSON
 */
public record StoredModel(
    String id,
    long version,
    String sha256,
    long size,
    int chunkSize,
    String embeddingSpace,
    String tokenSpace,
    CompressedXContent manifest)
    implements Writeable, ToXContentObject {
  // Every node holds the cluster state, and each change of it is sent to all.
  private static final int MAX_MANIFEST = 1 << 20;
  private static final int MAX_MANIFEST_BYTES = 64 << 10;

  private static final ConstructingObjectParser<StoredModel, Void> PARSER =
      new ConstructingObjectParser<>(
          "cross_modal_model",
          args ->
              new StoredModel(
                  (String) args[0],
                  (Long) args[1],
                  (String) args[2],
                  (Long) args[3],
                  (Integer) args[4],
                  (String) args[5],
                  (String) args[6],
                  (CompressedXContent) args[7]));

  static {
    PARSER.declareString(ConstructingObjectParser.constructorArg(), new ParseField("id"));
    PARSER.declareLong(ConstructingObjectParser.constructorArg(), new ParseField("version"));
    PARSER.declareString(ConstructingObjectParser.constructorArg(), new ParseField("sha256"));
    PARSER.declareLong(ConstructingObjectParser.constructorArg(), new ParseField("size"));
    PARSER.declareInt(ConstructingObjectParser.constructorArg(), new ParseField("chunk_size"));
    PARSER.declareString(ConstructingObjectParser.constructorArg(), new ParseField("filter_space"));
    PARSER.declareString(ConstructingObjectParser.constructorArg(), new ParseField("token_space"));
    PARSER.declareField(
        ConstructingObjectParser.constructorArg(),
        (parser, context) -> new CompressedXContent(Base64.getDecoder().decode(parser.text())),
        new ParseField("manifest"),
        ObjectParser.ValueType.STRING);
  }

  public StoredModel {
    ModelManifest.checkId(id);
    Objects.requireNonNull(sha256, "sha256");
    Objects.requireNonNull(embeddingSpace, "embeddingSpace");
    Objects.requireNonNull(tokenSpace, "tokenSpace");
    Objects.requireNonNull(manifest, "manifest");
    if (size < 1 || chunkSize < 1 || version < 1) {
      throw new IllegalArgumentException(
          "size, chunkSize and version must be at least 1, got "
              + size
              + ", "
              + chunkSize
              + " and "
              + version);
    }
  }

  StoredModel(StreamInput in) throws IOException {
    this(
        in.readString(),
        in.readVLong(),
        in.readString(),
        in.readVLong(),
        in.readVInt(),
        in.readString(),
        in.readString(),
        CompressedXContent.readCompressedString(in));
  }

  /**
   * Returns the first version of a bundle under an id.
   *
   * @throws IllegalArgumentException when its manifest is too long for the cluster state
   */
  static StoredModel of(
      String id, ModelManifest manifest, String sha256, long size, int chunkSize) {
    CompressedXContent json;
    try {
      json =
          new CompressedXContent(
              new String(manifest.withId(id).brief().toJson(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new IllegalStateException("compressing in memory", e);
    }
    if (json.compressed().length > MAX_MANIFEST_BYTES || json.string().length() > MAX_MANIFEST) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "the cluster state takes a manifest of at most %d bytes, %d packed, without golden"
                  + " outputs and metrics; that of [%s] has %d, %d packed: name fewer sensors, or"
                  + " shorter",
              MAX_MANIFEST,
              MAX_MANIFEST_BYTES,
              id,
              json.string().length(),
              json.compressed().length));
    }
    return new StoredModel(
        id,
        1,
        sha256,
        size,
        chunkSize,
        manifest.fingerprints().embeddingSpace(),
        manifest.fingerprints().tokenSpace(),
        json);
  }

  static StoredModel fromXContent(XContentParser parser) {
    return PARSER.apply(parser, null);
  }

  StoredModel withVersion(long newVersion) {
    return new StoredModel(
        id, newVersion, sha256, size, chunkSize, embeddingSpace, tokenSpace, manifest);
  }

  /** Returns whether embeddings and tokens of both may be mixed. */
  boolean sameSpaces(StoredModel other) {
    return embeddingSpace.equals(other.embeddingSpace) && tokenSpace.equals(other.tokenSpace);
  }

  /** Returns ids of the documents that hold the bundle, in order; the same bundle has the same. */
  List<String> chunks() {
    return IntStream.range(0, Math.toIntExact((size + chunkSize - 1) / chunkSize))
        .mapToObj(i -> "chunk." + sha256 + "." + chunkSize + "." + i)
        .toList();
  }

  /** Returns the manifest's JSON, UTF-8. */
  byte[] manifestJson() {
    return manifest.string().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(id);
    out.writeVLong(version);
    out.writeString(sha256);
    out.writeVLong(size);
    out.writeVInt(chunkSize);
    out.writeString(embeddingSpace);
    out.writeString(tokenSpace);
    manifest.writeTo(out);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    return builder
        .startObject()
        .field("id", id)
        .field("version", version)
        .field("sha256", sha256)
        .field("size", size)
        .field("chunk_size", chunkSize)
        .field("filter_space", embeddingSpace)
        .field("token_space", tokenSpace)
        .field("manifest", Base64.getEncoder().encodeToString(manifest.compressed()))
        .endObject();
  }
}
