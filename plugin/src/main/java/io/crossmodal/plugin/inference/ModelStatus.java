/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference;

import java.util.Objects;

/**
 * Where a model stands on this node.
 *
 * @param version that is served or about to be; 0 for none
 * @param device that it computes on, such as {@code cpu} or {@code gpu(0)}; empty unless loaded
 * @param bytes of native memory that its weights take; 0 unless loaded
 * @param error why it, or its next version, could not be loaded; empty for no reason
 */
public record ModelStatus(
    ModelService.State state, long version, String device, long bytes, String error) {
  static final ModelStatus NOT_LOADED =
      new ModelStatus(ModelService.State.NOT_LOADED, 0, "", 0, "");

  public ModelStatus {
    Objects.requireNonNull(state, "state");
    Objects.requireNonNull(device, "device");
    Objects.requireNonNull(error, "error");
  }
}
