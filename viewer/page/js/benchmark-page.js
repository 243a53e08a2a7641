// One benchmark: the history of its scores with the steps of reference and record, the spread of repeats, attempts.

import { hash, runLink } from "./address.js";
import { chart } from "./chart.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { benchmarkName, count, direction, estimate, moment, score, signed, unitText } from "./format.js";
import { panel, scored, statusBadge, when } from "./parts.js";
import { empty } from "./states.js";

const MANY_MODELS = 6;

/** @type {import("./routes.js").Show} */
export function show(main, { id, query }, { signal, title, ready, leave, keep: keepAddress }) {
  const benchmark = /** @type {string} */ (id);
  title(benchmark);
  const heading = h("h1", {}, benchmark);
  const tasks = h("div", { class: "tools" });
  const place = h("div", {});
  const board = h("div", {});
  main.replaceChildren(
    h("button", { type: "button", class: "quiet back", onclick: leave }, "← Back"),
    h("div", { class: "intro" }, heading, tasks),
    place,
  );

  function draw(/** @type {any} */ data) {
    heading.textContent = benchmarkName(benchmark, data.task?.config);
    keep(tasks, data.tasks.length > 1 ? [["tasks", data.tasks, () => taskChoice(data, choose)]] : []);
    if (!data.task) {
      place.replaceChildren(
        empty("No score yet", "Its runs have not come to a score."),
        attemptsPanel(data.attempts) ?? "",
      );
      return ready();
    }
    if (place.firstChild !== board) place.replaceChildren(board);
    keep(board, [
      ["standing", [data.task, data.points.at(-1), data.records.at(-1), data.references.at(-1)], () => standing(data)],
      ["history", [data.points, data.references], () => historyPanel(data, signal)],
      ["repeats", data.repeats, () => spreadPanel(data, signal)],
      ["attempts", data.attempts, () => attemptsPanel(data.attempts)],
      ["references", data.references, () => referencesPanel(data)],
    ]);
    return ready();
  }

  function choose(/** @type {string} */ task) {
    keepAddress({ task });
    query.set("task", task);
    load({ fresh: true });
  }

  const load = follow(place, {
    path: `/api/benchmarks/${encodeURIComponent(benchmark)}`,
    query: () => ({ task: query.get("task") }),
    what: "This benchmark",
    draw,
    signal,
    concerns: ({ runs }) => runs.some((run) => run.benchmark_id === benchmark),
  });
}

/** @param {any} data @param {(task: string) => void} choose */
function taskChoice(data, choose) {
  const select = h(
    "select",
    { "aria-label": "Options of the task", onchange: (/** @type {any} */ event) => choose(event.target.value) },
    data.tasks.map((/** @type {any} */ task) =>
      h(
        "option",
        { value: task.comparison_key, selected: task.comparison_key === data.task?.comparison_key },
        `${optionsText(task.config) || "default options"} (${count(task.runs)})`,
      ),
    ),
  );
  return h("label", { class: "field" }, h("span", { class: "soft" }, "options "), select);
}

const optionsText = (/** @type {Record<string, any>} */ config) =>
  Object.entries(config)
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");

/** The latest, the record and the reference, beside each other. @param {any} data */
function standing({ task, points, records, references, points_total }) {
  const latest = points.at(-1);
  const record = records.at(-1);
  const reference = references.at(-1);
  const upwards = task.higher_is_better;
  const tile = (/** @type {string} */ name, /** @type {any} */ value, /** @type {any} */ below) =>
    h(
      "div",
      { class: "tile" },
      h("span", { class: "soft" }, name),
      h("strong", {}, value),
      h("span", { class: "soft" }, below),
    );
  const gap = record && reference ? record.score - reference.value : null;
  return h(
    "div",
    { class: "tiles standing-tiles" },
    latest &&
      tile("latest", h("a", { href: runLink(latest.run_id) }, scored(latest.score, latest.stderr, task.unit)), [
        latest.model,
        " · ",
        when(latest.at),
      ]),
    record &&
      tile("record", h("a", { href: runLink(record.run_id) }, scored(record.score, null, task.unit)), [
        record.model,
        " · ",
        when(record.at),
      ]),
    reference &&
      tile("reference", scored(reference.value, null, task.unit), [
        reference.label,
        gap === null ? "" : [" · record ", h("span", { class: `delta ${direction(gap, upwards)}` }, signed(gap))],
      ]),
    tile(
      "scores",
      count(points_total),
      `${unitText(task.unit) || task.unit || "no unit"}, ${upwards ? "higher" : "lower"} is better`,
    ),
  );
}

/** @param {any} data @param {AbortSignal} signal */
function historyPanel({ benchmark_id, task, points, points_total, references }, signal) {
  const models = [...new Set(points.map((/** @type {any} */ point) => point.model))];
  const shown = new Set(models.slice(-MANY_MODELS));
  const values = points.map((/** @type {any} */ point) => ({
    ...point,
    who: shown.has(point.model) ? point.model : "others",
    kind: point.retracted ? "retracted" : point.synthetic ? "synthetic" : point.imported ? "imported" : "",
    low: point.low,
    high: point.high,
    told: `${estimate(point.score, point.stderr, point.low, point.high)}${point.is_record ? ", a record" : ""}`,
  }));
  const x = { field: "at", type: "temporal", title: null };
  const y = { type: "quantitative", title: unitText(task.unit) || task.unit, scale: { zero: false, nice: true } };
  const tooltip = [
    { field: "told", title: "score" },
    { field: "model", title: "model" },
    { field: "agent", title: "agent" },
    { field: "kind", title: "kept apart" },
    { field: "run_id", title: "run" },
  ];
  const last = points.at(-1)?.at;
  const steps = references.filter((/** @type {any} */ step) => step.at <= last);
  /** @type {any[]} */
  const layers = [
    {
      transform: [{ filter: "isValid(datum.low)" }],
      mark: { type: "rule", opacity: 0.35 },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: { field: "who", type: "nominal" } },
    },
    {
      transform: [{ filter: "isValid(datum.best_so_far)" }],
      mark: { type: "line", interpolate: "step-after", strokeWidth: 1.5, opacity: 0.8 },
      encoding: { x, y: { ...y, field: "best_so_far" }, strokeDash: { datum: "record" } },
    },
    {
      mark: { type: "point", filled: true, opacity: 0.9, cursor: "pointer" },
      encoding: {
        x,
        y: { ...y, field: "score" },
        color: { field: "who", type: "nominal" },
        size: { condition: { test: "datum.is_record", value: 110 }, value: 45 },
        fillOpacity: { condition: { test: "datum.kind !== ''", value: 0 }, value: 0.85 },
        tooltip,
      },
    },
  ];
  if (steps.length) {
    const reference = [
      ...steps.map((/** @type {any} */ step) => ({
        at: Math.max(step.at, points[0].at),
        value: step.value,
        label: step.label,
      })),
      { at: last, value: steps.at(-1).value, label: steps.at(-1).label },
    ];
    layers.push({
      data: { values: reference },
      mark: { type: "line", interpolate: "step-after", strokeWidth: 2 },
      encoding: {
        x,
        y: { ...y, field: "value" },
        strokeDash: { datum: "reference" },
        tooltip: [
          { field: "label", title: "reference" },
          { field: "value", title: "score" },
        ],
      },
    });
  }
  const spec = {
    data: { values },
    height: 300,
    layer: layers,
    encoding: {
      strokeDash: {
        type: "nominal",
        scale: {
          domain: ["record", "reference"],
          range: [
            [1, 0],
            [6, 4],
          ],
        },
        legend: { title: null },
      },
    },
    resolve: { scale: { color: "shared" } },
  };
  const least = Math.min(...points.map((/** @type {any} */ point) => point.score));
  const most = Math.max(...points.map((/** @type {any} */ point) => point.score));
  const label = `${points.length} scores of ${benchmark_id}, from ${score(least)} to ${score(most)}, with the steps of the record and of the reference`;
  const left =
    points_total > points.length
      ? h("span", { class: "soft" }, `the newest ${count(points.length)} of ${count(points_total)}`)
      : "";
  const more = h("a", { href: hash("/runs", { benchmark: benchmark_id, sort: "-score" }) }, "as a table");
  return panel(
    "History",
    chart(spec, { label, signal, link: (datum) => (datum.run_id ? runLink(datum.run_id) : null) }),
    [left, more],
    { class: "panel wide" },
  );
}

/** What one agent with one model scored when it was asked again and again. @param {any} data @param {AbortSignal} signal */
function spreadPanel({ repeats, task }, signal) {
  if (!repeats.length) return null;
  const several = repeats.filter((/** @type {any} */ one) => one.runs > 1);
  const values = several.flatMap((/** @type {any} */ one) =>
    one.scores.map((/** @type {number} */ value) => ({
      who: `${one.agent} · ${one.provider}:${one.model}`,
      score: value,
    })),
  );
  const spec = {
    data: { values },
    height: 26 * several.length,
    layer: [
      {
        mark: { type: "tick", thickness: 2, opacity: 0.55 },
        encoding: {
          x: { field: "score", type: "quantitative", title: unitText(task.unit) || task.unit, scale: { zero: false } },
          y: { field: "who", type: "nominal", title: null },
        },
      },
      {
        mark: { type: "point", filled: true, size: 70 },
        encoding: {
          x: { field: "score", type: "quantitative", aggregate: "mean" },
          y: { field: "who", type: "nominal" },
        },
      },
    ],
  };
  const head = ["agent", "model", "runs", "mean", "least", "most"];
  const table = h(
    "table",
    { class: "dense" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        head.map((name, at) => h("th", { scope: "col", class: at > 1 ? "number" : "" }, name)),
      ),
    ),
    h(
      "tbody",
      {},
      repeats.map((/** @type {any} */ one) =>
        h(
          "tr",
          {},
          h("td", {}, one.agent),
          h("td", {}, `${one.provider}:${one.model}`),
          h("td", { class: "number" }, count(one.runs)),
          h("td", { class: "number" }, estimate(one.mean, one.stderr, one.low, one.high)),
          h("td", { class: "number" }, score(one.least)),
          h("td", { class: "number" }, score(one.most)),
        ),
      ),
    ),
  );
  const label = `The spread of the scores of ${several.length} agents with models that ran more than once`;
  return panel("Spread over repeats", [
    several.length ? chart(spec, { label, signal }) : "",
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Repeats" }, table),
  ]);
}

/** @param {any[]} attempts */
function attemptsPanel(attempts) {
  if (!attempts.length) return null;
  const list = attempts.map((one) =>
    h(
      "li",
      {},
      h("div", {}, h("strong", {}, one.agent), ` · ${one.provider}:${one.model}`),
      h(
        "ol",
        { class: "attempts plain" },
        one.runs.map((/** @type {any} */ run) =>
          h(
            "li",
            {},
            h("a", { href: runLink(run.run_id) }, `#${run.attempt}`),
            " ",
            statusBadge(run),
            " ",
            run.score === null ? (run.reason ?? "") : score(run.score),
            " ",
            when(run.started_at),
          ),
        ),
      ),
    ),
  );
  return panel(
    "Attempts",
    h("ul", { class: "plain attempts-list" }, list),
    h("span", { class: "soft" }, "the same work, more than once"),
  );
}

/** @param {any} data */
function referencesPanel({ references, task }) {
  if (!references.length) return null;
  const rows = [...references]
    .reverse()
    .map((step) =>
      h(
        "li",
        {},
        h("strong", {}, scored(step.value, null, task.unit)),
        " ",
        step.label,
        " ",
        h("span", { class: "soft", title: moment(step.at) }, "known here since ", when(step.at)),
        " ",
        source(step.source),
      ),
    );
  return panel("References", h("ul", { class: "plain" }, rows));
}

/** A source is a text that somebody wrote: it is a link only where it is an address. @param {string} text */
const source = (text) =>
  /^https?:\/\//.test(text)
    ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, "source")
    : h("span", { class: "soft" }, text);
