/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Brings models into a cluster, over HTTP.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.deploy.ModelUpload}. The command line calls it.
 */
package io.crossmodal.trainer.deploy;
