/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// What can be searched, filtered and shown, as the mappings say.

/** Only what is needed to offer fields; `**` because a field may stand in an object. */
export const MAPPINGS =
  "_mapping?filter_path=" +
  ["type", "modality", "model", "spaces.text_tokens", "spaces.image_tokens"]
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
            others,
          });
        } else {
          note(others, field, mapping.type);
        }
      });
      return archives;
    });
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

/** @param {Others} others @param {string} field @param {string} type */
function note(others, field, type) {
  others.thumbnail ||= field === THUMBNAIL && type === "binary";
  const list = { keyword: "keywords", date: "dates", geo_point: "points", geo_shape: "shapes" }[type];
  if (list) {
    /** @type {any} */ (others)[list].push(field);
  }
}

/** The one that `encode` would write, else the first. @param {string[]} fields @param {string} usual */
export function preferred(fields, usual) {
  return fields.includes(usual) ? usual : (fields[0] ?? "");
}
