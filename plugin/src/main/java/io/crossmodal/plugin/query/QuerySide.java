/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/** The text, the picture or the document that a user searches with, as typed. Immutable. */
public final class QuerySide implements Writeable, ToXContentFragment {
  static final String QUERY_TEXT = "query_text";
  static final String QUERY_IMAGE = "query_image";
  static final String QUERY_ID = "query_id";
  static final String QUERY_FIELD = "query_field";
  static final String INDEX = "index";
  static final String ROUTING = "routing";
  static final String SENSOR = "sensor";

  private final String text;
  private final byte[] image;
  private final String sensor;
  private final Document document;

  /**
   * A document whose field was encoded before.
   *
   * @param index null where one index is searched, which is meant then
   * @param field null for the field that is searched
   * @param routing as the document was indexed with; null for none
   */
  record Document(String id, String index, String field, String routing) implements Writeable {
    Document {
      if (id.isEmpty()) {
        throw new IllegalArgumentException("[" + QUERY_ID + "] must not be empty");
      }
    }

    private Document(StreamInput in) throws IOException {
      this(
          in.readString(),
          in.readOptionalString(),
          in.readOptionalString(),
          in.readOptionalString());
    }

    @Override
    public void writeTo(StreamOutput out) throws IOException {
      out.writeString(id);
      out.writeOptionalString(index);
      out.writeOptionalString(field);
      out.writeOptionalString(routing);
    }
  }

  private QuerySide(String text, byte[] image, String sensor, Document document) {
    this.text = text;
    this.image = image;
    this.sensor = sensor;
    this.document = document;
  }

  /**
   * A text as typed.
   *
   * @throws IllegalArgumentException when the text is blank
   */
  public static QuerySide text(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("[" + QUERY_TEXT + "] must not be empty");
    }
    return new QuerySide(text, null, null, null);
  }

  /**
   * A picture as sent.
   *
   * @param image a JPEG, PNG or TIFF file; kept, not copied
   * @param sensor null where the model has but one
   */
  public static QuerySide image(byte[] image, String sensor) {
    if (image.length == 0) {
      throw new IllegalArgumentException("[" + QUERY_IMAGE + "] must not be empty");
    }
    return new QuerySide(null, image, sensor, null);
  }

  /**
   * A document's own embedding and tokens.
   *
   * @param index null where one index is searched, which is meant then
   * @param field null for the field that is searched
   * @throws IllegalArgumentException when the id is empty
   */
  public static QuerySide document(String id, String index, String field) {
    return document(id, index, field, null);
  }

  /**
   * The embedding and tokens of a document that was indexed with a routing.
   *
   * @param index null where one index is searched, which is meant then
   * @param field null for the field that is searched
   * @param routing null for none
   * @throws IllegalArgumentException when the id is empty
   */
  public static QuerySide document(String id, String index, String field, String routing) {
    return new QuerySide(null, null, null, new Document(id, index, field, routing));
  }

  public QuerySide(StreamInput in) throws IOException {
    text = in.readOptionalString();
    document = in.readOptionalWriteable(Document::new);
    image = text == null && document == null ? in.readByteArray() : null;
    sensor = in.readOptionalString();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeOptionalString(text);
    out.writeOptionalWriteable(document);
    if (text == null && document == null) {
      out.writeByteArray(image);
    }
    out.writeOptionalString(sensor);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    if (text != null) {
      return builder.field(QUERY_TEXT, text);
    }
    if (document != null) {
      builder.field(QUERY_ID, document.id());
      if (document.index() != null) {
        builder.field(INDEX, document.index());
      }
      if (document.routing() != null) {
        builder.field(ROUTING, document.routing());
      }
      return document.field() == null ? builder : builder.field(QUERY_FIELD, document.field());
    }
    builder.field(QUERY_IMAGE, image);
    return sensor == null ? builder : builder.field(SENSOR, sensor);
  }

  /** The parameter that it came in. */
  public String key() {
    return asked().key();
  }

  /** What is said of it once it is encoded. */
  public Asked asked() {
    if (text != null) {
      return new Asked(QUERY_TEXT, text);
    }
    return document != null
        ? new Asked(QUERY_ID, document.id())
        : new Asked(QUERY_IMAGE, "picture of " + image.length + " bytes");
  }

  String text() {
    return text;
  }

  byte[] image() {
    return image;
  }

  String sensor() {
    return sensor;
  }

  Document document() {
    return document;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof QuerySide side
        && Objects.equals(text, side.text)
        && Arrays.equals(image, side.image)
        && Objects.equals(sensor, side.sensor)
        && Objects.equals(document, side.document);
  }

  @Override
  public int hashCode() {
    return Objects.hash(text, Arrays.hashCode(image), sensor, document);
  }
}
