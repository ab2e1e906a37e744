/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The OpenSearch plugin's wiring and settings.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.CrossModalPlugin}, made by OpenSearch. Nothing in the
 * packages below depends on this one.
 */
package io.crossmodal.plugin;
