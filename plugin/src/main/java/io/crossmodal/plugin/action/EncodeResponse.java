/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import java.io.IOException;
import java.util.List;
import org.opensearch.core.action.ActionResponse;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentObject;
import org.opensearch.core.xcontent.XContentBuilder;

/** One outcome per item, in the order of the request; an item that fails, fails alone. */
public final class EncodeResponse extends ActionResponse implements ToXContentObject {
  /**
   * An outcome.
   *
   * @param embedding D values; empty where the item failed
   * @param tokens a block as documents take it; null where none was asked for
   * @param notice what the user should know although it was encoded; empty for nothing
   * @param error why it was not encoded; empty where it was
   */
  @SuppressWarnings("ArrayRecordComponent") // written out, never compared
  record Item(float[] embedding, byte[] tokens, String notice, String error) implements Writeable {
    private Item(StreamInput in) throws IOException {
      this(
          in.readFloatArray(),
          in.readBoolean() ? in.readByteArray() : null,
          in.readString(),
          in.readString());
    }

    static Item failed(String error) {
      return new Item(new float[0], null, "", error);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeFloatArray(embedding);
      out.writeBoolean(tokens != null);
      if (tokens != null) {
        out.writeByteArray(tokens);
      }
      out.writeString(notice);
      out.writeString(error);
    }
  }

  private final String model;
  private final List<Item> items;

  EncodeResponse(String model, List<Item> items) {
    this.model = model;
    this.items = List.copyOf(items);
  }

  EncodeResponse(StreamInput in) throws IOException {
    super(in);
    model = in.readString();
    items = in.readList(Item::new);
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeString(model);
    out.writeList(items);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    builder
        .startObject()
        .field("model", model)
        .field("errors", items.stream().anyMatch(item -> !item.error().isEmpty()))
        .startArray("items");
    for (Item item : items) {
      builder.startObject();
      if (!item.error().isEmpty()) {
        builder.field("error", item.error());
      } else {
        builder.array("embedding", item.embedding());
        if (item.tokens() != null) {
          builder.field("tokens", item.tokens());
        }
        if (!item.notice().isEmpty()) {
          builder.field("notice", item.notice());
        }
      }
      builder.endObject();
    }
    return builder.endArray().endObject();
  }
}
