/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.inference.registry;

import io.crossmodal.plugin.inference.ModelService;
import java.util.List;
import java.util.Objects;

/**
 * Where a model stands on this node.
 *
 * @param version that is served or about to be; 0 for none
 * @param devices that it computes on, such as {@code cpu} or {@code gpu(0)}; empty unless loaded
 * @param precision that it computes in, such as {@code fp32}; empty unless loaded
 * @param bytes of native memory that its weights take; 0 unless loaded
 * @param trials what the choice of the precision was made by; empty where there was none
 * @param error why it, or its next version, could not be loaded; empty for no reason
 */
public record ModelStatus(
    ModelService.State state,
    long version,
    List<String> devices,
    String precision,
    long bytes,
    List<PrecisionTrial> trials,
    String error) {
  static final ModelStatus NOT_LOADED = without(ModelService.State.NOT_LOADED, 0, "");

  public ModelStatus {
    Objects.requireNonNull(state, "state");
    devices = List.copyOf(devices);
    Objects.requireNonNull(precision, "precision");
    trials = List.copyOf(trials);
    Objects.requireNonNull(error, "error");
  }

  /** Of a model that is not loaded. */
  static ModelStatus without(ModelService.State state, long version, String error) {
    return new ModelStatus(state, version, List.of(), "", 0, List.of(), error);
  }
}
