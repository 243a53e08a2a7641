// Score against cost or time, with the line of those that no other contender beats in both.

import { runLink } from "./address.js";
import { chart } from "./chart.js";
import { cut, roomFor, text } from "./chart-labels.js";
import { h } from "./dom.js";
import { cost, estimate, plural, score, unitText } from "./format.js";
import { contenderText, shortModel } from "./who.js";

const MAX_TICKS = 6;
const MAX_NAMES = 14;
const NARROW = 520; // Below this width, names are those of models only.

/**
 * @param {object} how
 * @param {any} how.answer
 * @param {any[]} how.rows
 * @param {number} how.task the place of a task; -1 for the mean rank
 * @param {string} how.view cost or time
 * @param {AbortSignal} how.signal
 */
export function scatter({ answer, rows, task, view, signal }) {
  const one = answer.tasks[task];
  const upward = one ? one.task.higher_is_better : false;
  const points = rows.map((who) => pointOf(who, task, view)).filter((point) => point.x !== null && point.y !== null);
  const left = rows.filter((who) => (task < 0 || who.cells[task]) && pointOf(who, task, view).x === null);
  if (!points.length) return h("p", { class: "soft" }, `No contender has a score and a known ${view} here.`);
  const front = pareto(points, upward);
  const unit = one ? unitText(one.task.unit) || one.task.unit : "";
  const title = view === "cost" ? "US dollars per run" : "seconds per sample";
  const y = {
    field: "y",
    type: "quantitative",
    title: one ? [unit, upward ? "" : "lower is better"].filter(Boolean).join(", ") : "mean rank (1 is best)",
    scale: { zero: false, nice: true, reverse: !one },
    axis: { tickCount: 6 },
  };
  /** @param {number} width */
  const spec = (width) => {
    const isNarrow = width < NARROW;
    // Many names would cover each other: then only those on the line have one.
    const isCrowded = points.length > (isNarrow ? 6 : MAX_NAMES);
    const named = points.map((point) => ({
      ...point,
      label: isCrowded && !point.front ? "" : cut(isNarrow ? shortModel(point.model) : point.label, isNarrow ? 20 : 44),
    }));
    const axis = spread(
      points.map((point) => point.x),
      roomFor(named.map((point) => point.label)) / width,
    );
    const x = { field: "x", type: "quantitative", title, ...axis };
    return {
      height: 380,
      data: { values: named },
      layer: [
        {
          data: { values: front },
          mark: { type: "line", interpolate: "step-after", strokeDash: [4, 3], opacity: 0.7 },
          encoding: { x, y, order: { field: "x" } },
        },
        one && {
          transform: [{ filter: "isValid(datum.low)" }],
          mark: { type: "rule", strokeWidth: 5, strokeCap: "round", opacity: 0.18 },
          encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
        },
        {
          mark: { type: "point", filled: true, size: 90, cursor: "pointer" },
          encoding: {
            x,
            y,
            fillOpacity: { condition: { test: "datum.front", value: 1 }, value: 0.45 },
            tooltip: [
              { field: "who", title: "contender" },
              { field: "text", title: "score" },
              { field: "paid", title: view },
            ],
          },
        },
        ...text(
          { align: "left", dx: 9, dy: -9 },
          {
            x,
            y,
            text: { field: "label" },
            opacity: { condition: { test: "datum.front", value: 1 }, value: 0.75 },
          },
        ),
      ].filter(Boolean),
    };
  };
  const label = `${plural(points.length, "contender")}: ${one ? "score" : "mean rank"} against ${title}. Best for their ${view}: ${front.map((point) => point.who).join(", ")}`;
  return h(
    "div",
    { class: "stack" },
    chart(spec, {
      label,
      signal,
      name: `score-and-${view}`,
      link: (datum) => (datum.run_id ? runLink(datum.run_id) : null),
      points: points.map((point) => ({
        text: `${point.who}: ${point.text}, ${point.paid}${point.front ? ", no other is better in both" : ""}`,
        href: point.run_id ? runLink(point.run_id) : null,
      })),
      table: {
        names: ["contender", one ? "score" : "mean rank", title, "on the line"],
        lines: points.map((point) => [point.who, point.y, point.x, point.front ? "yes" : "no"]),
      },
    }),
    h(
      "p",
      { class: "soft" },
      "Dashed line: no other contender is both better and ",
      view === "cost" ? "cheaper" : "faster",
      ".",
      points.length > MAX_NAMES && " Only contenders on it are named.",
      left.length > 0 && ` Without a known ${view}: ${left.map(contenderText).join(", ")}.`,
    ),
  );
}

/** A logarithmic axis with room for names on the right, and at most six ticks: 1, 2 or 5 times a power of ten. @param {number[]} values @param {number} [room] the share of the width that names take */
export function spread(values, room = 0.2) {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const free = 1 - Math.min(0.6, room);
  if (min <= 0) return { scale: { domain: [0, max / free || 1] }, axis: { tickCount: 5 } };
  const from = min / 1.25;
  const domain = [from, from * Math.max(max / from, 4) ** (1 / free)];
  const powers = Array.from({ length: 24 }, (_, at) => at - 12);
  const within = powers
    .flatMap((power) => [1, 2, 5].map((digit) => Number(`${digit}e${power}`)))
    .filter((value) => domain[0] <= value && value <= domain[1]);
  const step = Math.ceil(within.length / MAX_TICKS);
  const ticks = within.filter((_, at) => at % step === 0);
  return { scale: { type: "log", domain, nice: false }, axis: { values: ticks, format: "~g" } };
}

/** @param {any} who @param {number} task @param {string} view */
function pointOf(who, task, view) {
  const cell = task < 0 ? null : who.cells[task];
  const found = cell?.score;
  const from = task < 0 ? who : (cell ?? {});
  const x = (view === "cost" ? from.cost_per_run : from.seconds_per_sample) ?? null;
  return {
    x,
    y: task < 0 ? who.mean_rank : (found?.mean ?? null),
    low: found?.low ?? null,
    high: found?.high ?? null,
    who: contenderText(who),
    model: who.model,
    label: `${shortModel(who.model)} · ${who.agent}`,
    text: found ? estimate(found.mean, found.stderr, found.low, found.high) : `mean rank ${who.mean_rank.toFixed(1)}`,
    paid: view === "cost" ? `${cost(x)} per run` : `${score(x)} s per sample`,
    run_id: cell?.run_id ?? null,
    front: false,
  };
}

/** The points that no other beats in both, from the cheapest on; they are marked. @param {any[]} points @param {boolean} upward */
export function pareto(points, upward) {
  const better = (/** @type {number} */ a, /** @type {number} */ b) => (upward ? a > b : a < b);
  /** @type {any[]} */
  const front = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || (better(a.y, b.y) ? -1 : 1)))
    if (!front.length || better(point.y, front[front.length - 1].y)) front.push(point);
  for (const point of front) point.front = true;
  return front;
}
