/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * A fusion encoder over towers that stay as they are, a bundle's own or a new one, such as over a
 * CLIP: it learns to order the bi-encoder's own first answers, drawn from the whole training set,
 * by a listwise loss in both directions. Towers run once, before the first step. Embeddings stay
 * valid; so do stored tokens, but for an EfficientNet's, whose places learn too.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.fusion.FusionTraining}, called by the command line.
 */
package io.crossmodal.trainer.fusion;
