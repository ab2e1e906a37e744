/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The requests that docs/search.md teaches, made of what the form says.

import { pieces } from "./geometry.js";
import { preferred, THUMBNAIL } from "./mapping.js";
import { Complaint } from "./node.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Doc} Doc */
/** @typedef {import("./mapping.js").Archive} Archive */

/**
 * What a search is made of.
 *
 * @typedef {object} Asked
 * @property {State} state
 * @property {Archive | undefined} archive what the mapping says of the field, where it was read
 * @property {string} picture base64 of a file; empty for none
 * @property {boolean} lean whether pictures come from elsewhere than the documents' own files
 */

/** @typedef {{path: string, body: any}} Request */

/** What the words weigh, in all likes together: docs/results/search.md has measured it. */
const WORDS_TO_LIKES = 2;

/** Whether the rescorer goes with what is asked. @param {Asked} asked */
export function fused({ state, archive, picture }) {
  if (!state.fusion || archive?.tokens === false) {
    return false;
  }
  // Of several sides it reads words before pictures, and a picture before documents.
  return archive?.text ? Boolean(picture) && !state.words && archive.fuses : !state.words || (archive?.fuses ?? true);
}

/**
 * The document to search by: an id in the index that is searched, or the path or address of one
 * such as `/scenes/_doc/17`.
 *
 * @param {State} state
 * @returns {Doc}
 */
function wantedDocument({ index, doc }) {
  const named = /(?:^|\/)([^/]+)\/_doc\/([^/?#]+)(?:[?#].*)?$/.exec(doc);
  try {
    return named ? { index: decodeURIComponent(named[1]), id: decodeURIComponent(named[2]) } : { index, id: doc };
  } catch {
    throw new Complaint("doc", `"${doc}" is no address of a document: what follows a % is no number.`);
  }
}

/**
 * @param {Asked} asked
 * @returns {any} what both clauses search by
 */
export function sides({ state, archive, picture }) {
  const like = [];
  if (state.words) {
    like.push({ text: state.words, ...(state.like.length > 0 && { weight: WORDS_TO_LIKES * state.like.length }) });
  }
  if (picture) {
    const sensor = archive?.sensors.length === 1 ? "" : state.sensor;
    like.push({ image: picture, ...(sensor && { sensor }) });
  }
  const docs = state.doc ? [wantedDocument(state), ...state.like] : state.like;
  like.push(...docs.map(side));
  const unlike = state.unlike.map(side);
  if (like.length === 0) {
    throw new Complaint("words", "Say in words what the pictures should show, or give a picture or a document.");
  }
  if (like.length > 1 || unlike.length > 0) {
    return { like, ...(unlike.length > 0 && { unlike }) };
  }
  const [only] = /** @type {any[]} */ (like);
  if (only.text) {
    return { query_text: only.text };
  }
  return only.image
    ? { query_image: only.image, ...(only.sensor && { sensor: only.sensor }) }
    : { query_id: only.id, ...(only.index && { index: only.index }) };
}

/** @param {Doc} doc */
function side({ index, id }) {
  return { id, ...(plainIndex(index) && { index }) };
}

/** The index of a document is one index, no pattern or list. @param {string} index */
const plainIndex = (index) => index && !/[*,]/.test(index);

/**
 * @param {State} state
 * @param {Archive | undefined} archive
 * @returns {any[]} queries that hits must pass
 */
export function filters(state, archive) {
  const all = [];
  const others = archive?.others;
  if (state.sensors.length > 0) {
    all.push({ terms: { sensor: state.sensors } });
  }
  if (state.from || state.to) {
    const field = preferred(others?.dates ?? [], "acquired") || "acquired";
    all.push({ range: { [field]: { ...(state.from && { gte: state.from }), ...(state.to && { lte: state.to }) } } });
  }
  if (state.area.length > 0) {
    all.push(within(state.area, others));
  }
  for (const [field, values] of grouped(state.is)) {
    all.push({ terms: { [field]: values } });
  }
  if (state.filter) {
    all.push(parsed(state.filter));
  }
  return all;
}

/** Values of one field are alternatives. @param {State["is"]} conditions */
function grouped(conditions) {
  /** @type {Map<string, string[]>} */
  const fields = new Map();
  conditions.forEach(({ field, value }) => fields.set(field, [...(fields.get(field) ?? []), value]));
  return fields;
}

/** @param {State["area"]} area @param {import("./mapping.js").Others | undefined} others */
function within(area, others) {
  const shape = preferred(others?.shapes ?? [], "footprint");
  const point = preferred(others?.points ?? [], "centre");
  const all = pieces(area);
  if (shape || !point) {
    const polygons = all.map((corners) => [[...corners, corners[0]]]);
    const form =
      polygons.length === 1
        ? { type: "polygon", coordinates: polygons[0] }
        : { type: "multipolygon", coordinates: polygons };
    return { geo_shape: { [shape || "footprint"]: { shape: form, relation: "intersects" } } };
  }
  const inside = all.map((corners) => ({ geo_polygon: { [point]: { points: corners.map(([lon, lat]) => ({ lat, lon })) } } }));
  return inside.length === 1 ? inside[0] : { bool: { should: inside } };
}

/** @param {string} text */
function parsed(text) {
  let filter;
  try {
    filter = JSON.parse(text);
  } catch (failure) {
    throw new Complaint("filter", `The filter is no JSON: ${/** @type {Error} */ (failure).message}`);
  }
  if (filter === null || typeof filter !== "object" || Array.isArray(filter)) {
    throw new Complaint("filter", 'The filter must be a query, as {"term": {"sensor": "rgb"}}.');
  }
  return filter;
}

/** @param {string} index */
const searchOf = (index) => `${encodeURIComponent(index)}/_search`;

/** @param {Asked} asked */
function query(asked) {
  const { state, archive } = asked;
  const all = filters(state, archive);
  const filter = all.length > 1 ? { bool: { filter: all } } : all[0];
  return { cross_modal: { field: state.field, ...sides(asked), k: state.window, ...(filter && { filter }) } };
}

/** The last page ends where the window does. @param {Asked} asked */
function page({ state }) {
  check(state);
  const from = state.page * state.size;
  return { ...(from > 0 && { from }), size: Math.max(1, Math.min(state.size, state.window - from)) };
}

/** @param {State} state */
function check(state) {
  // Paths that begin with _ are other endpoints of the node, and anybody may have written a link.
  if (!state.index || /^\.\.?$|^_(?!all$)/.test(state.index)) {
    throw new Complaint("index", "Which index? Type the name of an index, an alias or a pattern.");
  }
  if (!state.field) {
    throw new Complaint("field", "Which field? Type the name of a field of type cross_modal.");
  }
  if (state.size > state.window) {
    throw new Complaint("size", `A page of ${state.size} hits does not fit into a window of ${state.window}.`);
  }
}

/**
 * Vectors and tokens stay away by themselves; files are left out where a small picture is there.
 *
 * @param {Asked} asked
 */
function source({ state, archive, lean }) {
  const excludes = lean || archive?.others.thumbnail ? [`${state.field}.bytes`] : [];
  if (lean) {
    excludes.push(THUMBNAIL);
  }
  return { excludes: [`${state.field}.encoded_from`, ...excludes] };
}

/** The first stage alone. @param {Asked} asked @returns {Request} */
export function recalled(asked) {
  const body = { ...page(asked), _source: source(asked), query: query(asked) };
  return { path: searchOf(asked.state.index), body };
}

/** Both stages. @param {Asked} asked @returns {Request} */
export function rescored(asked) {
  const { state } = asked;
  const fusion = {
    field: state.field,
    ...sides(asked),
    ...(state.minP > 0 && { min_p: state.minP }),
    ...(state.group && { group: state.group }),
    ...(state.diversity < 1 && { diversity: state.diversity }),
  };
  const body = {
    ...recalled(asked).body,
    rescore: { fusion },
    ext: { cross_modal: { global_window: state.window, details: state.size <= 100 } },
  };
  return { path: searchOf(state.index), body };
}

/** What is sent for the hits. @param {Asked} asked @returns {Request} */
export function search(asked) {
  return fused(asked) ? rescored(asked) : recalled(asked);
}

/**
 * The ranks of the first stage, and how many of its hits lie where.
 *
 * @param {Asked} asked
 * @param {number} precision of the grid's cells, a map's zoom
 * @returns {Request}
 */
export function ranks(asked, precision) {
  const { state, archive } = asked;
  const field = preferred(archive?.others.points ?? [], "centre");
  const body = {
    size: state.window,
    _source: false,
    query: query(asked),
    ...(field && { aggs: { grid: { geotile_grid: { field, precision, size: 2000 } } } }),
  };
  return { path: `${searchOf(state.index)}?filter_path=hits.hits._index,hits.hits._id,aggregations`, body };
}

/** All hits of the window without their pictures, for a file. @param {Asked} asked @returns {Request} */
export function exported(asked) {
  const { path, body } = search({ ...asked, lean: true });
  delete body.from;
  return { path, body: { ...body, size: asked.state.window } };
}

/** Where the words look, on the map too. @param {string} shape field of footprints; empty for none */
const looks = (shape) =>
  shape ? { heat_map: "geo", ...(shape !== "footprint" && { footprint: shape }) } : { heat_map: true };

/**
 * One hit of a search: its scores explained, and where the words look.
 *
 * @param {Asked} asked
 * @param {{_index: string, _id: string}} hit
 * @returns {Request}
 */
export function detailed(asked, hit) {
  const { state, archive } = asked;
  const on = { field: state.field, ...sides(asked) };
  const cross = { ...on, k: 1, filter: { ids: { values: [hit._id] } } };
  const shape = preferred(archive?.others.shapes ?? [], "footprint");
  /** @type {any} */
  const body = { size: 1, explain: true, _source: true, query: { cross_modal: cross } };
  body._source = { excludes: [`${state.field}.encoded_from`] };
  if (fused(asked)) {
    body.rescore = { window_size: 1, fusion: on };
    body.ext = { cross_modal: { details: true } };
    if (state.words && !archive?.text) {
      Object.assign(body.ext.cross_modal, looks(shape));
    }
  } else if (archive?.draws && on.query_text) {
    body.ext = { cross_modal: looks(shape) };
  }
  return { path: searchOf(hit._index), body };
}

/**
 * Pictures of the same place, by their dates.
 *
 * @param {Asked} asked
 * @param {{_index: string, _id: string}} hit
 * @param {import("./state.js").Position} centre
 * @returns {Request | null} none where documents have no dates or places
 */
export function neighbours({ archive, lean, state, picture }, hit, [lon, lat]) {
  const others = archive?.others;
  const date = preferred(others?.dates ?? [], "acquired");
  const shape = preferred(others?.shapes ?? [], "footprint");
  const point = preferred(others?.points ?? [], "centre");
  if (!date || !(shape || point)) {
    return null;
  }
  const place = shape
    ? { geo_shape: { [shape]: { shape: { type: "point", coordinates: [lon, lat] }, relation: "intersects" } } }
    : { geo_distance: { distance: "500m", [point]: { lat, lon } } };
  const body = {
    size: 24,
    sort: [{ [date]: "asc" }],
    _source: source({ archive, lean, state, picture }),
    query: { bool: { filter: [place], must_not: [{ ids: { values: [hit._id] } }] } },
  };
  return { path: searchOf(hit._index), body };
}

/** The values of a keyword field. @param {string} index @param {string} field @returns {Request} */
export function values(index, field) {
  return { path: searchOf(index), body: { size: 0, aggs: { values: { terms: { field, size: 50 } } } } };
}

/**
 * A request for people to read and send.
 *
 * @param {Request} request
 * @param {boolean} whole with all of a picture's bytes
 */
export function asText({ path, body }, whole) {
  /** @type {(key: string, value: any) => any} */
  const shorten = (key, value) =>
    !whole && (key === "query_image" || key === "image") && typeof value === "string"
      ? `${value.slice(0, 16)}…`
      : value;
  return `POST /${decodeURIComponent(path)}\n${JSON.stringify(body, shorten, 2)}`;
}

/** @param {Request} request @param {URL} root */
export function asCurl({ path, body }, root) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const url = new URL(path, root).href;
  return `curl ${quoted(url)} -H 'content-type: application/json' -d ${quoted(JSON.stringify(body))}`;
}
