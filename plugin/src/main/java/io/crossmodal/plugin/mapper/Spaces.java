/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import io.crossmodal.model.ModelConfig;
import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.bundle.ModelManifest;
import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.opensearch.core.xcontent.XContentBuilder;

/**
 * The spaces that a field's embeddings and tokens live in, and the shapes they have: all of a model
 * that is needed to store and to search, but not to encode. A mapping keeps it from the day it is
 * made, so that the field outlives whatever happens to the model's name.
 *
 * @param embedding fingerprint of the embeddings' space, 64 hexadecimal digits
 * @param tokens fingerprint of the tokens' space, 64 hexadecimal digits
 * @param dimension D, values of an embedding
 * @param hidden H, values of a token; of an image's too, unless the next says otherwise
 * @param imageHidden T, values of an image's token, at most H
 * @param textTokens most tokens of a text; 0 where the model encodes images alone
 * @param imageTokens M, tokens of an image, by sensor
 */
public record Spaces(
    String embedding,
    String tokens,
    int dimension,
    int hidden,
    int imageHidden,
    int textTokens,
    Map<String, Integer> imageTokens) {
  private static final String FINGERPRINT = "[0-9a-f]{64}";

  // Far above any model that can be served. What a mapping says is believed where the model is
  // unknown, and a document's memory follows from it.
  private static final int MAX_EXTENT = 16_384;
  private static final int MAX_SENSORS = 256;
  private static final long MAX_BLOCK = 1L << 24;

  public Spaces {
    fingerprint("filter", embedding);
    fingerprint("tokens", tokens);
    bounded("dimension", dimension, 1, KnnVectorsFormat.DEFAULT_MAX_DIMENSIONS);
    bounded("hidden", hidden, 1, MAX_EXTENT);
    bounded("image_hidden", imageHidden, 1, hidden);
    bounded("text_tokens", textTokens, 0, MAX_EXTENT);
    Objects.requireNonNull(imageTokens, "image_tokens");
    if (imageTokens.isEmpty()) {
      throw new IllegalArgumentException("[spaces.image_tokens] must name at least one sensor");
    }
    bounded("image_tokens (sensors)", imageTokens.size(), 1, MAX_SENSORS);
    for (Map.Entry<String, Integer> count : imageTokens.entrySet()) {
      String name = "image_tokens." + Messages.excerpt(count.getKey());
      bounded(name, count.getValue(), 1, MAX_EXTENT);
      if ((long) count.getValue() * hidden > MAX_BLOCK) {
        throw new IllegalArgumentException(
            String.format(
                Locale.ROOT,
                "[spaces.%s] times [spaces.hidden] must be at most %d, got %d times %d",
                name,
                MAX_BLOCK,
                count.getValue(),
                hidden));
      }
    }
    imageTokens = Collections.unmodifiableMap(new TreeMap<>(imageTokens));
  }

  /** Returns those of a model. */
  public static Spaces of(ModelManifest model) {
    ModelConfig config = model.config();
    Map<String, Integer> imageTokens = new TreeMap<>();
    for (SensorConfig sensor : config.sensors()) {
      imageTokens.put(sensor.name(), config.imageTokens(sensor));
    }
    return new Spaces(
        model.fingerprints().embeddingSpace(),
        model.fingerprints().tokenSpace(),
        config.embeddingDimension(),
        config.hidden(),
        config.tokenWidth(),
        config.hasText() ? config.text().maxTokens() : 0,
        imageTokens);
  }

  /**
   * Reads what {@link #toXContent} wrote.
   *
   * @throws IllegalArgumentException naming what is missing or wrong
   */
  static Spaces parse(Object value) {
    if (!(value instanceof Map<?, ?> map)) {
      throw new IllegalArgumentException(
          "[spaces] must be an object, got [" + Messages.excerpt(value) + "]");
    }
    Map<String, Object> rest = new LinkedHashMap<>();
    map.forEach((key, entry) -> rest.put(String.valueOf(key), entry));
    Object sensors = rest.remove("image_tokens");
    if (!(sensors instanceof Map<?, ?> counts)) {
      throw new IllegalArgumentException(
          "[spaces.image_tokens] must be an object, got [" + Messages.excerpt(sensors) + "]");
    }
    Map<String, Integer> imageTokens = new TreeMap<>();
    counts.forEach(
        (sensor, count) ->
            imageTokens.put(String.valueOf(sensor), integer("image_tokens." + sensor, count)));
    int dimension = integer("dimension", rest.remove("dimension"));
    int hidden = integer("hidden", rest.remove("hidden"));
    Spaces spaces =
        new Spaces(
            String.valueOf(rest.remove("filter")),
            String.valueOf(rest.remove("tokens")),
            dimension,
            hidden,
            rest.containsKey("image_hidden")
                ? integer("image_hidden", rest.remove("image_hidden"))
                : hidden,
            integer("text_tokens", rest.remove("text_tokens")),
            imageTokens);
    if (!rest.isEmpty()) {
      throw new IllegalArgumentException(
          "[spaces] does not take " + Messages.excerpt(rest.keySet()));
    }
    return spaces;
  }

  void toXContent(XContentBuilder builder, String name) throws IOException {
    builder
        .startObject(name)
        .field("filter", embedding)
        .field("tokens", tokens)
        .field("dimension", dimension)
        .field("hidden", hidden);
    if (imageHidden != hidden) {
      builder.field("image_hidden", imageHidden);
    }
    builder.field("text_tokens", textTokens).field("image_tokens", imageTokens).endObject();
  }

  /**
   * Returns the sensor that a picture is read with.
   *
   * @param given as the user names it; null for none
   * @throws IllegalArgumentException when there is no such sensor, or there are several and none is
   *     named
   */
  public String sensor(String given) {
    if (given != null && !imageTokens.containsKey(given)) {
      throw new IllegalArgumentException(
          "unknown sensor ["
              + Messages.excerpt(given)
              + "], this model has "
              + imageTokens.keySet());
    }
    if (given == null && imageTokens.size() > 1) {
      throw new IllegalArgumentException(
          "[sensor] is missing, this model has " + imageTokens.keySet());
    }
    return given == null ? imageTokens.keySet().iterator().next() : given;
  }

  /**
   * Refuses spaces that name a model's own and give them other shapes. Nobody has to write spaces;
   * who does is believed only where the model is unknown or is another one by now.
   *
   * @param id of the model, for the message
   * @throws IllegalArgumentException when the fingerprints are the model's and the rest is not
   */
  void checkAgainst(String id, ModelManifest model) {
    if (match(model) && !equals(of(model))) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[spaces] has the fingerprints of model [%s] and other shapes, %s instead of %s:"
                  + " leave [spaces] out, it is taken from the model",
              id,
              Messages.excerpt(shapes()),
              of(model).shapes()));
    }
  }

  private String shapes() {
    return String.format(
        Locale.ROOT,
        "[dimension] %d, [hidden] %d, [image_hidden] %d, [text_tokens] %d, [image_tokens] %s",
        dimension,
        hidden,
        imageHidden,
        textTokens,
        imageTokens);
  }

  /** Returns whether a model's embeddings and tokens may be mixed with those in these spaces. */
  public boolean match(ModelManifest model) {
    return embedding.equals(model.fingerprints().embeddingSpace())
        && tokens.equals(model.fingerprints().tokenSpace());
  }

  private static void fingerprint(String name, String value) {
    if (value == null || !value.matches(FINGERPRINT)) {
      throw new IllegalArgumentException(
          "[spaces."
              + name
              + "] must be 64 hexadecimal digits, got ["
              + Messages.excerpt(value)
              + "]");
    }
  }

  private static void bounded(String name, int value, int least, int most) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT, "[spaces.%s] must be from %d to %d, got %d", name, least, most, value));
    }
  }

  private static int integer(String name, Object value) {
    if (!(value instanceof Number number) || number.intValue() != number.doubleValue()) {
      throw new IllegalArgumentException(
          "[spaces."
              + Messages.excerpt(name)
              + "] must be an integer, got ["
              + Messages.excerpt(value)
              + "]");
    }
    return number.intValue();
  }
}
