/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// What is asked for, and the address that says so.

/** What a node allows unless its settings say otherwise: rescore.max_window. */
export const MOST_IN_WINDOW = 1000;

/** @typedef {{index: string, id: string}} Doc */
/** @typedef {{field: string, value: string}} Condition */
/** @typedef {[number, number]} Position longitude and latitude in degrees */

/**
 * @typedef {object} State
 * @property {string} index
 * @property {string} field
 * @property {string} words
 * @property {string} doc id of a document to search by
 * @property {string} sensor of the picture to search by
 * @property {Doc[]} like
 * @property {Doc[]} unlike
 * @property {string[]} sensors of the hits; none: all
 * @property {string} from first day, as 2024-05-01
 * @property {string} to last day
 * @property {Position[]} area corners of a polygon, not closed, its west on the Earth, its east perhaps over the date line; none: everywhere
 * @property {Condition[]} is
 * @property {string} filter an OpenSearch query as JSON
 * @property {number} minP hits whose p is below are cut
 * @property {string} group a keyword field
 * @property {number} diversity lambda of maximal marginal relevance; 1: order by p
 * @property {boolean} fusion
 * @property {number} window hits that the fusion encoder reads, and k
 * @property {number} size hits of a page
 * @property {number} page from 0
 */

/** @returns {State} */
export const usual = () => ({
  index: "",
  field: "",
  words: "",
  doc: "",
  sensor: "",
  like: [],
  unlike: [],
  sensors: [],
  from: "",
  to: "",
  area: [],
  is: [],
  filter: "",
  minP: 0,
  group: "",
  diversity: 1,
  fusion: true,
  window: 128,
  size: 24,
  page: 0,
});

const TEXTS = ["index", "field", "words", "doc", "sensor", "from", "to", "filter", "group"];
const MOST_DOCS = 49;

/** @param {Doc} doc */
export const keyOf = (doc) => `${doc.index}/${doc.id}`;

/**
 * @param {State} state
 * @returns {string} with its #; what is as usual is left out
 */
export function toHash(state) {
  const hash = new URLSearchParams();
  const plain = /** @type {any} */ (state);
  TEXTS.filter((key) => plain[key]).forEach((key) => hash.set(key, plain[key]));
  state.like.forEach((doc) => hash.append("like", keyOf(doc)));
  state.unlike.forEach((doc) => hash.append("unlike", keyOf(doc)));
  state.sensors.forEach((sensor) => hash.append("of", sensor));
  state.is.forEach(({ field, value }) => hash.append("is", `${field}=${value}`));
  if (state.area.length > 0) {
    hash.set("area", state.area.map((position) => position.map(short).join(",")).join(";"));
  }
  const standard = usual();
  if (!state.fusion) {
    hash.set("fusion", "off");
  }
  for (const key of /** @type {const} */ (["minP", "diversity", "window", "size", "page"])) {
    if (state[key] !== standard[key]) {
      hash.set(key, String(state[key]));
    }
  }
  return `#${hash}`;
}

/** About a metre. @param {number} degrees */
const short = (degrees) => String(Number(degrees.toFixed(5)));

/**
 * @param {string} hash of an address, which anybody may have written
 * @returns {State}
 */
export function fromHash(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const state = usual();
  const plain = /** @type {any} */ (state);
  TEXTS.forEach((key) => (plain[key] = given.get(key) ?? ""));
  state.like = given.getAll("like").slice(0, MOST_DOCS).map(docOf);
  state.unlike = given.getAll("unlike").slice(0, MOST_DOCS).map(docOf);
  state.sensors = given.getAll("of");
  state.is = given
    .getAll("is")
    .filter((text) => text.includes("="))
    .map((text) => ({ field: text.slice(0, text.indexOf("=")), value: text.slice(text.indexOf("=") + 1) }));
  state.area = areaOf(given.get("area") ?? "");
  state.fusion = given.get("fusion") !== "off";
  state.minP = number(given.get("minP"), 0, 1, state.minP);
  state.diversity = number(given.get("diversity"), 0, 1, state.diversity);
  state.window = Math.round(number(given.get("window"), 1, MOST_IN_WINDOW, state.window));
  state.size = Math.round(number(given.get("size"), 1, MOST_IN_WINDOW, state.size));
  state.page = Math.round(number(given.get("page"), 0, MOST_IN_WINDOW, state.page));
  return state;
}

/** An index has no slash in its name. @param {string} text @returns {Doc} */
function docOf(text) {
  const slash = text.indexOf("/");
  return { index: text.slice(0, Math.max(0, slash)), id: text.slice(slash + 1) };
}

/** @param {string} text @returns {Position[]} none where it is no polygon on the Earth */
export function areaOf(text) {
  const corners = text
    .split(";")
    .filter(Boolean)
    .map((corner) => corner.split(",").map(Number));
  const west = Math.min(...corners.map(([lon]) => lon));
  const valid = corners.every(
    ([lon, lat, ...rest]) => rest.length === 0 && lon - west <= 360 && Math.abs(lat) <= 90,
  );
  return valid && Math.abs(west) <= 180 && corners.length >= 3 && corners.length <= 500 ? /** @type {Position[]} */ (corners) : [];
}

/** @param {string | null} text @param {number} least @param {number} most @param {number} otherwise */
function number(text, least, most, otherwise) {
  const value = Number(text);
  return text && value >= least && value <= most ? value : otherwise;
}

/** Whether there is anything to search by. @param {State} state @param {boolean} picture */
export function asks(state, picture) {
  return Boolean(state.words || state.doc || picture || state.like.length > 0);
}
