/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.plugin.query;

import org.opensearch.action.ActionType;

/** Encodes the query side of a search on the node that coordinates it. */
public final class EncodeQueryAction extends ActionType<EncodedQuery> {
  // Under indices:data/read, for who may search may have his query encoded.
  public static final String NAME = "indices:data/read/cross_modal/encode_query";
  public static final EncodeQueryAction INSTANCE = new EncodeQueryAction();

  private EncodeQueryAction() {
    super(NAME, EncodedQuery::new);
  }
}
