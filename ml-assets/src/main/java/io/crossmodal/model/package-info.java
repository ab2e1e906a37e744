/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The shared model library: what an MTGFE model is, as values that know nothing of the packages
 * below.
 *
 * <p>Entry classes: {@link io.crossmodal.model.ModelConfig} here, {@code bundle.ModelBundle} for a
 * model in a file and {@code engine.FusionModel} for a loaded one. Letters used throughout: B
 * batch, N text tokens, M image tokens, H hidden size, A heads, F feed-forward width, D filter
 * dimension, C channels, S image side, G grid side, V vocabulary size. Called by trainer and
 * plugin; imports neither OpenSearch nor Lucene.
 *
 * <p>The model is that of "A Fusion Encoder with Multi-Task Guided for Cross-Modal Text-Image
 * Retrieval in Remote Sensing" (MTGFE, 2023); section and equation numbers in these packages are
 * that paper's.
 */
package io.crossmodal.model;
