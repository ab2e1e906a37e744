/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.model.inference.registry;

import io.crossmodal.model.Precision;
import java.util.List;
import java.util.Objects;

/**
 * Status of a model on this node.
 *
 * @param version that is served or about to be; 0 for none
 * @param devices that it computes on, such as {@code cpu} or {@code gpu(0)}; empty unless loaded
 * @param precision that it computes in, such as {@code fp32}; empty unless loaded
 * @param bytes of native memory that its weights take; 0 unless loaded
 * @param trials what the choice of the precision was made by; empty where there was none
 * @param error why it, or its next version, could not be loaded; empty for no reason
 */
public record ModelStatus(
    State state,
    long version,
    List<String> devices,
    String precision,
    long bytes,
    List<PrecisionTrial> trials,
    String error) {
  /** State of a model on this node. */
  public enum State {
    /** Not asked for yet. */
    NOT_LOADED,
    /** On its way; its jobs wait, those of others do not. */
    LOADING,
    /** Warm. */
    LOADED,
    /** Could not be loaded. */
    FAILED
  }

  /**
   * Result of trying a model in one precision when it was loaded.
   *
   * @param embedding as {@link io.crossmodal.model.bundle.Golden.Deviation#embedding}; 0 for fp32
   * @param logit as {@link io.crossmodal.model.bundle.Golden.Deviation#logit}; 0 for fp32
   * @param micros of a score call, the same in all precisions; 0 where it could not be loaded
   * @param error why it could not be loaded; empty where it could
   */
  public record PrecisionTrial(
      Precision precision, double embedding, double logit, long micros, String error) {
    public PrecisionTrial {
      Objects.requireNonNull(precision, "precision");
      Objects.requireNonNull(error, "error");
    }
  }

  static final ModelStatus NOT_LOADED = without(State.NOT_LOADED, 0, "");

  public ModelStatus {
    Objects.requireNonNull(state, "state");
    devices = List.copyOf(devices);
    Objects.requireNonNull(precision, "precision");
    trials = List.copyOf(trials);
    Objects.requireNonNull(error, "error");
  }

  /** Of a model that is not loaded. */
  static ModelStatus without(State state, long version, String error) {
    return new ModelStatus(state, version, List.of(), "", 0, List.of(), error);
  }
}
