/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Presentation of a run: heat maps of the words of a caption, and a report as one HTML file.
 *
 * <p>Entry classes: {@link io.crossmodal.trainer.report.ReportMaker}, {@link
 * io.crossmodal.trainer.report.HeatMaps}. Called by the command line.
 */
package io.crossmodal.trainer.report;
