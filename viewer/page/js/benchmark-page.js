// One benchmark: its contenders as a forest plot, the history of their scores, published scores, and re-runs.

import { hash, runLink } from "./address.js";
import { domainOf, timeAxis } from "./axes.js";
import { band, rangeOf } from "./bands.js";
import { chart } from "./chart.js";
import { cut, roomFor, spreadOut } from "./chart-labels.js";
import { dataTable, exportMenu } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import {
  benchmarkName,
  cost,
  count,
  duration,
  estimate,
  moment,
  optionsText,
  plural,
  score,
  signed,
  unitText,
} from "./format.js";
import { failedOf, p } from "./leaderboard-columns.js";
import { panel, reasonText, scored, statusDot, when } from "./parts.js";
import { empty } from "./states.js";
import { contender, contenderText, shortModel } from "./who.js";

const NARROW = 520; // Below this width, names are cut.
const MANY = 6; // Contenders with a colour of their own: those that ran last.

/** @type {import("./routes.js").Show} */
export function show(main, { id, query }, { signal, title, ready, leave, keep: keepAddress }) {
  const benchmark = /** @type {string} */ (id);
  title(benchmark);
  const heading = h("h1", {}, benchmark);
  const tasks = h("div", { class: "tools" });
  const place = h("div", {});
  const board = h("div", { class: "stack" });
  const contenders = h("div", {});
  const about = h("p", {});
  main.replaceChildren(
    h("button", { type: "button", class: "quiet back", onclick: leave }, "← Back"),
    h("div", { class: "intro" }, heading, about, tasks),
    place,
  );
  /** @type {any} */
  let answer = null;
  /** @type {any} */
  let ranked = null;

  /** The contenders come with their tests, after the history. */
  function drawContenders() {
    const key = answer?.task?.comparison_key;
    const found = ranked?.tasks.find((/** @type {any} */ one) => one.task.comparison_key === key) ?? ranked?.tasks[0];
    if (found?.name) heading.textContent = found.name;
    about.textContent = found?.about ?? "";
    if (ranked && key) keep(contenders, [["table", [ranked, key], () => contendersPanel(ranked, key)]]);
  }

  function draw(/** @type {any} */ data) {
    answer = data;
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
      ["contenders", null, () => contenders],
      ["history", [data.points, data.references], () => historyPanel(data, signal)],
      ["attempts", data.attempts, () => attemptsPanel(data.attempts)],
      ["references", data.references, () => referencesPanel(data)],
    ]);
    drawContenders();
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
  follow(contenders, {
    path: "/api/board",
    query: () => ({ benchmark }),
    what: "The contenders",
    signal,
    draw: (found) => {
      ranked = found;
      drawContenders();
    },
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
        gap === null ? "" : [" · best ", signed(gap)],
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
  const nameOf = (/** @type {any} */ one) => `${shortModel(one.model)} · ${one.agent}`;
  const names = [...new Set(points.map(nameOf).reverse())];
  const shown = new Set(names.slice(0, MANY));
  const values = points.map((/** @type {any} */ point) => ({
    ...point,
    who: shown.has(nameOf(point)) ? nameOf(point) : "others",
    kind: point.retracted ? "retracted" : point.synthetic ? "synthetic" : point.imported ? "imported" : "",
    text: `${estimate(point.score, point.stderr, point.low, point.high)}${point.is_record ? ", a new best" : ""}`,
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
    axis: { format: times.format, values: times.values, labelOverlap: true },
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
  const color = {
    field: "who",
    type: "nominal",
    scale: { domain: [...shown, ...(names.length > MANY ? ["others"] : [])] },
    legend: null,
  };
  // A click on a name shows its contender alone; with the shift key, also others.
  const chosen = { name: "chosen", select: { type: "point", fields: ["who"], toggle: "event.shiftKey" } };
  const faded = (/** @type {number} */ value) => ({ condition: { param: "chosen", value }, value: 0.08 });
  const height = 300;
  const ends = endsOf(values, hasRecords, published);
  const heights = spreadOut(
    ends.map(({ value }) => value),
    /** @type {[number, number]} */ (y.scale.domain),
    height,
  );
  /** @param {number} width */
  const spec = (width) => {
    const labels = ends.map((one, at) => ({
      ...one,
      text: width < NARROW ? cut(one.text, 18) : one.text,
      value: heights[at],
    }));
    const room = roomFor(labels.map(({ text }) => text));
    const share = Math.min(0.5, room / Math.max(width - 60, 1));
    const [from, to] = times.domain.map(Date.parse);
    const until = new Date(from + (to - from) / (1 - share)).toISOString();
    const wide = { ...x, scale: { ...x.scale, domain: [times.domain[0], until] } };
    const place = { x: { datum: { expr: `toDate('${times.domain[1]}')` }, type: "temporal" } };
    /** @type {any[]} */
    const layers = [
      hasIntervals && {
        transform: [{ filter: "isValid(datum.low)" }],
        mark: { type: "rule", strokeWidth: 5, strokeCap: "round" },
        encoding: { x: wide, y: { ...y, field: "low" }, y2: { field: "high" }, color, opacity: faded(0.18) },
      },
      hasRecords && {
        data: { values: stepsOf(values, (to - from) / Math.max(width, 1)) },
        mark: { type: "line", interpolate: "step-after", strokeWidth: 1.5, opacity: 0.8 },
        encoding: { x: wide, y: { ...y, field: "best_so_far" } },
      },
      {
        transform: [{ filter: "datum.kind === '' && datum.who !== 'others'" }],
        mark: { type: "line", strokeWidth: 1.5 },
        encoding: { x: wide, y: { ...y, field: "score" }, color, detail: { field: "who" }, opacity: faded(0.7) },
      },
      {
        params: [chosen],
        mark: { type: "point", filled: true, cursor: "pointer" },
        encoding: {
          x: wide,
          y: { ...y, field: "score" },
          color,
          opacity: faded(0.95),
          size: { condition: { test: "datum.is_record", value: 110 }, value: 60 },
          fillOpacity: { condition: { test: "datum.kind !== ''", value: 0 }, value: 0.85 },
          tooltip,
        },
      },
      published.length && {
        data: { values: published },
        mark: { type: "line", interpolate: "step-after", strokeWidth: 1.5, strokeDash: [6, 4] },
        encoding: {
          x: wide,
          y: { ...y, field: "value" },
          tooltip: [
            { field: "label", title: "published score" },
            { field: "value", title: "score" },
          ],
        },
      },
      {
        data: { values: labels },
        mark: { type: "text", align: "left", dx: 10, cursor: "pointer" },
        encoding: {
          ...place,
          y: { ...y, field: "value" },
          text: { field: "text" },
          color: { condition: { test: "datum.who !== null", ...color } },
          opacity: {
            condition: [
              { test: "datum.who === null", value: 1 },
              { param: "chosen", value: 1 },
            ],
            value: 0.08,
          },
        },
      },
    ];
    return { data: { values }, height, layer: layers.filter(Boolean), resolve: { scale: { color: "shared" } } };
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
    chart(spec, {
      label,
      signal,
      name: benchmark_id,
      link: (datum) => (datum.run_id ? runLink(datum.run_id) : null),
      points: values.map((/** @type {any} */ one) => ({
        text: `${nameOf(one)}: ${one.text}, ${moment(one.at)}${one.kind ? `, ${one.kind}` : ""}`,
        href: runLink(one.run_id),
      })),
      table: {
        names: ["ended", "model", "agent", "score", "low", "high", "kind", "run"],
        lines: values.map((/** @type {any} */ one) => [
          one.at,
          one.model,
          one.agent,
          one.score,
          one.low,
          one.high,
          one.kind,
          one.run_id,
        ]),
      },
    }),
    [part, more],
    { class: "panel wide" },
  );
}

/** What stands at the right end of each line: its name at its last value. @param {any[]} values @param {boolean} hasRecords @param {any[]} published */
function endsOf(values, hasRecords, published) {
  /** @type {Map<string, any>} */
  const last = new Map();
  for (const one of values) if (one.kind === "" && one.who !== "others") last.set(one.who, one);
  const best = values.findLast((one) => one.best_so_far !== null)?.best_so_far;
  return [
    ...[...last].map(([who, one]) => ({ who, text: who, value: one.score })),
    hasRecords && { who: null, text: "best so far", value: best },
    published.length > 0 && { who: null, text: "published score", value: published[published.length - 1].value },
  ].filter((one) => one !== false);
}

/** The best scores so far, without those that only the next pixel shows. @param {any[]} values @param {number} pixel in milliseconds */
function stepsOf(values, pixel) {
  const known = values.filter((one) => one.best_so_far !== null);
  const time = (/** @type {any} */ one) => Date.parse(one.at);
  return known.filter((one, at) => at === known.length - 1 || time(known[at + 1]) - time(one) > 3 * pixel);
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

/**
 * The contenders of the task, the best first: each with its score on one scale (a forest plot), and what it costs.
 *
 * @param {any} board @param {string} key
 */
function contendersPanel({ tasks, contenders }, key) {
  const at = tasks.findIndex((/** @type {any} */ one) => one.task.comparison_key === key);
  if (at < 0) return null;
  const { task, earlier_runs: earlier, rescored_runs: rescored } = tasks[at];
  const rows = contenders
    .filter((/** @type {any} */ one) => one.cells[at])
    .sort((/** @type {any} */ a, /** @type {any} */ b) => a.cells[at].rank - b.cells[at].rank);
  const range = rangeOf(rows.map((/** @type {any} */ one) => one.cells[at].score));
  /** @param {(cell: any) => any} read @returns {(one: any) => any} */
  const of = (read) => (one) => read(one.cells[at]);
  const columns = [
    { key: "contender", title: "Model and agent", cell: contender, value: contenderText },
    {
      key: "score",
      title: "Score",
      number: true,
      about: "Bold: the best, or tied with the best (p ≥ 0.05, Holm-corrected)",
      cell: of((cell) =>
        h("a", { class: cell.is_tied ? "value tied" : "value", href: runLink(cell.run_id) }, estimateOf(cell.score)),
      ),
      value: of((cell) => cell.score.mean),
    },
    { key: "interval", title: "95% interval", kind: "forest", cell: of((cell) => band(cell.score, range)) },
    {
      key: "rank",
      title: "Rank",
      number: true,
      cell: of((cell) => (cell.rank_low === cell.rank_high ? cell.rank : `${cell.rank_low}–${cell.rank_high}`)),
      value: of((cell) => cell.rank),
    },
    {
      key: "p",
      title: "vs best",
      number: true,
      about: "The difference to the best, and its p-value after Holm's correction",
      cell: of(({ against_best: test }) =>
        test
          ? [
              signed(test.delta),
              h("span", { class: "soft" }, test.adjusted_p === null ? "" : ` p ${p(test.adjusted_p)}`),
            ]
          : "",
      ),
      value: of((cell) => cell.against_best?.delta ?? null),
    },
    {
      key: "cost_per_run",
      title: "$ / run",
      number: true,
      cell: of((cell) => cost(cell.cost_per_run)),
      value: of((cell) => cell.cost_per_run),
    },
    {
      key: "cost_per_solved",
      title: "$ / solved",
      number: true,
      cell: of((cell) => cost(cell.cost_per_solved)),
      value: of((cell) => cell.cost_per_solved),
    },
    {
      key: "seconds",
      title: "Duration",
      number: true,
      cell: of((cell) => duration(cell.seconds_per_run)),
      value: of((cell) => cell.seconds_per_run),
    },
    {
      key: "failed",
      title: "Failed",
      number: true,
      cell: of(failedOf),
      value: of((cell) => cell.failed),
    },
    { key: "at", title: "Newest run", cell: of((cell) => when(cell.at)), value: of((cell) => cell.at) },
  ];
  const hidden = [
    earlier && `${plural(earlier, "run")} of earlier revisions of the benchmark`,
    rescored && `${plural(rescored, "run")} with another scorer`,
  ].filter(Boolean);
  const rest = hidden.length ? `${hidden.join(", ")}: not comparable` : "";
  return panel(
    "Contenders",
    [dataTable({ caption: "Contenders", kind: "leaderboard", columns, rows }), rest && h("p", { class: "soft" }, rest)],
    h(
      "span",
      { class: "line" },
      h(
        "a",
        { href: hash(`/benchmarks/${encodeURIComponent(task.benchmark_id)}/samples`, { task: key }) },
        "samples × contenders",
      ),
      exportMenu(task.benchmark_id, () => ({ columns, rows })),
    ),
  );
}

const estimateOf = (/** @type {any} */ { mean, stderr, low, high }) => estimate(mean, stderr, low, high);

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
            statusDot(run),
            " ",
            run.score === null ? reasonText(run) : score(run.score),
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
