// One benchmark: the history of its scores with published scores and records, the distribution by model, and re-runs.

import { hash, runLink } from "./address.js";
import { domainOf, timeAxis } from "./axes.js";
import { chart } from "./chart.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { benchmarkName, count, direction, estimate, optionsText, plural, score, signed, unitText } from "./format.js";
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
        empty("No scores yet", "No run of this benchmark has a score."),
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

/** The latest score, the record and the published score. @param {any} data */
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
        whoOf(latest),
        " · ",
        when(latest.at),
      ]),
    record &&
      tile("best so far", h("a", { href: runLink(record.run_id) }, scored(record.score, null, task.unit)), [
        whoOf(record),
        " · ",
        when(record.at),
      ]),
    reference &&
      tile("published score", scored(reference.value, null, task.unit), [
        reference.label,
        gap === null ? "" : [" · best ", h("span", { class: `delta ${direction(gap, upwards)}` }, signed(gap))],
      ]),
    tile(
      "scores",
      count(points_total),
      `${unitText(task.unit) || task.unit || "no unit"}, ${upwards ? "higher" : "lower"} is better`,
    ),
  );
}

const whoOf = (/** @type {any} */ one) => `${one.agent} · ${one.model}`;

/** @param {any} data @param {AbortSignal} signal */
function historyPanel({ benchmark_id, task, points, points_total, references }, signal) {
  const models = [...new Set(points.map((/** @type {any} */ point) => point.model))];
  const shown = new Set(models.slice(-MANY_MODELS));
  const values = points.map((/** @type {any} */ point) => ({
    ...point,
    who: shown.has(point.model) ? point.model : "others",
    kind: point.retracted ? "retracted" : point.synthetic ? "synthetic" : point.imported ? "imported" : "",
    text: `${estimate(point.score, point.stderr, point.low, point.high)}${point.is_record ? ", a record" : ""}`,
  }));
  const times = timeAxis(points.map((/** @type {any} */ point) => point.at));
  const [start, end] = times.domain;
  const published = publishedSteps(references, start, end);
  const known = [
    ...values.flatMap((/** @type {any} */ one) => [one.score, one.low, one.high]),
    ...published.map((step) => step.value),
  ];
  const x = {
    field: "at",
    type: "temporal",
    title: null,
    scale: { type: "utc", domain: times.domain, nice: false },
    axis: { format: times.format, tickCount: 6, labelOverlap: true },
  };
  const y = {
    type: "quantitative",
    title: unitText(task.unit) || task.unit,
    scale: {
      domain: domainOf(
        known.filter((value) => typeof value === "number"),
        task.unit,
      ),
      zero: false,
      nice: false,
    },
    axis: { tickCount: 6 },
  };
  const tooltip = [
    { field: "text", title: "score" },
    { field: "model", title: "model" },
    { field: "agent", title: "agent" },
    { field: "kind", title: "not ranked" },
    { field: "run_id", title: "run" },
  ];
  const hasIntervals = values.some((/** @type {any} */ one) => one.low !== null);
  const hasRecords = values.some((/** @type {any} */ one) => one.best_so_far !== null);
  const lines = [hasRecords && "best so far", published.length && "published score"].filter(Boolean);
  const color = { field: "who", type: "nominal" };
  /** @type {any[]} */
  const layers = [
    hasIntervals && {
      transform: [{ filter: "isValid(datum.low)" }],
      mark: { type: "rule", opacity: 0.35 },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
    },
    hasRecords && {
      transform: [{ filter: "isValid(datum.best_so_far)" }],
      mark: { type: "line", interpolate: "step-after", strokeWidth: 1.5, opacity: 0.8 },
      encoding: { x, y: { ...y, field: "best_so_far" }, strokeDash: { datum: "best so far" } },
    },
    {
      mark: { type: "point", filled: true, opacity: 0.9, cursor: "pointer" },
      encoding: {
        x,
        y: { ...y, field: "score" },
        color,
        shape: { field: "agent", type: "nominal" },
        size: { condition: { test: "datum.is_record", value: 110 }, value: 60 },
        fillOpacity: { condition: { test: "datum.kind !== ''", value: 0 }, value: 0.85 },
        tooltip,
      },
    },
    published.length && {
      data: { values: published },
      mark: { type: "line", interpolate: "step-after", strokeWidth: 2 },
      encoding: {
        x,
        y: { ...y, field: "value" },
        strokeDash: { datum: "published score" },
        tooltip: [
          { field: "label", title: "published score" },
          { field: "value", title: "score" },
        ],
      },
    },
  ].filter(Boolean);
  const dashes = { "best so far": [1, 0], "published score": [6, 4] };
  const spec = {
    data: { values },
    height: 300,
    layer: layers,
    encoding: {
      strokeDash: {
        type: "nominal",
        scale: { domain: lines, range: lines.map((name) => dashes[/** @type {keyof dashes} */ (name)]) },
        legend: lines.length ? { title: null } : null,
      },
    },
    resolve: { scale: { color: "shared" } },
  };
  const scores = points.map((/** @type {any} */ point) => point.score);
  const label = `${plural(points.length, "score")} of ${benchmark_id}, from ${score(Math.min(...scores))} to ${score(Math.max(...scores))}, with the best so far and the published score`;
  const part =
    points_total > points.length
      ? h("span", { class: "soft" }, `the newest ${count(points.length)} of ${count(points_total)}`)
      : "";
  const more = h("a", { href: hash("/runs", { benchmark: benchmark_id, sort: "-score" }) }, "as a table");
  return panel(
    "History",
    chart(spec, { label, signal, link: (datum) => (datum.run_id ? runLink(datum.run_id) : null) }),
    [part, more],
    { class: "panel wide" },
  );
}

/** The published scores as a line from one edge of the chart to the other. @param {any[]} references @param {string} start @param {string} end */
function publishedSteps(references, start, end) {
  const within = references.filter((step) => step.at <= end);
  // What was published after the last run is still what the scores stand against.
  const steps = within.length ? within : references.slice(0, 1);
  if (!steps.length) return [];
  const line = steps.map((step, at) => ({
    at: at === 0 || step.at < start ? start : step.at,
    value: step.value,
    label: step.label,
  }));
  return [...line, { ...line[line.length - 1], at: end }];
}

/** The scores of each agent with each model. @param {any} data @param {AbortSignal} signal */
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
          x: {
            field: "score",
            type: "quantitative",
            title: unitText(task.unit) || task.unit,
            scale: {
              domain: domainOf(
                values.map((/** @type {any} */ one) => one.score),
                task.unit,
              ),
              zero: false,
              nice: false,
            },
            axis: { tickCount: 6 },
          },
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
  const head = ["agent", "model", "runs", "mean", "min", "max"];
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
          h("td", { class: "number" }, score(one.min)),
          h("td", { class: "number" }, score(one.max)),
        ),
      ),
    ),
  );
  const label = `The scores of ${plural(several.length, "agent")} with a model that ran more than once`;
  return panel("Distribution by model", [
    several.length ? chart(spec, { label, signal }) : "",
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Distribution by model" }, table),
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
    "Re-runs",
    h("ul", { class: "plain attempts-list" }, list),
    h("span", { class: "soft" }, "runs of one configuration"),
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
        h("span", { class: "soft" }, "recorded ", when(step.at)),
        " ",
        source(step.source),
      ),
    );
  return panel("Published scores", h("ul", { class: "plain" }, rows));
}

/** A source is any text, and a link only if it is a web address. @param {string} text */
const source = (text) =>
  /^https?:\/\//.test(text)
    ? h("a", { href: text, rel: "noreferrer noopener", target: "_blank" }, "source")
    : h("span", { class: "soft" }, text);
