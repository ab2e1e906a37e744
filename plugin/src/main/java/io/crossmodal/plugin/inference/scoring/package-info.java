/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Pairs of tokens become scores. Entry class: {@link
 * io.crossmodal.plugin.inference.scoring.ScoringService}. Callers: the rescorer, the scoring for
 * other nodes, and the details of hits.
 */
package io.crossmodal.plugin.inference.scoring;
