// The leaderboard as a matrix: benchmarks down, models or agents across; colour shows who is ahead on each task.

import { benchmarkLink, hash, runLink } from "./address.js";
import { breakable, h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { benchmarkName, count, direction, score, signed, sureness, unitText } from "./format.js";
import { scored, when } from "./parts.js";
import { empty } from "./states.js";

const ACROSS = [
  ["model", "by model"],
  ["agent", "by agent"],
];
const SHADES = 5; // Steps from the last to the first of a task; the number in the cell says the same.

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  let across = query.get("by") === "agent" ? "agent" : "model";
  const tabs = h("span", { class: "tabs", role: "group", "aria-label": "What stands across" });
  const summary = h("p", {});
  const place = h("div", {});
  const board = h("div", {});
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Benchmarks"), summary, tabs), place);
  /** @type {any} */
  let shown = null;

  function draw(/** @type {any} */ { standings }) {
    shown = standings;
    if (!standings.length) {
      place.replaceChildren(
        empty(
          "No scores yet",
          "Runs that succeeded appear here. This command shows what can be run:",
          "benchmarks list-benchmarks",
        ),
      );
      return ready();
    }
    const tasks = grouped(standings);
    const columns = [...new Set(standings.map((/** @type {any} */ one) => nameOf(one, across)))].sort();
    summary.textContent = `${count(new Set(standings.map((/** @type {any} */ one) => one.task.benchmark_id)).size)} benchmarks, ${count(columns.length)} ${across}${columns.length === 1 ? "" : "s"}`;
    if (place.firstChild !== board) place.replaceChildren(board);
    keep(
      tabs,
      ACROSS.map(([value, text]) => [
        value,
        value === across,
        () =>
          h("button", { type: "button", "aria-pressed": String(value === across), onclick: () => choose(value) }, text),
      ]),
    );
    keep(board, [
      ["matrix", [standings, across], () => matrix(tasks, columns, across)],
      ["key", null, key],
    ]);
    return ready();
  }

  function choose(/** @type {string} */ value) {
    across = value;
    keepAddress(value === "model" ? {} : { by: value });
    draw({ standings: shown });
  }

  follow(place, { path: "/api/leaderboard", what: "The leaderboard", draw, signal });
}

const nameOf = (/** @type {any} */ standing, /** @type {string} */ across) =>
  across === "agent" ? standing.agent : `${standing.provider}:${standing.model}`;

/** The standings of each task, in the order in which they came. @param {any[]} standings */
function grouped(standings) {
  /** @type {Map<string, any[]>} */
  const tasks = new Map();
  for (const standing of standings) {
    const { benchmark_id, comparison_key, unit, higher_is_better } = standing.task;
    const name = JSON.stringify([benchmark_id, comparison_key, unit, higher_is_better]);
    tasks.set(name, [...(tasks.get(name) ?? []), standing]);
  }
  return [...tasks.values()];
}

/** @param {any[][]} tasks @param {string[]} columns @param {string} across */
function matrix(tasks, columns, across) {
  const head = h(
    "thead",
    {},
    h(
      "tr",
      {},
      h("th", { scope: "col", class: "benchmark" }, "Benchmark"),
      h("th", { scope: "col", class: "number" }, "Reference"),
      columns.map((name) => h("th", { scope: "col", class: "contender" }, breakable(name))),
    ),
  );
  return h(
    "div",
    { class: "panel scroll matrix", tabindex: 0, role: "region", "aria-label": "Scores by benchmark" },
    h(
      "table",
      {},
      head,
      h(
        "tbody",
        {},
        tasks.map((standings) => row(standings, columns, across)),
      ),
    ),
  );
}

/** @param {any[]} standings @param {string[]} columns @param {string} across */
function row(standings, columns, across) {
  const [{ task, config, task_options, high_score }] = standings;
  const means = standings.map((one) => one.score.mean);
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const options = Object.entries(task_options ?? {}).map(
    ([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`,
  );
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row", class: "benchmark" },
      h(
        "a",
        { href: `${benchmarkLink(task.benchmark_id)}?task=${encodeURIComponent(task.comparison_key)}` },
        breakable(benchmarkName(task.benchmark_id, config)),
      ),
      options.length ? h("span", { class: "soft options" }, options.join(" ")) : "",
      h(
        "span",
        { class: "soft" },
        `${unitText(task.unit) || task.unit || ""}${task.higher_is_better ? "" : " ↓ lower is better"}`,
      ),
    ),
    h(
      "td",
      {
        class: "number soft",
        title: high_score ? `${high_score.label}, ${high_score.source}` : "no published reference",
      },
      high_score ? score(high_score.value) : "—",
    ),
    columns.map((name) => {
      const here = standings.filter((one) => nameOf(one, across) === name);
      return here.length
        ? cell(here, task, { least, most })
        : h("td", { class: "none" }, h("span", { "aria-label": "not run" }, "·"));
    }),
  );
}

/** Several standings meet in a cell where one model ran with several agents, or the other way round: the best is shown. */
function cell(
  /** @type {any[]} */ standings,
  /** @type {any} */ task,
  /** @type {{ least: number, most: number }} */ { least, most },
) {
  const best = standings.reduce((one, other) => (other.rank < one.rank ? other : one));
  const {
    score: found,
    rank,
    rank_low,
    rank_high,
    runs,
    latest_score,
    latest_at,
    delta_to_high_score,
    best_score,
    above_chance,
    attempts,
  } = best;
  const share =
    most > least
      ? task.higher_is_better
        ? (found.mean - least) / (most - least)
        : (most - found.mean) / (most - least)
      : 1;
  const shade = most > least ? 1 + Math.round(share * (SHADES - 1)) : SHADES;
  const told = [
    found.low !== null && rank_low !== rank_high
      ? `rank ${rank}, or any from ${rank_low} to ${rank_high}`
      : `rank ${rank}`,
    `mean of ${found.repeats} ${found.repeats === 1 ? "repetition" : "repetitions"}, ${count(runs)} ${runs === 1 ? "run" : "runs"}`,
    attempts?.own_failures || attempts?.infrastructure_failures
      ? `${attempts.successes} of ${attempts.successes + attempts.own_failures + attempts.infrastructure_failures} attempts succeeded (${attempts.own_failures} failures of its own, ${attempts.infrastructure_failures} of the infrastructure)`
      : "",
    `latest ${score(latest_score)}`,
    `best ${score(best_score)}`,
    found.low === null
      ? "no error known"
      : `${score(found.low)} to ${score(found.high)} with 95% confidence, from ${found.stderr_of}`,
    delta_to_high_score === null ? "" : `${signed(delta_to_high_score)} against the reference`,
    above_chance === null ? "" : `${signed(above_chance)} against guessing`,
    standings.length > 1
      ? `the best of ${standings.length}: ${best.agent} with ${best.provider}:${best.model}`
      : `${best.agent} with ${best.provider}:${best.model}`,
  ].filter(Boolean);
  return h(
    "td",
    { class: `cell shade-${shade}`, title: told.join("\n") },
    h(
      "a",
      { class: "value", href: runLink(best.latest_run_id) },
      scored(found.mean, null, null),
      rank === 1 && most > least && h("span", { class: "first", title: "first of its task" }, " ★"),
    ),
    h("span", { class: "small" }, sureness(found.mean, found.stderr, found.low, found.high)),
    h(
      "span",
      { class: "small" },
      h("span", {}, latest_score === found.mean ? when(latest_at) : ["latest ", score(latest_score)]),
      delta_to_high_score === null
        ? ""
        : h(
            "span",
            { class: direction(delta_to_high_score, task.higher_is_better), title: "against the reference" },
            signed(delta_to_high_score),
          ),
    ),
  );
}

function key() {
  const steps = Array.from({ length: SHADES }, (_, number) => h("i", { class: `shade-${number + 1}` }));
  return h(
    "p",
    { class: "soft matrix-key" },
    h("span", { class: "steps", "aria-hidden": "true" }, steps),
    "from the last to the first of a task; ★ is first. Each cell: mean over repetitions, its standard error, the latest score, the difference to the reference. ",
    h("a", { href: hash("/compare") }, "Compare two to six of them"),
    ".",
  );
}
