/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Leaflet writes three constants as markup, one of them while it loads. The page's policy lets
// nothing become markup but these: whatever else is tried throws, in Leaflet too.

const CONSTANTS = ["<svg/>", '<span aria-hidden="true">+</span>', '<span aria-hidden="true">&#x2212;</span>'];

const factory = /** @type {any} */ (globalThis).trustedTypes;
factory?.createPolicy("default", {
  createHTML(/** @type {string} */ text) {
    if (!CONSTANTS.includes(text)) {
      throw new TypeError(`markup is not made of text: ${text.slice(0, 100)}`);
    }
    return text;
  },
});
