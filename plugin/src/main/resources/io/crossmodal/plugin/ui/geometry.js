/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Geometry without a map: longitude and latitude in degrees, as GeoJSON has them.

/** @typedef {[number, number]} Position */

/**
 * The polygons of a TopoJSON topology's object.
 *
 * @param {any} topology with quantised arcs
 * @param {string} name
 * @returns {Position[][][]} of each polygon its rings
 */
export function polygonsOf(topology, name) {
  const arcs = topology.arcs.map((/** @type {number[][]} */ arc) => decoded(arc, topology.transform));
  return topology.objects[name].geometries.flatMap((/** @type {any} */ geometry) => {
    const polygons = geometry.type === "Polygon" ? [geometry.arcs] : geometry.type === "MultiPolygon" ? geometry.arcs : [];
    return polygons.map((/** @type {number[][]} */ rings) => rings.map((ring) => stitched(ring, arcs)));
  });
}

/** @param {number[][]} arc @param {{scale: number[], translate: number[]}} transform @returns {Position[]} */
function decoded(arc, { scale, translate }) {
  let x = 0;
  let y = 0;
  return arc.map(([dx, dy]) => {
    x += dx;
    y += dy;
    return [x * scale[0] + translate[0], y * scale[1] + translate[1]];
  });
}

/** Arcs meet in one point; a negative number is an arc from its end. @param {number[]} ring @param {Position[][]} arcs */
function stitched(ring, arcs) {
  return ring.flatMap((number, at) => {
    const arc = number < 0 ? arcs[~number].toReversed() : arcs[number];
    return at === 0 ? arc : arc.slice(1);
  });
}

/** @param {any} coordinates of any geometry @returns {Position[]} */
export function positions(coordinates) {
  return typeof coordinates[0] === "number" ? [coordinates] : coordinates.flatMap(positions);
}

/**
 * @param {{coordinates: any}[]} geometries
 * @returns {[number, number, number, number] | null} west, south, east, north; null for no position
 */
export function boundsOf(geometries) {
  const all = geometries.flatMap(({ coordinates }) => positions(coordinates));
  if (all.length === 0) {
    return null;
  }
  const lons = all.map(([lon]) => lon);
  const lats = all.map(([, lat]) => lat);
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

/** The middle of a geometry's bounds. @param {{coordinates: any}} geometry @returns {Position} */
export function centreOf(geometry) {
  const [west, south, east, north] = /** @type {number[]} */ (boundsOf([geometry]));
  return [(west + east) / 2, (south + north) / 2];
}

/** The precision of a geotile grid with some 16 cells along the longer side. @param {number[] | null} bounds */
export function precisionFor(bounds) {
  if (!bounds) {
    return 6;
  }
  const span = Math.max(bounds[2] - bounds[0], bounds[3] - bounds[1], 1e-3);
  return Math.min(22, Math.max(2, Math.round(Math.log2(360 / span)) + 4));
}

/**
 * A cell of a geotile grid.
 *
 * @param {string} key as 7/64/42: zoom, column, row
 * @returns {[number, number, number, number]} west, south, east, north
 */
export function cellBounds(key) {
  const [zoom, x, y] = key.split("/").map(Number);
  const n = 2 ** zoom;
  const lat = (/** @type {number} */ row) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / n))) * 180) / Math.PI;
  return [(x / n) * 360 - 180, lat(y + 1), ((x + 1) / n) * 360 - 180, lat(y)];
}

/** The corners of a rectangle. @param {Position} from a corner @param {Position} to the opposite one @returns {Position[]} */
export function rectangle([lon, lat], [otherLon, otherLat]) {
  const [west, east] = [Math.min(lon, otherLon), Math.max(lon, otherLon)];
  const [south, north] = [Math.min(lat, otherLat), Math.max(lat, otherLat)];
  return [[west, south], [east, south], [east, north], [west, north]];
}

/** A longitude that a map was dragged to, on the Earth again. @param {number} lon */
export const wrapped = (lon) => ((((lon + 180) % 360) + 360) % 360) - 180;
