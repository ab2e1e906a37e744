/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */

// The node that served the page, and no other.

/** The node's REST root, behind whatever prefix a proxy gives it. */
export const ROOT = new URL("../../../", import.meta.url);

const LONGEST_TEXT = 400;

/** What is shown as it is: the node's reason, or what the reader is to do. */
export class Problem extends Error {}

/** A Problem of one input. */
export class Complaint extends Problem {
  /** @param {string} input id of the input @param {string} message */
  constructor(input, message) {
    super(message);
    this.input = input;
  }
}

/**
 * Asks the node.
 *
 * @param {string} method
 * @param {string} path below the root
 * @param {unknown} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<{answer: any, notices: string[]}>} the answer, and what the node remarks
 */
export async function send(method, path, body, signal) {
  let response;
  let text;
  try {
    response = await fetch(new URL(path, ROOT), {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
      signal,
    });
    text = await response.text();
  } catch (failure) {
    if (signal?.aborted) {
      throw failure;
    }
    throw new Problem(`No answer from ${ROOT.host}. Is the node running? (${said(failure)})`);
  }
  let answer = null;
  try {
    answer = JSON.parse(text);
  } catch {
    // A proxy's page, perhaps; its status says more.
  }
  if (!response.ok || answer === null) {
    const why = reason(answer) || text.slice(0, LONGEST_TEXT) || response.statusText;
    throw new Problem(`${response.status} ${why}`);
  }
  return { answer, notices: noticed(response.headers.get("warning")) };
}

/** @param {unknown} failure */
export function said(failure) {
  return failure instanceof Error ? failure.message : String(failure);
}

/** The texts of a `warning` header, as that a query was too long. @param {string | null} header */
export function noticed(header) {
  return [...(header ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    decoded(match[1].replace(/\\(.)/g, "$1")),
  );
}

/** What is no ASCII comes percent-encoded. @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The node's own reason; that of the first shard where all of them failed. @param {any} answer */
export function reason(answer) {
  const error = answer?.error;
  if (!error || typeof error === "string") {
    return error;
  }
  const why = error.root_cause?.[0]?.reason || error.reason || error.type;
  const because = (error.failed_shards?.[0]?.reason ?? error).caused_by?.reason;
  return because && !why.includes(because) ? `${why}\n${because}` : why;
}
