// The API of the server of this page.

import { DAMAGED, firstLine, ledger } from "./ledger.js";

export class ApiError extends Error {
  /** @param {string} message @param {number} [status] */
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/**
 * @typedef {object} Asking
 * @property {Record<string, any> | URLSearchParams} [query] parameters; a list repeats a name, null leaves it out
 * @property {string | null} [known] the ETag of the data that the page has
 * @property {boolean} [past] whether the endpoint takes `as_of` (default: yes)
 * @property {AbortSignal} [signal]
 */

/**
 * The answer of a path, as of the moment that the page shows; null if `known` is still current.
 *
 * @param {string} path
 * @param {Asking} [asking]
 * @returns {Promise<{ value: any, tag: string | null } | null>}
 */
export async function get(path, { query = {}, known = null, past = true, signal } = {}) {
  const asOf = ledger.asOf;
  const headers = known ? { "If-None-Match": known } : undefined;
  const response = await ask(address(path, query, past), { headers, cache: "no-store", signal });
  if (response.status === 304) return null;
  const value = await response.json();
  // An answer about an earlier choice of moment says nothing about the one that is shown now.
  if (value.head && past && asOf === ledger.asOf) ledger.saw(value.head);
  return { value, tag: response.headers.get("ETag") };
}

/** Posts a JSON body, as `POST /api/query` needs it. @param {string} path @param {any} body @param {AbortSignal} [signal] */
export async function post(path, body, signal) {
  const asOf = ledger.asOf;
  const sent = asOf === null ? body : { ...body, as_of: asOf };
  const response = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(sent),
    signal,
  });
  const value = await response.json();
  if (value.head && asOf === ledger.asOf) ledger.saw(value.head);
  return value;
}

/** Posts a correction; a form of another site cannot set this header. @param {string} path @param {any} body */
export async function write(path, body) {
  const headers = { "Content-Type": "application/json", "X-Benchmarks-Write": "1" };
  return (await ask(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

/** The address of a path of the API, for links too. @param {string} path @param {Asking["query"]} [query] @param {boolean} [past] */
export function address(path, query = {}, past = true) {
  const asked = query instanceof URLSearchParams ? new URLSearchParams(query) : named(query);
  if (past && ledger.asOf !== null) asked.set("as_of", ledger.asOf);
  const text = asked.toString();
  return relative(text ? `${path}?${text}` : path);
}

/** A path of the server, relative to the page: a proxy may serve both below a prefix. @param {string} path */
export const relative = (path) => path.replace(/^\/+/, "");

/** @param {Record<string, any>} query */
function named(query) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) for (const one of [value].flat()) asked.append(name, String(one));
  }
  return asked;
}

/** @param {string} url @param {RequestInit} how */
async function ask(url, how) {
  let response;
  try {
    response = await fetch(relative(url), how);
  } catch (problem) {
    if (how.signal?.aborted) throw problem;
    throw new ApiError("The viewer's server does not answer. Is `benchmarks serve-viewer` still running?");
  }
  if (response.ok || response.status === 304) return response;
  const problem = await response.json().catch(() => ({}));
  if (problem.title === DAMAGED) ledger.proved({ state: "damaged", damage: firstLine(problem.detail) });
  throw new ApiError(problem.detail || problem.title || `The server answered ${response.status}.`, response.status);
}

/** A piece of a file that grows, from `offset` on (negative: from the end), and where the next piece begins. */
export async function getPiece(
  /** @type {string} */ path,
  /** @type {Record<string, any>} */ query,
  /** @type {AbortSignal} */ signal,
) {
  const response = await ask(address(path, query, false), { cache: "no-store", signal });
  return {
    bytes: new Uint8Array(await response.arrayBuffer()),
    size: Number(response.headers.get("X-Log-Size")),
    next: Number(response.headers.get("X-Next-Offset")),
    /** The number of the first line, if it was asked for and is known. */
    line: Number(response.headers.get("X-Log-Line")) || null,
  };
}

export const runPath = (/** @type {string} */ runId) => `api/runs/${encodeURIComponent(runId)}`;
