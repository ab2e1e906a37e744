/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Training: the losses of MTGFE around the shared model, the optimiser, run folders.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.train.TrainingRun}. The losses are in the resource
 * {@code training.py}. Called by the command line.
 */
package io.crossmodal.trainer.train;
