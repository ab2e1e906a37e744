/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * From picture files and multi-band GeoTIFFs to tensors.
 *
 * <p>Entry class: {@link io.crossmodal.model.image.ImagePreprocessor}; {@link
 * io.crossmodal.model.image.GeoTiff} reads bands of numbers. Called by trainer and plugin.
 */
package io.crossmodal.model.image;
