/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.bundle.ModelManifest;
import io.crossmodal.plugin.inference.ModelCatalog;
import java.util.Map;
import java.util.Objects;

/**
 * What a mapping says of one field, as far as others than the mapper need it.
 *
 * @param path full name of the field
 * @param model what is known of the field's model
 * @param modality what documents hold
 * @param tokens how tokens are stored
 */
public record FieldDefinition(
    String path, ModelManifest model, Modality modality, TokenStorage tokens) {
  public FieldDefinition {
    Objects.requireNonNull(path, "path");
    Objects.requireNonNull(model, "model");
    Objects.requireNonNull(modality, "modality");
    Objects.requireNonNull(tokens, "tokens");
  }

  /**
   * What a mapping in the cluster state says.
   *
   * @param node the field's parameters
   * @throws IllegalArgumentException for a model that is unknown here
   */
  public static FieldDefinition of(String path, Map<String, Object> node, ModelCatalog catalog) {
    return new FieldDefinition(
        path,
        catalog.bundle(modelId(node, catalog)).manifest(),
        Modality.of(String.valueOf(node.getOrDefault("modality", Modality.IMAGE.key()))),
        TokenStorage.of(String.valueOf(node.getOrDefault("tokens", TokenStorage.INT8.key()))));
  }

  /** Id of the model that a mapping names or leaves to the default. */
  public static String modelId(Map<String, Object> node, ModelCatalog catalog) {
    return String.valueOf(node.getOrDefault("model", catalog.defaultId()));
  }
}
