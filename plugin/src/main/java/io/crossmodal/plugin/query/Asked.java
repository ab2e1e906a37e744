/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * What a query side was before it was encoded. Shards have no use for it but to say it in slow logs
 * and messages, where the numbers that they search by would tell nobody anything.
 *
 * @param key the parameter that it came in
 * @param value a text, a document's id, or how large a picture was
 */
public record Asked(String key, String value) implements Writeable, ToXContentFragment {
  public Asked(StreamInput in) throws IOException {
    this(in.readString(), in.readString());
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(key);
    out.writeString(value);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    return builder.field(key, value);
  }
}
