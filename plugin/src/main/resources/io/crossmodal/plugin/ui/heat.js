/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Weights as colours.

/** Inferno, ten of its colours, as the trainer's report has it. */
const INFERNO = [
  0x000004, 0x1b0c42, 0x4b0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9a06, 0xf7d03c, 0xfcffa4,
];

/** @param {number} value from 0 to 1 @returns {number[]} red, green, blue */
export function colour(value) {
  const place = Math.min(1, Math.max(0, value)) * (INFERNO.length - 1);
  const below = Math.min(Math.floor(place), INFERNO.length - 2);
  return [16, 8, 0].map((shift) => {
    const from = (INFERNO[below] >> shift) & 0xff;
    const to = (INFERNO[below + 1] >> shift) & 0xff;
    return Math.round(from + (place - below) * (to - from));
  });
}

/** @param {string} word @param {number[]} weights over the patches */
export function spoken(word, weights) {
  const sum = weights.reduce((a, b) => a + b, 0);
  return `${word}: ${(100 * sum).toFixed(0)} % on patches, at most ${(100 * Math.max(...weights)).toFixed(1)} % on one`;
}

/**
 * One pixel a patch, row by row from the top left; the browser smooths and stretches it.
 *
 * @param {number[]} weights
 * @param {number} grid patches of a row
 * @param {string} word
 */
export function canvas(weights, grid, word) {
  const made = document.createElement("canvas");
  made.width = grid;
  made.height = grid;
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", spoken(word, weights));
  const context = /** @type {CanvasRenderingContext2D} */ (made.getContext("2d"));
  const pixels = context.createImageData(grid, grid);
  const most = Math.max(...weights);
  weights.forEach((weight, patch) => {
    pixels.data.set([...colour(most > 0 ? weight / most : 0), 255], 4 * patch);
  });
  context.putImageData(pixels, 0, 0);
  return made;
}
