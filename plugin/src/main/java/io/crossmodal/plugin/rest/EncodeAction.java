/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.rest;

import org.opensearch.action.ActionType;

/** Encodes texts or images for a user, on the node that is asked. */
public final class EncodeAction extends ActionType<EncodeResponse> {
  public static final EncodeAction INSTANCE = new EncodeAction();
  static final String NAME = "cluster:admin/cross_modal/encode";

  private EncodeAction() {
    super(NAME, EncodeResponse::new);
  }
}
