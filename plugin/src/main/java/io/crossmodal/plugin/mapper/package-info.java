/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The field type {@code cross_modal}: what a document's value may be, how it is checked, and what
 * is stored of it.
 *
 * <p>A document keeps two things per field: its filter embedding as a Lucene kNN vector under the
 * field's own name, and its tokens as a block of {@link io.crossmodal.model.tokens} in binary doc
 * values under {@link io.crossmodal.plugin.mapper.CrossModalFieldType#tokensField}. Both come from
 * the document: the ingest processor puts them there beside the picture or text, so that replicas,
 * updates and reindexing never encode again. A third, small thing tells the codec that it may leave
 * them out of the stored source: {@link io.crossmodal.plugin.mapper.CrossModalFieldType#KEPT}.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.mapper.CrossModalFieldMapper}. The ingest processor,
 * the query and the rescorer use the field type and {@link
 * io.crossmodal.plugin.mapper.DocumentValue}. Nothing here sees a tensor.
 */
package io.crossmodal.plugin.mapper;
