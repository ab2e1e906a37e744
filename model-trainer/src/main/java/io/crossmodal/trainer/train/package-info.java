/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Training: what all trainings share, and that on captions.
 *
 * <p>Shared: a {@link io.crossmodal.trainer.train.TrainingTask} is what is trained, {@link
 * io.crossmodal.trainer.train.TrainingModule} takes a step of it, {@link
 * io.crossmodal.trainer.train.TrainingLoop} all of them in a {@link
 * io.crossmodal.trainer.train.RunFolder}; {@link io.crossmodal.trainer.train.OptionRecords} makes
 * options of {@code recipes.json}. On captions: {@link io.crossmodal.trainer.train.TrainingRun} is
 * the entry class, {@code CaptionTask} the task, and the losses of MTGFE are in the resource {@code
 * training.py}. Called by the command line, {@code sensors} and {@code distill}.
 */
package io.crossmodal.trainer.train;
