/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.mapper;

import io.crossmodal.model.bundle.ModelManifest;
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
}
