/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The codec of indices with {@code index.cross_modal: true}: OpenSearch's own, with the graph of
 * each {@code cross_modal} field built as its mapping says. Segments are written in Lucene's
 * formats, so any node reads them.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.codec.CrossModalCodecService}, made by the plugin.
 */
package io.crossmodal.plugin.codec;
