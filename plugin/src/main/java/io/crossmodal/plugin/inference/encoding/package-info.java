/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Texts, images and queries become embeddings and tokens: prepared on threads of their own, encoded
 * by the worker batch by batch.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.inference.encoding.EncodingService}. Callers: the
 * ingest processor, the query encoding action and the REST handlers.
 */
package io.crossmodal.plugin.inference.encoding;
