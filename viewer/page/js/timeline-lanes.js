// Runs over time: a lane for each model, a bar for each run, its state as a colour.

import { runLink } from "./address.js";
import { h, s } from "./dom.js";
import { count, duration, moment, plural } from "./format.js";
import { panel, reasonText } from "./parts.js";
import { shortModel } from "./who.js";

const LANE = 18;
const MAX_LANES = 24;
const WIDTH = 1000;
const TICKS = 6;

/** @param {any} data */
export function timelinePanel({ bars, total, since, until }) {
  if (!bars.length) return panel("Timeline", h("p", { class: "soft" }, "No run in this time."));
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
  const drawn = names.flatMap((name, lane) =>
    (models.get(name) ?? []).map((bar) => {
      const [begin, end] = [x(bar.started_at), x(bar.ended_at)];
      const state = bar.status === "failed" ? `failed, ${reasonText(bar)}` : bar.status;
      const seconds = bar.ended_at ? (Date.parse(bar.ended_at) - Date.parse(bar.started_at)) / 1000 : null;
      return s(
        "rect",
        {
          x: begin,
          y: lane * LANE + 3,
          width: Math.max(2.5, end - begin),
          height: LANE - 6,
          class: bar.status,
          onclick: () => (location.hash = runLink(bar.run_id)),
        },
        s(
          "title",
          {},
          `${bar.benchmark_id} · ${bar.agent} · ${bar.model}: ${state}, ${moment(bar.started_at)}${seconds === null ? "" : `, ${duration(seconds)}`}`,
        ),
      );
    }),
  );
  const lines = names.map((_, lane) =>
    s("line", { x1: 0, x2: WIDTH, y1: (lane + 1) * LANE, y2: (lane + 1) * LANE, class: "rule" }),
  );
  const label = `${plural(bars.length, "run")} over time, a lane for each model: ${names.join(", ")}`;
  const ticks = Array.from({ length: TICKS }, (_, at) =>
    new Date(from + ((to - from) * at) / (TICKS - 1)).toISOString(),
  );
  const days = to - from > 3 * 86_400_000;
  return h(
    "div",
    { class: "lanes" },
    h(
      "ul",
      { class: "plain names", "aria-hidden": "true" },
      names.map((name) => h("li", { title: name }, name)),
    ),
    s(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${height}`,
        preserveAspectRatio: "none",
        role: "img",
        "aria-label": label,
        class: "lanes-chart",
        height,
      },
      lines,
      drawn,
    ),
    h(
      "p",
      { class: "ends soft" },
      ticks.map((time) => h("span", {}, days ? time.slice(5, 10) : time.slice(5, 16).replace("T", " "))),
    ),
  );
}
