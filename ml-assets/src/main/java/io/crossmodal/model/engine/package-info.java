/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * A model in the engine: loading, encoding, scoring, and the native memory of all that.
 *
 * <p>Entry class: {@link io.crossmodal.model.engine.FusionModel}, which {@link
 * io.crossmodal.model.engine.TorchModel} does the calls for. {@link
 * io.crossmodal.model.engine.Footprint} says beforehand what a call takes. Called by trainer and
 * plugin; nothing else in this module depends on it.
 */
package io.crossmodal.model.engine;
