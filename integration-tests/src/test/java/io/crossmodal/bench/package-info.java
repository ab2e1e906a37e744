/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Benchmarks on a real node: {@code mvn -Pbench -Dbench=NAME}.
 *
 * <p>Entry class: {@link io.crossmodal.bench.Bench}. Nothing calls these classes; no test depends
 * on a time measured here.
 */
package io.crossmodal.bench;
