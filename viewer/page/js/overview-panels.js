// The panels of the start page.

import { runLink, runsLink } from "./address.js";
import { breakable, h, s } from "./dom.js";
import { benchmarkName, count, duration, plural, score, signed } from "./format.js";
import { ledger } from "./ledger.js";
import {
  difference,
  elapsed,
  isStale,
  marks,
  panel,
  progressOf,
  reasonText,
  scored,
  statusBadge,
  when,
} from "./parts.js";

/** @typedef {Record<string, any>} Row */

const MAX_BARS = 92;

/** Numbers that lead to the runs that they count. @param {Row} data @returns {import("./dom.js").Part[]} */
export function tiles({ counts, activity, records_total, regressions_total, regressions_significant, since }) {
  const sum = (/** @type {string} */ name) =>
    activity.reduce((/** @type {number} */ all, /** @type {Row} */ day) => all + day[name], 0);
  const ended = sum("succeeded") + sum("failed");
  /** @type {[string, any, string, string, string][]} */
  const figures = [
    [
      "running",
      count(counts.running),
      counts.stale ? `${count(counts.stale)} without a heartbeat` : "now",
      runsLink({ status: "running" }),
      counts.stale ? "warn" : counts.running ? "live" : "",
    ],
    [
      "succeeded",
      count(sum("succeeded")),
      `of ${plural(ended, "run")} that ended`,
      runsLink({ status: "succeeded", since }),
      "",
    ],
    [
      "failed",
      count(sum("failed")),
      `of ${plural(ended, "run")} that ended`,
      runsLink({ status: "failed", since }),
      sum("failed") ? "bad" : "",
    ],
    ["new bests", count(records_total), "in this time", "", records_total ? "good" : ""],
    [
      "regressions",
      count(regressions_significant),
      regressions_total > regressions_significant
        ? `significant; ${count(regressions_total - regressions_significant)} within noise`
        : "significant",
      "",
      regressions_significant ? "bad" : "",
    ],
  ];
  return figures.map((tile) => [tile[0], tile, () => figure(...tile)]);
}

/** @param {string} name @param {any} number @param {string} about @param {string} href @param {string} kind */
function figure(name, number, about, href, kind) {
  const inside = [h("span", { class: "name" }, name), h("strong", {}, number), h("span", { class: "soft" }, about)];
  return href
    ? h("a", { class: `panel tile ${kind}`, href }, inside)
    : h("div", { class: `panel tile ${kind}` }, inside);
}

/** @param {Row[]} runs @param {Row} counts */
export function runningPanel(runs, counts) {
  const link =
    counts.running > runs.length
      ? h("a", { href: runsLink({ status: "running" }) }, `all ${count(counts.running)}`)
      : "";
  const title = ledger.asOf === null ? "Running now" : "Running then";
  if (!runs.length) return panel(title, nothing("No running runs."));
  const rows = runs.map((run) =>
    h(
      "tr",
      { class: isStale(run) ? "stale" : null, "data-run": run.run_id },
      h("th", { scope: "row" }, name(run), h("div", { class: "who soft" }, who(run))),
      h("td", {}, h("span", { class: "badges" }, statusBadge(run), marks(run))),
      h("td", { class: "number" }, progressOf(run) || h("span", { class: "soft" }, "no progress reported")),
      h("td", { class: "number", "data-label": "elapsed" }, elapsed(run.started_at)),
      h("td", { class: "number", "data-label": "heartbeat" }, when(run.last_seen_at ?? run.started_at)),
    ),
  );
  return panel(
    title,
    table("Running runs", ["Run", "Status", ["Progress"], ["Elapsed"], ["Last heartbeat"]], rows),
    link,
  );
}

/** @param {Row[]} runs */
export function finishedPanel(runs) {
  const link = h("a", { href: runsLink({ sort: "-ended" }) }, "all");
  if (!runs.length) return panel("Recently finished", nothing("No run has ended yet."));
  const rows = runs.map((run) =>
    h(
      "tr",
      { "data-run": run.run_id },
      h("th", { scope: "row" }, name(run), h("div", { class: "who soft" }, who(run))),
      h("td", {}, h("span", { class: "badges" }, statusBadge(run), marks(run))),
      h(
        "td",
        { class: "number", "data-label": "score" },
        scored(run.score, run.stderr, run.unit) || h("span", { class: "soft" }, "no score"),
        h("div", { class: "who", "data-label": "vs published" }, signed(run.delta_to_high_score)),
      ),
      h(
        "td",
        { class: "number" },
        when(run.ended_at),
        h("div", { class: "who soft", "data-label": "duration" }, duration(run.duration_seconds)),
      ),
    ),
  );
  return panel(
    "Recently finished",
    table("Recently finished runs", ["Run", "Status", ["Score, vs published"], ["Ended, duration"]], rows),
    link,
  );
}

/** The number of all, if not all are listed. @param {Row[]} listed @param {number} total */
const newest = (listed, total) =>
  total > listed.length ? h("span", { class: "soft" }, `the newest ${count(listed.length)} of ${count(total)}`) : "";

/** @param {Row[]} runs @param {number} total */
export function recordsPanel(runs, total) {
  if (!runs.length) return panel("New bests", nothing("No best score was beaten in this time."));
  const rows = runs.map((run) =>
    h(
      "li",
      {},
      h(
        "div",
        { class: "entry" },
        name(run),
        h("strong", {}, scored(run.score, null, run.unit)),
        difference(run.delta_to_best, run.higher_is_better),
      ),
      h(
        "div",
        { class: "who soft" },
        who(run),
        ", previous best ",
        score(run.previous_best),
        " · ",
        when(run.ended_at),
      ),
    ),
  );
  return panel("New bests", h("ul", { class: "plain entries" }, rows), newest(runs, total));
}

/** @param {Row[]} regressions @param {number} total */
export function regressionsPanel(regressions, total) {
  if (!regressions.length) return panel("Regressions", nothing("No regressions."));
  const sure = (/** @type {boolean | null} */ is) =>
    is
      ? h(
          "span",
          { class: "mark record bad", title: "p < 0.05, Holm-corrected over all agents, models and tasks" },
          "significant",
        )
      : h("span", { class: "soft" }, is === null ? "error unknown" : "within noise");
  const rows = regressions.map(({ run, before, delta, stderr, is_significant: is }) =>
    h(
      "li",
      {},
      h(
        "div",
        { class: "entry" },
        name(run),
        h("strong", {}, scored(run.score, null, run.unit)),
        is ? difference(delta, run.higher_is_better) : h("span", { class: "soft" }, signed(delta)),
        stderr && h("span", { class: "soft" }, `± ${score(stderr)}`),
      ),
      h(
        "div",
        { class: "who soft" },
        who(run),
        ", ",
        h("a", { href: runLink(before.run_id) }, `${score(before.score)} before`),
        " · ",
        when(run.ended_at),
        " · ",
        sure(is),
      ),
    ),
  );
  const listed =
    total > regressions.length ? h("span", { class: "soft" }, `${count(regressions.length)} of ${count(total)}`) : "";
  return panel("Regressions", h("ul", { class: "plain entries" }, rows), listed);
}

/** @param {Row[]} failures @param {string} since */
export function failuresPanel(failures, since) {
  if (!failures.length) return panel("Failures by reason", nothing("No failures in this time."));
  const most = Math.max(...failures.map(({ runs }) => runs));
  const rows = failures.map(({ reason, runs, benchmarks, latest_run_id: latest, latest_at: at }) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h(
          "a",
          { href: runsLink({ status: "failed", reason: reason ?? "", since }) },
          reasonText({ reason }) || "no reason",
        ),
      ),
      h(
        "td",
        { class: "bar" },
        s(
          "svg",
          { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
          s("rect", { width: Math.max(1, (100 * runs) / most), height: 8, rx: 1 }),
        ),
      ),
      h("td", { class: "number" }, count(runs)),
      h("td", { class: "number soft" }, plural(benchmarks, "benchmark")),
      h(
        "td",
        { class: "number" },
        h("a", { href: runLink(latest) }, "latest"),
        " ",
        h("span", { class: "soft" }, when(at)),
      ),
    ),
  );
  return panel(
    "Failures by reason",
    table("Failures by reason", ["Reason", "Share", ["Runs"], ["Benchmarks"], ["Latest"]], rows),
  );
}

/** Runs that ended, day by day; over a long time, week by week. @param {Row[]} days */
export function activityPanel(days) {
  return days.length > MAX_BARS ? bars(weeks(days), "week") : bars(days, "day");
}

/** @param {Row[]} days */
function weeks(days) {
  const first = days.length % 7; // The last week is a whole one: it is the one that readers look at.
  const starts = [
    ...(first ? [0] : []),
    ...Array.from({ length: Math.floor(days.length / 7) }, (_, index) => first + 7 * index),
  ];
  const sum = (/** @type {Row[]} */ some, /** @type {string} */ name) => some.reduce((all, day) => all + day[name], 0);
  return starts.map((start, index) => {
    const some = days.slice(start, starts[index + 1]);
    return {
      date: some[0].date,
      until: some[some.length - 1].date,
      succeeded: sum(some, "succeeded"),
      failed: sum(some, "failed"),
    };
  });
}

/** @param {Row[]} days @param {string} noun */
function bars(days, noun) {
  const most = Math.max(1, ...days.map(({ succeeded, failed }) => succeeded + failed));
  const [width, height] = [Math.max(days.length * 10, 70), 64];
  const step = width / days.length;
  const drawn = days.map(({ date, until, succeeded, failed }, index) => {
    const [up, down] = [(height * succeeded) / most, (height * failed) / most];
    const place = { x: index * step + step * 0.12, width: step * 0.76 };
    return s(
      "g",
      {},
      s(
        "title",
        {},
        `${until && until !== date ? `${date} to ${until}` : date}: ${count(succeeded)} succeeded, ${count(failed)} failed`,
      ),
      s("rect", { ...place, y: 0, height, class: "ground" }),
      s("rect", { ...place, y: height - up, height: up, class: "good" }),
      s("rect", { ...place, y: height - up - down, height: down, class: "bad" }),
    );
  });
  const all = days.reduce((sum, { succeeded, failed }) => sum + succeeded + failed, 0);
  const [from, to] = [days[0]?.date ?? "", days.at(-1)?.until ?? days.at(-1)?.date ?? ""];
  const label = `${plural(all, "run")} ended between ${from} and ${to}; at most ${count(most)} in a ${noun}`;
  const chart = s(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      class: "activity",
      role: "img",
      "aria-label": label,
    },
    drawn,
  );
  const ends = h(
    "p",
    { class: "ends soft" },
    h("span", {}, from),
    h("span", {}, `max ${count(most)} per ${noun}`),
    h("span", {}, to),
  );
  return panel(
    "Activity",
    [chart, ends],
    h("span", { class: "legend soft" }, h("i", { class: "good" }), "succeeded", h("i", { class: "bad" }), "failed"),
  );
}

const nothing = (/** @type {string} */ text) => h("p", { class: "soft" }, text);
const name = (/** @type {Row} */ run) =>
  h("a", { class: "run", href: runLink(run.run_id) }, breakable(benchmarkName(run.benchmark_id, run.extra_config)));
const who = (/** @type {Row} */ run) => `${run.agent} · ${run.model}`;

/** @param {string} caption @param {(string | string[])[]} headings a heading in a list stands above numbers @param {HTMLElement[]} rows */
function table(caption, headings, rows) {
  const cells = headings.map((heading) =>
    h("th", { scope: "col", class: Array.isArray(heading) ? "number" : null }, heading),
  );
  return h(
    "table",
    { class: "plain" },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, cells)),
    h("tbody", {}, rows),
  );
}
