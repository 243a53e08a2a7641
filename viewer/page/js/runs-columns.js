// The columns of the table of runs. A column's name is also the name that the server sorts by.

import { runLink, runsLink } from "./address.js";
import { h } from "./dom.js";
import { benchmarkName, cost, count, duration, score } from "./format.js";
import { delta, difference, marks, scoreOf, statusBadge, when } from "./parts.js";

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {(run: Record<string, any>) => any} cell
 * @property {string} kind how a cell looks: first, number, id, text, wide
 * @property {boolean} usual shown until somebody chooses
 */

/** @param {string} name @param {string} title @param {string} kind @param {(run: Record<string, any>) => any} cell @param {string} [about] @param {boolean} [usual] @returns {Column} */
const column = (name, title, kind, cell, about = "", usual = true) => ({ name, title, kind, cell, about, usual });

/** In their order. */
export const COLUMNS = [
  column("benchmark", "Benchmark", "first", (run) =>
    h("a", { href: runLink(run.run_id) }, benchmarkName(run.benchmark_id, run.extra_config)),
  ),
  column("status", "Status", "wide", (run) => h("span", { class: "badges" }, statusBadge(run), marks(run))),
  column("started", "Started", "text", (run) => when(run.started_at)),
  column("score", "Score", "number", scoreOf, "The score, ± its standard error"),
  column(
    "delta",
    "Δ reference",
    "number",
    (run) => delta(run),
    "Score − published high score, in colour: better or worse",
  ),
  column(
    "high_score",
    "Reference",
    "number",
    (run) => score(run.high_score_value),
    "The published high score that held when the run ended",
  ),
  column(
    "delta_to_best",
    "Δ best",
    "number",
    (run) => difference(run.delta_to_best, run.higher_is_better),
    "Score − the best own score of the same task before it",
  ),
  column(
    "best",
    "Best so far",
    "number",
    (run) => score(run.best_so_far),
    "The best own score of the same task when the run ended, itself included",
  ),
  column("agent", "Agent", "text", (run) => run.agent),
  column("model", "Model", "text", (run) => run.model),
  column("provider", "Provider", "text", (run) => run.provider),
  column("duration", "Duration", "number", (run) => duration(run.duration_seconds)),
  column("samples", "Samples", "number", (run) => count(run.samples)),
  column("tokens", "Tokens", "number", (run) => count(run.total_tokens)),
  column("cost", "Cost", "number", (run) => cost(run.cost_usd), "US dollars, where the prices are known"),
  column("input_tokens", "Tokens in", "number", (run) => count(run.input_tokens), "", false),
  column("output_tokens", "Tokens out", "number", (run) => count(run.output_tokens), "", false),
  column("calls", "Calls", "number", (run) => count(run.call_count), "Calls of the model", false),
  column("stderr", "± error", "number", (run) => score(run.stderr), "The standard error of the score", false),
  column("attempt", "Attempt", "number", (run) => count(run.attempt), "", false),
  column("reason", "Reason", "text", (run) => run.reason, "Why it failed", false),
  column("ended", "Ended", "text", (run) => when(run.ended_at), "", false),
  column("run_id", "Run", "id", (run) => run.run_id),
  column(
    "group",
    "Group",
    "id",
    (run) => run.run_group_id && h("a", { href: runsLink({ group: run.run_group_id }) }, run.run_group_id),
  ),
];

export const columnOf = (/** @type {string} */ name) => COLUMNS.find((one) => one.name === name);
export const USUAL = COLUMNS.filter((one) => one.usual).map((one) => one.name);

/** @typedef {{ name: string, descending: boolean }} SortKey */

/** Whether the first click on a heading sorts downwards: best, largest and newest first. */
export const startsDescending = (/** @type {string} */ name) =>
  name === "started" || name === "ended" || columnOf(name)?.kind === "number";

/** What `sort` (and the older `desc`) in an address mean. @param {URLSearchParams} query @returns {SortKey[]} */
export function sortOf(query) {
  const turned = query.get("desc") === "1";
  const keys = (query.get("sort") ?? "-started").split(",").filter(Boolean);
  return keys
    .map((key) => ({ name: key.replace(/^-/, ""), descending: key.startsWith("-") !== turned }))
    .filter(({ name }) => columnOf(name));
}

export const sortText = (/** @type {SortKey[]} */ keys) =>
  keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join(",");

/** The order after a click on a heading; `also`: as a further key. @param {SortKey[]} keys @param {string} name @param {boolean} also */
export function sortedBy(keys, name, also) {
  const known = keys.find((key) => key.name === name);
  const turned = known && { name, descending: !known.descending };
  if (also)
    return turned
      ? keys.map((key) => (key === known ? turned : key))
      : [...keys, { name, descending: startsDescending(name) }];
  return [turned ?? { name, descending: startsDescending(name) }];
}
