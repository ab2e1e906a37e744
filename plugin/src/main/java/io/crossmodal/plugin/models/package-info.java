/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The registry of models. The cluster state names them ({@link
 * io.crossmodal.plugin.models.ModelsMetadata}), a system index holds their bytes ({@link
 * io.crossmodal.plugin.models.ModelIndex}) with records of what they are ({@link
 * io.crossmodal.plugin.models.ModelRecords}), and each node that needs one keeps a checked copy
 * below its data path. An id is an alias: it moves to the next version when a bundle of the same
 * embedding and token space is uploaded under it. A version never changes.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.models.ModelRegistry}, made by the plugin. The REST
 * handlers call {@link io.crossmodal.plugin.models.UploadModelAction} and {@link
 * io.crossmodal.plugin.models.DeleteModelAction}; everything else asks the {@link
 * io.crossmodal.model.inference.registry.ModelCatalog} that the registry keeps up to date.
 */
package io.crossmodal.plugin.models;
