/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * From picture files to tensors.
 *
 * <p>Entry class: {@link io.crossmodal.model.image.ImagePreprocessor}. Called by trainer and
 * plugin.
 */
package io.crossmodal.model.image;
