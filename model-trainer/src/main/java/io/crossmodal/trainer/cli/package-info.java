/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The command line.
 *
 * <p>Entry class: {@link io.crossmodal.trainer.cli.CrossModal}. Nothing calls these classes, but
 * for {@link io.crossmodal.trainer.cli.EncodeArguments} and the conventions of {@code commandLine},
 * which the module {@code spark} shares.
 */
package io.crossmodal.trainer.cli;
