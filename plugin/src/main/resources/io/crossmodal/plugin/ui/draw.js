/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// Drawing an area: a rectangle from corner to corner, or a polygon click by click. Escape ends it.

import { homed, rectangle } from "./geometry.js";

/** @typedef {import("./state.js").Position} Position */

const STYLE = { color: "#2456b3", weight: 2, dashArray: "6 4", interactive: false };

export class Drawing {
  /** @param {any} L Leaflet @param {any} map @param {(area: Position[]) => void} done */
  constructor(L, map, done) {
    this.map = map;
    this.done = done;
    this.active = false;
    /** @type {any[]} */
    this.corners = [];
    this.preview = L.polygon([], STYLE);
    this.listeners = {
      mousedown: (/** @type {any} */ event) => this.press(event),
      mousemove: (/** @type {any} */ event) => this.move(event),
      mouseup: (/** @type {any} */ event) => this.release(event),
      click: (/** @type {any} */ event) => this.click(event),
      dblclick: () => this.finish(this.corners.slice(0, -1)),
    };
    this.keys = (/** @type {KeyboardEvent} */ event) => this.key(event);
  }

  /** @param {"rectangle" | "polygon"} kind */
  start(kind) {
    this.stop();
    this.active = true;
    this.kind = kind;
    this.corners = [];
    this.map.dragging.disable();
    this.map.doubleClickZoom.disable();
    this.map.boxZoom.disable();
    this.map.getContainer().classList.add("drawing");
    this.preview.setLatLngs([]).addTo(this.map);
    this.map.on(this.listeners);
    addEventListener("keydown", this.keys);
  }

  stop() {
    this.active = false;
    this.map.off(this.listeners);
    removeEventListener("keydown", this.keys);
    this.preview.remove();
    this.map.getContainer().classList.remove("drawing");
    this.map.dragging.enable();
    this.map.doubleClickZoom.enable();
    this.map.boxZoom.enable();
  }

  /** @param {any} event */
  press({ latlng }) {
    if (this.kind === "rectangle") {
      this.corners = [latlng];
    }
  }

  /** @param {any} event */
  move({ latlng }) {
    if (this.corners.length === 0) {
      return;
    }
    const all = [...this.corners, latlng];
    this.preview.setLatLngs(this.kind === "rectangle" ? box(all) : all);
  }

  /** @param {any} event */
  release({ latlng }) {
    const [from] = this.corners;
    if (this.kind === "rectangle" && from && !from.equals(latlng)) {
      this.finish(box([from, latlng]));
    }
  }

  /** @param {any} event */
  click({ latlng }) {
    if (this.kind === "polygon") {
      this.corners.push(latlng);
      this.preview.setLatLngs(this.corners);
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === "Escape") {
      this.stop();
    } else if (event.key === "Enter" && this.kind === "polygon") {
      // Else it would press the button that began this.
      event.preventDefault();
      this.finish(this.corners);
    }
  }

  /** @param {any[]} latLngs */
  finish(latLngs) {
    if (latLngs.length >= 3) {
      this.stop();
      this.done(homed(latLngs.map(({ lat, lng }) => [lng, Math.max(-90, Math.min(90, lat))])));
    }
  }
}

/** @param {any[]} corners */
function box([from, to]) {
  return rectangle([from.lng, from.lat], [to.lng, to.lat]).map(([lng, lat]) => ({ lat, lng }));
}
