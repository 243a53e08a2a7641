// The columns of the table of runs. A column's name is also the name that the server sorts by.

import { runLink, runsLink } from "./address.js";
import { h } from "./dom.js";
import { benchmarkName, cost, count, day, duration, messageOf, moment, optionsText, score, signed } from "./format.js";
import { marks, reasonText, scoreOf, statusDot, when } from "./parts.js";
import { explained } from "./tip.js";
import { shortModel } from "./who.js";

const DAY_MS = 86_400_000;
const MARKS = 2; // More than these are in the explanation.
/** Columns that only show, and do not sort. */
export const UNSORTED = new Set(["previous", "error", "options"]);

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} title
 * @property {string} about
 * @property {(run: Record<string, any>) => any} cell
 * @property {string} kind how a cell looks: first, number, id, text, wide
 * @property {boolean} usual shown until a reader chooses columns
 */

/** @param {string} name @param {string} title @param {string} kind @param {(run: Record<string, any>) => any} cell @param {string} [about] @param {boolean} [usual] @returns {Column} */
const column = (name, title, kind, cell, about = "", usual = true) => ({ name, title, kind, cell, about, usual });

/** How long ago it was within a day, and else the day: many rows of "7 d ago" look alike. @param {string | null} iso */
const dated = (iso) =>
  iso && Date.now() - Date.parse(iso) > DAY_MS
    ? h("time", { datetime: iso, title: moment(iso) }, `${day(iso)} ${iso.slice(11, 16)}`)
    : when(iso);

/** @param {Record<string, any>} run */
function previous(run) {
  if (run.previous_score === null || run.previous_score === undefined || run.score === null) return "";
  const delta = run.score - run.previous_score;
  const text = signed(delta);
  if (!run.previous_differs) return h("span", { class: "soft" }, text);
  return h("strong", { class: delta > 0 === (run.higher_is_better !== false) ? "better" : "worse" }, text);
}

/** The marks of a run as far as there is room for them, and how many more there are. @param {Record<string, any>} run */
function briefMarks(run) {
  const all = marks(run);
  if (all.length <= MARKS) return all;
  const more = all.slice(MARKS).map((one) => one.textContent);
  return [
    ...all.slice(0, MARKS),
    explained(h("button", { type: "button", class: "mark" }, `+${more.length}`), more.join(", ")),
  ];
}

/** @param {Record<string, any>} run */
const failedWith = (run) =>
  run.status === "failed" && run.error
    ? h("span", { class: "soft error-text", title: run.error }, ` ${messageOf(run.error)}`)
    : "";

/** In their order. The table is about as wide as a window of 1,440 pixels until a reader adds columns. */
export const COLUMNS = [
  column("benchmark", "Benchmark", "first", (run) =>
    h("a", { href: runLink(run.run_id) }, benchmarkName(run.benchmark_id, run.extra_config)),
  ),
  column("model", "Model", "text", (run) => [
    h("span", { title: `${run.provider}:${run.model}` }, shortModel(run.model)),
    run.provider && h("span", { class: "soft" }, ` ${run.provider}`),
  ]),
  column("agent", "Agent", "text", (run) => run.agent),
  column("score", "Score", "number", scoreOf, "The score ± its standard error"),
  column(
    "previous",
    "vs previous",
    "number",
    previous,
    "The score minus that of the same model and agent in the campaign before; bold if it is more than twice its standard error",
  ),
  column("cost", "Cost", "number", (run) => cost(run.cost_usd), "US dollars, if the prices are known"),
  column("duration", "Duration", "number", (run) => duration(run.duration_seconds)),
  column("started", "Started", "text", (run) => dated(run.started_at)),
  column("status", "Status", "wide", (run) => [statusDot(run), " ", briefMarks(run), failedWith(run)]),
  column(
    "delta",
    "vs published",
    "number",
    (run) => signed(run.delta_to_high_score),
    "The score minus the published score that held when the run ended",
    false,
  ),
  column(
    "delta_to_best",
    "vs best",
    "number",
    (run) => signed(run.delta_to_best),
    "The score minus the best score of any model on the same task before it",
    false,
  ),
  column(
    "high_score",
    "Published score",
    "number",
    (run) => score(run.high_score_value),
    "The published score that held when the run ended",
    false,
  ),
  column(
    "best",
    "Best so far",
    "number",
    (run) => score(run.best_so_far),
    "The best score on the same task when the run ended, itself included",
    false,
  ),
  column("provider", "Provider", "text", (run) => run.provider, "", false),
  column("samples", "Samples", "number", (run) => count(run.samples), "", false),
  column("tokens", "Tokens", "number", (run) => count(run.total_tokens), "", false),
  column("input_tokens", "Tokens in", "number", (run) => count(run.input_tokens), "", false),
  column("output_tokens", "Tokens out", "number", (run) => count(run.output_tokens), "", false),
  column("calls", "Calls", "number", (run) => count(run.call_count), "Calls of the model", false),
  column("stderr", "± error", "number", (run) => score(run.stderr), "The standard error of the score", false),
  column("attempt", "Attempt", "number", (run) => count(run.attempt), "", false),
  column("error", "Error", "words", (run) => messageOf(run.error), "What the error says", false),
  column("options", "Options", "words", (run) => optionsText(run.extra_config), "", false),
  column("reason", "Reason", "text", (run) => reasonText(run), "Why it failed", false),
  column("ended", "Ended", "text", (run) => dated(run.ended_at), "", false),
  column("run_id", "Run", "id", (run) => run.run_id, "", false),
  column(
    "group",
    "Group",
    "id",
    (run) => run.run_group_id && h("a", { href: runsLink({ group: run.run_group_id }) }, run.run_group_id),
    "",
    false,
  ),
];

export const columnOf = (/** @type {string} */ name) => COLUMNS.find((one) => one.name === name);
export const USUAL = COLUMNS.filter((one) => one.usual).map((one) => one.name);

/** @typedef {{ name: string, descending: boolean }} SortKey */

/** Whether the first click on a heading sorts in descending order: best, largest and newest first. */
export const startsDescending = (/** @type {string} */ name) =>
  name === "started" || name === "ended" || columnOf(name)?.kind === "number";

/** The order that `sort` (and the older `desc`) in an address stand for. @param {URLSearchParams} query @returns {SortKey[]} */
export function sortOf(query) {
  const turned = query.get("desc") === "1";
  const keys = (query.get("sort") ?? "-started").split(",").filter(Boolean);
  return keys
    .map((key) => ({ name: key.replace(/^-/, ""), descending: key.startsWith("-") !== turned }))
    .filter(({ name }) => columnOf(name) && !UNSORTED.has(name));
}

export const sortText = (/** @type {SortKey[]} */ keys) =>
  keys.map(({ name, descending }) => (descending ? `-${name}` : name)).join(",");

/** The order after a click on a heading; `also` adds it as a further key. @param {SortKey[]} keys @param {string} name @param {boolean} also */
export function sortedBy(keys, name, also) {
  const known = keys.find((key) => key.name === name);
  const turned = known && { name, descending: !known.descending };
  if (also)
    return turned
      ? keys.map((key) => (key === known ? turned : key))
      : [...keys, { name, descending: startsDescending(name) }];
  return [turned ?? { name, descending: startsDescending(name) }];
}
