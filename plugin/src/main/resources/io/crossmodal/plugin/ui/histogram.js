/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Times as the stats count them: buckets, each twice as wide as the one before.

import { element } from "./dom.js";

/** @typedef {{ge: number, lt: number, count: number}} Bucket in microseconds */

/**
 * The buckets from the first that holds any to the last, with those between that hold none.
 *
 * @param {Bucket[]} buckets by their values
 * @returns {Bucket[]}
 */
export function filled(buckets) {
  /** @type {Bucket[]} */
  const all = [];
  for (const bucket of buckets) {
    for (let ge = all.at(-1)?.lt ?? bucket.ge; ge < bucket.ge; ge = /** @type {Bucket} */ (all.at(-1)).lt) {
      all.push({ ge, lt: Math.max(1, 2 * ge), count: 0 });
    }
    all.push(bucket);
  }
  return all;
}

/** @param {Bucket} bucket */
const said = ({ ge, lt, count }) => `${millis(ge)} to ${millis(lt)}: ${count}`;

/**
 * @param {string} name of what took so long
 * @param {Bucket[] | undefined} buckets
 */
export function histogram(name, buckets = []) {
  const all = filled(buckets);
  const made = element("span", "histogram");
  made.setAttribute("role", "img");
  if (all.length === 0) {
    made.setAttribute("aria-label", `${name}: none yet`);
    return made;
  }
  made.setAttribute("aria-label", `${name}: ${buckets.map(said).join(", ")}`);
  const most = Math.max(...all.map(({ count }) => count));
  const bars = element("span", "bars");
  for (const bucket of all) {
    const bar = element("span", bucket.count > 0 ? "some" : "");
    bar.style.height = `${(100 * bucket.count) / most}%`;
    bar.title = said(bucket);
    bars.append(bar);
  }
  const axis = element("span", "axis");
  axis.append(element("span", "", millis(all[0].ge)), element("span", "", millis(all[all.length - 1].lt)));
  made.append(bars, axis);
  return made;
}

/** @param {number} micros */
export const millis = (micros) =>
  micros < 1000 ? `${micros} µs` : `${(micros / 1000).toFixed(micros < 10_000 ? 2 : 0)} ms`;
