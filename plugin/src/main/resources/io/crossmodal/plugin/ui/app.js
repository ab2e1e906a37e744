/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The page: it reads the mappings, sends searches as docs/search.md has them and shows what comes.

import { byId, copy, download, element } from "./dom.js";
import { csv, geojson, stac } from "./export.js";
import { Form } from "./form.js";
import { boundsOf, centreOf, precisionFor } from "./geometry.js";
import { Grid } from "./grid.js";
import { HitPanel } from "./hit.js";
import { details, keyOfHit, pictureOf, placeOf, titleOf } from "./hits.js";
import { ArchiveMap } from "./map.js";
import { archivesOf, MAPPINGS, noteModels } from "./mapping.js";
import { MODELS, ModelsPage } from "./models.js";
import { Complaint, Problem, ROOT, send } from "./node.js";
import * as requests from "./request.js";
import { asks, fromHash, toHash } from "./state.js";

/** @typedef {import("./hits.js").Hit} Hit */
/** @typedef {import("./request.js").Asked} Asked */

/** Kept with an address of this page that was searched from; a link cannot bring it. */
const SEARCHED = { searched: true };
/** Where the form stands above the hits, as search.css has it. */
const NARROW = "(max-width: 44rem)";
const MODELS_HASH = "#models";
/** Hits that a link may have searched for. */
const MOST_UNASKED = 48;
const FILES = {
  geojson: { name: "hits.geojson", type: "application/geo+json", make: geojson },
  csv: { name: "hits.csv", type: "text/csv", make: csv },
  stac: { name: "items.json", type: "application/geo+json", make: stac },
};

/** What the operator allows: a tile server, a host of pictures. */
let settings = { tiles: "", attribution: "", pictures: "" };
/** @type {Form} */
let form;
/** @type {ArchiveMap} */
let map;
/** @type {Grid} */
let grid;
/** @type {HitPanel} */
let panel;
const models = new ModelsPage();

/** Aborts the search that runs. @type {AbortController | null} */
let running = null;
/** What was asked last, and its hits. @type {{asked: Asked, hits: Hit[], ranks: Map<string, number>} | null} */
let shown = null;

const hitOf = (/** @type {string} */ key) => shown?.hits.find((hit) => keyOfHit(hit) === key);

// --------------------------------------------------------------------------------------- searching

/** @param {import("./state.js").State} state @returns {Asked} */
function asked(state) {
  return { state, archive: form.archive(), picture: form.picture, lean: Boolean(settings.pictures) };
}

/**
 * Shows what kNN finds, and then how the fusion encoder orders it.
 *
 * @param {Asked} what
 */
async function search(what) {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  clear();
  try {
    const request = requests.search(what);
    const fused = requests.fused(what);
    showRequest(request);
    byId("results").setAttribute("aria-busy", "true");
    byId("status").textContent = "Searching …";
    const ask = async (/** @type {requests.Request} */ { path, body }) => send("POST", path, body, mine.signal);
    // Of a later page the first stage alone would show other hits.
    const first = fused && what.state.page > 0 ? null : await ask(requests.recalled(what));
    if (first) {
      show(what, first);
    }
    const places = (shown?.hits ?? []).map((hit) => placeOf(hit, what.archive?.others)).filter((place) => place !== null);
    const ranks = ask(requests.ranks(what, precisionFor(boundsOf(places)))).catch(() => null);
    if (fused) {
      byId("status").textContent += " The fusion encoder reads …";
      show(what, await ask(request));
    }
    showRanks((await ranks)?.answer);
  } catch (failure) {
    if (!mine.signal.aborted) {
      fail(failure);
    }
  } finally {
    if (running === mine) {
      byId("results").setAttribute("aria-busy", "false");
    }
  }
}

/** @param {Asked} what @param {{answer: any, notices: string[]}} answered */
function show(what, { answer, notices }) {
  /** @type {Hit[]} */
  const hits = answer.hits?.hits ?? [];
  shown = { asked: what, hits, ranks: new Map() };
  const first = what.state.page * what.state.size + 1;
  byId("status").textContent = summary(answer, first, hits.length);
  const warnings = [...notices, ...warningsOf(answer)];
  byId("warnings").replaceChildren(...warnings.map((warning) => element("li", "", warning)));
  byId("warnings").hidden = warnings.length === 0;
  grid.show(hits, first);
  byId("pages").hidden = false;
  byId("page").textContent = `page ${what.state.page + 1}`;
  byId("previous").disabled = what.state.page === 0;
  byId("next").disabled =
    hits.length < what.state.size || (what.state.page + 1) * what.state.size >= what.state.window;
  byId("exports").hidden = hits.length === 0;
  const others = what.archive?.others;
  const items = hits.flatMap((hit) => {
    const place = placeOf(hit, others);
    return place ? [{ key: keyOfHit(hit), title: titleOf(hit), place }] : [];
  });
  map.show(items);
  byId("map-said").textContent = placed(items.length, hits.length, others);
  if (byId("hit").hidden === false && !hitOf(opened)) {
    closeHit();
  }
}

/** @param {number} on hits on the map @param {number} all @param {import("./mapping.js").Others | undefined} others */
function placed(on, all, others) {
  if (on === all) {
    return all === 0 ? "" : `${all} hits on the map.`;
  }
  if (others && others.shapes.length + others.points.length === 0) {
    return "This index keeps no places, neither a geo_shape nor a geo_point: its hits are on no map.";
  }
  return on === 0
    ? "None of these hits says where it lies."
    : `${on} of ${all} hits on the map: the others do not say where they lie.`;
}

/** @param {any} answer of the first stage alone */
function showRanks(answer) {
  if (!shown || !answer) {
    return;
  }
  shown.ranks = new Map(
    (answer.hits?.hits ?? []).map((/** @type {any} */ hit, /** @type {number} */ at) => [keyOfHit(hit), at + 1]),
  );
  if (requests.fused(shown.asked)) {
    grid.ranked(shown.ranks, shown.asked.state.page * shown.asked.state.size + 1);
  }
  map.counts(answer.aggregations?.grid?.buckets ?? []);
}

/** @param {any} answer @param {number} first @param {number} count */
function summary(answer, first, count) {
  const total = answer.hits?.total;
  const of = `${total?.relation === "gte" ? "over " : ""}${total?.value ?? count}`;
  const parts = [count === 0 ? "No hits" : `Hits ${first} to ${first + count - 1} of ${of}`, `${answer.took} ms`];
  for (const rescore of answer.ext?.cross_modal?.rescores ?? []) {
    parts.push(`${rescore.rescored} read by the fusion encoder`);
    for (const [key, said] of [["below_min_p", "below the cut"], ["grouped", "stand behind others"], ["missing", "without tokens"]]) {
      if (rescore[key] > 0) {
        parts.push(`${rescore[key]} ${said}`);
      }
    }
  }
  return `${parts.join(" · ")}.`;
}

/** @param {any} answer */
function warningsOf(answer) {
  const warnings = answer.timed_out ? ["The search's time was over: this is what it had."] : [];
  const { failed = 0, total, failures = [] } = answer._shards ?? {};
  if (failed > 0) {
    const why = new Set(failures.map((/** @type {any} */ failure) => failure.reason?.reason).filter(Boolean));
    warnings.push([`${failed} of ${total} shards failed.`, ...why].join(" "));
  }
  for (const rescore of answer.ext?.cross_modal?.rescores ?? []) {
    for (const { reason: why, hits: count, message } of rescore.degraded) {
      warnings.push(`${count} hits keep the kNN score, ${why}: ${message}`);
    }
  }
  warnings.push(...new Set((answer.hits?.hits ?? []).map((/** @type {Hit} */ hit) => details(hit).error).filter(Boolean)));
  return warnings;
}

/** @param {requests.Request} request */
function showRequest(request) {
  const text = byId("request-text");
  text.textContent = requests.asText(request, false);
  byId("copied").textContent = "";
  byId("request").hidden = false;
  const copies = (/** @type {() => string} */ made) => async () => (byId("copied").textContent = await copy(made(), text));
  byId("copy").onclick = copies(() => requests.asText(request, true));
  byId("curl").onclick = copies(() => requests.asCurl(request, ROOT));
}

/** The hits of the search before stay until there is an answer, marked as busy. */
function clear() {
  for (const id of ["error", "complaint", "warnings", "request", "more-asked"]) {
    byId(id).hidden = true;
  }
  byId("status").textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-errormessage");
  }
}

/** @param {unknown} failure */
function fail(failure) {
  const complaint = failure instanceof Complaint;
  const place = byId(complaint ? "complaint" : "error");
  place.textContent = failure instanceof Problem ? failure.message : `This page failed: ${failure}`;
  place.hidden = false;
  byId("status").textContent = "";
  if (complaint) {
    const input = byId(failure.input);
    byId("more").open ||= byId("more").contains(input);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-errormessage", "complaint");
    input.focus();
  }
}

// --------------------------------------------------------------------------------------- one hit

let opened = "";

/** @param {Hit} hit */
function picture(hit) {
  const { state, archive } = /** @type {NonNullable<typeof shown>} */ (shown).asked;
  return pictureOf(hit, { template: settings.pictures, root: ROOT, field: state.field, text: Boolean(archive?.text) });
}

/** @param {string} key */
async function openHit(key) {
  const found = hitOf(key);
  if (!shown || !found) {
    return;
  }
  opened = key;
  grid.open(key);
  mark(key);
  const { asked: what, ranks, hits } = shown;
  const rank = what.state.page * what.state.size + hits.indexOf(found) + 1;
  const before = ranks.get(key);
  try {
    const request = requests.detailed(what, found);
    const { answer } = await send("POST", request.path, request.body);
    const hit = answer.hits?.hits?.[0] ?? found;
    if (opened !== key) {
      return;
    }
    const said = `rank ${rank}${before && before !== rank ? `, ${before} by kNN alone` : ""}`;
    const place = placeOf(hit, what.archive?.others);
    panel.show({ hit, request, field: what.state.field, picture: picture(hit), rank: said, placed: Boolean(place) });
    byId("hit-title").focus();
    if (place) {
      map.go(place);
      await around(what, hit, place);
    }
  } catch (failure) {
    fail(failure);
  }
}

/** @param {Asked} what @param {Hit} hit @param {{type: string, coordinates: any}} place */
async function around(what, hit, place) {
  const request = requests.neighbours(what, hit, centreOf(place));
  const { answer } = request ? await send("POST", request.path, request.body) : { answer: null };
  if (opened === keyOfHit(hit)) {
    panel.neighbours(answer?.hits?.hits ?? [], what.archive?.others, picture);
  }
}

function closeHit() {
  const key = opened;
  opened = "";
  panel.hide();
  map.lookAt(null, []);
  grid.open("");
  grid.focus(key);
}

/** @param {string} key of a hit; empty for none */
function mark(key) {
  grid.mark(key);
  map.mark(key);
}

/** @param {string} key @param {"like" | "unlike"} side */
function judge(key, side) {
  form.judge(key, side);
  grid.judged();
}

/** @param {Hit} hit */
function similar(hit) {
  const now = form.read();
  const address = `/${encodeURIComponent(hit._index)}/_doc/${encodeURIComponent(hit._id)}`;
  const doc = hit._index === now.index ? hit._id : address;
  const state = { ...now, words: "", doc, like: [], unlike: [], page: 0 };
  form.take(null);
  form.write(state);
  go(state);
}

// ------------------------------------------------------------------------------- addresses, start

/** Searches, and names the search in the address. @param {import("./state.js").State} state */
function go(state) {
  const hash = toHash(state);
  if (hash === location.hash) {
    history.replaceState(SEARCHED, "");
  } else {
    history.pushState(SEARCHED, "", hash);
  }
  return search(asked(state));
}

/** Checks the form, then searches; of likes, as many rounds as one wants. @param {number} page */
function submit(page) {
  try {
    form.kept.page = page;
    go(form.read());
    if (matchMedia(NARROW).matches) {
      byId("results").scrollIntoView({ block: "start" });
    }
  } catch (failure) {
    clear();
    fail(failure);
  }
}

/**
 * A link shows one page of what kNN finds, and asks before it searches for more: a search costs the
 * node something and runs with the reader's rights. Where the reader searched before, as on the way
 * back, it is made again.
 */
async function arrive() {
  const onModels = location.hash === MODELS_HASH;
  byId("search").hidden = onModels;
  byId("models").hidden = !onModels;
  byId("to-search").setAttribute("aria-current", onModels ? "false" : "page");
  byId("to-models").setAttribute("aria-current", onModels ? "page" : "false");
  models.show(onModels);
  if (onModels || !location.hash) {
    return;
  }
  const state = fromHash(location.hash);
  form.write(state);
  grid.judged();
  if (!asks(state, Boolean(form.picture))) {
    return;
  }
  const what = asked(state);
  const more = requests.fused(what) || state.window > state.size || state.size > MOST_UNASKED;
  if (history.state?.searched || !more) {
    await search(what);
    return;
  }
  const size = Math.min(state.size, MOST_UNASKED);
  await search({ ...what, state: { ...state, fusion: false, window: size, size, page: 0 } });
  byId("more-asked").hidden = false;
  const reads = requests.fused(what) ? `have the fusion encoder read ${state.window} hits` : `find ${state.window} hits`;
  byId("more-asked-said").textContent = `This link asks for more than a page: to ${reads}.`;
}

/** @param {keyof typeof FILES} kind */
async function save(kind) {
  if (!shown) {
    return;
  }
  const { asked: what } = shown;
  const { path, body } = requests.exported(what);
  const { answer } = await send("POST", path, body);
  const { name, type, make } = FILES[kind];
  download(name, type, make(answer.hits?.hits ?? [], { field: what.state.field, others: what.archive?.others }));
}

function listen() {
  byId("form").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    submit(0);
  });
  byId("form").addEventListener("judged", () => grid.judged());
  byId("previous").onclick = () => turn(-1);
  byId("next").onclick = () => turn(1);
  byId("run-more").onclick = () => submit(form.kept.page);
  byId("clear-feedback").onclick = () => {
    form.kept.like = [];
    form.kept.unlike = [];
    form.chips();
    grid.judged();
  };
  byId("draw-rectangle").onclick = () => map.drawing.start("rectangle");
  byId("draw-polygon").onclick = () => map.drawing.start("polygon");
  for (const kind of /** @type {(keyof typeof FILES)[]} */ (Object.keys(FILES))) {
    byId(`export-${kind}`).onclick = () => save(kind).catch(fail);
  }
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) {
      event.preventDefault();
      byId("words").focus();
    }
  });
  addEventListener("popstate", () => arrive().catch(fail));
}

/** @param {number} step */
function turn(step) {
  const state = /** @type {NonNullable<typeof shown>} */ (shown).asked.state;
  form.write({ ...form.read(), page: Math.max(0, state.page + step) });
  submit(form.kept.page);
  byId("results").scrollIntoView({ block: "start" });
}

async function fileOfThePage(/** @type {string} */ name) {
  const response = await fetch(new URL(name, import.meta.url));
  return response.ok ? response.json() : null;
}

async function start() {
  /** @type {import("./mapping.js").Archive[]} */
  let archives = [];
  let failure = null;
  try {
    const [given, { answer }] = await Promise.all([fileOfThePage("settings.json"), send("GET", MAPPINGS)]);
    settings = given ?? settings;
    archives = archivesOf(answer);
    byId("empty").hidden = archives.length > 0;
  } catch (unread) {
    failure = new Problem(`The mappings cannot be read; type index and field.\n${/** @type {Error} */ (unread).message}`);
  }
  const frame = byId("map");
  map = new ArchiveMap(frame, settings, {
    marked: mark,
    chosen: openHit,
    drawn: (area) => form.area(area),
  });
  byId("attribution").textContent = ["Coastlines: Natural Earth", settings.attribution].filter(Boolean).join(" · ");
  grid = new Grid(byId("hits"), {
    opened: openHit,
    marked: mark,
    judged: judge,
    picture,
    judgement: (key) => form.judgement(key),
  });
  panel = new HitPanel({
    looked: (hit, weights) => map.lookAt(weights && (details(hit).heat_map?.geo ?? null), weights ?? []),
    judged: judge,
    similar,
    closed: closeHit,
  });
  form = new Form(archives, {
    values: async (field) => {
      const { path, body } = requests.values(form.archive()?.index ?? "", field);
      const { answer } = await send("POST", path, body);
      return (answer.aggregations?.values?.buckets ?? []).map((/** @type {any} */ bucket) => String(bucket.key));
    },
    area: (area) => map.area(area),
    failed: fail,
  });
  form.adapt();
  listen();
  // Not awaited, for all nodes are asked; who must not see models is not told what they cannot do.
  send("GET", MODELS).then(
    ({ answer }) => {
      noteModels(archives, answer.models ?? []);
      form.adapt();
    },
    () => {},
  );
  if (failure) {
    fail(failure);
  }
  fileOfThePage("world.json").then((world) => world && map.coastlines(world));
  await arrive();
  document.documentElement.dataset.ready = "true";
}

start().catch(fail);
