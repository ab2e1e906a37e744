/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The worker: a process beside search nodes that loads models and computes for them, over KServe's
 * Open Inference Protocol v2 (docs/decisions/0050). It batches, counts and bounds memory by the
 * code of {@code io.crossmodal.model.inference}, as a node does that computes itself.
 *
 * <p>Entry class: {@link io.crossmodal.worker.WorkerCommand}, the jar's main class; {@link
 * io.crossmodal.worker.WorkerServer} is the same without a command line.
 */
package io.crossmodal.worker;
