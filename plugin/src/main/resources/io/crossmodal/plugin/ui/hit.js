/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// One hit: its picture, where the words look, how its scores were made, what lies at its place.

import { button, byId, copy, element } from "./dom.js";
import { canvas } from "./heat.js";
import { details, keyOfHit, lookup, metadata, numbers, titleOf } from "./hits.js";
import { preferred } from "./mapping.js";
import { ROOT } from "./node.js";
import { asCurl, asText } from "./request.js";

/** @typedef {import("./hits.js").Hit} Hit */

/**
 * @typedef {object} Shown
 * @property {Hit} hit as a search for it alone gave it
 * @property {import("./request.js").Request} request that search
 * @property {string} field
 * @property {{url?: string, why?: string}} picture
 * @property {string} rank and where kNN alone had it
 * @property {boolean} placed whether the document says where it lies
 */

/**
 * @typedef {object} Tell
 * @property {(hit: Hit, weights: number[] | null) => void} looked a word was chosen; null for none
 * @property {(key: string, side: "like" | "unlike") => void} judged
 * @property {(hit: Hit) => void} similar
 * @property {() => void} closed
 */

export class HitPanel {
  /** @param {Tell} tell */
  constructor(tell) {
    this.tell = tell;
    this.word = -1;
    byId("hit").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") {
        tell.closed();
      }
    });
    byId("hit-close").onclick = () => tell.closed();
  }

  /** @param {Shown} shown */
  show(shown) {
    const { hit, picture, rank, field, placed } = shown;
    this.shown = shown;
    byId("hit").hidden = false;
    byId("hit-title").textContent = titleOf(hit);
    byId("hit-rank").textContent = [rank, ...numbers(hit)].filter(Boolean).join(" · ");
    const frame = byId("hit-picture");
    frame.replaceChildren(picture.url ? image(picture.url, titleOf(hit)) : element("p", "none", picture.why));
    byId("hit-place").textContent = placed ? "" : "This document does not say where it lies: it is on no map.";
    this.words();
    this.actions(hit);
    byId("hit-explain").replaceChildren(...(hit._explanation ? [explained(hit._explanation)] : []));
    byId("hit-metadata").replaceChildren(...metadata(hit, field).map(([name, value]) => row(name, value)));
    byId("hit-neighbours").hidden = true;
    this.requests(shown.request);
  }

  hide() {
    byId("hit").hidden = true;
    this.shown = undefined;
  }

  /** A chip for each word. */
  words() {
    const { heat_map: heat, heat_map_unavailable: unavailable } = details(/** @type {Shown} */ (this.shown).hit);
    byId("hit-words").replaceChildren(
      ...(heat?.words ?? []).map((/** @type {string} */ word, /** @type {number} */ at) =>
        button(word, () => this.look(this.word === at ? -1 : at)),
      ),
    );
    byId("hit-look").hidden = !heat && !unavailable;
    byId("hit-look-why").textContent = unavailable ?? heat?.geo_unavailable ?? "";
    this.look(heat && this.word < heat.words.length ? this.word : -1);
  }

  /** @param {number} word -1 for none */
  look(word) {
    this.word = word;
    const hit = /** @type {Shown} */ (this.shown).hit;
    const heat = details(hit).heat_map;
    const weights = heat?.weights[word] ?? null;
    const frame = byId("hit-picture");
    frame.querySelector("canvas")?.remove();
    frame.classList.toggle("looking", Boolean(weights));
    if (weights) {
      frame.append(canvas(weights, heat.grid, heat.words[word]));
    }
    [...byId("hit-words").children].forEach((chip, at) => chip.setAttribute("aria-pressed", String(at === word)));
    this.tell.looked(hit, weights);
  }

  /** @param {Hit} hit */
  actions(hit) {
    const key = keyOfHit(hit);
    byId("hit-actions").replaceChildren(
      button("Like", () => this.tell.judged(key, "like")),
      button("Unlike", () => this.tell.judged(key, "unlike")),
      button("Find similar", () => this.tell.similar(hit)),
    );
  }

  /** @param {import("./request.js").Request} request */
  requests(request) {
    const text = byId("hit-request");
    text.textContent = asText(request, false);
    byId("hit-copied").textContent = "";
    const copies = (/** @type {() => string} */ made) => async () =>
      (byId("hit-copied").textContent = await copy(made(), text));
    byId("hit-copy").onclick = copies(() => asText(request, true));
    byId("hit-curl").onclick = copies(() => asCurl(request, ROOT));
  }

  /**
   * @param {Hit[]} hits by their dates
   * @param {import("./mapping.js").Others | undefined} others
   * @param {(hit: Hit) => {url?: string, why?: string}} picture
   */
  neighbours(hits, others, picture) {
    const date = preferred(others?.dates ?? [], "acquired");
    byId("hit-neighbours").hidden = hits.length === 0;
    byId("hit-neighbours-list").replaceChildren(
      ...hits.map((hit) => {
        const item = element("li");
        const { url } = picture(hit);
        item.append(
          url ? image(url, titleOf(hit)) : element("span", "none"),
          element("span", "", String(lookup(hit._source, date) ?? "").slice(0, 10)),
        );
        return item;
      }),
    );
  }
}

/** @param {string} url @param {string} alt */
function image(url, alt) {
  const img = element("img");
  img.alt = `picture ${alt}`;
  img.referrerPolicy = "no-referrer";
  img.onerror = () => img.replaceWith(element("p", "none", "the picture did not load"));
  img.src = url;
  return img;
}

/** @param {string} name @param {string} value */
function row(name, value) {
  const made = element("div");
  made.append(element("dt", "", name), element("dd", "", value));
  return made;
}

/** OpenSearch's explanation, a list in a list. @param {{value: number, description: string, details?: any[]}} part @returns {any} */
function explained({ value, description, details: parts = [] }) {
  const list = element("ul");
  const item = element("li");
  item.append(element("b", "", Number(value).toPrecision(4)), element("span", "", ` ${description}`));
  item.append(...parts.map(explained));
  list.append(item);
  return list;
}
