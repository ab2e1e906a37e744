/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.ext;

import io.crossmodal.plugin.wire.WireFormat;
import java.io.IOException;
import java.util.List;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.XContentBuilder;
import org.opensearch.search.SearchExtBuilder;

/**
 * The part {@code cross_modal} of a response's {@code ext}: what the search's rescores did. A
 * request cannot contain it.
 */
public final class RescoreReportExt extends SearchExtBuilder {
  /** The name on the wire; in a response it stands under {@link CrossModalExtBuilder#NAME}. */
  public static final String NAME = "cross_modal_reports";

  private final List<RescoreReport> reports;

  RescoreReportExt(List<RescoreReport> reports) {
    this.reports = List.copyOf(reports);
  }

  public RescoreReportExt(StreamInput in) throws IOException {
    WireFormat.read(in, NAME);
    reports = in.readList(RescoreReport::read);
  }

  /** Returns one report for each fusion rescore, in the request's order. */
  public List<RescoreReport> reports() {
    return reports;
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    WireFormat.write(out);
    out.writeList(reports);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder.startObject(CrossModalExtBuilder.NAME).startArray("rescores");
    for (RescoreReport report : reports) {
      report.toXContent(builder, params);
    }
    return builder.endArray().endObject();
  }

  @Override
  public String getWriteableName() {
    return NAME;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof RescoreReportExt ext && reports.equals(ext.reports);
  }

  @Override
  public int hashCode() {
    return reports.hashCode();
  }
}
