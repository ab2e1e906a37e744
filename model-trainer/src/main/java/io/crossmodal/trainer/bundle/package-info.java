/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Files of finished models.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.bundle.BundleWriter}. Called by every command that
 * makes a model; the format itself is ml-assets'.
 */
package io.crossmodal.trainer.bundle;
