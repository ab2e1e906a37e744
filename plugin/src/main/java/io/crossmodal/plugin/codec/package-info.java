/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The codec of indices with {@code cross_modal} fields: OpenSearch's own, with the graph of each
 * field built as its mapping says, and with stored sources that do not hold again what vectors and
 * doc values hold.
 *
 * <h2>Format of a segment, codec CrossModal104</h2>
 *
 * <p>All files are Lucene 10.4's. A document's stored fields come in the order in which they were
 * added, but for its sources, {@code _source} and {@code _recovery_source}, which come last. The
 * stored string field {@code _cross_modal_kept}, once a key, its field carrying the attribute
 * {@code cross_modal.kept} (but in segments from before that), names what was taken out of them: a
 * field's full name and {@code .embedding} (the vector of that name) or {@code .tokens} (the doc
 * values {@code <field>._tokens}). In the sources stands instead, where the value was, {@code
 * true}, or {@code false} for one that came as bytes ({@link
 * io.crossmodal.plugin.mapper.SourceForm}); a source in which the key is absent had it excluded by
 * the user and stays as it is.
 *
 * <p>Merges copy sources as they are. A codec upon another Lucene version gets another name and
 * class; those of old segments stay, and so do their samples in {@code SegmentCompatibilityTests}.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.codec.CrossModalCodecService}, made by the plugin,
 * and {@link io.crossmodal.plugin.codec.CrossModalCodec}, loaded by Lucene for each segment.
 */
package io.crossmodal.plugin.codec;
