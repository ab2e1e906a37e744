/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The left of the page: what is asked for.

import { button, byId, element } from "./dom.js";
import { noOthers } from "./mapping.js";
import { Complaint, Problem } from "./node.js";
import { areaOf, keyOf, MOST_IN_WINDOW, usual } from "./state.js";

/** @typedef {import("./state.js").State} State */
/** @typedef {import("./mapping.js").Archive} Archive */

const SIDES = ["west", "south", "east", "north"];

export class Form {
  /**
   * @param {Archive[]} archives
   * @param {{values: (field: string) => Promise<string[]>, area: (area: State["area"]) => void, failed: (failure: unknown) => void}} tell
   */
  constructor(archives, tell) {
    this.archives = archives;
    this.tell = tell;
    /** What no input shows. @type {Pick<State, "like" | "unlike" | "is" | "area" | "sensors" | "page">} */
    this.kept = usual();
    this.picture = "";
    /** The one that the inputs are adapted to. @type {Archive | undefined | null} */
    this.adapted = null;
    this.offer();
    this.listen();
  }

  offer() {
    const pictures = (/** @type {Archive} */ { sensors }) =>
      sensors.length > 1 ? `pictures of ${sensors.join(", ")}` : "pictures";
    const options = this.archives.map((archive, at) => {
      const kind = archive.text ? "captions" : pictures(archive);
      return option(String(at), `${archive.index} · ${archive.field} (${kind})`);
    });
    byId("archive").replaceChildren(...options, option("typed", "another index or field …"));
  }

  listen() {
    byId("archive").addEventListener("change", () => this.adapt());
    byId("words").addEventListener("input", () => this.adapt());
    byId("fusion").addEventListener("change", () => this.adapt());
    byId("min-p").addEventListener("input", () => this.adapt());
    byId("diversity").addEventListener("input", () => this.adapt());
    byId("picture").addEventListener("change", () => this.take(byId("picture").files[0]));
    byId("preview-remove").onclick = () => this.take(null);
    byId("add").onclick = () => this.add();
    byId("value").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.add();
      }
    });
    byId("condition").addEventListener("change", () => this.suggest());
    SIDES.forEach((side) => byId(side).addEventListener("change", () => this.typeArea()));
    byId("area-clear").onclick = () => this.area([]);
    const drop = byId("drop");
    drop.addEventListener("dragover", (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.take(event.dataTransfer?.files[0] ?? null);
    });
    addEventListener("paste", (event) => {
      const file = event.clipboardData?.files[0];
      if (file) {
        event.preventDefault();
        this.take(file);
      }
    });
  }

  /** @returns {Archive | undefined} */
  archive() {
    return this.archives[byId("archive").value];
  }

  /** @returns {State} what the form says, as it stands */
  read() {
    const archive = this.archive();
    const text = (/** @type {string} */ id) => byId(id).value.trim();
    return {
      ...usual(),
      ...this.kept,
      index: archive ? archive.index : text("index"),
      field: archive ? archive.field : text("field"),
      words: text("words"),
      doc: text("doc"),
      sensor: text("sensor"),
      sensors: [...document.querySelectorAll("#sensors input:checked")].map((input) => /** @type {any} */ (input).value),
      from: text("from"),
      to: text("to"),
      filter: text("filter"),
      minP: Number(byId("min-p").value),
      group: byId("group").value,
      diversity: Number(byId("diversity").value),
      fusion: byId("fusion").checked,
      window: whole("window"),
      size: whole("size"),
    };
  }

  /** @param {State} state */
  write(state) {
    const at = this.archives.findIndex(({ index, field }) => index === state.index && field === state.field);
    if (state.index || state.field) {
      byId("archive").value = at >= 0 ? String(at) : "typed";
    }
    for (const id of ["index", "field", "words", "doc", "sensor", "from", "to", "filter", "window", "size", "diversity"]) {
      byId(id).value = String(/** @type {any} */ (state)[id]);
    }
    byId("min-p").value = String(state.minP);
    byId("fusion").checked = state.fusion;
    byId("more").open ||= Boolean(state.filter);
    this.kept = {
      like: state.like,
      unlike: state.unlike,
      is: state.is,
      area: state.area,
      sensors: state.sensors,
      page: state.page,
    };
    this.adapt();
    byId("group").value = state.group;
    this.area(state.area);
  }

  /** Shows and hides what depends on other inputs. */
  adapt() {
    const archive = this.archive();
    const others = archive?.others ?? noOthers();
    document.querySelectorAll(".typed").forEach((control) => (/** @type {any} */ (control).hidden = Boolean(archive)));
    const sensors = archive?.sensors ?? [];
    byId("of-sensor").hidden = !this.picture || sensors.length === 1;
    byId("sensor").placeholder = sensors.join(", ");
    byId("min-p-value").textContent = Number(byId("min-p").value).toFixed(2);
    byId("diversity-value").textContent = Number(byId("diversity").value).toFixed(2);
    ["min-p", "group", "diversity"].forEach((id) => (byId(id).disabled = !byId("fusion").checked));
    byId("dates").hidden = Boolean(archive) && others.dates.length === 0;
    byId("area").hidden = Boolean(archive) && others.shapes.length + others.points.length === 0;
    byId("conditions").hidden = Boolean(archive) && others.keywords.length === 0;
    const advice = adviceFor(archive, Boolean(byId("words").value.trim()), Boolean(this.picture));
    byId("advice").textContent = advice;
    byId("advice").hidden = !advice;
    if (this.adapted !== archive) {
      this.adapted = archive;
      byId("condition").replaceChildren(...others.keywords.map((field) => option(field, field)));
      byId("group").replaceChildren(option("", "no"), ...others.keywords.map((field) => option(field, field)));
      this.suggest();
      this.offerSensors(others);
    }
    this.chips();
  }

  /** The sensors of documents, where a keyword field names them. @param {import("./mapping.js").Others} others */
  async offerSensors(others) {
    const there = others.keywords.includes("sensor");
    byId("sensors").hidden = !there;
    const values = there ? await this.tell.values("sensor").catch(() => []) : [];
    const all = [...new Set([...values, ...this.kept.sensors])];
    byId("sensors-list").replaceChildren(
      ...all.map((value) => {
        const label = element("label");
        const input = element("input");
        input.type = "checkbox";
        input.value = value;
        input.checked = this.kept.sensors.includes(value);
        label.append(input, ` ${value}`);
        return label;
      }),
    );
  }

  /** Values of the chosen keyword field. */
  async suggest() {
    const field = byId("condition").value;
    byId("values").replaceChildren();
    if (field) {
      const values = await this.tell.values(field).catch(() => []);
      byId("values").replaceChildren(...values.map((value) => option(value, value)));
    }
  }

  add() {
    const field = byId("condition").value;
    const value = byId("value").value.trim();
    if (field && value) {
      const there = this.kept.is.some((one) => one.field === field && one.value === value);
      this.kept.is = there ? this.kept.is : [...this.kept.is, { field, value }];
      byId("value").value = "";
      this.chips();
    }
  }

  chips() {
    const { is, like, unlike } = this.kept;
    byId("chips").replaceChildren(
      ...is.map((one) => this.chip(`${one.field}: ${one.value}`, () => (this.kept.is = is.filter((other) => other !== one)))),
    );
    const judged = (/** @type {"like" | "unlike"} */ side, /** @type {string} */ sign) =>
      this.kept[side].map((doc) =>
        this.chip(`${sign} ${doc.id}`, () => (this.kept[side] = this.kept[side].filter((other) => other !== doc))),
      );
    byId("judged").replaceChildren(...judged("like", "+"), ...judged("unlike", "−"));
    byId("feedback").hidden = like.length + unlike.length === 0;
  }

  /** @param {string} text @param {() => unknown} remove */
  chip(text, remove) {
    const item = element("li", "chip", text);
    const cross = button(
      "×",
      () => {
        remove();
        this.chips();
        byId("form").dispatchEvent(new CustomEvent("judged"));
      },
      `remove ${text}`,
    );
    item.append(cross);
    return item;
  }

  /** @param {string} key of a hit @returns {"like" | "unlike" | ""} */
  judgement(key) {
    const on = (/** @type {"like" | "unlike"} */ side) => this.kept[side].some((doc) => keyOf(doc) === key);
    return on("like") ? "like" : on("unlike") ? "unlike" : "";
  }

  /** Likes or dislikes; a second time, neither. @param {string} key @param {"like" | "unlike"} side */
  judge(key, side) {
    const was = this.judgement(key);
    const without = (/** @type {"like" | "unlike"} */ name) => this.kept[name].filter((doc) => keyOf(doc) !== key);
    this.kept.like = without("like");
    this.kept.unlike = without("unlike");
    if (was !== side) {
      const slash = key.indexOf("/");
      this.kept[side].push({ index: key.slice(0, slash), id: key.slice(slash + 1) });
    }
    this.chips();
  }

  /** @param {State["area"]} area */
  area(area) {
    this.kept.area = area;
    const lons = area.map(([lon]) => lon);
    const lats = area.map(([, lat]) => lat);
    const bounds = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
    bounds[2] -= bounds[2] > 180 ? 360 : 0;
    SIDES.forEach((side, at) => (byId(side).value = area.length > 0 ? Number(bounds[at].toFixed(5)) : ""));
    byId("area-clear").hidden = area.length === 0;
    byId("area-said").textContent = area.length > 0 ? `${area.length} corners` : "everywhere";
    this.tell.area(area);
  }

  typeArea() {
    const [west, south, east, north] = SIDES.map((side) => byId(side).value);
    if ([west, south, east, north].every(Boolean)) {
      // Over the date line, east is less than west.
      const beyond = Number(east) < Number(west) ? Number(east) + 360 : east;
      this.area(areaOf(`${west},${south};${beyond},${south};${beyond},${north};${west},${north}`));
    }
  }

  /** @param {File | null | undefined} file */
  async take(file) {
    const preview = byId("preview");
    URL.revokeObjectURL(preview.src);
    preview.removeAttribute("src");
    this.picture = "";
    if (file) {
      try {
        this.picture = await base64(file);
        preview.src = URL.createObjectURL(file);
        preview.alt = `The picture to search by, ${file.name}`;
      } catch (failure) {
        this.tell.failed(failure);
      }
    } else {
      byId("picture").value = "";
    }
    byId("preview-of").hidden = !this.picture;
    byId("preview-name").textContent = file?.name ?? "";
    this.adapt();
  }
}

/** @param {Blob & {name?: string}} file @returns {Promise<string>} */
export async function base64(file) {
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => failed(new Problem(`${file.name} cannot be read: ${reader.error?.message}`));
    reader.readAsDataURL(file);
  });
  return url.slice(url.indexOf(",") + 1);
}

/** @param {string} value @param {string} text */
function option(value, text) {
  const made = element("option", "", text);
  made.value = value;
  return made;
}

/** @param {string} id */
function whole(id) {
  const text = byId(id).value.trim();
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > MOST_IN_WINDOW) {
    const label = document.querySelector(`label[for=${id}]`)?.textContent;
    throw new Complaint(id, `${label} must be a whole number from 1 to ${MOST_IN_WINDOW}, got "${text}".`);
  }
  return number;
}

/** @param {Archive | undefined} archive @param {boolean} words @param {boolean} picture */
function adviceFor(archive, words, picture) {
  if (archive && words && !archive.knowsWords) {
    return "This field's model knows no words: search it by a picture.";
  }
  if (archive?.text && words) {
    return "The fusion encoder reads words with pictures: words among captions are found by kNN alone.";
  }
  if (archive?.tokens === false) {
    return "These documents keep no tokens: hits are ordered by kNN alone.";
  }
  if (archive && words && !archive.fuses) {
    return "This field's model has no fusion encoder: words find by kNN alone.";
  }
  if (archive && picture && !words && !archive.text) {
    return "Pictures among pictures are compared patch by patch; no words look anywhere.";
  }
  return "";
}
