/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Bi-encoder and MLP pre-ranker distilled from the fusion encoder (section 3.4, where both are
 * called filters): the dot product that goes into the kNN field, and the paper's MLP. Towers and
 * fusion encoder stay as they are, so stored tokens stay valid; embeddings do not.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.distill.Distiller}, called by the command line.
 */
package io.crossmodal.trainer.distill;
