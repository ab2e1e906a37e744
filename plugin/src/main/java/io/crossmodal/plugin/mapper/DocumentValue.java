/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import io.crossmodal.model.tokens.StoredTokens;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenEncoding;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.plugin.inference.encoding.QueryInput;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The value of a {@code cross_modal} field in one document, checked against the field. Read the
 * same way by the ingest processor, which completes it, and by the mapper, which stores it.
 */
public final class DocumentValue {
  public static final String BYTES = "bytes";
  public static final String TEXT = "text";
  public static final String SENSOR = "sensor";
  public static final String EMBEDDING = "embedding";
  public static final String TOKENS = "tokens";
  public static final String ENCODED_FROM = "encoded_from";

  /** A JPEG for people, base64: in the source alone, neither indexed nor rebuilt. */
  public static final String THUMBNAIL = "thumbnail";

  private static final Set<String> IMAGE_KEYS =
      Set.of(BYTES, SENSOR, EMBEDDING, TOKENS, ENCODED_FROM, THUMBNAIL);
  private static final Set<String> TEXT_KEYS = Set.of(TEXT, EMBEDDING, TOKENS, ENCODED_FROM);

  private final FieldDefinition field;
  private final QueryInput content;
  private final String sensor;
  private final float[] embedding;
  private final byte[] tokens;
  private final EncodedFrom encodedFrom;
  private final String thumbnail;

  /**
   * @param value the field's value as a map of JSON, CBOR or SMILE
   * @throws IllegalArgumentException naming the key, what came and what is accepted
   */
  public DocumentValue(FieldDefinition field, Map<String, Object> value) {
    this.field = field;
    Set<String> accepted = field.modality() == Modality.IMAGE ? IMAGE_KEYS : TEXT_KEYS;
    for (String key : value.keySet()) {
      if (!accepted.contains(key)) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "unknown key [%s], a field of modality %s takes %s",
                Messages.excerpt(key),
                field.modality().key(),
                accepted.stream().sorted().toList()));
      }
    }
    this.sensor = SourceKeys.string(SENSOR, value.get(SENSOR));
    field.checkSpaces();
    this.content = content(field, value);
    Object vector = value.get(EMBEDDING);
    this.embedding =
        vector == null
            ? null
            : Embeddings.unit(
                EMBEDDING,
                SourceKeys.floats(EMBEDDING, vector, field.spaces().dimension()),
                field.spaces().dimension());
    Object block = value.get(TOKENS);
    this.tokens = block == null ? null : checkedBlock(SourceKeys.binary(TOKENS, block));
    String mark = SourceKeys.string(ENCODED_FROM, value.get(ENCODED_FROM));
    this.encodedFrom = mark == null ? null : EncodedFrom.parse(mark);
    this.thumbnail = SourceKeys.string(THUMBNAIL, value.get(THUMBNAIL));
    if (thumbnail != null && !hasThumbnails()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] is made of [%s] where the field's mapping has [%s] with a number of pixels,"
                  + " such as 192; this one's has none: leave the key out",
              THUMBNAIL,
              BYTES,
              FieldDefinition.THUMBNAIL));
    }
  }

  private boolean hasThumbnails() {
    return field.pictures().thumbnails().wanted();
  }

  private static QueryInput content(FieldDefinition field, Map<String, Object> value) {
    Spaces spaces = field.spaces();
    String text = SourceKeys.string(TEXT, value.get(TEXT));
    if (text != null) {
      return new QueryInput.Text(text);
    }
    String sensor = SourceKeys.string(SENSOR, value.get(SENSOR));
    Object bytes = value.get(BYTES);
    if (bytes == null) {
      if (sensor != null) {
        spaces.sensor(sensor);
      }
      return null;
    }
    return new QueryInput.Image(
        spaces.sensor(sensor), SourceKeys.binary(BYTES, bytes), field.pictures());
  }

  /**
   * Returns the sensor of an image, where that is not the model's only one.
   *
   * @throws IllegalArgumentException when the value names none of several
   */
  public Optional<String> storedSensor() {
    return field.modality() == Modality.IMAGE && field.spaces().imageTokens().size() > 1
        ? Optional.of(field.spaces().sensor(sensor))
        : Optional.empty();
  }

  /** Returns the picture or text that the value was or is to be made from. */
  public Optional<QueryInput> content() {
    return Optional.ofNullable(content);
  }

  /**
   * Returns whether the ingest processor has to encode the content: it is there, and embedding,
   * tokens or a thumbnail that the field wants are not, or are those of an older content or another
   * model.
   *
   * @throws IllegalArgumentException when the value has both a content and an embedding of the user
   */
  public boolean needsEncoding() {
    if (content == null) {
      return false;
    }
    if (encodedFrom == null) {
      if (embedding != null || tokens != null) {
        throw contentAndEmbedding();
      }
      return true;
    }
    if (encodedFrom.isOtherEmbedding(embedding) || encodedFrom.isOtherTokens(tokens)) {
      throw contentAndEmbedding();
    }
    boolean complete = embedding != null && (tokens != null || field.tokens() == TokenStorage.NONE);
    return !complete
        || (hasThumbnails() && thumbnail == null)
        || !content.digest().equals(encodedFrom.content())
        || !encodedFrom.matches(field.spaces());
  }

  private IllegalArgumentException contentAndEmbedding() {
    return new IllegalArgumentException(
        String.format(
            Locale.ROOT,
            "give either [%s] or [%s] with [%s], got both: what is encoded from one picture or text"
                + " must not stand beside another; to replace it in an update, send null for what"
                + " the document has of [%s], [%s] and [%s]",
            contentKey(),
            EMBEDDING,
            TOKENS,
            contentKey(),
            TOKENS,
            ENCODED_FROM));
  }

  /** Returns whether there is an embedding, which {@link #storedEmbedding} may still refuse. */
  public boolean encoded() {
    return embedding != null;
  }

  /**
   * Returns the mark that belongs beside what {@link #storedEmbedding} and {@link #storedTokens}
   * give.
   */
  public String mark() {
    boolean same = encodedFrom != null && !encodedFrom.isOtherEmbedding(embedding);
    return EncodedFrom.of(
            same ? encodedFrom.content() : null,
            field.spaces(),
            embedding,
            storedTokens().orElse(null))
        .toString();
  }

  /**
   * Returns the mark that belongs beside what the content was encoded to.
   *
   * @param vector as it is stored
   * @param block as it is stored; null for none
   */
  public String mark(float[] vector, byte[] block) {
    return EncodedFrom.of(content.digest(), field.spaces(), vector, block).toString();
  }

  /**
   * Returns the embedding, ready to be stored: D values, unit length.
   *
   * @throws IllegalArgumentException when the value has not been encoded, or not from this content
   *     or by this model, or belongs to other tokens
   */
  public float[] storedEmbedding() {
    if (embedding == null) {
      throw new IllegalArgumentException(
          content == null
              ? String.format(
                  Locale.ROOT,
                  encodedFrom == null
                      ? "neither [%s] nor [%s] is given"
                      : "neither [%s] nor [%s] is given beside [encoded_from]: hits and GETs leave"
                          + " embeddings out; ask for the document with [_source] true to write it"
                          + " again, or change it with [_update]",
                  contentKey(),
                  EMBEDDING)
              : notEncoded());
    }
    if (encodedFrom != null) {
      checkMark();
    }
    return embedding;
  }

  private String notEncoded() {
    return String.format(
        Locale.ROOT,
        "[%s] was not encoded on the way in: the mapping must name the field before the document"
            + " comes, which a dynamic template does not; what the script of a bulk's update or"
            + " upsert writes comes too late, send that to [_update], or without a script; at least"
            + " one node must have the role ingest, and the setting"
            + " [cluster.ingest.system_pipeline_enabled] must be true; or give an [%s] made"
            + " beforehand",
        contentKey(),
        EMBEDDING);
  }

  private void checkMark() {
    boolean otherEmbedding = encodedFrom.isOtherEmbedding(embedding);
    boolean otherTokens = encodedFrom.isOtherTokens(tokens);
    if (content != null) {
      if (otherEmbedding || otherTokens || encodedFrom.content() == null) {
        throw contentAndEmbedding();
      }
      if (!content.digest().equals(encodedFrom.content())) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[%s] or [%s] was changed where it could not be encoded again, as by a script or a"
                    + " partial update of the sensor: send the whole value without [%s], [%s] and"
                    + " [%s]",
                contentKey(),
                SENSOR,
                EMBEDDING,
                TOKENS,
                ENCODED_FROM));
      }
    } else if (tokens != null && otherEmbedding != otherTokens) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] and [%s] do not belong together: one was changed and the other was not; send"
                  + " both, or null for the one that is not known",
              EMBEDDING,
              TOKENS));
    }
    if (!otherEmbedding && !encodedFrom.matches(field.spaces())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] was made by another model than the field's, [%s]: send [%s] to have it"
                  + " encoded",
              EMBEDDING,
              field.modelId(),
              contentKey()));
    }
  }

  /**
   * Returns the token block as the field stores it; empty where there is none or the field stores
   * none.
   */
  public Optional<byte[]> storedTokens() {
    if (tokens == null) {
      return Optional.empty();
    }
    TokenBlockFormat.Header header = TokenBlockFormat.header(tokens, 0, tokens.length);
    return field
        .tokens()
        .encoding()
        .map(
            encoding ->
                header.encoding() == encoding && header.pooling() == field.tokenPooling()
                    ? tokens
                    : converted(header, encoding));
  }

  private byte[] converted(TokenBlockFormat.Header header, TokenEncoding encoding) {
    int pooling = field.tokenPooling();
    TokenBlock block = TokenBlockFormat.read(tokens, 0, tokens.length);
    return TokenBlockFormat.write(
        header.pooling() == pooling ? block : TokenPooling.pool(block, pooling),
        encoding,
        field.spaces().tokens(),
        pooling);
  }

  private String contentKey() {
    return field.modality() == Modality.IMAGE ? BYTES : TEXT;
  }

  private byte[] checkedBlock(byte[] bytes) {
    TokenBlockFormat.Header header = TokenBlockFormat.header(bytes, 0, bytes.length);
    if (!header.matches(field.spaces().tokens())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] is a block of another model: its token space is [%s], that of [%s] is [%s]",
              TOKENS,
              header.fingerprint(),
              field.modelId(),
              field.spaces().tokens()));
    }
    if (header.pooling() != 1 && header.pooling() != field.tokenPooling()) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] are pooled by %d, the field's [token_pooling] is %d: give them pooled as the"
                  + " field's, or not pooled",
              TOKENS,
              header.pooling(),
              field.tokenPooling()));
    }
    boolean rightCount =
        field.modality() == Modality.TEXT
            ? header.count() <= field.spaces().textTokens()
            : field.spaces().imageTokens().values().stream()
                .anyMatch(count -> TokenPooling.count(count, header.pooling()) == header.count());
    if (header.hidden() != field.tokenWidth() || !rightCount) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] holds %d tokens of %d values, which model [%s] does not make for modality %s",
              TOKENS,
              header.count(),
              header.hidden(),
              field.modelId(),
              field.modality().key()));
    }
    // Refuses what is not finite; better now than when a search meets it.
    StoredTokens.of(bytes, 0, bytes.length);
    return bytes;
  }
}
