/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// What the other modules make elements with. Text reaches the page by textContent and no other way.

/** @param {string} id @returns {any} the element of the page's HTML with that id */
export const byId = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {any}
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) {
    made.className = className;
  }
  made.textContent = text;
  return made;
}

/**
 * @param {string} text
 * @param {() => unknown} action
 * @param {string} [label] for those who do not see what the button stands beside
 */
export function button(text, action, label) {
  const made = element("button", "", text);
  made.type = "button";
  made.onclick = action;
  if (label) {
    made.setAttribute("aria-label", label);
  }
  return made;
}

/** Three decimals, or two digits of what would be nothing then. @param {number} value */
export function figure(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toPrecision(2) : value.toFixed(3);
}

/** @param {string} text @param {number} most */
export function cut(text, most) {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/**
 * Copies text, or selects it where the browser gives the clipboard to secure contexts only.
 *
 * @param {string} text
 * @param {HTMLElement} shown element that holds the text
 * @returns {Promise<string>} what to tell the reader
 */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return "copied";
  } catch {
    shown.textContent = text;
    getSelection()?.selectAllChildren(shown);
    return "selected: copy it with Ctrl-C";
  }
}

/** @param {string} name @param {string} type @param {string} text */
export function download(name, type, text) {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
