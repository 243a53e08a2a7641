// What became of a sample, and its address.

import { hash } from "./address.js";
import { h } from "./dom.js";

/** @typedef {Record<string, any>} Sample */
/** @typedef {"correct" | "incorrect" | "error" | "unscored"} Outcome */

/** @type {Record<string, [kind: string, symbol: string]>} */
const MARKS = {
  correct: ["better", "✓"],
  incorrect: ["worse", "✕"],
  error: ["warned", "!"],
  unscored: ["soft", "·"],
};

/** A mark for what became of a sample; the word is for screen readers, or for all. @param {string} outcome */
export function outcomeMark(outcome, { words = false } = {}) {
  const [kind, symbol] = MARKS[outcome] ?? MARKS.unscored;
  return h(
    "span",
    { class: `outcome ${kind}` },
    symbol,
    h("span", { class: words ? "" : "visually-hidden" }, ` ${outcome}`),
  );
}

/** A value in one line. @param {any} value */
export const inLine = (value) =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** What a sample is called: its id, or its line if the id cannot be seen. @param {{ id: string, line?: number | null }} sample */
export const sampleName = ({ id, line }) => (id.trim() ? id : line ? `line ${line}` : "(no id)");

/** A value to read: JSON with its lines. @param {any} value */
export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** The address of a sample; the filters of its list decide what the next one is. */
export const sampleLink = (
  /** @type {string} */ runId,
  /** @type {{ id: string, line?: number | null }} */ { id, line },
  /** @type {Record<string, any>} */ query = {},
) => hash(`/runs/${encodeURIComponent(runId)}/samples/${encodeURIComponent(id)}`, { ...query, line });
