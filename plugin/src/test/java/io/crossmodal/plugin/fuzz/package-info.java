/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Seeded fuzzing of what a node takes over HTTP. {@code mvn -Pfuzz verify} runs it for longer than
 * the gate does; what it printed when it failed repeats it.
 */
package io.crossmodal.plugin.fuzz;
