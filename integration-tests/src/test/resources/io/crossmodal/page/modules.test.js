/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

import { csv, geojson, stac } from "./export.js";
import {
  bboxOf,
  boundsOf,
  cellBounds,
  centreOf,
  homed,
  pieces,
  polygonsOf,
  precisionFor,
  rectangle,
  unrolled,
  wrapped,
} from "./geometry.js";
import { colour, spoken } from "./heat.js";
import { filled, histogram } from "./histogram.js";
import { lookup, metadata, pictureOf, placeOf, titleOf } from "./hits.js";
import { archivesOf, noteModels, preferred } from "./mapping.js";
import { fill, weights } from "./models.js";
import { noticed, reason } from "./node.js";
import * as requests from "./request.js";
import { areaOf, asks, fromHash, toHash, usual } from "./state.js";

const text = (value) => JSON.stringify(value);
function same(got, wanted, what = "") {
  if (text(got) !== text(wanted)) {
    throw new Error(`${what} got ${text(got)}, wanted ${text(wanted)}`);
  }
}
function refused(action, input) {
  try {
    action();
  } catch (complaint) {
    same(complaint.input, input);
    return;
  }
  throw new Error(`nothing was refused, wanted a complaint of ${input}`);
}

const others = { keywords: ["site"], dates: ["acquired"], points: ["centre"], shapes: ["footprint"], thumbnail: false };
const archive = { index: "scenes", field: "image", text: false, sensors: ["rgb"], knowsWords: true, model: "", tokens: true, fuses: true, draws: false, others };
const asked = (changes, more) => ({
  state: { ...usual(), index: "scenes", field: "image", ...changes },
  archive,
  picture: "",
  lean: false,
  ...more,
});
const at = { template: "", root: new URL("http://node/prefix/"), field: "image", text: false };
const square = { type: "polygon", coordinates: [[[9, 48], [9, 47], [10, 47], [10, 48], [9, 48]]] };
const hit = {
  _index: "scenes",
  _id: "a",
  _score: 1.9,
  _source: { path: "=cmd()", acquired: "2024-05-01", footprint: square, image: { bytes: "/9j/4AAQ" } },
  fields: { _cross_modal: [{ p: 0.9, group: { field: "site", value: "s", hits: 3 } }] },
};

const tests = {
  addressesKeepTheWholeState() {
    const state = {
      ...usual(),
      index: "a-*",
      field: "image",
      words: 'tanks & "ponds" #1',
      like: [{ index: "a", id: "x/y" }],
      unlike: [{ index: "b", id: "ü" }],
      sensors: ["s1", "s2"],
      from: "2024-01-01",
      area: [[9, 47], [10, 47], [10, 48]],
      is: [{ field: "site", value: "a=b" }],
      filter: '{"match_all":{}}',
      minP: 0.25,
      group: "site",
      diversity: 0.5,
      fusion: false,
      window: 500,
      size: 100,
      page: 2,
    };
    same(fromHash(toHash(state)), state);
    same(toHash(usual()), "#");
  },
  addressesOfStrangersStayInBounds() {
    const state = fromHash("#window=1e9&size=-1&minP=NaN&page=x&diversity=2&area=1,2;3,4;999,0&is=novalue");
    same(state, usual());
    same(areaOf("0,0;1,1"), []);
    same(fromHash("#" + "like=a/b&".repeat(200)).like.length, 49);
  },
  aSideAloneIsAQueryByIt() {
    same(requests.sides(asked({ words: "a pond" })), { query_text: "a pond" });
    same(requests.sides(asked({ doc: "d" })), { query_id: "d", index: "scenes" });
    same(requests.sides(asked({ doc: "d", index: "sc*" })), { query_id: "d" });
    same(requests.sides(asked({ sensor: "s1" }, { picture: "AAAA" })), { query_image: "AAAA" });
    const two = { ...archive, sensors: ["s1", "s2"] };
    same(requests.sides(asked({ sensor: "s1" }, { picture: "AAAA", archive: two })), { query_image: "AAAA", sensor: "s1" });
    refused(() => requests.sides(asked({})), "words");
  },
  severalSidesAreLikedAndDisliked() {
    const state = { words: "a pond", like: [{ index: "scenes", id: "l" }], unlike: [{ index: "scenes", id: "u" }] };
    same(requests.sides(asked(state)), {
      like: [{ text: "a pond", weight: 2 }, { id: "l", index: "scenes" }],
      unlike: [{ id: "u", index: "scenes" }],
    });
  },
  filtersComeFromTheMapping() {
    const state = asked({ words: "w", from: "2024-01-01", area: [[9, 47], [10, 47], [10, 48]], is: [{ field: "site", value: "a" }, { field: "site", value: "b" }] });
    const filters = requests.filters(state.state, archive);
    same(filters[0], { range: { acquired: { gte: "2024-01-01" } } });
    same(filters[1].geo_shape.footprint.shape.coordinates, [[[9, 47], [10, 47], [10, 48], [9, 47]]]);
    same(filters[2], { terms: { site: ["a", "b"] } });
    const points = { ...archive, others: { ...others, shapes: [] } };
    same(Object.keys(requests.filters(state.state, points)[1]), ["geo_polygon"]);
    refused(() => requests.filters({ ...usual(), filter: "[1]" }, archive), "filter");
  },
  theSearchReadsOneWindow() {
    const { path, body } = requests.search(asked({ words: "a pond", minP: 0.5, group: "site", diversity: 0.7, page: 1 }));
    same(path, "scenes/_search");
    same([body.from, body.size, body.query.cross_modal.k], [24, 24, 128]);
    same(body.rescore.fusion, { field: "image", query_text: "a pond", min_p: 0.5, group: "site", diversity: 0.7 });
    same(body.ext.cross_modal.global_window, 128);
    same(requests.search(asked({ words: "a pond", fusion: false })).body.rescore, undefined);
    const last = requests.search(asked({ words: "a", page: 5 })).body;
    same([last.from, last.size], [120, 8], "the last page ends where the window does");
    refused(() => requests.search(asked({ words: "a", size: 200 })), "size");
    refused(() => requests.search(asked({ words: "a", index: ".." })), "index");
  },
  captionsAreFoundByWordsWithoutTheFusionEncoder() {
    same(requests.fused(asked({ words: "a" }, { archive: { ...archive, text: true } })), false);
    same(requests.fused(asked({}, { archive: { ...archive, text: true }, picture: "AAAA" })), true);
    // Of words and a picture it would read the words.
    same(requests.fused(asked({ words: "a" }, { archive: { ...archive, text: true }, picture: "AAAA" })), false);
    same(requests.fused(asked({ doc: "d" }, { archive: { ...archive, text: true } })), false);
  },
  whatAModelCannotIsNotAsked() {
    const clip = { ...archive, model: "clip" };
    const models = [{ id: "tiny", default: true, fusion: true, heat_maps: false }, { id: "clip", fusion: false, heat_maps: true }];
    const usual = { ...archive };
    noteModels([clip, usual], models);
    same([clip.fuses, clip.draws, usual.fuses, usual.draws], [false, true, true, false]);
    same(requests.fused(asked({ words: "a pond" }, { archive: clip })), false);
    same(requests.fused(asked({ doc: "d" }, { archive: clip })), true, "patch by patch");
    same(requests.fused(asked({ doc: "d" }, { archive: { ...archive, tokens: false } })), false);
    const { body } = requests.detailed(asked({ words: "a pond" }, { archive: clip }), hit);
    same([body.rescore, body.ext.cross_modal], [undefined, { heat_map: "geo" }]);
    const alike = requests.detailed(asked({ words: "a pond", like: [{ index: "scenes", id: "l" }] }, { archive: clip }), hit);
    same(alike.body.ext, undefined, "of several sides none is drawn");
    noteModels([clip], []);
    same([clip.fuses, clip.draws], [true, false], "who may not see models asks for all");
  },
  aDocumentIsNamedByItsAddress() {
    const by = (doc) => requests.sides(asked({ doc }));
    same(by("http://node:9200/x/other/_doc/a%2Fb?pretty"), { query_id: "a/b", index: "other" });
    same(by("/other/_doc/7"), { query_id: "7", index: "other" });
    same(by("a/b"), { query_id: "a/b", index: "scenes" });
    refused(() => by("/other/_doc/%zz"), "doc");
  },
  linksLeadToNoOtherEndpoint() {
    for (const index of ["_scripts", "_snapshot", "_template", ".", ""]) {
      refused(() => requests.search(asked({ words: "a", index })), "index");
    }
    same(requests.search(asked({ words: "a", index: "_all" })).path, "_all/_search");
    same(requests.search(asked({ words: "a", index: "a/../_scripts" })).path, "a%2F..%2F_scripts/_search");
  },
  detailsAskForOneHit() {
    const { body } = requests.detailed(asked({ words: "a pond", page: 3 }), hit);
    same([body.size, body.query.cross_modal.k, body.query.cross_modal.filter], [1, 1, { ids: { values: ["a"] } }]);
    same(body.ext.cross_modal.heat_map, "geo");
  },
  curlIsQuoted() {
    const line = requests.asCurl({ path: "a/_search", body: { q: "it's" } }, new URL("http://n/p/"));
    same(line.startsWith("curl 'http://n/p/a/_search'"), true);
    same(line.includes("it'\\''s"), true);
  },
  mappingsOfferFields() {
    const answer = {
      scenes: {
        mappings: {
          properties: {
            image: { type: "cross_modal", spaces: { text_tokens: 1, image_tokens: { rgb: 2 } } },
            meta: { properties: { site: { type: "keyword" }, link: { type: "keyword", index: false, doc_values: false } } },
            thumbnail: { type: "binary" },
          },
        },
      },
    };
    const [found] = archivesOf(answer);
    same([found.index, found.field, found.sensors, found.others.keywords, found.others.thumbnail], ["scenes", "image", ["rgb"], ["meta.site"], true]);
    same(preferred(["b", "acquired"], "acquired"), "acquired");
    same(preferred([], "x"), "");
  },
  picturesAreJpegOrPngAndNothingElse() {
    same(pictureOf(hit, at).url, "data:image/jpeg;base64,/9j/4AAQ");
    const svg = { ...hit, _source: { image: { bytes: "PHN2Zz4=" } } };
    same(pictureOf(svg, at), { why: "a picture that browsers do not show" });
    const mark = { ...hit, _source: { thumbnail: '/9j/"><script>' } };
    same(pictureOf(mark, at).url, undefined);
  },
  templatesDoNotLeaveTheirFolder() {
    const with_ = (path) => pictureOf({ ...hit, _source: { path } }, { ...at, template: "https://a.example/x/{path}" }).url;
    same(with_("b/c d.jpg"), "https://a.example/x/b/c%20d.jpg");
    same(with_("../../etc"), "https://a.example/x///etc");
    same(with_("//evil.example/x"), "https://a.example/x///evil.example/x");
    same(pictureOf({ ...hit, _source: {} }, { ...at, template: "https://a.example/{path}" }).why, "no path in this document");
  },
  namesAreWhatPeopleGave() {
    same(titleOf({ ...hit, _source: { caption: ["a pond", "b"] } }), "a pond");
    same(titleOf({ ...hit, _source: { scene: "s.tif", window: [1, 2, 3, 4] } }), "s.tif [1, 2, 3, 4]");
    same(titleOf({ ...hit, _source: {} }), "a");
    same(lookup({ "a.b": { c: 1 } }, "a.b.c"), 1);
    same(lookup({}, "constructor.name"), undefined);
    same(metadata(hit, "image").map(([name]) => name), ["path", "acquired", "footprint"]);
  },
  placesAreReadAsPeopleWriteThem() {
    same(placeOf(hit, others).type, "Polygon");
    const point = (centre) => placeOf({ ...hit, _source: { centre } }, others)?.coordinates;
    same(point("47.5,9.5"), [9.5, 47.5]);
    same(point([9.5, 47.5]), [9.5, 47.5]);
    same(point({ lat: 47.5, lon: 9.5 }), [9.5, 47.5]);
    same(point({ lat: "x" }), undefined);
    same(placeOf({ ...hit, _source: { footprint: { type: "polygon", coordinates: [["<b>"]] } } }, others), null);
  },
  topologiesBecomePolygons() {
    const topology = {
      transform: { scale: [0.5, 0.5], translate: [10, 20] },
      arcs: [[[0, 0], [2, 0]], [[0, 0], [0, 2], [2, -2]]],
      objects: { countries: { geometries: [{ type: "Polygon", arcs: [[1, -1]] }] } },
    };
    same(polygonsOf(topology, "countries"), [[[[10, 20], [10, 21], [11, 20], [10, 20]]]]);
  },
  boxes() {
    same(boundsOf([square]), [9, 47, 10, 48]);
    same(boundsOf([]), null);
    same(boundsOf([{ coordinates: Array(300_000).fill([9, 47]) }]), [9, 47, 9, 47], "a footprint of a stranger");
    same(rectangle([2, 3], [0, 1]), [[0, 1], [2, 1], [2, 3], [0, 3]]);
    same(wrapped(190), -170);
    same(cellBounds("1/0/0").map(Math.round), [-180, 0, 0, 85]);
    same(precisionFor([9, 47, 9.1, 47.1]) > precisionFor([0, 0, 90, 90]), true);
  },
  whatLiesOverTheDateLineIsOneThing() {
    const over = { type: "Polygon", coordinates: [[[179, 1], [179, 0], [-179, 0], [-179, 1], [179, 1]]] };
    same(unrolled(over).coordinates[0].map(([lon]) => lon), [179, 179, 181, 181, 179]);
    same(bboxOf(over), [179, 0, -179, 1]);
    same(centreOf(over), [-180, 0.5]);
    const cut = { type: "MultiPolygon", coordinates: [[[[179, 0], [180, 0], [180, 1]]], [[[-180, 0], [-179, 0], [-180, 1]]]] };
    same(boundsOf([unrolled(cut)]), [179, 0, 181, 1]);
    const earth = { type: "Polygon", coordinates: [[[-180, 1], [-180, 0], [180, 0], [180, 1], [-180, 1]]] };
    same(unrolled(earth), earth);
    same(unrolled(square), square);
  },
  areasOverTheDateLineAreCut() {
    const box = rectangle([170, -5], [190, 5]);
    same(homed(rectangle([-190, -5], [-170, 5])), box);
    same(homed(rectangle([530, -5], [550, 5])), box);
    same(boundsOf([{ coordinates: homed(rectangle([-300, 0], [300, 5])) }]), [-180, 0, 180, 5]);
    same(pieces(rectangle([9, 47], [10, 48])), [rectangle([9, 47], [10, 48])]);
    const [inside, beyond, ...more] = pieces(box);
    same(more, []);
    same([boundsOf([{ coordinates: inside }]), boundsOf([{ coordinates: beyond }])], [[170, -5, 180, 5], [-180, -5, -170, 5]]);
    same(fromHash(toHash({ ...usual(), area: box })).area, box);
    const shapes = requests.filters({ ...usual(), area: box }, archive)[0].geo_shape.footprint.shape;
    same([shapes.type, shapes.coordinates.length], ["multipolygon", 2]);
    const points = requests.filters({ ...usual(), area: box }, { ...archive, others: { ...others, shapes: [] } })[0];
    same(points.bool.should.length, 2);
  },
  timesAreDrawnAsTheyAreCounted() {
    same(filled([]), []);
    const buckets = [{ ge: 0, lt: 1, count: 1 }, { ge: 2, lt: 4, count: 3 }, { ge: 1024, lt: 2048, count: 6 }];
    const all = filled(buckets);
    same([all.length, all[1], all[3]], [12, { ge: 1, lt: 2, count: 0 }, { ge: 4, lt: 8, count: 0 }]);
    same(all.reduce((sum, { count }) => sum + count, 0), 10);
    const drawn = histogram("calls", buckets);
    same(drawn.getAttribute("aria-label"), "calls: 0 µs to 1 µs: 1, 2 µs to 4 µs: 3, 1.02 ms to 2.05 ms: 6");
    same([...drawn.querySelectorAll(".bars > *")].map((bar) => bar.style.height), ["16.6667%", "0%", "50%", ...Array(8).fill("0%"), "100%"]);
    same(histogram("calls", undefined).getAttribute("aria-label"), "calls: none yet");
    same([fill({ pairs: 3, score_batches: 2 }), fill({})], ["1.5 a call", "–"]);
    same(weights([{ nodes: { a: { memory_in_bytes: 5 } } }, { nodes: { a: {}, b: { memory_in_bytes: 7 } } }], "a"), 5);
  },
  filesSayWhatWasFound() {
    const from = { field: "image", others };
    const feature = JSON.parse(geojson([hit], from)).features[0];
    same([feature.id, feature.geometry.type, feature.properties.p, feature.properties.stands_for], ["a", "Polygon", 0.9, 3]);
    same(JSON.stringify(feature).includes("/9j/"), false);
    const [item] = JSON.parse(stac([hit, { ...hit, _source: {} }], from)).features;
    same([item.stac_version, item.properties.datetime, item.bbox], ["1.0.0", "2024-05-01T00:00:00.000Z", [9, 47, 10, 48]]);
    same(JSON.parse(stac([{ ...hit, _source: {} }], from)).features, []);
  },
  noDocumentSaysItsOwnRank() {
    const from = { field: "image", others };
    const liar = { ...hit, _source: { rank: 0, score: 9, datetime: "x", acquired: "2024-05-01", title: "t" } };
    const [item] = JSON.parse(stac([liar], from)).features;
    same([item.properties.rank, item.properties.score, item.properties.datetime], [1, 1.9, "2024-05-01T00:00:00.000Z"]);
    same([item.properties["_source.rank"], item.properties["_source.datetime"]], ["0", "x"]);
  },
  noSpreadsheetRunsACell() {
    const table = csv([{ ...hit, _source: { path: "=cmd()", note: 'a "b",\nc' } }], { field: "image", others });
    same(table.split("\r\n")[0].startsWith("rank,id,"), true);
    same(table.includes("'=cmd()"), true);
    same(table.includes('"a ""b"",\nc"'), true);
  },
  coloursRunFromDarkToLight() {
    same(colour(0), [0, 0, 4]);
    same(colour(1), [252, 255, 164]);
    same(colour(7), colour(1));
    same(spoken("pond", [0.5, 0.25]), "pond: 75 % on patches, at most 50.0 % on one");
  },
  theNodesWords() {
    same(noticed('299 OpenSearch-3.6 "cut \\"x\\"", 299 a "b"'), ['cut "x"', "b"]);
    same(noticed('299 a "caf%C3%A9 50%25", 299 a "50%"'), ["café 50%", "50%"]);
    same(reason({ error: { type: "t", reason: "outer", caused_by: { reason: "inner" } } }), "outer\ninner");
  },
  whatAsks() {
    same(asks(usual(), false), false);
    same(asks({ ...usual(), like: [{ index: "a", id: "b" }] }, false), true);
  },
};

/** Runs them all. @returns the failures */
export function run() {
  return Object.entries(tests).flatMap(([name, test]) => {
    try {
      test();
      return [];
    } catch (failure) {
      return [`${name}: ${failure.message}`];
    }
  });
}
