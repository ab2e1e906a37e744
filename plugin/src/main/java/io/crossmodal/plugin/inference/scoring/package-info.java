/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * What comes out of a question about pairs. Entry class: {@link Scores}. Callers: the rescorer, the
 * scoring of pairs for other nodes, and the details of hits.
 */
package io.crossmodal.plugin.inference.scoring;
