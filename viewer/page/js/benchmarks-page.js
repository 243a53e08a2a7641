// The leaderboard as a matrix: a row for each task, a column for each model or agent. Each score names its contender.

import { benchmarkLink, hash, runLink } from "./address.js";
import { breakable, h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { benchmarkName, count, interval, optionsText, plural, score, signed, sureness, unitText } from "./format.js";
import { when } from "./parts.js";
import { empty } from "./states.js";

/** @typedef {Record<string, any>} Standing */

const COLUMNS = [
  ["model", "by model"],
  ["agent", "by agent"],
];
const SHADES = 5; // Steps from the worst to the best score on a task; the number in the cell says the same.

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  let columnsBy = query.get("by") === "agent" ? "agent" : "model";
  let isDetailed = query.get("details") === "1";
  const tabs = h("span", { class: "tabs", role: "group", "aria-label": "Columns" });
  const details = h("button", { type: "button", onclick: () => toggle() }, "Details");
  const summary = h("p", {});
  const place = h("div", {});
  const board = h("div", {});
  const leftOut = h("p", { class: "soft" });
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Benchmarks"), summary, tabs, details, leftOut), place);
  /** @type {Standing[]} */
  let shown = [];
  /** What earlier task revisions leave out. @type {string[]} */
  let sentences = [];

  function draw(/** @type {any} */ { standings, left_out = [] }) {
    shown = standings;
    sentences = left_out;
    leftOut.textContent = sentences.join("; ");
    details.hidden = !standings.length;
    if (!standings.length) {
      place.replaceChildren(
        empty("No scores yet", "Successful runs appear here. List what can be run:", "benchmarks list-benchmarks"),
      );
      return ready();
    }
    const columns = [...new Set(shown.map((one) => columnOf(one, columnsBy)))].sort();
    const benchmarks = new Set(shown.map((one) => one.task.benchmark_id)).size;
    summary.textContent = `${plural(benchmarks, "benchmark")}, ${plural(columns.length, columnsBy)}`;
    if (place.firstChild !== board) place.replaceChildren(board);
    keep(
      tabs,
      COLUMNS.map(([value, text]) => [
        value,
        value === columnsBy,
        () =>
          h(
            "button",
            { type: "button", "aria-pressed": String(value === columnsBy), onclick: () => choose(value) },
            text,
          ),
      ]),
    );
    keep(board, [
      ["matrix", [shown, columnsBy], () => matrix(shown, columns, columnsBy)],
      ["key", null, key],
    ]);
    showDetails();
    return ready();
  }

  function choose(/** @type {string} */ value) {
    columnsBy = value;
    keepState();
    draw({ standings: shown, left_out: sentences });
  }

  function toggle() {
    isDetailed = !isDetailed;
    keepState();
    showDetails();
  }

  function showDetails() {
    details.setAttribute("aria-pressed", String(isDetailed));
    board.querySelector(".matrix")?.classList.toggle("detailed", isDetailed);
  }

  function keepState() {
    keepAddress({ by: columnsBy === "model" ? null : columnsBy, details: isDetailed ? "1" : null });
  }

  follow(place, { path: "/api/leaderboard", what: "The leaderboard", draw, signal });
}

const modelOf = (/** @type {Standing} */ one) => `${one.provider}:${one.model}`;
const columnOf = (/** @type {Standing} */ one, /** @type {string} */ by) => (by === "agent" ? one.agent : modelOf(one));

/** What the heading of the column does not say about the contender. @param {Standing} one @param {string} by */
const otherOf = (one, by) => (by === "agent" ? modelOf(one) : one.agent);

/** The standings of each task, in the order in which they came. @param {Standing[]} standings */
function byTask(standings) {
  /** @type {Map<string, Standing[]>} */
  const tasks = new Map();
  for (const one of standings) {
    const { benchmark_id, comparison_key, unit, higher_is_better } = one.task;
    const name = JSON.stringify([benchmark_id, comparison_key, unit, higher_is_better]);
    tasks.set(name, [...(tasks.get(name) ?? []), one]);
  }
  return [...tasks.values()];
}

/** @param {Standing[]} standings @param {string[]} columns @param {string} by */
function matrix(standings, columns, by) {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col", class: "benchmark" }, "Benchmark"),
    h("th", { scope: "col", class: "number" }, "Published score"),
    columns.map((name) => h("th", { scope: "col", class: "contender" }, breakable(name))),
  );
  const rows = byTask(standings).map((some) => row(some, columns, by));
  return h(
    "div",
    { class: "panel scroll matrix", tabindex: 0, role: "region", "aria-label": "Scores by benchmark" },
    h("table", {}, h("thead", {}, head), h("tbody", {}, rows)),
  );
}

/** @param {Standing[]} standings @param {string[]} columns @param {string} by */
function row(standings, columns, by) {
  const [{ task, config, task_options, high_score }] = standings;
  const means = standings.map((one) => one.score.mean);
  const range = { min: Math.min(...means), max: Math.max(...means) };
  const options = optionsText(task_options);
  const link = `${benchmarkLink(task.benchmark_id)}?task=${encodeURIComponent(task.comparison_key)}`;
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row", class: "benchmark" },
      h("a", { href: link }, breakable(benchmarkName(task.benchmark_id, config))),
      options && h("span", { class: "soft options" }, options),
      h(
        "span",
        { class: "soft" },
        `${unitText(task.unit) || task.unit || ""}${task.higher_is_better ? "" : " ↓ lower is better"}`,
      ),
    ),
    h(
      "td",
      { class: "number soft" },
      high_score ? [score(high_score.value), h("span", { class: "fact" }, high_score.label)] : "—",
    ),
    columns.map((name) => {
      const here = standings
        .filter((one) => columnOf(one, by) === name)
        .sort((a, b) => (otherOf(a, by) < otherOf(b, by) ? -1 : 1));
      return here.length
        ? h(
            "td",
            { class: "cells" },
            here.map((one) => cell(one, range, otherOf(one, by))),
          )
        : h("td", { class: "none" }, h("span", { "aria-label": "not run" }, "·"));
    }),
  );
}

/** One contender on one task. @param {Standing} one @param {{ min: number, max: number }} range @param {string} other */
function cell(one, { min, max }, other) {
  const { score: found, rank, rank_low, rank_high, runs, task, attempts } = one;
  const share = max > min ? (task.higher_is_better ? found.mean - min : max - found.mean) / (max - min) : null;
  const shade = share === null ? "" : `shade-${1 + Math.round(share * (SHADES - 1))}`;
  const repeats = found.repeats > 1 ? `mean of ${found.repeats} repeats` : "1 run";
  const facts = [
    found.low !== null && rank_low !== rank_high ? `rank ${rank}, any of ${rank_low}–${rank_high}` : `rank ${rank}`,
    runs > found.repeats ? `${repeats}, ${count(runs)} runs in all` : repeats,
    attemptsText(attempts),
    found.low === null ? "error unknown" : `95% interval ${interval(found.low, found.high)} from ${found.stderr_of}`,
    `best ${score(one.best_score)}`,
    one.delta_to_high_score === null ? "" : `${signed(one.delta_to_high_score)} vs published`,
    one.above_chance === null ? "" : `${signed(one.above_chance)} vs guessing`,
  ];
  return h(
    "div",
    { class: `cell ${shade}`.trim() },
    h("span", { class: "other" }, breakable(other)),
    h(
      "span",
      { class: "line" },
      h("a", { class: "value", href: runLink(one.latest_run_id) }, score(found.mean)),
      rank === 1 &&
        share !== null &&
        h("span", { class: "first" }, "★", h("span", { class: "visually-hidden" }, " best")),
      h("span", { class: "small" }, sureness(found.mean, found.stderr, found.low, found.high)),
    ),
    h(
      "span",
      { class: "small" },
      one.latest_score === found.mean
        ? when(one.latest_at)
        : ["latest ", score(one.latest_score), " ", when(one.latest_at)],
    ),
    h("span", { class: "fact" }, facts.filter(Boolean).join(" · ")),
  );
}

/** The failures beside the successes. @param {any} attempts */
function attemptsText(attempts) {
  const { successes, own_failures: own, infrastructure_failures: infrastructure } = attempts ?? {};
  if (!own && !infrastructure) return "";
  const all = successes + own + infrastructure;
  return `${successes} of ${all} attempts succeeded (failed: ${own} by themselves, ${infrastructure} by the infrastructure)`;
}

function key() {
  const steps = Array.from({ length: SHADES }, (_, number) => h("i", { class: `shade-${number + 1}` }));
  return h(
    "p",
    { class: "soft matrix-key" },
    h("span", { class: "steps", "aria-hidden": "true" }, steps),
    "worst to best on each benchmark; ★ best. Each cell: the agent or model, the mean over repeats ± its standard error, and when it ran. ",
    h("a", { href: hash("/compare") }, "Test differences on Compare"),
    ".",
  );
}
