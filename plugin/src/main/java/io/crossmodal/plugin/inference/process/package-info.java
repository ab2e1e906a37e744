/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Inference beside the node: models are loaded into workers and jobs computed there, by KServe's
 * Open Inference Protocol v2 over a Unix domain socket (docs/decisions/0050). No native library is
 * loaded here.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.inference.process.ProcessEngine}. Caller: the
 * plugin's composition root.
 */
package io.crossmodal.plugin.inference.process;
