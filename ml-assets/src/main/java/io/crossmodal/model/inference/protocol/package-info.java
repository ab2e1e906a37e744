/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * How jobs travel to another process: KServe's Open Inference Protocol v2 with its binary tensor
 * data extension, without the HTTP around it (docs/decisions/0050).
 *
 * <p>A model of the protocol is one operation of ours: {@code scenes-tiny.score}. {@link
 * io.crossmodal.model.inference.protocol.InferMessage} is a request or a response, {@link
 * io.crossmodal.model.inference.protocol.RemoteOperation} says what its tensors mean, {@link
 * io.crossmodal.model.inference.protocol.Failure} how refusals are told.
 *
 * <p>Callers: the worker, which answers, and the plugin's process engine, which asks.
 */
package io.crossmodal.model.inference.protocol;
