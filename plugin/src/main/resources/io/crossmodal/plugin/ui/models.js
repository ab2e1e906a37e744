/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The models page: which there are, where they are loaded, how the nodes do; and what changes them.

import { button, byId, element } from "./dom.js";
import { base64 } from "./form.js";
import { histogram, millis } from "./histogram.js";
import { Problem, send } from "./node.js";

export const MODELS = "_plugins/_cross_modal/models";
const STATS = "_plugins/_cross_modal/stats";
/** Well below `http.max_content_length`, and what docs/operations.md advises. */
const PART = 4 << 20;
const REFRESH = 5000;
const COLUMNS = ["p50", "p95", "p99", "max"];

export class ModelsPage {
  constructor() {
    this.timer = 0;
    byId("upload-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.act(() => this.upload());
    });
  }

  /** @param {boolean} shown */
  show(shown) {
    clearInterval(this.timer);
    if (shown) {
      this.refresh();
      this.timer = setInterval(() => !document.hidden && this.refresh(), REFRESH);
    }
  }

  async refresh() {
    try {
      const [{ answer: models }, { answer: stats }] = await Promise.all([send("GET", MODELS), send("GET", STATS)]);
      byId("models-error").hidden = true;
      this.draw(models.models, stats.nodes);
    } catch (failure) {
      said("models-error", failure);
    }
  }

  /** @param {any[]} models @param {Record<string, any>} nodes */
  draw(models, nodes) {
    const busy = byId("models-list").contains(document.activeElement) && document.activeElement;
    const label = busy && busy.getAttribute("aria-label");
    byId("models-list").replaceChildren(...models.map((model) => this.card(model, nodes)));
    byId("nodes-list").replaceChildren(...Object.entries(nodes).map(([id, stats]) => node(stats, weights(models, id))));
    [...byId("models-list").querySelectorAll("button")].find((one) => label && one.getAttribute("aria-label") === label)?.focus();
  }

  /** @param {any} model @param {Record<string, any>} nodes */
  card(model, nodes) {
    const card = element("section", "card");
    const kind = model.fusion ? "with a fusion encoder" : "without a fusion encoder";
    card.append(
      element("h3", "", model.id + (model.default ? " (default)" : "")),
      element(
        "p",
        "hint",
        model.error ??
          `version ${model.version} · ${model.sensors.join(", ")} · ${model.filter_dimension} dimensions · ${kind}`,
      ),
    );
    const head = ["node", "state", "device", "precision", "memory", "queue", "pairs", "batch fill", "calls", "times of a call"];
    const rows = Object.entries(model.nodes).map(([id, at]) => state(at, nodes[id], model.id));
    card.append(table(`Where ${model.id} is loaded`, head, rows));
    const id = encodeURIComponent(model.id);
    const actions = element("p", "actions");
    actions.append(
      this.action("Load", model.id, () => send("POST", `${MODELS}/${id}/_load`)),
      this.action("Unload", model.id, () => send("POST", `${MODELS}/${id}/_unload`)),
      this.action("Swap …", model.id, async () => {
        byId("upload-id").value = model.id;
        byId("upload-file").focus();
      }),
      this.action("Delete …", model.id, async () => {
        if (confirm(`Delete the model ${model.id} from the cluster?`)) {
          await send("DELETE", `${MODELS}/${id}`);
        }
      }),
    );
    card.append(actions);
    return card;
  }

  /** @param {string} text @param {string} model @param {() => Promise<unknown>} what */
  action(text, model, what) {
    return button(text, () => this.act(what), `${text.replace(" …", "")} ${model}`);
  }

  /** @param {() => Promise<unknown>} what */
  async act(what) {
    byId("models-error").hidden = true;
    byId("models").setAttribute("aria-busy", "true");
    try {
      await what();
      await this.refresh();
    } catch (failure) {
      said("models-error", failure);
    } finally {
      byId("models").setAttribute("aria-busy", "false");
    }
  }

  /** Sends a bundle part by part; under an id that is there, it takes the other's place. */
  async upload() {
    const id = byId("upload-id").value.trim();
    const [file] = byId("upload-file").files;
    if (!id || !file) {
      throw new Problem("An upload needs an id and a bundle file, as the trainer writes it.");
    }
    const parts = Math.max(1, Math.ceil(file.size / PART));
    const progress = byId("upload-progress");
    progress.max = parts;
    progress.hidden = false;
    try {
      for (let part = 0; part < parts; part++) {
        progress.value = part;
        byId("upload-said").textContent = `part ${part + 1} of ${parts}`;
        if (part === parts - 1) {
          // How long the node takes to load and try it, nobody knows before.
          progress.removeAttribute("value");
          byId("upload-said").textContent += "; the node loads it and tries its golden outputs …";
        }
        const bundle = await base64(file.slice(part * PART, (part + 1) * PART));
        const query = parts > 1 ? `?part=${part}&parts=${parts}` : "";
        await send("PUT", `${MODELS}/${encodeURIComponent(id)}${query}`, { bundle });
      }
      byId("upload-said").textContent = `${file.name} is served as ${id}.`;
    } catch (failure) {
      byId("upload-said").textContent = "";
      throw failure;
    } finally {
      progress.hidden = true;
    }
  }
}

/** @param {string} id @param {unknown} failure */
function said(id, failure) {
  byId(id).textContent = failure instanceof Problem ? failure.message : `This page failed: ${failure}`;
  byId(id).hidden = false;
}

/** @param {any} at a model on a node @param {any} stats of the node @param {string} id */
function state(at, stats, id) {
  const used = stats?.models?.[id] ?? {};
  return [
    at.name,
    at.error ? `${at.state}: ${at.error}` : at.state,
    at.device ?? "–",
    at.precision ?? "–",
    at.memory_in_bytes ? ofMemory(at.memory_in_bytes, stats?.native_memory) : "–",
    String(stats?.queued ?? "–"),
    String(used.pairs ?? 0),
    fill(used),
    String(used.micros?.model?.count ?? 0),
    histogram(`Times of a call of ${id} on ${at.name}`, used.micros?.model?.histogram),
  ];
}

/** Pairs of a call of the fusion encoder. @param {any} used */
export function fill({ pairs, score_batches: calls }) {
  return calls > 0 ? `${(pairs / calls).toFixed(1)} a call` : "–";
}

/** Bytes of all models that a node has loaded. @param {any[]} models @param {string} id of the node */
export function weights(models, id) {
  return models.reduce((sum, { nodes }) => sum + (nodes?.[id]?.memory_in_bytes ?? 0), 0);
}

/** @param {number} bytes @param {{limit_in_bytes: number} | undefined} memory of the node */
function ofMemory(bytes, memory) {
  const limit = memory?.limit_in_bytes ?? 0;
  return limit > 0 ? meter(megabytes(bytes), bytes, limit) : megabytes(bytes);
}

/**
 * The memory outside of the heap: what is taken of what the circuit breaker allows.
 *
 * @param {{used_in_bytes: number, limit_in_bytes: number, tripped: number} | undefined} memory
 * @param {number} held by weights
 * @param {boolean} gpus whether some of them lie elsewhere
 */
function memoryOf(memory, held, gpus) {
  if (!memory) {
    return element("p", "memory hint", "Workers compute for this node; their memory is theirs.");
  }
  const { used_in_bytes: used, limit_in_bytes: limit, tripped } = memory;
  const parts = [
    `native memory ${megabytes(used)} of ${limit < 0 ? "any" : megabytes(limit)}`,
    ...(gpus ? [] : [`${megabytes(Math.min(held, used))} weights`, `${megabytes(Math.max(0, used - held))} calls`]),
    `breaker tripped ${tripped} times`,
  ];
  const made = element("p", "memory");
  made.append(limit > 0 ? meter(parts.join(" · "), used, limit) : parts.join(" · "));
  return made;
}

/** @param {any} stats @param {number} held bytes of its models */
function node(stats, held) {
  const card = element("section", "card");
  card.append(element("h3", "", stats.name));
  const gpus = Object.entries(stats.gpus ?? {}).map(
    ([name, memory]) => `${name}: ${megabytes(memory.used_in_bytes)} of ${megabytes(memory.limit_in_bytes)}`,
  );
  card.append(element("p", "hint", [`${stats.queued} jobs wait`, ...gpus].join(" · ")));
  card.append(memoryOf(stats.native_memory, held, gpus.length > 0));
  for (const worker of stats.workers ?? []) {
    const parts = [`worker ${worker.address}`, worker.state, `${worker.in_flight} jobs under way`, worker.error];
    card.append(element("p", "hint", parts.filter(Boolean).join(" · ")));
  }
  const times = Object.entries(stats.micros ?? {}).filter(([, time]) => time.count > 0);
  const longest = Math.max(1, ...times.map(([, time]) => time.max));
  const rows = times.map(([name, time]) => [
    name,
    String(time.count),
    millis(time.mean),
    ...COLUMNS.map((column) => meter(millis(time[column]), Math.log1p(time[column]), Math.log1p(longest))),
    histogram(`${name} on ${stats.name}`, time.histogram),
  ]);
  card.append(table(`Times of ${stats.name}`, ["time", "count", "mean", ...COLUMNS, "histogram"], rows));
  return card;
}

/** A figure and, for the eye, how large it is. @param {string} text @param {number} value @param {number} most */
function meter(text, value, most) {
  const made = element("span", "bar", text);
  const scale = element("meter");
  scale.max = most;
  scale.value = value;
  scale.setAttribute("aria-hidden", "true");
  made.append(scale);
  return made;
}

/** @param {string} caption @param {string[]} head @param {(string | HTMLElement)[][]} rows */
function table(caption, head, rows) {
  const made = element("table");
  const line = (/** @type {string} */ tag, /** @type {(string | HTMLElement)[]} */ cells) => {
    const row = element("tr");
    row.append(
      ...cells.map((cell) => {
        const box = element(tag);
        box.append(cell);
        return box;
      }),
    );
    return row;
  };
  const top = element("thead");
  top.append(line("th", head));
  const body = element("tbody");
  body.append(...rows.map((cells) => line("td", cells)));
  made.append(element("caption", "", caption), top, body);
  const frame = element("div", "scroll");
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", caption);
  frame.append(made);
  return frame;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
