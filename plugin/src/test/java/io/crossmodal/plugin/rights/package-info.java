/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * Who may do what, and that nobody sees more: {@link io.crossmodal.plugin.rights.SecurityStandIn}
 * takes the place of OpenSearch's security plugin, which is on no public Maven repository.
 */
package io.crossmodal.plugin.rights;
