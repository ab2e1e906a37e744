/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.action;

import java.io.IOException;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.tasks.TaskId;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/** Request to encode texts or images by a model. */
public final class EncodeRequest extends ActionRequest {
  /** Items of one request; a longer list belongs into several. */
  static final int MAX_ITEMS = 1000;

  private static final ObjectParser<Body, Void> PARSER = new ObjectParser<>("_encode", Body::new);

  static {
    PARSER.declareStringArray((body, v) -> body.texts = v, new ParseField("text"));
    PARSER.declareFieldArray(
        (body, v) -> body.images = v,
        (parser, context) -> bytes(parser, "[images] holds no base64"),
        new ParseField("images"),
        ObjectParser.ValueType.VALUE_ARRAY);
    PARSER.declareString((body, v) -> body.sensor = v, new ParseField("sensor"));
    PARSER.declareBoolean((body, v) -> body.tokens = v, new ParseField("tokens"));
  }

  /** Fields of a request's body. */
  private static final class Body {
    private List<String> texts;
    private List<byte[]> images;
    private String sensor;
    private boolean tokens;
  }

  private final String model;
  private final List<String> texts;
  private final List<byte[]> images;
  private final String sensor;
  private final boolean tokens;

  private EncodeRequest(
      String model, List<String> texts, List<byte[]> images, String sensor, boolean tokens) {
    this.model = model;
    this.texts = List.copyOf(texts);
    this.images = List.copyOf(images);
    this.sensor = sensor;
    this.tokens = tokens;
  }

  EncodeRequest(StreamInput in) throws IOException {
    super(in);
    model = in.readString();
    texts = in.readStringList();
    images = in.readList(StreamInput::readByteArray);
    sensor = in.readOptionalString();
    tokens = in.readBoolean();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    out.writeString(model);
    out.writeStringCollection(texts);
    out.writeCollection(images, StreamOutput::writeByteArray);
    out.writeOptionalString(sensor);
    out.writeBoolean(tokens);
  }

  /**
   * Reads a body: {@code {"text": [..]}} or {@code {"images": [base64..], "sensor": ".."}}, with
   * {@code "tokens": true} for the token blocks too.
   *
   * @throws IllegalArgumentException unless one of the lists is given and holds 1 to {@value
   *     #MAX_ITEMS} items
   */
  public static EncodeRequest parse(String model, XContentParser parser) throws IOException {
    Body body = PARSER.parse(parser, null);
    if ((body.texts == null) == (body.images == null)) {
      throw new IllegalArgumentException(
          "exactly one of [text] and [images] is needed, got "
              + (body.texts == null ? "none" : "both"));
    }
    int items = body.texts != null ? body.texts.size() : body.images.size();
    if (items < 1 || items > MAX_ITEMS) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] must hold 1 to %d items, got %d",
              body.texts != null ? "text" : "images",
              MAX_ITEMS,
              items));
    }
    if (body.sensor != null && body.images == null) {
      throw new IllegalArgumentException("[sensor] goes with [images] only, got it with [text]");
    }
    return new EncodeRequest(
        model,
        body.texts == null ? List.of() : body.texts,
        body.images == null ? List.of() : body.images,
        body.sensor,
        body.tokens);
  }

  /**
   * Reads the bytes of one value: base64, or plain in CBOR and SMILE.
   *
   * @param refusal begins the message for what is neither
   */
  public static byte[] bytes(XContentParser parser, String refusal) throws IOException {
    if (parser.currentToken() == XContentParser.Token.VALUE_EMBEDDED_OBJECT) {
      return parser.binaryValue();
    }
    try {
      return Base64.getDecoder().decode(parser.text());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(refusal + ": " + e.getMessage(), e);
    }
  }

  @Override
  public EncodingTask createTask(
      long id, String type, String action, TaskId parent, Map<String, String> headers) {
    return new EncodingTask(id, type, action, getDescription(), parent, headers);
  }

  @Override
  public ActionRequestValidationException validate() {
    return null;
  }

  String model() {
    return model;
  }

  /** Returns how many there are to encode. */
  int size() {
    return texts.size() + images.size();
  }

  /** Returns the texts; empty where images are given. */
  List<String> texts() {
    return texts;
  }

  /** Returns the images; empty where texts are given. */
  List<byte[]> images() {
    return images;
  }

  /** Returns the sensor; null where the user named none. */
  String sensor() {
    return sensor;
  }

  /** Returns whether the response has token blocks. */
  boolean tokens() {
    return tokens;
  }
}
