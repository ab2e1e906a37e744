/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Procedural remote-sensing-like pictures with captions that need counting, colour binding and
 * relations.
 *
 * <p>Entry classes: {@link io.crossmodal.trainer.data.scene.SceneGenerator} makes a {@link
 * io.crossmodal.trainer.data.scene.Scene} from (seed, index); {@link
 * io.crossmodal.trainer.data.scene.SceneRenderer} draws it; {@link
 * io.crossmodal.trainer.data.scene.SceneCaptions} describes it; {@link
 * io.crossmodal.trainer.data.scene.SceneDatasetWriter} writes a whole data set. The trainer's
 * command line, the demo and tests may call them.
 *
 * <p>Units: all positions and sizes are fractions of the picture's side, x to the right and y
 * downwards, (0, 0) the upper left corner. Angles are radians, clockwise on the screen.
 */
package io.crossmodal.trainer.data.scene;
