/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import org.opensearch.action.ActionType;

/** Asks nodes what they counted and where their models stand. */
public final class NodesReportAction extends ActionType<NodesReportResponse> {
  public static final String NAME = "cluster:monitor/cross_modal/report";
  public static final NodesReportAction INSTANCE = new NodesReportAction();

  private NodesReportAction() {
    super(NAME, NodesReportResponse::new);
  }
}
