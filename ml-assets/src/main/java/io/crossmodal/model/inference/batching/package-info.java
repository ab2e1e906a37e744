/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The threads that call models, one for each device, and the queues before them: requests become
 * jobs, jobs of equal operations share calls.
 *
 * <p>Entry class: {@link ModelWorker}. Callers: the encoding and the scoring of inference, and
 * nobody else.
 */
package io.crossmodal.model.inference.batching;
