/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import io.crossmodal.model.Messages;
import io.crossmodal.model.bundle.ModelManifest;
import java.io.IOException;
import java.util.Locale;
import java.util.Objects;
import org.opensearch.action.ActionRequest;
import org.opensearch.action.ActionRequestValidationException;
import org.opensearch.core.ParseField;
import org.opensearch.core.common.io.stream.StreamInput;
import org.opensearch.core.common.io.stream.StreamOutput;
import org.opensearch.core.xcontent.ObjectParser;
import org.opensearch.core.xcontent.XContentParser;

/** A bundle, or a part of one. */
public final class UploadModelRequest extends ActionRequest {
  /** Parts of one upload. */
  static final int MAX_PARTS = 10_000;

  private static final ObjectParser<Body, Void> PARSER = new ObjectParser<>("model", Body::new);

  static {
    PARSER.declareField(
        (body, bytes) -> body.bundle = bytes,
        (parser, context) -> bytes(parser),
        new ParseField("bundle"),
        ObjectParser.ValueType.VALUE);
    PARSER.declareString((body, sha256) -> body.sha256 = sha256, new ParseField("sha256"));
  }

  /** Fields of a request's body. */
  private static final class Body {
    private byte[] bundle;
    private String sha256;
  }

  private final String id;
  private final byte[] bytes;
  private final String sha256;
  private final int part;
  private final int parts;

  private UploadModelRequest(String id, byte[] bytes, String sha256, int part, int parts) {
    ModelManifest.checkId(id);
    if (bytes == null || bytes.length == 0) {
      throw new IllegalArgumentException("[bundle] is missing or empty");
    }
    if (sha256 != null && !sha256.matches("[0-9a-f]{64}")) {
      throw new IllegalArgumentException(
          "[sha256] must be 64 hexadecimal digits in lower case, got ["
              + Messages.excerpt(sha256)
              + "]");
    }
    if (parts < 1 || parts > MAX_PARTS) {
      throw new IllegalArgumentException(
          String.format(Locale.ROOT, "[parts] must be from 1 to %d, got %d", MAX_PARTS, parts));
    }
    if (part < 0 || part >= parts) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[part] must be from 0 to parts - 1 = %d, got %d", parts - 1, part));
    }
    this.id = id;
    this.bytes = bytes;
    this.sha256 = sha256;
    this.part = part;
    this.parts = parts;
  }

  UploadModelRequest(StreamInput in) throws IOException {
    super(in);
    id = in.readString();
    bytes = in.readByteArray();
    sha256 = in.readOptionalString();
    part = in.readVInt();
    parts = in.readVInt();
  }

  @Override
  public void writeTo(StreamOutput out) throws IOException {
    super.writeTo(out);
    out.writeString(id);
    out.writeByteArray(bytes);
    out.writeOptionalString(sha256);
    out.writeVInt(part);
    out.writeVInt(parts);
  }

  /**
   * Reads a body: {@code {"bundle": base64 or bytes}}, with {@code "sha256"} of the whole bundle if
   * the sender knows it.
   *
   * @param part from 0; which of the parts the body holds
   * @param parts 1 for a whole bundle
   * @throws IllegalArgumentException naming what is wrong
   */
  public static UploadModelRequest parse(String id, int part, int parts, XContentParser parser)
      throws IOException {
    Body body = PARSER.parse(parser, null);
    return new UploadModelRequest(id, body.bundle, body.sha256, part, parts);
  }

  private static byte[] bytes(XContentParser parser) {
    try {
      return parser.binaryValue();
    } catch (IOException e) {
      // Without its cause, whose message may hold half a character: no answer could repeat that.
      throw new IllegalArgumentException(
          "[bundle] holds no base64, or ends early: " + Messages.excerpt(e.getMessage()));
    }
  }

  @Override
  public ActionRequestValidationException validate() {
    return null;
  }

  String id() {
    return id;
  }

  /** Live. */
  byte[] bytes() {
    return bytes;
  }

  /** Of the whole bundle; null where the sender did not say. */
  String sha256() {
    return sha256;
  }

  int part() {
    return part;
  }

  int parts() {
    return parts;
  }

  /** Returns the upload that this is a part of. */
  ModelRecords.Upload upload() {
    return new ModelRecords.Upload(id, Objects.requireNonNullElse(sha256, ""), parts);
  }
}
