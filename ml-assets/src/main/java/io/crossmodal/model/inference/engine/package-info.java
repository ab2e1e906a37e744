/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Where models compute, as a whole: {@link io.crossmodal.model.inference.engine.ModelEngine} is all
 * that a node knows of it, {@link io.crossmodal.model.inference.engine.LocalEngine} computes in
 * this process. Callers: the composition of a node's inference, and the worker's.
 */
package io.crossmodal.model.inference.engine;
