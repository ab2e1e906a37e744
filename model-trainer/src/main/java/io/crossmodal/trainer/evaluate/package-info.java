/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Retrieval measures, and the calibration of a model's score.
 *
 * <p>Searches have two stages. The first finds candidates: the bi-encoder, which encodes picture
 * and text apart and compares them by a dot product (the paper, bundles and tables call it the
 * filter), or the paper's MLP pre-ranker. The second orders them: the fusion encoder, a
 * cross-encoder, which reads a picture's and a text's tokens together and tells whether they match
 * (ITM).
 *
 * <p>Entry class: {@link io.crossmodal.trainer.evaluate.Evaluator}. Called by the command line.
 */
package io.crossmodal.trainer.evaluate;
