/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The search page. It reads the mappings, sends the search that docs/search.md teaches and shows
// what comes back. What an index holds reaches the page as textContent only.

/** The node's REST root, behind whatever prefix a proxy gives it. */
const ROOT = new URL("../../../", import.meta.url);

/** Only what is needed to offer fields; `**` because a field may stand in an object. */
const MAPPINGS =
  "_mapping?filter_path=" +
  ["type", "modality", "spaces.text_tokens", "spaces.image_tokens"]
    .map((key) => `*.mappings.**.${key}`)
    .join(",");

const WINDOW = 128;
const SIZE = 12;
/** What a node allows unless its settings say otherwise: rescore.max_window, rescore.max_heat_maps. */
const MOST_IN_WINDOW = 1000;
const MOST_HITS = 100;
/** Kept with an address of this page that was searched from; a link cannot bring it. */
const SEARCHED = { searched: true };
/** Beyond it, the ranks of the kNN search are not worth their transfer. */
const RANKED = 1000;
const LONGEST_TEXT = 400;
const LONGEST_TITLE = 100;
/** What the trainer's `encode` keeps for this page: a JPEG of about 5 kB in base64. */
const THUMBNAIL = "thumbnail";
const MOST_OF_A_THUMBNAIL = 1 << 18;

/** Never taken from a link: who writes the link would learn what the reader's hits hold. */
const TEMPLATE_KEY = "cross_modal.picture_url";

/** Inferno, ten of its colours, as the trainer's report has it. */
const INFERNO = [
  0x000004, 0x1b0c42, 0x4b0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9a06, 0xf7d03c, 0xfcffa4,
];

const byId = (id) => document.getElementById(id);

/** The fields that the mappings name: {index, field, text, sensors, knowsWords}. */
let archives = [];
/** The chosen picture file: {base64}; null where there is none. */
let picture = null;
/** Aborts the search that runs. */
let running = null;
/** What was asked and answered last: {state, answer, notices}. */
let shown = null;
/** Index of the word that is drawn; -1 for none. */
let word = -1;

/** What is shown as it is: the node's reason, or what the user is to do. */
class Problem extends Error {}

/** A Problem of one input. */
class Complaint extends Problem {
  constructor(input, message) {
    super(message);
    this.input = input;
  }
}

// ---------------------------------------------------------------------------------------- the node

/** The node's answer, and what it remarks. */
async function send(method, path, body, signal) {
  let response;
  let text;
  try {
    response = await fetch(new URL(path, ROOT), {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
      signal,
    });
    text = await response.text();
  } catch (failure) {
    if (signal?.aborted) {
      throw failure;
    }
    throw new Problem(`No answer from ${ROOT.host}. Is the node running? (${failure.message})`);
  }
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy's page, perhaps; its status says more.
  }
  if (!response.ok || answer === null) {
    const said = reason(answer) || text.slice(0, LONGEST_TEXT) || response.statusText;
    throw new Problem(`${response.status} ${said}`);
  }
  return { answer, notices: noticed(response.headers.get("warning")) };
}

/** The texts of a `warning` header, as that a query was too long for the model and was cut. */
function noticed(header) {
  return [...(header ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    match[1].replace(/\\(.)/g, "$1"),
  );
}

/** The node's own reason; that of the first shard where all of them failed. */
function reason(answer) {
  const error = answer?.error;
  if (!error || typeof error === "string") {
    return error;
  }
  const said = error.root_cause?.[0]?.reason || error.reason || error.type;
  const because = (error.failed_shards?.[0]?.reason ?? error).caused_by?.reason;
  return because && !said.includes(because) ? `${said}\n${because}` : said;
}

async function readArchives() {
  const { answer: mappings } = await send("GET", MAPPINGS);
  for (const index of Object.keys(mappings).sort()) {
    collect(index, "", mappings[index].mappings);
  }
}

function collect(index, prefix, node) {
  for (const [name, child] of Object.entries(node?.properties ?? {})) {
    const field = prefix + name;
    if (child.type === "cross_modal") {
      archives.push({
        index,
        field,
        text: child.modality === "text",
        sensors: Object.keys(child.spaces?.image_tokens ?? {}),
        knowsWords: child.spaces?.text_tokens !== 0,
      });
    }
    collect(index, `${field}.`, child);
  }
}

// ---------------------------------------------------------------------------------------- the form

/** What the form says, as it stands. */
function read() {
  const archive = archives[byId("archive").value];
  return {
    archive,
    index: archive ? archive.index : byId("index").value.trim(),
    field: archive ? archive.field : byId("field").value.trim(),
    by: document.querySelector("input[name=by]:checked").value,
    words: byId("words").value.trim(),
    sensor: byId("sensor").value.trim(),
    window: byId("window").value.trim(),
    size: byId("size").value.trim(),
    filter: byId("filter").value.trim(),
    fusion: byId("fusion").checked,
    heat: byId("heat").checked,
  };
}

/** Shows and hides what depends on other inputs. */
function adapt() {
  const { archive, by, fusion } = read();
  const words = by === "words";
  for (const control of document.querySelectorAll(".typed")) {
    control.hidden = Boolean(archive);
  }
  byId("by-words").hidden = !words;
  byId("by-picture").hidden = words;
  const sensors = archive?.sensors ?? [];
  byId("of-sensor").hidden = words || sensors.length === 1;
  byId("sensors").replaceChildren(...sensors.map((sensor) => element("option", "", sensor)));
  byId("sensor").placeholder = sensors.join(", ");
  byId("fusion").disabled = !fusable(archive, by);
  byId("heat").disabled = byId("fusion").disabled || !fusion || !words;
  const advice = adviceFor(archive, words);
  byId("advice").textContent = advice;
  byId("advice").hidden = !advice;
}

function fusable(archive, by) {
  return !(archive?.text && by === "words");
}

function adviceFor(archive, words) {
  if (!archive) {
    return "";
  }
  if (words && !archive.knowsWords) {
    return "This field's model knows no words: search it by a picture.";
  }
  if (words && archive.text) {
    return "The fusion encoder reads words with pictures: words among captions are found by kNN alone.";
  }
  if (!words && !archive.text) {
    return "Pictures among pictures are compared patch by patch; no words look anywhere.";
  }
  return "";
}

/** Checks the form and makes the request of it. */
function build(state) {
  if (!state.index || /^\.\.?$/.test(state.index)) {
    throw new Complaint("index", "Which index? Type the name of an index, an alias or a pattern.");
  }
  if (!state.field) {
    throw new Complaint("field", "Which field? Type the name of a field of type cross_modal.");
  }
  const fused = state.fusion && fusable(state.archive, state.by);
  const window = whole("window", state.window, MOST_IN_WINDOW);
  const size = whole("size", state.size, MOST_HITS);
  if (fused && size > window) {
    throw new Complaint("size", `A page of ${size} hits does not fit into a window of ${window}.`);
  }
  const asked = { field: state.field, ...side(state) };
  const query = { ...asked, k: window };
  const filter = parseFilter(state.filter);
  if (filter) {
    query.filter = filter;
  }
  const body = { size, _source: { excludes: excludes(state) }, query: { cross_modal: query } };
  if (fused) {
    body.rescore = { fusion: asked };
    body.ext = { cross_modal: { global_window: window, details: true } };
    if (state.heat && state.by === "words") {
      body.ext.cross_modal.heat_map = true;
    }
  }
  return { path: `${encodeURIComponent(state.index)}/_search`, index: state.index, body, fused, window };
}

function side(state) {
  if (state.by === "words") {
    if (!state.words) {
      throw new Complaint("words", "Say in words what the pictures should show.");
    }
    return { query_text: state.words };
  }
  if (!picture) {
    throw new Complaint("picture", "Choose a picture file; a link cannot hold one.");
  }
  const wanted = state.archive?.sensors.length === 1 ? "" : state.sensor;
  return { query_image: picture.base64, ...(wanted && { sensor: wanted }) };
}

function whole(id, text, most) {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > most) {
    const label = document.querySelector(`label[for=${id}]`).textContent;
    throw new Complaint(id, `${label} must be a whole number from 1 to ${most}, got "${text}".`);
  }
  return number;
}

function parseFilter(text) {
  if (!text) {
    return null;
  }
  let filter;
  try {
    filter = JSON.parse(text);
  } catch (failure) {
    throw new Complaint("filter", `The filter is no JSON: ${failure.message}`);
  }
  if (filter === null || typeof filter !== "object" || Array.isArray(filter)) {
    throw new Complaint("filter", `The filter must be a query, as {"term": {"sensor": "rgb"}}.`);
  }
  return filter;
}

/** Vectors and tokens are large and say nothing to readers; pictures come from one place only. */
function excludes(state) {
  const here = archives.filter((archive) => !state.archive || archive.index === state.index);
  const fields = new Set([state.field, ...here.map((archive) => archive.field)]);
  const parts = ["embedding", "tokens", "encoded_from"];
  if (byId("template").value.trim()) {
    parts.push("bytes");
  }
  return [...fields].flatMap((field) => parts.map((part) => `${field}.${part}`));
}

// ------------------------------------------------------------------------------ the link to a search

function toHash(state) {
  const hash = new URLSearchParams({ index: state.index, field: state.field });
  const put = (key, value, usual) => String(value) !== String(usual) && hash.set(key, value);
  put("by", state.by, "words");
  put("words", state.by === "words" ? state.words : "", "");
  put("sensor", state.by === "words" ? "" : state.sensor, "");
  put("window", state.window, WINDOW);
  put("size", state.size, SIZE);
  put("filter", state.filter, "");
  put("fusion", state.fusion ? "on" : "off", "on");
  put("heat", state.heat ? "on" : "off", "on");
  put("word", word, -1);
  return `#${hash}`;
}

/** Fills the form; says whether the link holds a search. */
function fromHash() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const value = (key, usual) => hash.get(key) ?? usual;
  if (hash.has("index") || hash.has("field")) {
    choose(value("index", ""), value("field", ""));
  }
  const by = value("by", "words") === "picture" ? "picture" : "words";
  document.querySelector(`input[name=by][value=${by}]`).checked = true;
  byId("words").value = value("words", "");
  byId("sensor").value = value("sensor", "");
  byId("window").value = value("window", WINDOW);
  byId("size").value = value("size", SIZE);
  byId("filter").value = value("filter", "");
  byId("fusion").checked = value("fusion", "on") !== "off";
  byId("heat").checked = value("heat", "on") !== "off";
  word = /^\d+$/.test(value("word", "")) ? Number(value("word")) : -1;
  byId("more").open ||= hash.has("filter");
  adapt();
  return hash.has("words") || hash.has("by");
}

function choose(index, field) {
  const at = archives.findIndex((archive) => archive.index === index && archive.field === field);
  byId("archive").value = at >= 0 ? String(at) : "typed";
  byId("index").value = index;
  byId("field").value = field;
}

// --------------------------------------------------------------------------------------- searching

async function search() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  clear();
  const state = read();
  try {
    const request = build(state);
    showRequest(request);
    byId("results").setAttribute("aria-busy", "true");
    byId("status").textContent = "Searching …";
    const { answer, notices } = await send("POST", request.path, request.body, mine.signal);
    shown = { state, answer, notices };
    show();
    byId("results").setAttribute("aria-busy", "false");
    if (request.fused && request.window <= RANKED && hits().length > 0) {
      await showRanks(request, mine.signal);
    }
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

/** What the fusion changed: the same search without it. It is an extra, and may fail in silence. */
async function showRanks(request, signal) {
  const path = `${request.path}?filter_path=hits.hits._index,hits.hits._id`;
  const body = { size: request.window, _source: false, query: request.body.query };
  let found;
  try {
    found = (await send("POST", path, body, signal)).answer;
  } catch {
    return;
  }
  const key = (hit) => JSON.stringify([hit._index, hit._id]);
  const ranks = new Map((found.hits?.hits ?? []).map((hit, at) => [key(hit), at + 1]));
  const places = byId("hits").querySelectorAll(".moved");
  hits().forEach((hit, at) => {
    const before = ranks.get(key(hit));
    if (before) {
      places[at].textContent = `kNN ${before}`;
      places[at].title = "the rank that kNN alone gives it";
      places[at].classList.toggle("up", before > at + 1);
    }
  });
}

/** The hits of the search before stay until there is an answer, marked as busy. */
function clear() {
  shown = null;
  for (const id of ["error", "complaint", "warnings", "attention", "request"]) {
    byId(id).hidden = true;
  }
  byId("status").textContent = "";
  for (const input of document.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-errormessage");
  }
}

function fail(failure) {
  const complaint = failure instanceof Complaint;
  const place = byId(complaint ? "complaint" : "error");
  place.textContent = failure instanceof Problem ? failure.message : `This page failed: ${failure}`;
  place.hidden = false;
  byId("status").textContent = "";
  byId("hits").replaceChildren();
  if (complaint) {
    const input = byId(failure.input);
    byId("more").open ||= byId("more").contains(input);
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-errormessage", "complaint");
    input.focus();
  }
}

// ------------------------------------------------------------------------------------- the answer

function hits() {
  return shown?.answer.hits?.hits ?? [];
}

/** What the plugin says of a hit's rescore; the page sends one. */
function details(hit) {
  return hit.fields?._cross_modal?.[0] ?? {};
}

function show() {
  byId("status").textContent = summary(shown.answer);
  const warnings = [...shown.notices, ...warningsOf(shown.answer)];
  byId("warnings").replaceChildren(...warnings.map((warning) => element("li", "", warning)));
  byId("warnings").hidden = warnings.length === 0;
  byId("hits").replaceChildren(...hits().map(card));
  showWords();
}

function summary(answer) {
  const count = hits().length;
  const total = answer.hits?.total;
  const parts = [
    count === 0 ? "No hits" : `${count} of ${total?.relation === "gte" ? "over " : ""}${total?.value ?? count} hits`,
    `${answer.took} ms`,
  ];
  for (const rescore of answer.ext?.cross_modal?.rescores ?? []) {
    const where = rescore.window === "global" ? "one window" : "windows";
    const shards = `${rescore.shards} ${rescore.shards === 1 ? "shard" : "shards"}`;
    parts.push(`rescored ${rescore.rescored} of ${rescore.hits} (${where} over ${shards})`);
    if (rescore.missing > 0) {
      parts.push(`${rescore.missing} without tokens`);
    }
    const { rescore: all, read, queue, copy, model } = rescore.micros;
    const ms = (micros) => (micros / 1000).toFixed(1);
    parts.push(
      `rescore ${ms(all)} ms: read ${ms(read)}, queue ${ms(queue)}, copy ${ms(copy)}, model ${ms(model)}`,
    );
  }
  const advice = shown.state.filter ? " Does the filter let anything pass?" : "";
  return parts.join(" · ") + (count === 0 ? `.${advice}` : "");
}

function warningsOf(answer) {
  const warnings = [];
  if (answer.timed_out) {
    warnings.push("The search's time was over: this is what it had.");
  }
  const { failed = 0, total, failures = [] } = answer._shards ?? {};
  if (failed > 0) {
    const why = new Set(failures.map((failure) => failure.reason?.reason).filter(Boolean));
    warnings.push([`${failed} of ${total} shards failed.`, ...why].join(" "));
  }
  for (const rescore of answer.ext?.cross_modal?.rescores ?? []) {
    for (const { reason: why, hits: count, message } of rescore.degraded) {
      warnings.push(`${count} hits keep the kNN score, ${why}: ${message}`);
    }
  }
  const errors = new Set(hits().map((hit) => details(hit).error).filter(Boolean));
  warnings.push(...errors);
  return warnings;
}

function showRequest(request) {
  const lines = (body) => `POST /${request.index}/_search\n${JSON.stringify(body, null, 2)}`;
  const short = (key, value) => (key === "query_image" ? `${value.slice(0, 16)}…` : value);
  const text = byId("request-text");
  text.textContent = lines(JSON.parse(JSON.stringify(request.body, short)));
  byId("copied").textContent = "";
  byId("request").hidden = false;
  byId("copy").onclick = async () => {
    const whole = lines(request.body);
    try {
      await navigator.clipboard.writeText(whole);
      byId("copied").textContent = "copied";
    } catch {
      // Browsers give the clipboard to secure contexts only.
      text.textContent = whole;
      getSelection().selectAllChildren(text);
      byId("copied").textContent = "selected: copy it with Ctrl-C";
    }
  };
}

// ------------------------------------------------------------------------------------------ a hit

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function card(hit, at) {
  const item = element("li", "");
  const frame = element("div", "picture");
  frame.append(image(hit));
  const text = element("div", "text");
  const head = element("p", "head");
  const title = element("span", "id", titleOf(hit));
  title.title = hit._id;
  head.append(element("span", "rank", `${at + 1}`), element("span", "moved"), title);
  const figures = element("p", "numbers");
  figures.append(...numbers(hit).map((figure) => element("span", "", figure)));
  text.append(head, figures);
  const unavailable = details(hit).heat_map_unavailable;
  if (unavailable && shown.state.by === "words") {
    text.append(element("p", "hint", unavailable));
  }
  text.append(source(hit));
  item.append(frame, text);
  return item;
}

/** What people call it: its path, its caption, its scene and the window there; else its id. */
function titleOf(hit) {
  const said = (name) => [lookup(hit._source, name)].flat()[0];
  const given = ["path", "caption", "scene"].find((name) => typeof said(name) === "string" && said(name).trim());
  if (!given) {
    return hit._id;
  }
  const window = given === "scene" ? lookup(hit._source, "window") : null;
  const where = Array.isArray(window) ? ` [${window.slice(0, 4).join(", ")}]` : "";
  return said(given).slice(0, LONGEST_TITLE) + where.slice(0, LONGEST_TITLE);
}

function numbers(hit) {
  const said = details(hit);
  const parts = [`score ${hit._score?.toFixed(4)}`];
  for (const [key, name] of [["p", "p"], ["itm", "itm"], ["filter", "filter"], ["max_sim", "MaxSim"]]) {
    if (typeof said[key] === "number") {
      parts.push(`${name} ${figure(said[key])}`);
    }
  }
  if (said.rescored === false) {
    parts.push("not rescored");
  }
  return parts;
}

/** Three decimals, or two digits of what would be nothing then. */
function figure(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toPrecision(2) : value.toFixed(3);
}

/** The fields of a document, those of objects by their full names. */
function source(hit) {
  const files = picturesOf(hit).flatMap((field) => [`${field}.bytes`, `${field}.${THUMBNAIL}`]);
  if (thumbnailOf(hit)) {
    files.push(THUMBNAIL);
  }
  const list = element("dl", "");
  const add = (name, value) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      Object.entries(value).forEach(([key, inner]) => add(`${name}.${key}`, inner));
    } else if (!files.includes(name)) {
      const row = element("div", "");
      row.append(element("dt", "", name), element("dd", "", readable(value)));
      list.append(row);
    }
  };
  Object.entries(hit._source ?? {}).forEach(([name, value]) => add(name, value));
  return list;
}

function readable(value) {
  if (!Array.isArray(value)) {
    return cut(String(value ?? ""));
  }
  const flat = value.every((item) => item === null || typeof item !== "object");
  return cut(flat ? value.join(" · ") : JSON.stringify(value));
}

function cut(text) {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

function image(hit) {
  const { url, why } = pictureOf(hit);
  if (!url) {
    return why ? element("div", "placeholder", why) : "";
  }
  const img = element("img", "");
  img.alt = `picture ${titleOf(hit)}`;
  img.referrerPolicy = "no-referrer";
  img.onerror = () => img.replaceWith(element("div", "placeholder", "the picture did not load"));
  img.src = url;
  return img;
}

/** The JPEG that a hit keeps for this page; null for none, and for what is none. */
function thumbnailOf(hit) {
  const own = picturesOf(hit)
    .map((field) => [lookup(hit._source, field)].flat()[0]?.[THUMBNAIL])
    .find((made) => typeof made === "string");
  const kept = hit._source?.[THUMBNAIL] ?? own;
  const is = typeof kept === "string" && kept.length <= MOST_OF_A_THUMBNAIL;
  return is && /^\/9j\/[A-Za-z0-9+/]*={0,2}$/.test(kept) ? kept : null;
}

/** Where a hit's picture is: by the template, or in the document itself, in full or small. */
function pictureOf(hit) {
  const template = byId("template").value.trim();
  if (template) {
    return fill(template, hit);
  }
  const bytes = picturesOf(hit)
    .map((field) => [lookup(hit._source, field)].flat()[0]?.bytes)
    .find((kept) => typeof kept === "string");
  if (bytes?.startsWith("/9j/")) {
    return { url: `data:image/jpeg;base64,${bytes}` };
  }
  if (bytes?.startsWith("iVBORw0KGgo")) {
    return { url: `data:image/png;base64,${bytes}` };
  }
  const thumbnail = thumbnailOf(hit);
  if (thumbnail) {
    return { url: `data:image/jpeg;base64,${thumbnail}` };
  }
  if (shown.state.archive?.text && !bytes) {
    return { why: "" };
  }
  return { why: bytes ? "a picture that browsers do not show" : "no picture kept; give a picture URL" };
}

/** The fields that may keep a hit's picture, the searched one first. */
function picturesOf(hit) {
  const others = archives.filter((archive) => archive.index === hit._index && !archive.text);
  return [shown.state.field, ...others.map((archive) => archive.field)];
}

function fill(template, hit) {
  const missing = [];
  const value = (name) => {
    const found = name === "_id" || name === "_index" ? hit[name] : lookup(hit._source, name);
    const first = Array.isArray(found) ? found[0] : found;
    if (first === undefined || first === null || typeof first === "object") {
      missing.push(name);
      return "";
    }
    return String(first);
  };
  // A template that is one name stands for a whole URL; in any other, names are parts of the path.
  const whole = /^\{([^{}]+)\}$/.exec(template);
  const filled = whole
    ? value(whole[1])
    : template.replace(/\{([^{}]+)\}/g, (_, name) => value(name).split("/").map(segment).join("/"));
  if (missing.length > 0) {
    return { why: `no ${missing.join(", ")} in this document` };
  }
  try {
    const url = new URL(filled, ROOT);
    if (url.protocol === "http:" || url.protocol === "https:") {
      return { url: url.href };
    }
  } catch {
    // Says the next line.
  }
  return { why: "the picture URL is no http or https address" };
}

/** A document must not lead out of the folder that the template names. */
function segment(part) {
  return part === "." || part === ".." ? "" : encodeURIComponent(part);
}

/** A field's value by its full name; each object may have the rest of the name as one key. */
function lookup(node, name) {
  if (node === null || typeof node !== "object") {
    return undefined;
  }
  if (Object.hasOwn(node, name)) {
    return node[name];
  }
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    const found = lookup(node[name.slice(0, dot)], name.slice(dot + 1));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

// --------------------------------------------------------------------------- where the words look

function showWords() {
  const words = hits().map((hit) => details(hit).heat_map?.words).find(Boolean) ?? [];
  byId("attention").hidden = words.length === 0;
  byId("attention-words").replaceChildren(
    ...words.map((text, at) => {
      const button = element("button", "", text);
      button.type = "button";
      button.onclick = () => {
        word = word === at ? -1 : at;
        history.replaceState(history.state, "", toHash(shown.state));
        draw();
      };
      return button;
    }),
  );
  draw();
}

function draw() {
  [...byId("attention-words").children].forEach((button, at) =>
    button.setAttribute("aria-pressed", String(at === word)),
  );
  byId("hits").querySelectorAll(".picture").forEach((frame, at) => {
    const map = details(hits()[at]).heat_map;
    const weights = map?.weights[word];
    frame.querySelector("canvas")?.remove();
    frame.classList.toggle("looking", Boolean(weights));
    if (weights) {
      frame.append(heat(weights, map.grid, map.words[word]));
    }
  });
}

/** One pixel a patch, row by row from the top left; the browser smooths and stretches it. */
function heat(weights, grid, name) {
  const canvas = document.createElement("canvas");
  canvas.width = grid;
  canvas.height = grid;
  const most = Math.max(...weights);
  const sum = weights.reduce((a, b) => a + b, 0);
  const said = `${name}: ${(100 * sum).toFixed(0)} % on patches, at most ${(100 * most).toFixed(1)} % on one`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", said);
  canvas.title = said;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(grid, grid);
  weights.forEach((weight, patch) => {
    pixels.data.set([...colour(most > 0 ? weight / most : 0), 255], 4 * patch);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function colour(value) {
  const place = Math.min(1, Math.max(0, value)) * (INFERNO.length - 1);
  const below = Math.min(Math.floor(place), INFERNO.length - 2);
  return [16, 8, 0].map((shift) => {
    const from = (INFERNO[below] >> shift) & 0xff;
    const to = (INFERNO[below + 1] >> shift) & 0xff;
    return from + (place - below) * (to - from);
  });
}

// ------------------------------------------------------------------------------------------ start

async function takePicture() {
  const [file] = byId("picture").files;
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  picture = null;
  if (file) {
    preview.src = URL.createObjectURL(file);
    const url = await new Promise((done, failed) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.onerror = () => failed(new Problem(`${file.name} cannot be read: ${reader.error.message}`));
      reader.readAsDataURL(file);
    });
    picture = { base64: url.slice(url.indexOf(",") + 1) };
  }
}

/** A browser may refuse its storage; the page goes on without. */
function remembered() {
  try {
    return localStorage.getItem(TEMPLATE_KEY) ?? "";
  } catch {
    return "";
  }
}

function remember(template) {
  try {
    localStorage.setItem(TEMPLATE_KEY, template);
  } catch {
    // Then it is for this visit only.
  }
}

function listen() {
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    word = -1;
    const hash = toHash(read());
    if (hash === location.hash) {
      history.replaceState(SEARCHED, "");
    } else {
      history.pushState(SEARCHED, "", hash);
    }
    search();
  });
  byId("form").addEventListener("change", adapt);
  byId("picture").addEventListener("change", () => takePicture().catch(fail));
  byId("preview").addEventListener("error", () => (byId("preview").hidden = true));
  byId("template").addEventListener("change", () => {
    remember(byId("template").value.trim());
    if (shown) {
      show();
    }
  });
  addEventListener("popstate", arrive);
}

async function start() {
  listen();
  byId("template").value = remembered();
  try {
    await readArchives();
    byId("empty").hidden = archives.length > 0;
  } catch (failure) {
    fail(new Problem(`The mappings cannot be read; type index and field.\n${failure.message}`));
  }
  const pictures = ({ sensors }) => (sensors.length > 1 ? `pictures of ${sensors.join(", ")}` : "pictures");
  const kind = (archive) => (archive.text ? "captions" : pictures(archive));
  const options = archives.map((archive, at) => {
    const option = element("option", "", `${archive.index} · ${archive.field} (${kind(archive)})`);
    option.value = String(at);
    return option;
  });
  const typed = element("option", "", "another index or field …");
  typed.value = "typed";
  byId("archive").replaceChildren(...options, typed);
  await arrive();
}

/** Searches again where the reader did before; what a mere link asks for waits for the button. */
async function arrive() {
  if (!fromHash()) {
    return;
  }
  if (history.state?.searched) {
    await search();
  } else {
    running?.abort();
    clear();
    byId("hits").replaceChildren();
    byId("status").textContent = "This link holds a search: look at it, then choose Search.";
  }
}

start();
