/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.Window;
import java.util.OptionalDouble;

/**
 * A part of a scene.
 *
 * @param window in pixels of the scene's file
 * @param resolution metres on the ground along a pixel that it was cut at
 * @param noData share of its pixels without data, 0 to 1
 */
record Chip(Window window, OptionalDouble resolution, double noData) {}
