/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import io.crossmodal.model.image.Stretch;
import io.crossmodal.plugin.inference.encoding.PictureOptions;
import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/** Source of a query: what a request searches by, before it is encoded. Immutable. */
public sealed interface QuerySource extends Writeable, ToXContentFragment
    permits QuerySource.Text, QuerySource.Image, QuerySource.Document, Sides {
  String QUERY_TEXT = "query_text";
  String QUERY_IMAGE = "query_image";
  String QUERY_ID = "query_id";
  String QUERY_FIELD = "query_field";
  String INDEX = "index";
  String ROUTING = "routing";
  String SENSOR = "sensor";
  String STRETCH = "stretch";
  String PROMPT = "prompt";

  /** Returns the request's parameter that holds it. */
  default String key() {
    return label().key();
  }

  /** Returns what stands for it once it is encoded. */
  Label label();

  /** Reads what {@link #writeTo} wrote. */
  static QuerySource read(StreamInput in) throws IOException {
    byte kind = in.readByte();
    return switch (kind) {
      case Text.KIND -> new Text(in.readString(), in.readBoolean());
      case Image.KIND -> new Image(in);
      case Document.KIND -> new Document(in);
      case Sides.KIND -> new Sides(in);
      default -> throw new IOException("a query source has no kind [" + kind + "]");
    };
  }

  /**
   * The short form of an encoded source. Shards repeat it in slow logs and messages, where the
   * numbers that they search by would say nothing.
   *
   * @param key the request's parameter
   * @param value a text, a document's id, or how large an image was
   */
  record Label(String key, String value) implements Writeable, ToXContentFragment {
    public Label(StreamInput in) throws IOException {
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

  /**
   * A text as typed.
   *
   * @param text not blank
   * @param prompt whether it is put into the model's prompts, where it has any
   */
  record Text(String text, boolean prompt) implements QuerySource {
    private static final byte KIND = 0;

    /**
     * @throws IllegalArgumentException when the text is blank
     */
    public Text {
      if (text.isBlank()) {
        throw new IllegalArgumentException("[" + QUERY_TEXT + "] must not be empty");
      }
    }

    /** A text that is put into the model's prompts. */
    public Text(String text) {
      this(text, true);
    }

    @Override
    public Label label() {
      return new Label(QUERY_TEXT, text);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeString(text);
      out.writeBoolean(prompt);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      builder.field(QUERY_TEXT, text);
      return prompt ? builder : builder.field(PROMPT, false);
    }
  }

  /**
   * An image as sent.
   *
   * @param bytes a JPEG, PNG or TIFF file; kept, not copied
   * @param sensor null for the only one of the model
   * @param stretch which measured values are black and white; empty: the field's
   */
  @SuppressWarnings("ArrayRecordComponent") // compared by content below
  record Image(byte[] bytes, String sensor, Optional<Stretch> stretch) implements QuerySource {
    private static final byte KIND = 1;

    /**
     * @throws IllegalArgumentException when there are no bytes
     */
    public Image {
      if (bytes.length == 0) {
        throw new IllegalArgumentException("[" + QUERY_IMAGE + "] must not be empty");
      }
      PictureOptions.checkValues(stretch);
    }

    /** An image that is read by the field's stretch. */
    public Image(byte[] bytes, String sensor) {
      this(bytes, sensor, Optional.empty());
    }

    private Image(StreamInput in) throws IOException {
      this(
          in.readByteArray(),
          in.readOptionalString(),
          Optional.ofNullable(in.readOptionalString()).map(Stretch::of));
    }

    /**
     * Returns an image whose stretch is typed.
     *
     * @param stretch such as {@code 0:3000}; null for the field's
     * @throws IllegalArgumentException when it is no stretch of values
     */
    public static Image typed(byte[] bytes, String sensor, String stretch) {
      return new Image(bytes, sensor, Optional.ofNullable(stretch).map(Stretch::of));
    }

    @Override
    public Label label() {
      return new Label(QUERY_IMAGE, "picture of " + bytes.length + " bytes");
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeByteArray(bytes);
      out.writeOptionalString(sensor);
      out.writeOptionalString(stretch.map(Stretch::toString).orElse(null));
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      builder.field(QUERY_IMAGE, bytes);
      if (stretch.isPresent()) {
        builder.field(STRETCH, stretch.get().toString());
      }
      return sensor == null ? builder : builder.field(SENSOR, sensor);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Image image
          && Arrays.equals(bytes, image.bytes)
          && Objects.equals(sensor, image.sensor)
          && stretch.equals(image.stretch);
    }

    @Override
    public int hashCode() {
      return Objects.hash(Arrays.hashCode(bytes), sensor, stretch);
    }
  }

  /**
   * A document whose field was encoded when it was indexed.
   *
   * @param id not empty
   * @param index null for the only one that is searched
   * @param field null for the field that is searched
   * @param routing the document's own; null for none
   */
  record Document(String id, String index, String field, String routing) implements QuerySource {
    private static final byte KIND = 2;

    /**
     * @throws IllegalArgumentException when the id is empty
     */
    public Document {
      if (id.isEmpty()) {
        throw new IllegalArgumentException("[" + QUERY_ID + "] must not be empty");
      }
    }

    /** A document without a routing. */
    public Document(String id, String index, String field) {
      this(id, index, field, null);
    }

    private Document(StreamInput in) throws IOException {
      this(
          in.readString(),
          in.readOptionalString(),
          in.readOptionalString(),
          in.readOptionalString());
    }

    @Override
    public Label label() {
      return new Label(QUERY_ID, id);
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeByte(KIND);
      out.writeString(id);
      out.writeOptionalString(index);
      out.writeOptionalString(field);
      out.writeOptionalString(routing);
    }

    @Override
    public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
      builder.field(QUERY_ID, id);
      if (index != null) {
        builder.field(INDEX, index);
      }
      if (routing != null) {
        builder.field(ROUTING, routing);
      }
      return field == null ? builder : builder.field(QUERY_FIELD, field);
    }
  }
}
