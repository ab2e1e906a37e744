/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * TorchScript archives: the model's sources, an object tree with weights, and the {@code .pt} file
 * that holds both.
 *
 * <p>Entry class: {@link io.crossmodal.model.torchscript.MtgfeArchitecture}, which turns a {@link
 * io.crossmodal.model.ModelConfig} into a tree. The resources beside it are the one definition of
 * the model; read them as the paper: {@code nn.py}; a text tower, {@code bert.py} or {@code
 * mean.py}; an image tower, {@code vit.py}, or {@code convnet.py} or {@code resnet.py} before
 * {@code grid.py}, or {@code efficientnet.py}; {@code fusion.py}; {@code filter.py} and {@code
 * mtgfe.py}, or {@code sensors.py} without text. CLIP's towers are {@code clip_text.py} and {@code
 * clip_vision.py}, of the layers in {@code clip.py}; without a fusion encoder {@code two_towers.py}
 * takes the place of {@code mtgfe.py}. {@link io.crossmodal.model.torchscript.ScriptArchive} reads
 * an archive back by comparing it with what {@link
 * io.crossmodal.model.torchscript.ScriptArchiveWriter} would write. Called by {@code model.bundle}
 * and by the trainer; never by the plugin.
 */
package io.crossmodal.model.torchscript;
