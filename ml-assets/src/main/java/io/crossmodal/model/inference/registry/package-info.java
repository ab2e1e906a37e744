/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The models that a node knows ({@link ModelCatalog}) and those that are in its native memory
 * ({@link LoadedModels}), which is owned here alone: whoever computes holds a lease.
 *
 * <p>Entry classes: {@link ModelCatalog} for whoever asks what a model is, {@link LoadedModels} for
 * whoever asks where it stands, loads or unloads it. Callers: inference, the mapper, the cluster's
 * models and the REST handlers.
 */
package io.crossmodal.model.inference.registry;
