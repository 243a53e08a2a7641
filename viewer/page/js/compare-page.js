// Two to six models, agents, runs, groups or moments side by side, each against the first.

import { benchmarkLink, runLink } from "./address.js";
import { get } from "./api.js";
import { chart } from "./chart.js";
import { samplesPanel } from "./compare-samples.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { estimate, optionsText, plural, signed, unitText } from "./format.js";
import { panel } from "./parts.js";
import { empty } from "./states.js";

const MAX_SIDES = 6;
/** @type {Record<string, string>} */
const VERDICTS = { better: "better", worse: "worse", "no difference": "", unknown: "" };

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  const sides = query.getAll("of").filter(Boolean);
  const chooser = h("form", {
    class: "panel chooser",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
  });
  const place = h("div", {});
  const board = h("div", {});
  const names = h("datalist", { id: "sides" });
  main.replaceChildren(
    h(
      "div",
      { class: "intro" },
      h("h1", {}, "Compare"),
      h("p", {}, "Models, agents, runs, groups or moments, each against the baseline A."),
    ),
    chooser,
    names,
    place,
  );
  offer(names, signal);
  drawChooser();
  /** @type {((how?: { fresh?: boolean }) => void) | null} */
  let load = null;

  function drawChooser() {
    keep(chooser, [
      ["chosen", sides, () => h("ol", { class: "sides" }, sides.map(side))],
      ["add", sides.length, () => (sides.length < MAX_SIDES ? adder() : null)],
    ]);
  }

  /** @param {string} name @param {number} at */
  function side(name, at) {
    return h(
      "li",
      {},
      h("span", { class: `letter side-${at}`, "aria-hidden": "true" }, letter(at)),
      h("span", { class: "value" }, name),
      at > 0 &&
        h(
          "button",
          {
            type: "button",
            class: "quiet",
            "aria-label": `Set ${name} as baseline`,
            title: "Set as baseline",
            onclick: () => change([name, ...sides.filter((one) => one !== name)]),
          },
          "↑",
        ),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": `Remove ${name}`,
          title: "Remove",
          onclick: () => change(sides.filter((one) => one !== name)),
        },
        "✕",
      ),
    );
  }

  function adder() {
    const field = /** @type {HTMLInputElement} */ (
      h("input", {
        list: "sides",
        "aria-label": "What to compare",
        placeholder: "run id, model:NAME, agent:NAME, group:ID, as-of:TIME",
      })
    );
    const add = () => {
      const name = field.value.trim();
      if (name && !sides.includes(name)) change([...sides, name]);
    };
    field.addEventListener("keydown", (event) => event.key === "Enter" && add());
    return h("div", { class: "adder" }, field, h("button", { type: "button", onclick: add }, "Add"));
  }

  /** @param {string[]} next */
  function change(next) {
    sides.splice(0, sides.length, ...next);
    keepAddress({ of: sides });
    drawChooser();
    chooser.querySelector("input")?.focus();
    begin();
  }

  function begin() {
    if (sides.length < 2) {
      place.replaceChildren(
        empty(
          "Choose 2–6 models, agents or runs",
          "Type a name above and press Enter. Suggestions appear as you type. as-of:TIME is the history at a moment.",
          "benchmarks compare groq:qwen3 openai:gpt-4.1",
        ),
      );
      return ready();
    }
    if (load) return load({ fresh: true });
    load = follow(place, { path: "/api/compare", query: () => ({ of: sides }), what: "The comparison", draw, signal });
  }

  function draw(/** @type {any} */ data) {
    if (place.firstChild !== board) place.replaceChildren(board);
    const runs = data.sides.filter((/** @type {any} */ one) => one.kind === "run");
    keep(board, [
      ["tallies", [data.tallies, data.sides], () => tallies(data)],
      ["table", [data.rows, data.sides], () => table(data)],
      ["chart", [data.rows, data.sides], () => differences(data, signal)],
      [
        "samples",
        runs.map((/** @type {any} */ one) => one.name),
        () => (runs.length >= 2 ? samplesPanel(runs, signal) : null),
      ],
      ["unlike", data.unlike, () => unlike(data.unlike)],
    ]);
    return ready();
  }

  begin();
}

const letter = (/** @type {number} */ at) => "ABCDEF"[at];

/** The models, agents and newest runs as suggestions. @param {HTMLElement} list @param {AbortSignal} signal */
async function offer(list, signal) {
  try {
    const answer = await get("/api/leaderboard", { signal });
    const standings = answer?.value.standings ?? [];
    const models = new Set(standings.map((/** @type {any} */ one) => `model:${one.provider}:${one.model}`));
    const agents = new Set(standings.map((/** @type {any} */ one) => `agent:${one.agent}`));
    const runs = standings.map((/** @type {any} */ one) => one.latest_run_id).slice(0, 200);
    list.replaceChildren(...[...models, ...agents, ...runs].map((value) => h("option", { value })));
  } catch {
    // Names can still be typed.
  }
}

/** @param {any} data */
function tallies({ sides, tallies: found }) {
  const first = sides[0];
  return h(
    "div",
    { class: "tiles" },
    h(
      "div",
      { class: "panel tile" },
      h("span", { class: "name" }, h("span", { class: "letter side-0", "aria-hidden": "true" }, "A"), " ", first.name),
      h("span", { class: "soft" }, `Baseline · ${plural(first.runs, "run")}`),
    ),
    found.map((/** @type {any} */ tally, /** @type {number} */ at) =>
      h(
        "div",
        { class: "panel tile" },
        h(
          "span",
          { class: "name" },
          h("span", { class: `letter side-${at + 1}`, "aria-hidden": "true" }, letter(at + 1)),
          " ",
          tally.side,
        ),
        h(
          "span",
          {},
          h("span", { class: tally.wins ? "better" : "soft" }, `${tally.wins} better`),
          " · ",
          h("span", { class: tally.losses ? "worse" : "soft" }, `${tally.losses} worse`),
          " · ",
          h(
            "span",
            { class: "soft" },
            `${tally.ties} not significant${tally.unknown ? ` · ${tally.unknown} unknown` : ""}`,
          ),
        ),
      ),
    ),
  );
}

/** @param {any} data */
function table({ sides, rows, level, matched_by }) {
  const matched = matched_by.length > 0;
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, "Benchmark"),
    matched && h("th", { scope: "col" }, matched_by.join(", ")),
    sides.map((/** @type {any} */ side, /** @type {number} */ at) =>
      h(
        "th",
        { scope: "col", class: "number" },
        h("span", { class: `letter side-${at}`, "aria-hidden": "true" }, letter(at)),
        h("span", { class: "side-name" }, side.name),
      ),
    ),
  );
  const body = rows.map((/** @type {any} */ row) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h("a", { href: benchmarkLink(row.task.benchmark_id) }, row.task.benchmark_id),
        h(
          "span",
          { class: "soft options" },
          optionsText(row.task_options),
          ` ${unitText(row.task.unit) || row.task.unit}${row.task.higher_is_better ? "" : " ↓ lower is better"}`,
        ),
      ),
      matched && h("td", {}, [row.agent, row.model].filter(Boolean).join(" · ")),
      row.scores.map((/** @type {any} */ found, /** @type {number} */ at) =>
        h(
          "td",
          { class: "number" },
          found
            ? [
                h(
                  "a",
                  { href: runLink(found.run_ids.at(-1)) },
                  estimate(found.mean, found.stderr, found.low, found.high),
                ),
                contrastOf(row.contrasts[at]),
              ]
            : h("span", { class: "soft" }, "—"),
        ),
      ),
    ),
  );
  const tests = rows
    .flatMap((/** @type {any} */ row) => row.contrasts)
    .filter((/** @type {any} */ one) => one && one.p_value !== null).length;
  const note = h("span", { class: "soft" }, `significant at p < ${level}, Holm-corrected (${plural(tests, "test")})`);
  return panel(
    "Task by task",
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores side by side" },
      h("table", { class: "dense compare" }, h("thead", {}, head), h("tbody", {}, body)),
    ),
    note,
    { class: "panel wide" },
  );
}

/** @param {any} contrast */
function contrastOf(contrast) {
  if (!contrast) return "";
  const { delta, verdict, adjusted_p, method, pairs, note, wins, losses, ties } = contrast;
  const p = adjusted_p === null ? "" : adjusted_p < 0.001 ? "p < 0.001" : `p = ${adjusted_p.toFixed(3)}`;
  const how = [
    method && `${method} test`,
    pairs ? `${pairs} pairs: ${wins} better, ${losses} worse, ${ties} equal` : "",
    note,
  ].filter(Boolean);
  return h(
    "span",
    { class: "contrast" },
    h("span", { class: `delta ${VERDICTS[verdict]}`.trim() }, signed(delta)),
    " ",
    h(
      "span",
      { class: "soft" },
      verdict === "unknown"
        ? "error unknown"
        : verdict === "no difference"
          ? `not significant${p ? `, ${p}` : ""}`
          : `${verdict}, ${p}`,
    ),
    how.length ? h("span", { class: "soft how" }, how.join("; ")) : "",
  );
}

/** The differences with their intervals, turned so that the right is better; a chart for each unit. @param {any} data @param {AbortSignal} signal */
function differences({ rows, sides }, signal) {
  const values = rows.flatMap((/** @type {any} */ row) =>
    row.contrasts.flatMap((/** @type {any} */ contrast, /** @type {number} */ at) =>
      contrast && contrast.low !== null
        ? [
            {
              benchmark: [row.task.benchmark_id, row.agent, row.model].filter(Boolean).join(" · "),
              side: letter(at),
              name: sides[at].name,
              unit: row.task.unit,
              ...turned(contrast, row.task.higher_is_better),
            },
          ]
        : [],
    ),
  );
  if (!values.length) return null;
  const units = [...new Set(values.map((/** @type {any} */ value) => value.unit))].sort();
  const charts = units.map((unit) =>
    intervals(
      values.filter((/** @type {any} */ value) => value.unit === unit),
      sides,
      signal,
    ),
  );
  return panel("Differences, with 95% intervals", charts, "", { class: "panel wide" });
}

/** The differences of one unit: scores of several units have no common axis. @param {any[]} values @param {any[]} sides @param {AbortSignal} signal */
function intervals(values, sides, signal) {
  const y = { field: "benchmark", type: "nominal", title: null };
  const offset = sides.length > 2 ? { yOffset: { field: "side" } } : {};
  const color = { field: "side", type: "nominal" };
  const unit = unitText(values[0].unit) || values[0].unit;
  const lines = new Set(values.map((/** @type {any} */ value) => value.benchmark)).size;
  const spec = {
    data: { values },
    height: lines * Math.max(28, 20 * (sides.length - 1)),
    layer: [
      {
        data: { values: [{ at: 0 }] },
        mark: { type: "rule", strokeDash: [4, 4] },
        encoding: { x: { field: "at", type: "quantitative" } },
      },
      {
        mark: { type: "rule", strokeWidth: 2 },
        encoding: {
          x: {
            field: "low",
            type: "quantitative",
            title: `difference to A${unit && `, ${unit}`}; to the right is better`,
          },
          x2: { field: "high" },
          y,
          ...offset,
          color,
        },
      },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1 },
        encoding: {
          x: { field: "improvement", type: "quantitative" },
          y,
          ...offset,
          color,
          tooltip: [
            { field: "name", title: "side" },
            { field: "text", title: "improvement" },
            { field: "verdict", title: "verdict" },
          ],
        },
      },
    ],
  };
  const label = `${plural(values.length, "difference")} to ${sides[0].name}${unit && ` in ${unit}`}, with their intervals; the table has the same numbers`;
  return chart(spec, { label, signal });
}

/** @param {any} contrast @param {boolean} upwards */
const turned = ({ improvement, low, high, verdict }, upwards) => ({
  improvement,
  verdict,
  text: signed(improvement),
  low: upwards ? low : -high,
  high: upwards ? high : -low,
});

/** What was not compared; benchmarks with one reason stand together. @param {any[]} some */
function unlike(some) {
  if (!some.length) return null;
  /** @type {Map<string, string[]>} */
  const byReason = new Map();
  for (const { benchmark_id, side, reason } of some) {
    const key = `${side}: ${reason}`;
    byReason.set(key, [...(byReason.get(key) ?? []), benchmark_id]);
  }
  const lines = [...byReason].map(([reason, names]) =>
    h("li", {}, h("strong", {}, names.join(", ")), " ", h("span", { class: "soft" }, reason)),
  );
  return panel("Not compared", h("ul", { class: "plain" }, lines));
}
