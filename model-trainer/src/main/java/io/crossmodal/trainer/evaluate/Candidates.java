/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

/**
 * A filter's best K answers to each query of one direction, with the logits of each pair.
 *
 * @param answers per query the answers' numbers, best first
 * @param itm per query and answer the matching logit
 * @param filter per query and answer the filter's logit
 */
@SuppressWarnings("ArrayRecordComponent") // a table, never compared
record Candidates(int[][] answers, float[][] itm, float[][] filter) {}
