// Two to six runs, models, agents, groups or times side by side, each against the first.

import { benchmarkLink, runLink } from "./address.js";
import { get } from "./api.js";
import { chart } from "./chart.js";
import { samplesPanel } from "./compare-samples.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { count, estimate, signed } from "./format.js";
import { panel } from "./parts.js";
import { empty } from "./states.js";

const MOST = 6;
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
      h("p", {}, "Runs, models, agents, groups or times, each against the first."),
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
      ["add", sides.length, () => (sides.length < MOST ? adder() : null)],
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
            "aria-label": `Measure against ${name}`,
            title: "measure the others against this",
            onclick: () => change([name, ...sides.filter((one) => one !== name)]),
          },
          "↑",
        ),
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          "aria-label": `Leave out ${name}`,
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
          "Choose two to six",
          "Name them above. A model is written as model:NAME or model:PROVIDER:NAME, a run by its id, the past as as-of:TIME.",
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
    // Whoever knows a name can type it.
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
      h(
        "span",
        { class: "soft" },
        `the others are measured against it; ${count(first.runs)} ${first.runs === 1 ? "run" : "runs"}`,
      ),
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
          h("span", { class: "better" }, `${tally.wins} better`),
          " · ",
          h("span", { class: "worse" }, `${tally.losses} worse`),
          " · ",
          h(
            "span",
            { class: "soft" },
            `${tally.ties} no difference${tally.unknown ? ` · ${tally.unknown} unknown` : ""}`,
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
          Object.entries(row.task_options)
            .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
            .join(" "),
          row.task.higher_is_better ? "" : " ↓",
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
  const note = h(
    "span",
    { class: "soft" },
    `a difference counts below p = ${level}, after Holm's correction over all of them`,
  );
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
  const told = [verdict, p, method, pairs ? `${pairs} pairs: ${wins} won, ${losses} lost, ${ties} the same` : "", note]
    .filter(Boolean)
    .join("\n");
  return h(
    "span",
    { class: "contrast", title: told },
    h("span", { class: `delta ${VERDICTS[verdict]}`.trim() }, signed(delta)),
    " ",
    h(
      "span",
      { class: "soft" },
      verdict === "unknown"
        ? "noise unknown"
        : verdict === "no difference"
          ? `within noise${p ? `, ${p}` : ""}`
          : `${verdict}, ${p}`,
    ),
  );
}

/** The differences with their intervals, turned so that the right is better. @param {any} data @param {AbortSignal} signal */
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
  const units = new Set(values.map((/** @type {any} */ value) => value.unit));
  if (!values.length || units.size > 1) return null; // Scores of several units have no common axis.
  const y = { field: "benchmark", type: "nominal", title: null };
  const offset = sides.length > 2 ? { yOffset: { field: "side" } } : {};
  const color = { field: "side", type: "nominal" };
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
          x: { field: "low", type: "quantitative", title: "difference to A; to the right is better" },
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
            { field: "told", title: "improvement" },
            { field: "verdict", title: "verdict" },
          ],
        },
      },
    ],
  };
  return panel(
    "Differences, with 95% intervals",
    chart(spec, {
      label: `${values.length} differences to ${sides[0].name}, with their intervals; the table says the same`,
      signal,
    }),
    "",
    { class: "panel wide" },
  );
}

/** @param {any} contrast @param {boolean} upwards */
const turned = ({ improvement, low, high, verdict }, upwards) => ({
  improvement,
  verdict,
  told: signed(improvement),
  low: upwards ? low : -high,
  high: upwards ? high : -low,
});

/** @param {any[]} some */
function unlike(some) {
  if (!some.length) return null;
  return panel(
    "Not compared",
    h(
      "ul",
      { class: "plain" },
      some.map((one) =>
        h("li", {}, h("strong", {}, one.benchmark_id), " ", h("span", { class: "soft" }, `${one.side}: ${one.reason}`)),
      ),
    ),
  );
}
