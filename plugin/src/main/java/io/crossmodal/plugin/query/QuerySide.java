/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import io.crossmodal.plugin.mapper.Modality;
import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.common.io.stream.Writeable;
import org.opensearch.core.xcontent.ToXContentFragment;
import org.opensearch.core.xcontent.XContentBuilder;

/** The text or the picture that a user searches with, as typed. Immutable. */
public final class QuerySide implements Writeable, ToXContentFragment {
  static final String QUERY_TEXT = "query_text";
  static final String QUERY_IMAGE = "query_image";
  static final String QUERY_ID = "query_id";
  static final String SENSOR = "sensor";

  private final String text;
  private final byte[] image;
  private final String sensor;

  private QuerySide(String text, byte[] image, String sensor) {
    this.text = text;
    this.image = image;
    this.sensor = sensor;
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
    return new QuerySide(text, null, null);
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
    return new QuerySide(null, image, sensor);
  }

  public QuerySide(StreamInput in) throws IOException {
    text = in.readOptionalString();
    image = text == null ? in.readByteArray() : null;
    sensor = in.readOptionalString();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    out.writeOptionalString(text);
    if (text == null) {
      out.writeByteArray(image);
    }
    out.writeOptionalString(sensor);
  }

  @Override
  public XContentBuilder toXContent(XContentBuilder builder, Params params) throws IOException {
    if (text != null) {
      return builder.field(QUERY_TEXT, text);
    }
    builder.field(QUERY_IMAGE, image);
    return sensor == null ? builder : builder.field(SENSOR, sensor);
  }

  public Modality modality() {
    return text != null ? Modality.TEXT : Modality.IMAGE;
  }

  /** The parameter that it came in. */
  public String key() {
    return text != null ? QUERY_TEXT : QUERY_IMAGE;
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

  @Override
  public boolean equals(Object other) {
    return other instanceof QuerySide side
        && Objects.equals(text, side.text)
        && Arrays.equals(image, side.image)
        && Objects.equals(sensor, side.sensor);
  }

  @Override
  public int hashCode() {
    return Objects.hash(text, Arrays.hashCode(image), sensor);
  }
}
