/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.models;

import org.opensearch.action.ActionType;

/** Takes a bundle, or a part of one, on the node that is asked. */
public final class UploadModelAction extends ActionType<UploadModelResponse> {
  public static final UploadModelAction INSTANCE = new UploadModelAction();
  static final String NAME = "cluster:admin/cross_modal/models/upload";

  private UploadModelAction() {
    super(NAME, UploadModelResponse::new);
  }
}
