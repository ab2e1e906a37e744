/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Serving models to many callers at once, without OpenSearch: whether a search node computes itself
 * or a worker beside it does, this is the code (docs/decisions/0050). This package holds the words
 * that all of its packages use: settings, deadlines, policies and the failures that callers see.
 *
 * <p>Its packages, each of which uses those after it alone: {@code engine} composes; {@code
 * protocol} says how a job is sent to another process; {@code batching} calls models on threads of
 * its own; {@code registry} owns them; {@code runtime} starts libtorch; {@code memory} and {@code
 * stats} count.
 *
 * <p>Entry class: {@link io.crossmodal.model.inference.engine.ModelEngine}. Callers: the plugin's
 * inference (encoding and scoring) and the worker.
 */
package io.crossmodal.model.inference;
