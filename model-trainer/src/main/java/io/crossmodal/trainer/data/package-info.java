/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Data sets of images with captions.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.data.Datasets}, which recognises the format, reads
 * and checks a data set into a {@link io.crossmodal.trainer.data.CaptionedDataset}; then {@link
 * io.crossmodal.trainer.data.DecodedImages} for the pictures of a split. The whole trainer may call
 * them.
 *
 * <p>One reader a format, each of which documents it: {@code KarpathyReader}, {@code PirReader},
 * {@code PrecompReader}, {@code LabelledFolderReader}. What all formats have to hold is checked in
 * {@code DatasetBuilder} alone.
 */
package io.crossmodal.trainer.data;
