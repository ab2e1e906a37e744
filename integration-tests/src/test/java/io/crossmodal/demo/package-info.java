/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The demo: {@code mvn -Pdemo}.
 *
 * <p>Entry class: {@link io.crossmodal.demo.Demo}. Of the others, benchmarks take {@link
 * io.crossmodal.demo.Places}.
 */
package io.crossmodal.demo;
