/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Encodes archives of pictures outside of the cluster: {@code encode}.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.encode.EncodeRun}, which the command line calls. It
 * takes {@link io.crossmodal.trainer.encode.SourceImages}, decodes them on several threads, has the
 * model encode them in batches and hands documents to a {@link
 * io.crossmodal.trainer.encode.DocumentSink}: a cluster's {@code _bulk}, or a file of the same
 * lines. What a sink has kept goes into the {@link io.crossmodal.trainer.encode.Journal}; runs that
 * share none, on many machines, ask the index ({@link
 * io.crossmodal.trainer.encode.IndexedDocuments}).
 *
 * <p>What a run encodes are {@code Encodable}s: picture files, or the chips of {@link
 * io.crossmodal.trainer.encode.Scenes}, which are cut as {@link
 * io.crossmodal.trainer.encode.Cutting} says. {@link io.crossmodal.trainer.encode.Look} says how
 * values become colours and how large thumbnails are; {@code PictureReader} does it.
 *
 * <p>An {@link io.crossmodal.trainer.encode.Archive} is one whose scenes are brought here in turn,
 * from a STAC catalogue say; an {@link io.crossmodal.trainer.encode.ArchivePass} does it. {@link
 * io.crossmodal.trainer.encode.Sync} compares an archive with an index and keeps that in step.
 * {@link io.crossmodal.trainer.encode.GeoParquetSink} writes embeddings as a table, {@link
 * io.crossmodal.trainer.encode.StoredEmbeddings} takes them back.
 *
 * <p>A document's id comes from the picture's bytes ({@code ContentId}), or from its scene's and
 * the window, so a picture that is sent twice, by a run that was killed before its journal knew, is
 * stored once.
 */
package io.crossmodal.trainer.encode;
