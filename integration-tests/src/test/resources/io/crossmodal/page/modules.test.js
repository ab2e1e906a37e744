/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

import { csv, geojson, stac } from "./export.js";
import { boundsOf, cellBounds, polygonsOf, precisionFor, rectangle, wrapped } from "./geometry.js";
import { colour, spoken } from "./heat.js";
import { lookup, metadata, pictureOf, placeOf, titleOf } from "./hits.js";
import { archivesOf, preferred } from "./mapping.js";
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
const archive = { index: "scenes", field: "image", text: false, sensors: ["rgb"], knowsWords: true, others };
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
      like: [{ text: "a pond" }, { id: "l", index: "scenes" }],
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
    refused(() => requests.search(asked({ words: "a", size: 200 })), "size");
    refused(() => requests.search(asked({ words: "a", index: ".." })), "index");
  },
  captionsAreFoundByWordsWithoutTheFusionEncoder() {
    same(requests.fused(asked({ words: "a" }, { archive: { ...archive, text: true } })), false);
    same(requests.fused(asked({}, { archive: { ...archive, text: true }, picture: "AAAA" })), true);
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
            meta: { properties: { site: { type: "keyword" } } },
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
    same(rectangle([2, 3], [0, 1]), [[0, 1], [2, 1], [2, 3], [0, 3]]);
    same(wrapped(190), -170);
    same(cellBounds("1/0/0").map(Math.round), [-180, 0, 0, 85]);
    same(precisionFor([9, 47, 9.1, 47.1]) > precisionFor([0, 0, 90, 90]), true);
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
