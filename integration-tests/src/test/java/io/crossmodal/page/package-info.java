/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The search page in a browser: {@link io.crossmodal.page.Chromium} starts the one that is
 * installed, {@code PageModulesTest} holds the page's pure modules to their tests in JavaScript and
 * all of them to the types that they say. What needs a node is {@code demo.SearchPageIT}.
 *
 * <p>Entry class: {@link io.crossmodal.page.Chromium}, for tests that drive a page.
 */
package io.crossmodal.page;
