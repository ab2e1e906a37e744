/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Hits as files: GeoJSON, CSV, a STAC item collection. None of them holds a picture.

import { bboxOf } from "./geometry.js";
import { details, lookup, metadata, placeOf, titleOf } from "./hits.js";
import { preferred } from "./mapping.js";

/** @typedef {import("./hits.js").Hit} Hit */

/**
 * @typedef {object} From
 * @property {string} field that was searched
 * @property {import("./mapping.js").Others | undefined} others
 */

/** Names that the files give themselves. */
const OWN = ["rank", "id", "index", "score", "p", "stands_for", "title", "datetime", "west", "south", "east", "north"];

/** @param {Hit} hit @param {number} at @param {From} from */
function properties(hit, at, from) {
  const { p, group } = details(hit);
  const own = {
    rank: at + 1,
    index: hit._index,
    score: hit._score,
    ...(typeof p === "number" && { p }),
    ...(group && { stands_for: group.hits }),
    title: titleOf(hit),
  };
  // A document does not say its own rank.
  const said = metadata(hit, from.field).map(([name, value]) => [OWN.includes(name) ? `_source.${name}` : name, value]);
  return { ...own, ...Object.fromEntries(said) };
}

/** @param {Hit[]} hits @param {From} from */
export function geojson(hits, from) {
  return JSON.stringify({
    type: "FeatureCollection",
    features: hits.map((hit, at) => ({
      type: "Feature",
      id: hit._id,
      geometry: placeOf(hit, from.others),
      properties: properties(hit, at, from),
    })),
  });
}

/** Comma-separated, CRLF at line ends, as RFC 4180 has it. @param {Hit[]} hits @param {From} from */
export function csv(hits, from) {
  /** @type {Record<string, any>[]} */
  const rows = hits.map((hit, at) => {
    const place = placeOf(hit, from.others);
    const bounds = place && bboxOf(place);
    const names = ["west", "south", "east", "north"];
    const where = bounds ? Object.fromEntries(bounds.map((value, side) => [names[side], value])) : {};
    return { ...properties(hit, at, from), id: hit._id, ...where };
  });
  const columns = [...new Set(["rank", "id", ...rows.flatMap((row) => Object.keys(row))])];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ""))];
  return lines.map((line) => line.map(cell).join(",") + "\r\n").join("");
}

/** What a spreadsheet would take for a formula is text. @param {any} value */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** An item collection of STAC 1.0.0; no date, no item. @param {Hit[]} hits @param {From} from */
export function stac(hits, from) {
  const date = preferred(from.others?.dates ?? [], "acquired") || "acquired";
  const items = hits.flatMap((hit, at) => {
    const datetime = instant(lookup(hit._source, date));
    return datetime ? [item(hit, at, from, datetime)] : [];
  });
  return JSON.stringify({ type: "FeatureCollection", features: items });
}

/** @param {Hit} hit @param {number} at @param {From} from @param {string} datetime */
function item(hit, at, from, datetime) {
  const geometry = placeOf(hit, from.others);
  return {
    type: "Feature",
    stac_version: "1.0.0",
    id: hit._id,
    geometry,
    ...(geometry && { bbox: bboxOf(geometry) }),
    properties: { datetime, ...properties(hit, at, from) },
    links: [],
    assets: {},
  };
}

/** RFC 3339, which STAC wants. @param {any} value @returns {string} empty for what is no date */
function instant(value) {
  const time = new Date(Array.isArray(value) ? value[0] : (value ?? ""));
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
