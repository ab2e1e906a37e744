/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import java.io.IOException;
import java.util.List;
import org.opensearch.common.xcontent.StatusToXContentObject;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.rest.RestStatus;
import org.opensearch.core.xcontent.XContentBuilder;

/** Result of an upload: a version of a model, or a wait for the parts that are missing. */
public final class UploadModelResponse extends ActionResponse implements StatusToXContentObject {
  private final String id;
  private final StoredModel model;
  private final boolean created;
  private final List<Integer> missing;

  private UploadModelResponse(
      String id, StoredModel model, boolean created, List<Integer> missing) {
    this.id = id;
    this.model = model;
    this.created = created;
    this.missing = List.copyOf(missing);
  }

  /**
   * Returns the response to a whole upload.
   *
   * @param created false where the same bundle was there before
   */
  static UploadModelResponse complete(StoredModel model, boolean created) {
    return new UploadModelResponse(model.id(), model, created, List.of());
  }

  /**
   * Returns the response to an upload that is not whole yet.
   *
   * @param missing numbers of the parts to come
   */
  static UploadModelResponse incomplete(String id, List<Integer> missing) {
    return new UploadModelResponse(id, null, false, missing);
  }

  UploadModelResponse(StreamInput in) throws IOException {
    super(in);
    id = in.readString();
    model = in.readOptionalWriteable(StoredModel::new);
    created = in.readBoolean();
    missing = in.readList(StreamInput::readVInt);
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(id);
    out.writeOptionalWriteable(model);
    out.writeBoolean(created);
    out.writeCollection(missing, StreamOutput::writeVInt);
  }

  @Override
  public RestStatus status() {
    return model == null ? RestStatus.ACCEPTED : RestStatus.OK;
  }

  /** Returns the version's number, which counts from 1; 0 while parts are missing. */
  public long version() {
    return model == null ? 0 : model.version();
  }

  public boolean created() {
    return created;
  }

  /** Numbers of the parts to come; empty for a whole upload. */
  public List<Integer> missing() {
    return missing;
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject().field("id", id);
    if (model == null) {
      return builder.field("missing_parts", missing).endObject();
    }
    return builder
        .field("version", model.version())
        .field("created", created)
        .field("sha256", model.sha256())
        .field("size_in_bytes", model.size())
        .startObject("fingerprints")
        .field("filter_space", model.embeddingSpace())
        .field("token_space", model.tokenSpace())
        .endObject()
        .endObject();
  }
}
