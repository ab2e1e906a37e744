/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.Messages;
import io.crossmodal.model.SensorCalibration;
import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.model.image.Stretch;
import io.crossmodal.model.image.Thumbnails;
import io.crossmodal.model.inference.registry.ModelCatalog;
import io.crossmodal.model.tokens.TokenBlock;
import io.crossmodal.model.tokens.TokenBlockFormat;
import io.crossmodal.model.tokens.TokenPooling;
import io.crossmodal.plugin.inference.encoding.PictureOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Definition of one field in a mapping, as far as others than the mapper need it.
 *
 * @param path full name of the field
 * @param modelId id of the field's model
 * @param spaces those that the field keeps to
 * @param modality what documents hold
 * @param tokens how tokens are stored
 * @param tokenPooling side of the squares of patches that are stored as one token; 1: each patch
 * @param pictures how picture files are read, and what else is made of them
 * @param catalog where the model is looked up
 */
public record FieldDefinition(
    String path,
    String modelId,
    Spaces spaces,
    Modality modality,
    TokenStorage tokens,
    int tokenPooling,
    PictureOptions pictures,
    ModelCatalog catalog) {
  static final String TOKEN_POOLING = "token_pooling";
  static final String STRETCH = "stretch";
  static final String THUMBNAIL = "thumbnail";

  public FieldDefinition {
    Objects.requireNonNull(path, "path");
    Objects.requireNonNull(modelId, "modelId");
    Objects.requireNonNull(spaces, "spaces");
    Objects.requireNonNull(modality, "modality");
    Objects.requireNonNull(tokens, "tokens");
    Objects.requireNonNull(pictures, "pictures");
    Objects.requireNonNull(catalog, "catalog");
    if (modality == Modality.TEXT && !pictures.equals(PictureOptions.PLAIN)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] and [%s] are for fields of modality %s, this one is of %s",
              STRETCH,
              THUMBNAIL,
              Modality.IMAGE.key(),
              modality.key()));
    }
    if (modality == Modality.TEXT && spaces.textTokens() == 0) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[modality] %s needs a model that knows text, [%s] encodes images of %s",
              modality.key(),
              modelId,
              spaces.imageTokens().keySet()));
    }
    try {
      spaces.imageTokens().values().forEach(count -> TokenPooling.count(count, tokenPooling));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("[" + TOKEN_POOLING + "]: " + e.getMessage(), e);
    }
    if (tokenPooling != 1 && (modality != Modality.IMAGE || tokens == TokenStorage.NONE)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "[%s] %d pools the tokens of images, a field of modality %s and [tokens] %s has none",
              TOKEN_POOLING,
              tokenPooling,
              modality.key(),
              tokens.key()));
    }
  }

  /**
   * Returns the block that the field stores.
   *
   * @param block as the model made it
   * @return empty where the field stores none
   */
  public Optional<byte[]> store(TokenBlock block) {
    return tokens
        .encoding()
        .map(
            encoding ->
                TokenBlockFormat.write(
                    TokenPooling.pool(block, tokenPooling),
                    encoding,
                    spaces.tokens(),
                    tokenPooling));
  }

  /** Returns the values of a token of what the field stores. */
  int tokenWidth() {
    return modality == Modality.IMAGE ? spaces.imageHidden() : spaces.hidden();
  }

  /**
   * Bytes of the block that {@link #store} makes of so many tokens; 0 where the field stores none.
   *
   * @param count tokens as the model makes them
   */
  public long storedBytes(int count) {
    return tokens
        .encoding()
        .map(
            encoding ->
                new TokenBlockFormat.Header(
                        encoding,
                        TokenPooling.count(count, tokenPooling),
                        tokenWidth(),
                        spaces.tokens(),
                        tokenPooling)
                    .length())
        .orElse(0L);
  }

  /**
   * Returns what a mapping in the cluster state, or in a template, says.
   *
   * @param node the field's parameters
   * @throws IllegalArgumentException for a model that is unknown here, where the mapping does not
   *     tell its spaces
   */
  public static FieldDefinition of(String path, Map<String, Object> node, ModelCatalog catalog) {
    String model = modelId(node, catalog);
    Object spaces = node.get("spaces");
    return new FieldDefinition(
        path,
        model,
        spaces == null ? spacesOf(model, catalog) : Spaces.parse(spaces),
        Modality.of(String.valueOf(node.getOrDefault("modality", Modality.IMAGE.key()))),
        TokenStorage.of(String.valueOf(node.getOrDefault("tokens", TokenStorage.INT8.key()))),
        Integer.parseInt(String.valueOf(node.getOrDefault(TOKEN_POOLING, 1))),
        pictures(
            String.valueOf(node.getOrDefault(STRETCH, "")),
            Integer.parseInt(String.valueOf(node.getOrDefault(THUMBNAIL, 0)))),
        catalog);
  }

  /**
   * Returns how pictures are read.
   *
   * @param stretch values that are black and white, such as 0:3000; empty for none
   * @param thumbnail longest side in pixels; 0 for none
   * @throws IllegalArgumentException naming the parameter
   */
  static PictureOptions pictures(String stretch, int thumbnail) {
    Thumbnails thumbnails;
    try {
      thumbnails = new Thumbnails(thumbnail);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("[" + THUMBNAIL + "]: " + e.getMessage(), e);
    }
    try {
      return new PictureOptions(
          stretch.isEmpty() ? Optional.empty() : Optional.of(Stretch.of(stretch)), thumbnails);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("[" + STRETCH + "]: " + e.getMessage(), e);
    }
  }

  /**
   * Returns the spaces of a model that the cluster has.
   *
   * @throws IllegalArgumentException naming the models there are
   */
  static Spaces spacesOf(String model, ModelCatalog catalog) {
    if (!catalog.has(model)) {
      throw new IllegalArgumentException(
          "unknown model ["
              + Messages.excerpt(model)
              + "], this node has "
              + Messages.excerpt(catalog.ids()));
    }
    return Spaces.of(catalog.manifest(model));
  }

  /**
   * Returns what brings cosines with images of several sensors onto one scale.
   *
   * @param sensor of the query; null for a text
   * @return one for each of the field's sensors; none where the model is gone or lacks one of them
   */
  public List<SensorCalibration> calibrations(String sensor) {
    return calibrations(sensor, ModelManifest::sensorCalibration);
  }

  /**
   * Returns what brings MaxSim with images of several sensors onto one scale. Pooled patches are
   * fewer and smoother, and what was fitted to whole ones does not hold for them.
   *
   * @param sensor as {@link #calibrations}
   * @return as {@link #calibrations}; none where tokens are pooled
   */
  public List<SensorCalibration> maxSimCalibrations(String sensor) {
    return tokenPooling == 1 ? calibrations(sensor, ModelManifest::maxSimCalibration) : List.of();
  }

  /** Looks up what a model has for two sensors, the query's and a document's. */
  private interface OfPair {
    Optional<SensorCalibration> find(ModelManifest model, String query, String archive);
  }

  private List<SensorCalibration> calibrations(String sensor, OfPair pair) {
    if (sensor == null
        || modality != Modality.IMAGE
        || !catalog.has(modelId)
        || !spaces.match(catalog.manifest(modelId))) {
      return List.of();
    }
    List<SensorCalibration> found = new ArrayList<>();
    for (String archive : spaces.imageTokens().keySet()) {
      pair.find(catalog.manifest(modelId), sensor, archive).ifPresent(found::add);
    }
    return found.size() == spaces.imageTokens().size() ? List.copyOf(found) : List.of();
  }

  /** Returns the id of the model that a mapping names or leaves to the default. */
  public static String modelId(Map<String, Object> node, ModelCatalog catalog) {
    Object named = node.get("model");
    return named == null ? catalog.defaultId() : String.valueOf(named);
  }

  /**
   * Refuses what a mapping says of a model that is known and has it otherwise. Asked where values
   * are read and encoded: a mapping may have been made before the cluster knew the model.
   *
   * @throws IllegalArgumentException for spaces of the model's fingerprints and of other shapes
   */
  void checkSpaces() {
    if (catalog.has(modelId)) {
      spaces.checkAgainst(modelId, catalog.manifest(modelId));
    }
  }

  /**
   * Returns what the field's model is now, for those who let it compute.
   *
   * @throws IllegalArgumentException when the cluster has no such model, or it has other spaces
   *     than the field
   */
  public ModelManifest model() {
    if (!catalog.has(modelId)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "field [%s] was made with the model [%s], which this cluster does not have: upload it"
                  + " again; there are %s",
              path,
              modelId,
              catalog.ids()));
    }
    checkSpaces();
    ModelManifest model = catalog.manifest(modelId);
    if (!spaces.match(model)) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "field [%s] was made with a model [%s] of filter space [%s] and token space [%s], the"
                  + " model of that name has now [%s] and [%s]: upload the former under an id of"
                  + " its own, or reindex into a new field",
              path,
              modelId,
              spaces.embedding(),
              spaces.tokens(),
              model.fingerprints().embeddingSpace(),
              model.fingerprints().tokenSpace()));
    }
    return model;
  }
}
