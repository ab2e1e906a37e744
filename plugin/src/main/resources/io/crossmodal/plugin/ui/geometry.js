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
  const [west, east] = extent(all.map(([lon]) => lon));
  const [south, north] = extent(all.map(([, lat]) => lat));
  return [west, south, east, north];
}

/** Least and largest, of as many as strangers like: a call takes only so many arguments. @param {number[]} values */
const extent = (values) => [
  values.reduce((least, value) => Math.min(least, value), Infinity),
  values.reduce((most, value) => Math.max(most, value), -Infinity),
];

/**
 * What lies over the date line has longitudes of both ends of the Earth; here they go on beyond 180.
 *
 * @template {{type: string, coordinates: any}} G
 * @param {G} geometry
 * @returns {G} for what draws or measures it
 */
export function unrolled(geometry) {
  const span = (/** @type {number[]} */ lons) => {
    const [least, most] = extent(lons);
    return most - least;
  };
  const east = (/** @type {number} */ lon) => (lon < 0 ? lon + 360 : lon);
  const lons = positions(geometry.coordinates).map(([lon]) => lon);
  const rolled = span(lons.map(east));
  // What goes around the whole Earth, from -180 to 180, is not a line.
  if (span(lons) <= 180 || rolled === 0 || rolled >= span(lons)) {
    return geometry;
  }
  /** @type {(part: any) => any} */
  const shifted = (part) => (typeof part[0] === "number" ? [east(part[0]), ...part.slice(1)] : part.map(shifted));
  return { ...geometry, coordinates: shifted(geometry.coordinates) };
}

/** Bounds as GeoJSON has them: over the date line, east is less than west. @param {{type: string, coordinates: any}} geometry */
export function bboxOf(geometry) {
  const bounds = boundsOf([unrolled(geometry)]);
  return bounds && [bounds[0], bounds[1], bounds[2] > 180 ? bounds[2] - 360 : bounds[2], bounds[3]];
}

/** The middle of a geometry's bounds. @param {{type: string, coordinates: any}} geometry @returns {Position} */
export function centreOf(geometry) {
  const [west, south, east, north] = /** @type {number[]} */ (boundsOf([unrolled(geometry)]));
  return [wrapped((west + east) / 2), (south + north) / 2];
}

/**
 * A polygon on a map that may have been dragged around the Earth: its west is on it again, its east
 * may lie up to a turn beyond.
 *
 * @param {Position[]} corners
 * @returns {Position[]}
 */
export function homed(corners) {
  const lons = corners.map(([lon]) => lon);
  const west = Math.min(...lons);
  if (Math.max(...lons) - west >= 360) {
    return corners.map(([lon, lat]) => [Math.max(-180, Math.min(180, lon)), lat]);
  }
  const turns = 360 * Math.floor((west + 180) / 360);
  return corners.map(([lon, lat]) => [lon - turns, lat]);
}

/**
 * A polygon as OpenSearch takes it: cut where it goes over the date line.
 *
 * @param {Position[]} corners not closed, west on the Earth
 * @returns {Position[][]} one or two polygons, not closed
 */
export function pieces(corners) {
  const inside = clipped(corners, 1);
  const beyond = clipped(corners, -1).map(([lon, lat]) => /** @type {Position} */ ([lon - 360, lat]));
  return [inside, beyond].filter((piece) => piece.length >= 3);
}

/**
 * The part of a polygon on one side of the date line, by Sutherland and Hodgman.
 *
 * @param {Position[]} corners
 * @param {1 | -1} side 1: up to 180 degrees, -1: beyond
 * @returns {Position[]}
 */
function clipped(corners, side) {
  const inside = (/** @type {Position} */ [lon]) => (side > 0 ? lon <= 180 : lon > 180);
  return corners.flatMap((corner, at) => {
    const before = corners.at(at - 1) ?? corner;
    const share = (180 - before[0]) / (corner[0] - before[0]);
    /** @type {Position[]} */
    const crossing = inside(before) === inside(corner) ? [] : [[180, before[1] + share * (corner[1] - before[1])]];
    return inside(corner) ? [...crossing, corner] : crossing;
  });
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
