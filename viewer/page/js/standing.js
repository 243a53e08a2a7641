// The score of a run beside the published score and the history of its task.

import { runsLink } from "./address.js";
import { get } from "./api.js";
import { drawing } from "./chart-frame.js";
import { h, s } from "./dom.js";
import { score, signed } from "./format.js";
import { facts, runLink } from "./parts.js";

const [WIDTH, HEIGHT, EDGE] = [640, 92, 8];
const POINTS = 200;

/** @typedef {Record<string, any>} Row */

/** The score in context. @param {Row} run @param {Row} standing */
export function standingFacts(run, standing) {
  const better = run.higher_is_better;
  /** @type {[string, any][]} */
  const rows = [
    [
      "published score",
      run.high_score_value === null
        ? ""
        : [
            score(run.high_score_value),
            " ",
            h("span", { class: "soft" }, signed(run.delta_to_high_score)),
            " ",
            h("span", { class: "soft" }, run.high_score_label ?? ""),
          ],
    ],
    [
      "previous best",
      standing.previous_best === null
        ? ""
        : [score(standing.previous_best), " ", h("span", { class: "soft" }, signed(standing.delta_to_best))],
    ],
    [
      "best so far",
      standing.best_so_far === null
        ? ""
        : [
            score(standing.best_so_far),
            " ",
            standing.is_record &&
              h("span", { class: "mark record" }, standing.previous_best === null ? "first score" : "this run"),
          ],
    ],
    ["better is", better === null || better === undefined ? "" : better ? "higher" : "lower"],
  ];
  return facts(rows);
}

/** The scores of the same task, with this run among them; null if there is only one. @param {Row} run @param {AbortSignal} signal */
export async function history(run, signal) {
  if (!run.comparison_key) return null;
  const answer = await get(`/api/benchmarks/${encodeURIComponent(run.benchmark_id)}`, {
    query: { task: run.comparison_key, limit: POINTS },
    signal,
  });
  const { points } = /** @type {any} */ (answer).value;
  return points.length > 1 ? drawn(points, run) : null;
}

/** @param {Row[]} points @param {Row} run */
function drawn(points, run) {
  const known = (/** @type {string} */ name) => points.some((point) => typeof point[name] === "number");
  const values = points
    .flatMap((point) => [point.score, point.best_so_far, point.high_score_value])
    .filter((value) => typeof value === "number");
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const x = (/** @type {number} */ index) => EDGE + ((WIDTH - 2 * EDGE) * index) / Math.max(1, points.length - 1);
  const y = (/** @type {number} */ value) =>
    most === least ? HEIGHT / 2 : EDGE + (HEIGHT - 2 * EDGE) * (1 - (value - least) / (most - least));
  const steps = (/** @type {string} */ name) => {
    let path = "";
    points.forEach((point, index) => {
      if (typeof point[name] !== "number") return;
      path += path
        ? `H${x(index).toFixed(1)}V${y(point[name]).toFixed(1)}`
        : `M${x(index).toFixed(1)} ${y(point[name]).toFixed(1)}`;
    });
    return path;
  };
  const dots = points.map((point, index) => {
    const text = `${score(point.score, point.stderr)} · ${point.agent} · ${point.model}`;
    const href = runLink(point.run_id);
    const mark = s(
      "circle",
      { cx: x(index), cy: y(point.score), r: 3, onclick: () => (location.hash = href) },
      s("title", {}, text),
    );
    return { text, href, mark };
  });
  const at = points.findIndex((point) => point.run_id === run.run_id);
  const label = `The last ${points.length} scores of this task, from ${score(least)} to ${score(most)}`;
  const svg = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "history" },
    s("path", { d: steps("high_score_value"), class: "reference" }),
    s("path", { d: steps("best_so_far"), class: "record" }),
    s(
      "g",
      { class: "dots" },
      dots.map(({ mark }) => mark),
    ),
    at >= 0 && s("circle", { class: "this", cx: x(at), cy: y(points[at].score), r: 6 }),
  );
  return drawing(svg, {
    label,
    name: `${run.benchmark_id}-scores`,
    points: dots,
    table: {
      names: ["ended", "model", "agent", "score", "best_so_far", "published", "run"],
      lines: points.map((point) => [
        point.at,
        point.model,
        point.agent,
        point.score,
        point.best_so_far,
        point.high_score_value,
        point.run_id,
      ]),
    },
    after: h(
      "figcaption",
      { class: "key" },
      at >= 0 && h("span", {}, h("i", { class: "this" }), "this run"),
      known("best_so_far") && h("span", {}, h("i", {}), "best so far"),
      known("high_score_value") && h("span", {}, h("i", { class: "reference" }), "published score"),
      h(
        "span",
        {},
        `${points.length} scores, ${score(least)} to ${score(most)}; `,
        h("a", { href: runsLink({ benchmark: run.benchmark_id, sort: "-ended" }) }, "all runs of this benchmark"),
      ),
    ),
  });
}
