/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.sensors;

/**
 * What a step takes in.
 *
 * @param images of each sensor: B, or 2B where a pair is two views of a tile
 * @param first (images, C1, S, S)
 * @param second (images, C2, S, S)
 * @param places P token numbers that the patches are compared at
 */
@SuppressWarnings("ArrayRecordComponent") // handed to native memory once, never compared
record SensorBatch(int images, float[] first, float[] second, long[] places) {}
