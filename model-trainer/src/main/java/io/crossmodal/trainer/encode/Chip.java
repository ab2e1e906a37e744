/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.encode;

import io.crossmodal.model.image.Window;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * A part of a scene.
 *
 * @param window in pixels of the scene's file
 * @param resolution metres on the ground along a pixel that it was cut at
 * @param noData share of its pixels without data, 0 to 1
 * @param cloud share of its pixels with data that are cloud, 0 to 1, where that is known
 * @param acquired when the scene was taken, where its header or name says so
 */
record Chip(
    Window window,
    OptionalDouble resolution,
    double noData,
    OptionalDouble cloud,
    Optional<Instant> acquired) {}
