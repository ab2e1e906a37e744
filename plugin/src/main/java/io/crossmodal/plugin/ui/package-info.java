/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The search page, {@code GET /_plugins/_cross_modal/ui}: three static files of the plugin's jar
 * (the resources {@code search.html}, {@code search.js} and {@code search.css} beside this
 * package). The page searches over REST as the browser's user; nothing of it runs on the node, and
 * this package knows no other of the plugin.
 *
 * <p>Entry class: {@link io.crossmodal.plugin.ui.RestUiHandler}, registered by the plugin. Nobody
 * else calls it.
 */
package io.crossmodal.plugin.ui;
