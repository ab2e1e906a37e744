/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The plugin's settings. Entry class: {@link io.crossmodal.plugin.settings.CrossModalSettings}; any
 * package above the inference reads them.
 */
package io.crossmodal.plugin.settings;
