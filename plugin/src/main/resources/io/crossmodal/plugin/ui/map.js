/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The map: coastlines, footprints of hits, cells of a grid, patches of one picture, an area.

import "./policy.js";
import * as leaflet from "./leaflet.js";
import { Drawing } from "./draw.js";
import { boundsOf, cellBounds, polygonsOf, unrolled } from "./geometry.js";
import { colour } from "./heat.js";

/** @type {any} */
const L = leaflet;

/** @typedef {import("./state.js").Position} Position */
/** @typedef {{key: string, title: string, place: {type: string, coordinates: any}}} Item */

const PLAIN = { color: "#0a7d4b", weight: 1.5, fillColor: "#0a7d4b", fillOpacity: 0.15 };
const MARKED = { color: "#d1480f", weight: 3, fillColor: "#d1480f", fillOpacity: 0.35 };
const AREA = { color: "#2456b3", weight: 2, dashArray: "6 4", fillOpacity: 0.05 };
const POINT_RADIUS = 6;
const DOT_RADIUS = 2;
const CLOSEST = 18;

const latLng = (/** @type {Position} */ [lon, lat]) => [lat, lon];
/** @param {number[]} bounds west, south, east, north */
const corners = ([west, south, east, north]) => [
  [south, west],
  [north, east],
];

export class ArchiveMap {
  /**
   * @param {HTMLElement} frame
   * @param {{tiles: string, attribution: string}} settings of the operator
   * @param {{marked: (key: string) => void, chosen: (key: string) => void, drawn: (area: Position[]) => void}} tell
   */
  constructor(frame, settings, tell) {
    this.tell = tell;
    this.map = L.map(frame, { preferCanvas: true, attributionControl: false, minZoom: 0, maxZoom: CLOSEST + 2 });
    this.map.setView([20, 0], 1);
    this.world = this.pane("world", 210, false);
    this.cells = this.pane("cells", 350, false);
    this.hits = this.pane("hits", 400, true);
    this.patches = this.pane("patches", 420, false);
    this.chosen = this.pane("chosen", 430, false);
    /** @type {Map<string, any>} */
    this.layers = new Map();
    this.marked = "";
    this.drawing = new Drawing(L, this.map, (area) => {
      this.area(area);
      tell.drawn(area);
    });
    if (settings.tiles) {
      L.tileLayer(settings.tiles, { maxZoom: CLOSEST + 2, referrerPolicy: "no-referrer" }).addTo(this.map);
    }
    new ResizeObserver(() => this.map.invalidateSize()).observe(frame);
  }

  /** A layer with a canvas of its own, for only the upper canvas would hear the pointer. @param {string} name @param {number} depth @param {boolean} heard */
  pane(name, depth, heard) {
    const pane = this.map.createPane(name);
    pane.style.zIndex = String(depth);
    if (!heard) {
      pane.style.pointerEvents = "none";
    }
    const layer = L.featureGroup([], { pane }).addTo(this.map);
    layer.options = { pane: name, renderer: L.canvas({ pane: name, padding: 0.5 }), interactive: heard };
    return layer;
  }

  /** @param {any} topology of Natural Earth's countries */
  coastlines(topology) {
    const style = { ...this.world.options, color: "#8a95a1", weight: 1, fillColor: "#8a95a1", fillOpacity: 0.12 };
    for (const rings of polygonsOf(topology, "countries")) {
      this.world.addLayer(L.polygon(rings.map((ring) => ring.map(latLng)), style));
    }
  }

  /** @param {Item[]} items */
  show(items) {
    this.hits.clearLayers();
    this.lookAt(null, []);
    this.layers.clear();
    this.marked = "";
    const places = items.map((item) => unrolled(item.place));
    for (const [at, { key }] of items.entries()) {
      const layer = this.shape(places[at]);
      layer.on("mouseover", () => this.tell.marked(key));
      layer.on("mouseout", () => this.tell.marked(""));
      layer.on("click", () => !this.drawing.active && this.tell.chosen(key));
      this.layers.set(key, layer);
      this.hits.addLayer(layer);
    }
    const bounds = boundsOf(places);
    if (bounds) {
      this.map.fitBounds(corners(bounds), { padding: [20, 20], maxZoom: CLOSEST - 4, animate: false });
    }
  }

  /** @param {Item["place"]} place */
  shape(place) {
    const style = { ...this.hits.options, ...PLAIN };
    if (place.type === "Point") {
      return L.circleMarker(latLng(place.coordinates), { ...style, radius: POINT_RADIUS });
    }
    const outline = L.polygon(L.GeoJSON.coordsToLatLngs(place.coordinates, place.type === "Polygon" ? 1 : 2), style);
    // From afar an outline is less than a pixel, and nothing is drawn of it.
    return L.featureGroup([outline, L.circleMarker(outline.getBounds().getCenter(), { ...style, radius: DOT_RADIUS })]);
  }

  /** @param {string} key of a hit; empty for none */
  mark(key) {
    this.layers.get(this.marked)?.setStyle(PLAIN);
    this.marked = key;
    this.layers.get(key)?.setStyle(MARKED).bringToFront();
  }

  /** @param {{key: string, doc_count: number}[]} buckets of a geotile grid */
  counts(buckets) {
    this.cells.clearLayers();
    const most = Math.max(1, ...buckets.map((bucket) => bucket.doc_count));
    for (const { key, doc_count: count } of buckets) {
      const style = { ...this.cells.options, stroke: false, fillColor: "#2456b3", fillOpacity: 0.06 + (0.3 * count) / most };
      this.cells.addLayer(L.rectangle(corners(cellBounds(key)), style));
    }
  }

  /**
   * Draws the patches of one picture as bright as a word looks at them.
   *
   * @param {any} collection of the patches, as `heat_map: "geo"` gives them; null for none
   * @param {number[]} weights
   */
  lookAt(collection, weights) {
    this.patches.clearLayers();
    const most = Math.max(...weights);
    for (const { geometry, properties } of collection?.features ?? []) {
      const share = most > 0 ? weights[properties.patch] / most : 0;
      const fillColor = `rgb(${colour(share).join(",")})`;
      const style = { ...this.patches.options, stroke: false, fillColor, fillOpacity: 0.15 + 0.6 * share };
      this.patches.addLayer(L.polygon(L.GeoJSON.coordsToLatLngs(geometry.coordinates, 1), style));
    }
  }

  /** @param {Item["place"]} place */
  go(place) {
    const bounds = boundsOf([unrolled(place)]);
    if (bounds) {
      this.map.fitBounds(corners(bounds), { padding: [40, 40], maxZoom: CLOSEST, animate: false });
    }
  }

  /** @param {Position[]} corners none: everywhere */
  area(corners) {
    this.chosen.clearLayers();
    if (corners.length > 0) {
      this.chosen.addLayer(L.polygon(corners.map(latLng), { ...this.chosen.options, ...AREA }));
    }
  }
}
