/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The search page, {@code GET /_plugins/_cross_modal/ui}: static files of the plugin's jar (the
 * resources beside this package: {@code search.html}, {@code search.css}, ES modules whose types
 * JSDoc says, coastlines) and Leaflet from its own jar. The page searches over REST as the
 * browser's user; nothing of it runs on the node, and this package knows no other of the plugin.
 *
 * <p>The page begins at {@code app.js}; {@code request.js} makes the requests, {@code state.js} the
 * addresses.
 *
 * <p>Entry classes: {@link io.crossmodal.plugin.ui.RestUiHandler}, registered by the plugin, and
 * {@link io.crossmodal.plugin.ui.UiHosts}, made of the node's settings. Nobody else calls them.
 */
package io.crossmodal.plugin.ui;
