/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Published checkpoints as starting weights: readers, names, and the folder that training starts
 * from.
 *
 * <p>Entry classes: {@link io.crossmodal.trainer.checkpoint.CheckpointImport}, which the command
 * {@code import} calls, and {@link io.crossmodal.trainer.checkpoint.InitialModel}, which {@code
 * trainer.train} reads. {@link io.crossmodal.trainer.checkpoint.Safetensors} holds a run's own
 * checkpoint too. A checkpoint comes from strangers: readers believe no length, offset, count or
 * class name in it, and leave its values on the disk. The folder:
 *
 * <pre>
 * weights.safetensors   float32, by the names of the training module: model.text.word, mlm.bias, ...
 * vocab.txt             word pieces, a line each
 * config.json           format_version, config (ModelConfig), vocabulary_sha256, weights_sha256,
 *                       origin (what was taken from where, what starts anew)
 * </pre>
 */
package io.crossmodal.trainer.checkpoint;
