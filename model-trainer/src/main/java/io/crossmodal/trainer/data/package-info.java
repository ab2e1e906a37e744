/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Data sets of images with captions.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.data.KarpathyReader}, which reads and checks a
 * Karpathy-style JSON with its folder of images into a {@link
 * io.crossmodal.trainer.data.CaptionedDataset}. The whole trainer may call it.
 */
package io.crossmodal.trainer.data;
