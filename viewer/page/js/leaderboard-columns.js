// The columns of the leaderboard: a score for each task, and what a contender comes to over all of them.

import { benchmarkLink, runLink } from "./address.js";
import { band, rangeOf } from "./bands.js";
import { h } from "./dom.js";
import { cost, count, duration, estimate, interval, moment, optionsText, plural, score, unitText } from "./format.js";
import { explained, tip } from "./tip.js";
import { contenderText, taskText } from "./who.js";

/** @typedef {import("./data-table.js").Column} Column */

/** @param {any} answer @returns {Column[]} */
export function columnsOf({ tasks, contenders }) {
  return [
    {
      key: "contender",
      title: "Model and agent",
      cell: () => "",
      value: contenderText,
      kind: "name",
    },
    ...tasks.map((/** @type {any} */ one, /** @type {number} */ at) => taskColumn(one, at, contenders)),
    ...SUMMARY,
  ];
}

/** @type {Column[]} */
const SUMMARY = [
  {
    key: "best_on",
    title: "Best on",
    about: "On how many of its tasks it is the best, or tied with the best",
    number: true,
    value: (one) => one.tied,
    cell: (one) => `${one.tied} of ${one.tasks}`,
  },
  {
    key: "rank",
    title: "Rank",
    about: "The mean rank over its tasks, and the ranks that noise allows",
    number: true,
    value: (one) => -one.mean_rank,
    cell: (one) => [
      one.mean_rank.toFixed(1),
      h("span", { class: "soft" }, ` ${one.mean_rank_low.toFixed(1)}–${one.mean_rank_high.toFixed(1)}`),
    ],
  },
  {
    key: "cost_per_run",
    title: "$ / run",
    about: "The mean cost of a run, over its tasks whose cost is known",
    number: true,
    value: (one) => one.cost_per_run,
    cell: (one) => cost(one.cost_per_run) || dash(),
  },
  {
    key: "cost_per_solved",
    title: "$ / solved",
    about: "The cost for each solved sample, on tasks whose score is the share of solved samples",
    number: true,
    value: (one) => one.cost_per_solved,
    cell: (one) => cost(one.cost_per_solved) || dash(),
  },
  {
    key: "seconds_per_sample",
    title: "s / sample",
    about: "The mean duration of a run for each of its samples, in seconds",
    number: true,
    value: (one) => one.seconds_per_sample,
    cell: (one) => (one.seconds_per_sample === null ? dash() : score(one.seconds_per_sample)),
  },
  {
    key: "failed",
    title: "Failed",
    about: "Failed runs of all attempts on these tasks",
    number: true,
    value: (one) => one.failed,
    cell: failedOf,
  },
];

/** Out of how many attempts, and what the failures were and cost. @param {any} one */
export function failedOf(one) {
  const shown = [String(one.failed), h("span", { class: "soft" }, ` / ${count(one.attempted)}`)];
  if (!one.failed) return shown;
  const words = [
    `${plural(one.failed - one.infrastructure_failures, "failure")} of its own, ${one.infrastructure_failures} of the infrastructure`,
    `${Math.round((100 * (one.attempted - one.failed)) / one.attempted)}% of the attempts succeeded`,
    `lost: ${[one.cost_lost ? cost(one.cost_lost) : "", duration(one.seconds_lost)].filter(Boolean).join(", ")}`,
  ];
  return tip(shown, words.join(" · "));
}

const dash = () => h("span", { class: "soft" }, "–");

/** @param {any} one @param {number} at @param {any[]} contenders @returns {Column} */
function taskColumn(one, at, contenders) {
  const cells = contenders.map((other) => other.cells[at]).filter(Boolean);
  const range = rangeOf(cells.map((cell) => cell.score));
  const turn = one.task.higher_is_better ? 1 : -1;
  const link = `${benchmarkLink(one.task.benchmark_id)}?task=${encodeURIComponent(one.task.comparison_key)}`;
  const unit = unitText(one.task.unit) || one.task.unit;
  return {
    key: taskText(one),
    title: one.name || one.task.benchmark_id,
    kind: "score",
    number: true,
    value: (who) => (who.cells[at] ? turn * who.cells[at].score.mean : null),
    below: [
      h("a", { href: link }, [unit, turn < 0 ? "lower is better" : ""].filter(Boolean).join(", ") || "history"),
      h("div", {}, optionsText(one.options)),
      one.rescored_runs > 0 && h("div", {}, `${plural(one.rescored_runs, "run")} with another scorer`),
      one.earlier_runs > 0 &&
        h(
          "div",
          {},
          tip(
            `${count(one.earlier_runs)} earlier`,
            `${plural(one.earlier_runs, "run")} of ${plural(one.earlier_revisions, "earlier revision")} of this benchmark: not comparable, and not shown`,
          ),
        ),
    ],
    cell: (who) =>
      who.cells[at] ? cellOf(who.cells[at], one, range) : h("span", { class: "soft", "aria-label": "not run" }, "·"),
  };
}

/** @param {any} cell @param {any} one @param {[number, number]} range */
function cellOf(cell, one, range) {
  const { score: found, against_best: test, is_tied: tied } = cell;
  const words = [
    `${estimate(found.mean, found.stderr, found.low, found.high)} ${unitText(one.task.unit)}`.trim(),
    found.low === null ? "error unknown" : `95% interval ${interval(found.low, found.high)} from ${found.stderr_of}`,
    test === null
      ? "the best"
      : `${tied ? "tied with" : "worse than"} the best${test.adjusted_p === null ? "" : `, p ${p(test.adjusted_p)}`}${test.pairs ? `, ${count(test.pairs)} samples paired` : ""}`,
    `rank ${cell.rank}${cell.rank_low === cell.rank_high ? "" : `, any of ${cell.rank_low}–${cell.rank_high}`}`,
    found.repeats > 1 ? `mean of ${found.repeats} repeats of one campaign` : "one run",
    found.samples ? plural(found.samples, "sample") : "",
    [cost(cell.cost_per_run), duration(cell.seconds_per_run)].filter(Boolean).join(", "),
    moment(cell.at),
  ];
  const link = h("a", { class: tied ? "value tied" : "value", href: runLink(cell.run_id) }, score(found.mean));
  return [explained(link, words.filter(Boolean).join(" · ")), band(found, range)];
}

/** @param {number} value */
export const p = (value) => (value < 0.001 ? "< 0.001" : `= ${value.toFixed(3)}`);

/** What an export has of each column that is shown: plain numbers. @param {any} answer @param {Set<string>} hidden @returns {Column[]} */
export function figuresOf({ tasks }, hidden) {
  const scores = tasks.flatMap((/** @type {any} */ one, /** @type {number} */ at) =>
    hidden.has(taskText(one))
      ? []
      : ["mean", "low", "high"].map((name) => ({
          key: name === "mean" ? taskText(one) : `${taskText(one)} ${name}`,
          value: (/** @type {any} */ who) => who.cells[at]?.score[name] ?? null,
        })),
  );
  const summary = SUMMARY.filter(({ key }) => !hidden.has(key)).map((column) =>
    column.key === "rank" ? { ...column, value: (/** @type {any} */ who) => who.mean_rank } : column,
  );
  return [...scores, ...summary, { key: "attempted", value: (/** @type {any} */ who) => who.attempted }];
}
