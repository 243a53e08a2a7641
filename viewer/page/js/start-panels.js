// Panels of the start page: leaders, campaigns, spend, runs that ended lately.

import { benchmarkLink, hash, runLink, runsLink } from "./address.js";
import { campaignLink, campaignName, countsText, progressBar } from "./campaigns.js";
import { drawing } from "./chart-frame.js";
import { dataTable } from "./data-table.js";
import { h, s } from "./dom.js";
import { benchmarkName, cost, count, day, duration, estimate, optionsText, plural, score, unitText } from "./format.js";
import { elapsed, marks, panel, scoreOf, statusDot, when } from "./parts.js";
import { tip } from "./tip.js";
import { contender, contenderText, shortModel } from "./who.js";

const LISTED = 14;

/** @param {any} data @param {string} days */
export function leadersPanel({ leaders }, days) {
  if (!leaders.length) return panel("Leaders", h("p", { class: "soft" }, "No scores yet."));
  const shown = leaders.slice(0, LISTED);
  const tied = (/** @type {any} */ one) => {
    if (!one.tied.length) return h("span", { class: "soft" }, one.task.contenders > 1 ? "ahead of all" : "alone");
    const names = one.tied.map((/** @type {any} */ other) => `${shortModel(other.model)} · ${other.agent}`);
    return tip(
      names.length > 1 ? `${count(names.length)} others` : names[0],
      `Tied with: ${one.tied.map(contenderText).join("; ")}`,
    );
  };
  const table = dataTable({
    caption: "Leaders",
    rows: shown,
    columns: [
      {
        key: "task",
        title: "Benchmark",
        cell: ({ task }) => [
          h(
            "a",
            { href: `${benchmarkLink(task.task.benchmark_id)}?task=${encodeURIComponent(task.task.comparison_key)}` },
            task.name || benchmarkName(task.task.benchmark_id, task.config),
          ),
          " ",
          h("span", { class: "soft" }, optionsText(task.options)),
        ],
      },
      { key: "leader", title: "Leader", cell: ({ leader }) => contender(leader) },
      {
        key: "score",
        title: "Score",
        number: true,
        cell: ({ leader: { cell }, task }) => [
          h(
            "a",
            { class: "value", href: runLink(cell.run_id) },
            estimate(cell.score.mean, cell.score.stderr, cell.score.low, cell.score.high),
          ),
          " ",
          h("span", { class: "unit" }, unitText(task.task.unit)),
        ],
      },
      {
        key: "tied",
        title: "Tied with",
        about: "Contenders that are not significantly worse than the leader (p ≥ 0.05, Holm-corrected)",
        cell: tied,
      },
      {
        key: "before",
        title: `${days} d ago`,
        kind: "one-line",
        cell: ({ before, moved }) =>
          before === null
            ? h("span", { class: "soft" }, "no score")
            : moved
              ? ["▲ ", contender(before)]
              : h("span", { class: "soft" }, `same, ${score(before.cell.score.mean)}`),
      },
    ],
  });
  return panel(
    "Leaders",
    table,
    h("a", { href: hash("/leaderboard") }, leaders.length > LISTED ? `all ${count(leaders.length)}` : "leaderboard"),
  );
}

/** @param {any} data */
export function campaignsPanel({ campaigns, total }) {
  const rows = campaigns.map((/** @type {any} */ one) =>
    h(
      "li",
      { class: "item" },
      h("span", { class: `dot ${one.finished_at ? (one.counts.failed ? "warn" : "good") : "live"}` }),
      h(
        "div",
        {},
        h("a", { href: campaignLink(one.run_group_id) }, campaignName(one)),
        " ",
        h("span", { class: "soft" }, when(one.created_at)),
        h(
          "div",
          { class: "soft" },
          countsText(one),
          one.cost_usd === null ? "" : ` · ${cost(one.cost_usd)}`,
          one.limits.max_cost ? ` of ${cost(one.limits.max_cost)}` : "",
        ),
        !one.finished_at && progressBar(one),
      ),
    ),
  );
  return panel(
    "Campaigns",
    rows.length ? h("ul", { class: "plain items" }, rows) : h("p", { class: "soft" }, "No campaigns yet."),
    h("a", { href: hash("/campaigns") }, `all ${count(total)}`),
  );
}

/** @param {any} data @param {string} span in words */
export function spendPanel({ spend, attempted, failed }, span) {
  const sum = (/** @type {string} */ name) =>
    spend.reduce((/** @type {number} */ all, /** @type {any} */ one) => all + one[name], 0);
  const [total, unpriced] = [sum("cost_usd"), sum("unpriced")];
  const most = Math.max(...spend.map((/** @type {any} */ one) => one.cost_usd), 0.000001);
  const step = 100 / Math.max(spend.length, 1);
  const bars = spend.map((/** @type {any} */ one, /** @type {number} */ at) => {
    const text = `${day(one.date)}: ${cost(one.cost_usd)}, ${plural(one.runs, "run")}, ${count(one.failed)} failed`;
    const height = (40 * one.cost_usd) / most;
    const mark = s(
      "g",
      {},
      s("title", {}, text),
      s("rect", { x: at * step, width: step, y: 0, height: 40, class: "ground" }),
      s("rect", { x: at * step + step * 0.1, width: step * 0.8, y: 40 - height, height, class: "bar" }),
    );
    return { text, mark, href: runsLink({ since: `${one.date}T00:00:00Z`, until: dayAfter(one.date) }) };
  });
  const label = `Spend by day: ${cost(total)} in all, at most ${cost(most)} on a day`;
  return panel("Spend", [
    h(
      "p",
      { class: "figures" },
      h("strong", { class: "big" }, cost(total)),
      h(
        "span",
        { class: "soft" },
        attempted
          ? ` ${count(attempted - failed)} of ${plural(attempted, "run")} succeeded${unpriced ? `; the cost of ${plural(unpriced, "run")} is unknown` : ""}`
          : ` no runs ended ${span}`,
      ),
    ),
    total > 0 &&
      drawing(
        s(
          "svg",
          { viewBox: "0 0 100 40", preserveAspectRatio: "none", class: "spend-bars" },
          bars.map((/** @type {{ mark: Element }} */ { mark }) => mark),
        ),
        {
          label,
          name: "spend",
          points: bars,
          table: {
            names: ["date", "cost_usd", "runs", "failed", "unpriced"],
            lines: spend.map((/** @type {any} */ one) => [one.date, one.cost_usd, one.runs, one.failed, one.unpriced]),
          },
          after: h(
            "p",
            { class: "ends soft" },
            h("span", {}, day(spend[0].date)),
            h("span", {}, `max ${cost(most)} a day`),
            h("span", {}, day(spend.at(-1).date)),
          ),
        },
      ),
  ]);
}

const dayAfter = (/** @type {string} */ date) => new Date(Date.parse(date) + 86_400_000).toISOString();

/** @param {any[]} running @param {any[]} finished */
export function finishedPanel(running, finished) {
  const table = dataTable({
    caption: "Running and recently finished runs",
    rows: [...running, ...finished],
    kind: "recent",
    runOf: (run) => run.run_id,
    columns: [
      { key: "status", title: "Status", cell: (run) => [statusDot(run), " ", marks(run)] },
      {
        key: "run",
        title: "Run",
        cell: (run) => [
          h("a", { href: runLink(run.run_id) }, benchmarkName(run.benchmark_id, run.extra_config)),
          " ",
          contender(run),
        ],
      },
      {
        key: "score",
        title: "Score",
        number: true,
        cell: (run) =>
          scoreOf(run) || (run.status === "running" ? h("span", { class: "soft" }, "no progress reported") : ""),
      },
      { key: "cost", title: "Cost", number: true, kind: "minor", cell: (run) => cost(run.cost_usd) },
      {
        key: "duration",
        title: "Duration",
        kind: "minor",
        number: true,
        cell: (run) => (run.status === "running" ? elapsed(run.started_at) : duration(run.duration_seconds)),
      },
      {
        key: "ended",
        title: "Ended",
        cell: (run) => (run.ended_at ? when(run.ended_at) : ["heartbeat ", when(run.last_seen_at ?? run.started_at)]),
      },
    ],
  });
  return panel("Running and recently finished", table, h("a", { href: runsLink({ sort: "-ended" }) }, "all runs"));
}
