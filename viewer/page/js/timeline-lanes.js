// Runs over time: a lane for each model, a bar for each run, its state as a colour.

import { runLink } from "./address.js";
import { roundTimes } from "./axes.js";
import { drawing } from "./chart-frame.js";
import { h, s } from "./dom.js";
import { count, day, duration, moment, plural } from "./format.js";
import { panel, reasonText } from "./parts.js";
import { shortModel } from "./who.js";

const LANE = 18;
const MAX_LANES = 24;
const WIDTH = 1000;
const EDGE = 0.04; // No label stands closer to the edges: it would be cut.

/** @param {any} data @param {string} span in words */
export function timelinePanel({ bars, total, since, until }, span) {
  if (!bars.length) return panel("Timeline", h("p", { class: "soft" }, `No runs ${span}.`));
  return panel(
    "Timeline",
    lanes(bars, since, until),
    h(
      "span",
      { class: "legend soft" },
      ["succeeded", "failed", "running"].map((name) => [h("i", { class: name }), name]),
    ),
    total > bars.length ? { "data-part": `the newest ${count(bars.length)} of ${count(total)} runs` } : {},
  );
}

/** @param {any[]} bars @param {string} since @param {string} until */
export function lanes(bars, since, until) {
  /** @type {Map<string, any[]>} */
  const models = new Map();
  for (const bar of bars) {
    const name = shortModel(bar.model);
    models.set(name, [...(models.get(name) ?? []), bar]);
  }
  const names = [...models.keys()].sort().slice(0, MAX_LANES);
  const [from, to] = [Date.parse(since), Math.max(Date.parse(until), Date.parse(since) + 1000)];
  const x = (/** @type {string | null} */ time) =>
    (WIDTH * Math.min(Math.max((time ? Date.parse(time) : to) - from, 0), to - from)) / (to - from);
  const height = names.length * LANE;
  const shown = names.flatMap((name, lane) =>
    (models.get(name) ?? []).map((bar) => {
      const [begin, end] = [x(bar.started_at), x(bar.ended_at)];
      const state = bar.status === "failed" ? `failed, ${reasonText(bar)}` : bar.status;
      const seconds = bar.ended_at ? (Date.parse(bar.ended_at) - Date.parse(bar.started_at)) / 1000 : null;
      const text = `${bar.benchmark_id} · ${bar.agent} · ${bar.model}: ${state}, ${moment(bar.started_at)}${seconds === null ? "" : `, ${duration(seconds)}`}`;
      const mark = s(
        "rect",
        {
          x: begin,
          y: lane * LANE + 3,
          width: Math.max(2.5, end - begin),
          height: LANE - 6,
          class: bar.status,
          onclick: () => (location.hash = runLink(bar.run_id)),
        },
        s("title", {}, text),
      );
      return { bar, text, mark };
    }),
  );
  const lines = names.map((_, lane) =>
    s("line", { x1: 0, x2: WIDTH, y1: (lane + 1) * LANE, y2: (lane + 1) * LANE, class: "rule" }),
  );
  const label = `${plural(bars.length, "run")} over time, a lane for each model: ${names.join(", ")}`;
  const moments = roundTimes(from, to).filter((time) => Math.abs((time - from) / (to - from) - 0.5) < 0.5 - EDGE);
  const grid = moments.map((time) => {
    const at = x(new Date(time).toISOString());
    return s("line", { x1: at, x2: at, y1: 0, y2: height, class: "rule" });
  });
  const byDay = to - from > 3 * 86_400_000;
  const under = moments.map((time) => {
    const iso = new Date(time).toISOString();
    const text = h("span", {}, byDay ? day(iso) : `${day(iso)}, ${iso.slice(11, 16)}`);
    text.style.left = `${(100 * (time - from)) / (to - from)}%`;
    return text;
  });
  const svg = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, preserveAspectRatio: "none", class: "lanes-chart", height },
    grid,
    lines,
    shown.map(({ mark }) => mark),
  );
  return drawing(svg, {
    label,
    name: "timeline",
    points: shown.map(({ bar, text, mark }) => ({ text, href: runLink(bar.run_id), mark })),
    table: {
      names: ["started", "ended", "benchmark", "agent", "model", "status", "run"],
      lines: shown.map(({ bar }) => [
        bar.started_at,
        bar.ended_at,
        bar.benchmark_id,
        bar.agent,
        bar.model,
        bar.status,
        bar.run_id,
      ]),
    },
    before: h(
      "ul",
      { class: "plain names", "aria-hidden": "true" },
      names.map((name) => h("li", { title: name }, name)),
    ),
    after: h("p", { class: "moments soft" }, under),
    kind: "lanes",
  });
}
