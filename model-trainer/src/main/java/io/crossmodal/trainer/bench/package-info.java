/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * What a bundle costs: time, bytes and memory, beside the machine's own peak.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.bench.BundleCost}, which the command {@code bench
 * bundle} calls. The benchmarks of searches and nodes are those of the module integration-tests.
 */
package io.crossmodal.trainer.bench;
