/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Retrieval measures, and the calibration of a model's score.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.evaluate.Evaluator}. Called by the command line.
 */
package io.crossmodal.trainer.evaluate;
