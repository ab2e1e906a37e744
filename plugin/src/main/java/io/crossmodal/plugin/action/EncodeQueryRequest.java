/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.Map;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.action.IndicesRequest;
import org.opensearch.action.support.IndicesOptions;
import org.opensearch.common.unit.TimeValue;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.tasks.TaskId;

/**
 * Request to encode a query: the field, its indices, the source and the time; the field's mapping
 * names the model.
 */
public final class EncodeQueryRequest extends ActionRequest implements IndicesRequest {
  private final String[] indices;
  private final IndicesOptions options;
  private final boolean indicesKnown;
  private final String field;
  private final QuerySource source;
  private final TimeValue timeout;

  /**
   * @param indices as the search names them, unresolved
   * @param timeout the search's own; null where it names none
   */
  public EncodeQueryRequest(
      String[] indices,
      IndicesOptions options,
      String field,
      QuerySource source,
      TimeValue timeout) {
    this(indices, options, true, field, source, timeout);
  }

  private EncodeQueryRequest(
      String[] indices,
      IndicesOptions options,
      boolean indicesKnown,
      String field,
      QuerySource source,
      TimeValue timeout) {
    this.indices = indices.clone();
    this.options = options;
    this.indicesKnown = indicesKnown;
    this.field = field;
    this.source = source;
    this.timeout = timeout;
  }

  /** A request of a query that is rewritten where its indices are unknown. */
  public EncodeQueryRequest(String field, QuerySource source) {
    this(new String[0], IndicesOptions.lenientExpandOpen(), false, field, source, null);
  }

  EncodeQueryRequest(StreamInput in) throws IOException {
    super(in);
    WireFormat.read(in, EncodeQueryAction.NAME);
    indices = in.readStringArray();
    options = IndicesOptions.readIndicesOptions(in);
    indicesKnown = in.readBoolean();
    field = in.readString();
    source = QuerySource.read(in);
    timeout = in.readOptionalTimeValue();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    WireFormat.write(out);
    out.writeStringArray(indices);
    options.writeIndicesOptions(out);
    out.writeBoolean(indicesKnown);
    out.writeString(field);
    source.writeTo(out);
    out.writeOptionalTimeValue(timeout);
  }

  @Override
  public ActionRequestValidationException validate() {
    return null;
  }

  @Override
  public String[] indices() {
    return indices.clone();
  }

  @Override
  public IndicesOptions indicesOptions() {
    return options;
  }

  /** Returns true, as for a search. */
  @Override
  public boolean includeDataStreams() {
    return true;
  }

  boolean indicesKnown() {
    return indicesKnown;
  }

  String field() {
    return field;
  }

  QuerySource source() {
    return source;
  }

  /** Returns the request of one of its sides. */
  EncodeQueryRequest of(QuerySource side) {
    return new EncodeQueryRequest(indices, options, indicesKnown, field, side, timeout);
  }

  /** Returns the search's timeout; null where it names none. */
  TimeValue timeout() {
    return timeout;
  }

  @Override
  public EncodingTask createTask(
      long id, String type, String action, TaskId parent, Map<String, String> headers) {
    return new EncodingTask(id, type, action, getDescription(), parent, headers);
  }
}
