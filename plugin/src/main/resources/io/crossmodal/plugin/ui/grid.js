/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The hits as a grid of pictures, which move where the fusion encoder orders them anew.

import { button, element, figure } from "./dom.js";
import { details, keyOfHit, titleOf } from "./hits.js";

/** @typedef {import("./hits.js").Hit} Hit */

/**
 * @typedef {object} Tell
 * @property {(key: string) => void} opened
 * @property {(key: string) => void} marked the hit under the pointer or the focus; empty for none
 * @property {(key: string, side: "like" | "unlike") => void} judged
 * @property {(hit: Hit) => {url?: string, why?: string}} picture
 * @property {(key: string) => "like" | "unlike" | ""} judgement
 */

const MOVE = { duration: 350, easing: "ease-in-out" };
/** Beyond it, a page is too long for its pictures to be seen moving. */
const MOST_MOVED = 200;

export class Grid {
  /** @param {HTMLElement} list an ol @param {Tell} tell */
  constructor(list, tell) {
    this.list = list;
    this.tell = tell;
    list.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {Hit[]} hits
   * @param {number} first rank of the first one
   */
  show(hits, first) {
    const before = this.places();
    const focused = /** @type {any} */ (document.activeElement)?.closest?.("[data-key]")?.dataset.key;
    this.list.replaceChildren(...hits.map((hit, at) => this.card(hit, first + at)));
    this.cards()
      .find((card) => card.dataset.key === focused)
      ?.querySelector("button")
      ?.focus();
    this.move(before);
  }

  /** @returns {HTMLElement[]} */
  cards() {
    return /** @type {HTMLElement[]} */ ([...this.list.children]);
  }

  places() {
    const cards = this.cards();
    return new Map(
      cards.length > MOST_MOVED ? [] : cards.map((card) => [card.dataset.key, card.getBoundingClientRect()]),
    );
  }

  /** @param {Map<string | undefined, DOMRect>} before */
  move(before) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || before.size === 0) {
      return;
    }
    for (const card of this.cards().slice(0, MOST_MOVED)) {
      const from = before.get(card.dataset.key);
      const to = card.getBoundingClientRect();
      if (from && (from.left !== to.left || from.top !== to.top)) {
        const shift = `translate(${from.left - to.left}px, ${from.top - to.top}px)`;
        card.animate([{ transform: shift }, { transform: "none" }], MOVE);
      }
    }
  }

  /** @param {Hit} hit @param {number} rank */
  card(hit, rank) {
    const key = keyOfHit(hit);
    const item = element("li", "hit");
    item.dataset.key = key;
    const open = button("", () => this.tell.opened(key));
    open.className = "open";
    open.append(picture(this.tell.picture(hit)), element("span", "title", titleOf(hit)));
    const said = details(hit);
    const numbers = element("p", "numbers");
    numbers.append(element("span", "rank", String(rank)), element("span", "moved"));
    numbers.append(element("span", "", scoreOf(hit)));
    if (said.group) {
      numbers.append(element("span", "group", `1 of ${said.group.hits} in ${said.group.value ?? "its group"}`));
    }
    const marks = element("p", "marks");
    for (const [side, sign] of /** @type {const} */ ([["like", "+"], ["unlike", "−"]])) {
      const mark = button(sign, () => this.tell.judged(key, side), `${side} ${titleOf(hit)}`);
      mark.dataset.side = side;
      mark.title = side === "like" ? "more like this (l)" : "less like this (u)";
      marks.append(mark);
    }
    const foot = element("div", "foot");
    foot.append(numbers, marks);
    item.append(open, foot);
    item.onpointerenter = () => this.tell.marked(key);
    item.onpointerleave = () => this.tell.marked("");
    item.addEventListener("focusin", () => this.tell.marked(key));
    judge(item, this.tell.judgement(key));
    return item;
  }

  /** Shows which hits are liked. */
  judged() {
    this.cards().forEach((card) => judge(card, this.tell.judgement(card.dataset.key ?? "")));
  }

  /** @param {string} key of the hit that is under the pointer on the map; empty for none */
  mark(key) {
    this.cards().forEach((card) => card.classList.toggle("marked", card.dataset.key === key));
  }

  /** @param {string} key of the hit whose details are shown; empty for none */
  open(key) {
    this.cards().forEach((card) => {
      card.querySelector(".open")?.setAttribute("aria-expanded", String(card.dataset.key === key));
    });
  }

  /** @param {string} key */
  focus(key) {
    const card = this.cards().find((one) => one.dataset.key === key);
    card?.querySelector("button")?.focus();
  }

  /** What the fusion changed. @param {Map<string, number>} before the ranks of the first stage @param {number} first */
  ranked(before, first) {
    this.cards().forEach((card, at) => {
      const rank = before.get(card.dataset.key ?? "");
      const moved = /** @type {HTMLElement} */ (card.querySelector(".moved"));
      const now = first + at;
      moved.textContent = rank ? (rank === now ? "as kNN" : `kNN ${rank}`) : "";
      moved.title = "the rank that kNN alone gives it";
      moved.classList.toggle("up", Boolean(rank && rank > now));
    });
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const cards = this.cards();
    const at = cards.findIndex((card) => card.contains(document.activeElement));
    const key = cards[at]?.dataset.key;
    if (key === undefined || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const columns = cards.filter((card) => card.offsetTop === cards[0].offsetTop).length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step && cards[at + step]) {
      cards[at + step].querySelector("button")?.focus();
    } else if (event.key === "l" || event.key === "u") {
      this.tell.judged(key, event.key === "l" ? "like" : "unlike");
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** @param {HTMLElement} card @param {"like" | "unlike" | ""} side */
function judge(card, side) {
  card.classList.toggle("liked", side === "like");
  card.classList.toggle("disliked", side === "unlike");
  card.querySelectorAll(".marks button").forEach((mark) => {
    mark.setAttribute("aria-pressed", String(/** @type {any} */ (mark).dataset.side === side));
  });
}

/** @param {Hit} hit */
export function scoreOf(hit) {
  const { p, rescored } = details(hit);
  if (typeof p === "number") {
    return `p ${figure(p)}`;
  }
  return rescored === false ? "not rescored" : `score ${hit._score?.toFixed(4)}`;
}

/** @param {{url?: string, why?: string}} from */
function picture({ url, why }) {
  if (!url) {
    return element("span", "picture none", why);
  }
  const img = element("img", "picture");
  // The title stands below it.
  img.alt = "";
  img.loading = "lazy";
  img.decoding = "async";
  img.referrerPolicy = "no-referrer";
  img.onerror = () => img.replaceWith(element("span", "picture none", "the picture did not load"));
  img.src = url;
  return img;
}
