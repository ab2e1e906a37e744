/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The HTTP side of a cluster, as far as the command line talks to one.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.cluster.ClusterClient}. Called by {@code deploy} and
 * {@code encode}.
 */
package io.crossmodal.trainer.cluster;
