/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Counts and times of a node's models. Entry class: {@link InferenceStats}. Callers: all of
 * inference counts; the rescorer counts its own; the REST handlers read.
 */
package io.crossmodal.model.inference.stats;
