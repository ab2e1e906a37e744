/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// What can be searched, filtered and shown, as the mappings say.

/** Only what is needed to offer fields; `**` because a field may stand in an object. */
export const MAPPINGS =
  "_mapping?filter_path=" +
  ["type", "modality", "model", "tokens", "spaces.text_tokens", "spaces.image_tokens"]
    .map((key) => `*.mappings.**.${key}`)
    .join(",");

/**
 * An index's fields beside those of pictures and texts.
 *
 * @typedef {object} Others
 * @property {string[]} keywords
 * @property {string[]} dates
 * @property {string[]} points of type geo_point
 * @property {string[]} shapes of type geo_shape
 * @property {boolean} thumbnail whether documents keep small pictures
 */

/**
 * A field of type cross_modal.
 *
 * @typedef {object} Archive
 * @property {string} index
 * @property {string} field
 * @property {boolean} text whether it holds texts
 * @property {string[]} sensors of its model
 * @property {boolean} knowsWords whether its model knows words
 * @property {string} model its id; empty for the default one
 * @property {boolean} tokens whether documents keep tokens to rescore with
 * @property {boolean} fuses whether its model has a fusion encoder
 * @property {boolean} draws whether its model says where words are without a rescore
 * @property {Others} others
 */

/** What the trainer's `encode` keeps for this page: a JPEG of about 5 kB in base64. */
export const THUMBNAIL = "thumbnail";

/** @returns {Others} */
export const noOthers = () => ({ keywords: [], dates: [], points: [], shapes: [], thumbnail: false });

/**
 * @param {any} mappings the answer to {@link MAPPINGS}
 * @returns {Archive[]}
 */
export function archivesOf(mappings) {
  return Object.keys(mappings)
    .sort()
    .flatMap((index) => {
      const others = noOthers();
      /** @type {Archive[]} */
      const archives = [];
      collect("", mappings[index]?.mappings, (field, mapping) => {
        if (mapping.type === "cross_modal") {
          archives.push({
            index,
            field,
            text: mapping.modality === "text",
            sensors: Object.keys(mapping.spaces?.image_tokens ?? {}),
            knowsWords: mapping.spaces?.text_tokens !== 0,
            model: mapping.model ?? "",
            tokens: mapping.tokens !== "none",
            fuses: true,
            draws: false,
            others,
          });
        } else {
          note(others, field, mapping.type, mapping.index !== false && mapping.doc_values !== false);
        }
      });
      return archives;
    });
}

/**
 * Notes what the archives' models can do; without the right to see models, they are asked for all.
 *
 * @param {Archive[]} archives
 * @param {any[]} models as `GET /_plugins/_cross_modal/models` lists them; none: unknown
 */
export function noteModels(archives, models) {
  for (const archive of archives) {
    const model = models.find(({ id, default: usual }) => (archive.model ? id === archive.model : usual));
    archive.fuses = model?.fusion ?? true;
    archive.draws = model?.heat_maps ?? false;
  }
}

/**
 * @param {string} prefix
 * @param {any} node
 * @param {(field: string, mapping: any) => void} take
 */
function collect(prefix, node, take) {
  for (const [name, child] of Object.entries(node?.properties ?? {})) {
    const field = prefix + name;
    take(field, child);
    collect(`${field}.`, child, take);
  }
}

/**
 * @param {Others} others
 * @param {string} field
 * @param {string} type
 * @param {boolean} usable for search and grouping, which a field of the source alone is not
 */
function note(others, field, type, usable) {
  others.thumbnail ||= field === THUMBNAIL && type === "binary";
  const list = { keyword: "keywords", date: "dates", geo_point: "points", geo_shape: "shapes" }[type];
  if (list && usable) {
    /** @type {any} */ (others)[list].push(field);
  }
}

/** The one that `encode` would write, else the first. @param {string[]} fields @param {string} usual */
export function preferred(fields, usual) {
  return fields.includes(usual) ? usual : (fields[0] ?? "");
}
