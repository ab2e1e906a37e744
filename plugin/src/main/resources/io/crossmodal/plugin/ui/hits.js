/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// What a hit is called, where its picture is, where it lies. All of it is what strangers indexed.

import { cut, figure } from "./dom.js";
import { THUMBNAIL } from "./mapping.js";

/** @typedef {{_index: string, _id: string, _score: number, _source?: any, fields?: any, _explanation?: any}} Hit */

const LONGEST_TITLE = 100;
const LONGEST_VALUE = 400;
const MOST_OF_A_THUMBNAIL = 1 << 18;

/** @param {Hit} hit */
export const keyOfHit = (hit) => `${hit._index}/${hit._id}`;

/** What the plugin says of a hit's rescore. @param {Hit} hit @returns {any} */
export const details = (hit) => hit.fields?._cross_modal?.[0] ?? {};

/**
 * A field's value by its full name; each object may have the rest of the name as one key.
 *
 * @param {any} node
 * @param {string} name
 * @returns {any}
 */
export function lookup(node, name) {
  if (node === null || typeof node !== "object") {
    return undefined;
  }
  if (Object.hasOwn(node, name)) {
    return node[name];
  }
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    const key = name.slice(0, dot);
    const found = Object.hasOwn(node, key) ? lookup(node[key], name.slice(dot + 1)) : undefined;
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** What people call it: its path, its caption, its scene and the window there; else its id. @param {Hit} hit */
export function titleOf(hit) {
  const said = (/** @type {string} */ name) => [lookup(hit._source, name)].flat()[0];
  const given = ["path", "caption", "scene"].find((name) => typeof said(name) === "string" && said(name).trim());
  if (!given) {
    return hit._id;
  }
  const window = given === "scene" ? lookup(hit._source, "window") : null;
  const where = Array.isArray(window) ? ` [${window.slice(0, 4).join(", ")}]` : "";
  return cut(said(given), LONGEST_TITLE) + cut(where, LONGEST_TITLE);
}

/**
 * Where a hit's picture is: by the operator's template, or in the document itself, in full or small.
 *
 * @param {Hit} hit
 * @param {{template: string, root: URL, field: string, text: boolean}} from
 * @returns {{url?: string, why?: string}} its address, or why there is none
 */
export function pictureOf(hit, { template, root, field, text }) {
  if (template) {
    return fill(template, hit, root);
  }
  const bytes = [lookup(hit._source, field)].flat()[0]?.bytes;
  if (typeof bytes === "string" && isJpeg(bytes)) {
    return { url: `data:image/jpeg;base64,${bytes}` };
  }
  if (typeof bytes === "string" && bytes.startsWith("iVBORw0KGgo")) {
    return { url: `data:image/png;base64,${bytes}` };
  }
  const thumbnail = thumbnailOf(hit, field);
  if (thumbnail) {
    return { url: `data:image/jpeg;base64,${thumbnail}` };
  }
  if (text) {
    return { why: "" };
  }
  return { why: bytes ? "a picture that browsers do not show" : "no picture kept" };
}

/** The JPEG that a hit keeps for this page; empty for none, and for what is none. @param {Hit} hit @param {string} field */
function thumbnailOf(hit, field) {
  const kept = hit._source?.[THUMBNAIL] ?? [lookup(hit._source, field)].flat()[0]?.[THUMBNAIL];
  return typeof kept === "string" && kept.length <= MOST_OF_A_THUMBNAIL && isJpeg(kept) ? kept : "";
}

/** @param {string} base64 */
const isJpeg = (base64) => /^\/9j\/[A-Za-z0-9+/]*={0,2}$/.test(base64);

/** @param {string} template @param {any} hit @param {URL} root */
function fill(template, hit, root) {
  /** @type {string[]} */
  const missing = [];
  const value = (/** @type {string} */ name) => {
    const found = name === "_id" || name === "_index" ? hit[name] : lookup(hit._source, name);
    const first = Array.isArray(found) ? found[0] : found;
    if (first === undefined || first === null || typeof first === "object") {
      missing.push(name);
      return "";
    }
    return String(first);
  };
  const filled = template.replace(/\{([^{}]+)\}/g, (_, name) => value(name).split("/").map(segment).join("/"));
  return missing.length > 0
    ? { why: `no ${missing.join(", ")} in this document` }
    : { url: new URL(filled, root).href };
}

/** A document must not lead out of the folder that the template names. @param {string} part */
function segment(part) {
  return part === "." || part === ".." ? "" : encodeURIComponent(part);
}

/** @param {Hit} hit @returns {string[]} what its scores were made of */
export function numbers(hit) {
  const said = details(hit);
  const parts = [];
  for (const [key, name] of [["p", "p"], ["itm", "itm"], ["filter", "filter"], ["max_sim", "MaxSim"]]) {
    if (typeof said[key] === "number") {
      parts.push(`${name} ${figure(said[key])}`);
    }
  }
  if (said.rescored === false) {
    parts.push("not rescored");
  }
  if (typeof said.novelty === "number") {
    parts.push(`novelty ${figure(said.novelty)}`);
  }
  return parts;
}

/**
 * The fields of a document, those of objects by their full names, without files and shapes.
 *
 * @param {Hit} hit
 * @param {string} field that is searched
 * @returns {[string, string][]}
 */
export function metadata(hit, field) {
  /** @type {[string, string][]} */
  const rows = [];
  const add = (/** @type {string} */ name, /** @type {any} */ value) => {
    if (isGeometry(value)) {
      rows.push([name, String(value.type)]);
    } else if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      Object.entries(value).forEach(([key, inner]) => add(`${name}.${key}`, inner));
    } else if (!name.startsWith(`${field}.`) && name !== THUMBNAIL) {
      rows.push([name, readable(value)]);
    }
  };
  Object.entries(hit._source ?? {}).forEach(([name, value]) => add(name, value));
  return rows;
}

/** @param {any} value */
function readable(value) {
  if (!Array.isArray(value)) {
    return cut(String(value ?? ""), LONGEST_VALUE);
  }
  const flat = value.every((item) => item === null || typeof item !== "object");
  return cut(flat ? value.join(" · ") : JSON.stringify(value), LONGEST_VALUE);
}

/** @param {any} value */
const isGeometry = (value) => Boolean(value) && typeof value.type === "string" && Array.isArray(value.coordinates);

/**
 * Where a hit lies, as GeoJSON: its footprint, else its centre.
 *
 * @param {Hit} hit
 * @param {import("./mapping.js").Others | undefined} others
 * @returns {{type: string, coordinates: any} | null} null where that is not known
 */
export function placeOf(hit, others) {
  for (const field of ["footprint", ...(others?.shapes ?? [])]) {
    const shape = lookup(hit._source, field);
    if (isGeometry(shape) && /^(multi)?polygon$|^envelope$/i.test(shape.type)) {
      const place = polygon(shape);
      if (place) {
        return place;
      }
    }
  }
  for (const field of ["centre", ...(others?.points ?? [])]) {
    const point = pointOf(lookup(hit._source, field));
    if (point) {
      return { type: "Point", coordinates: point };
    }
  }
  return null;
}

/** @param {{type: string, coordinates: any}} shape */
function polygon({ type, coordinates }) {
  if (/envelope/i.test(type)) {
    const [[west, north] = [], [east, south] = []] = coordinates;
    const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    return ring.every(onEarth) ? { type: "Polygon", coordinates: [ring] } : null;
  }
  const multi = /multi/i.test(type);
  const rings = (multi ? coordinates.flat() : coordinates).flat();
  const valid = rings.length >= 3 && rings.every(onEarth);
  return valid ? { type: multi ? "MultiPolygon" : "Polygon", coordinates } : null;
}

/** @param {any} value */
function onEarth(value) {
  const [lon, lat] = Array.isArray(value) ? value : [];
  return typeof lon === "number" && typeof lat === "number" && Math.abs(lon) <= 540 && Math.abs(lat) <= 90;
}

/** A geo_point in the ways that documents may write it. @param {any} value */
function pointOf(value) {
  let pair;
  if (typeof value === "string") {
    const [lat, lon] = value.split(",").map(Number);
    pair = [lon, lat];
  } else if (Array.isArray(value)) {
    pair = value.length >= 2 && typeof value[0] === "number" ? value.slice(0, 2) : null;
  } else if (isGeometry(value)) {
    pair = value.coordinates;
  } else {
    pair = [Number(value?.lon), Number(value?.lat)];
  }
  return onEarth(pair) ? pair : null;
}
