/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The one place where the inference's failures become OpenSearch's, with their HTTP status. Called
 * by everything that answers a user.
 */
package io.crossmodal.plugin.errors;
