// Two to six contenders, models, agents, runs, groups or moments side by side, each against the first.

import { benchmarkLink, runLink } from "./address.js";
import { get } from "./api.js";
import { SamplesSideBySide } from "./compare-samples.js";
import { settingsPanel } from "./compare-settings.js";
import { announce, h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { cost, count, duration, estimate, optionsText, plural, signed, unitText } from "./format.js";
import { axisOf, intervalBar } from "./interval-bar.js";
import { panel } from "./parts.js";
import { empty } from "./states.js";

const MAX_SIDES = 6;
const FEW_ROWS = 8; // Up to this number of rows, what they cost is shown at first.
/** @type {Record<string, string>} */
const VERDICTS = { better: "better", worse: "worse", "no difference": "", unknown: "" };
const KINDS = {
  contender: "contender",
  model: "model",
  agent: "agent",
  run: "run",
  group: "campaign",
  "as-of": "moment",
};

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  const sides = query.getAll("of").filter(Boolean);
  const benchmarks = query.getAll("benchmark").filter(Boolean);
  const state = { only: query.get("only") ?? "", spent: query.get("spent") ?? "", row: query.get("row") ?? "" };
  const chooser = h("form", {
    class: "panel chooser",
    onsubmit: (/** @type {Event} */ event) => event.preventDefault(),
  });
  const place = h("div", {});
  const board = h("div", { class: "compared" });
  const names = h("datalist", { id: "sides" });
  /** @type {Record<string, string[]>} */
  let known = {};
  main.replaceChildren(
    h("div", { class: "intro" }, h("h1", {}, "Compare"), h("p", {}, "Each side against the baseline A.")),
    chooser,
    names,
    place,
  );
  offer(signal).then((found) => {
    known = found;
    offerKind();
  });
  drawChooser();
  /** @type {((how?: { fresh?: boolean }) => void) | null} */
  let load = null;
  /** @type {any} */
  let shown = null;
  /** @type {SamplesSideBySide | null} */
  let samples = null;

  const remember = () =>
    keepAddress(
      {
        of: sides,
        benchmark: benchmarks,
        only: state.only || null,
        spent: state.spent || null,
        row: state.row || null,
        ...samples?.state(),
      },
      { replace: true },
    );

  function drawChooser() {
    keep(chooser, [
      ["chosen", sides, () => h("ol", { class: "sides" }, sides.map(side))],
      ["benchmarks", benchmarks, () => (benchmarks.length ? only() : null)],
      ["add", sides.length, () => (sides.length < MAX_SIDES ? adder() : null)],
    ]);
  }

  /** @param {string} name @param {number} at */
  function side(name, at) {
    const button = (/** @type {string} */ label, /** @type {string} */ text, /** @type {() => void} */ onclick) =>
      h("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick }, text);
    return h(
      "li",
      {},
      h("span", { class: `letter side-${at}`, "aria-hidden": "true" }, letter(at)),
      h("span", { class: "value" }, name.replace(/^(contender|model|agent|run|group):/, "")),
      at === 0 ? h("span", { class: "soft" }, "baseline") : "",
      at > 0 && button(`Set ${name} as baseline`, "↑", () => change([name, ...sides.filter((one) => one !== name)])),
      button(`Remove ${name}`, "✕", () => change(sides.filter((one) => one !== name))),
    );
  }

  function all() {
    benchmarks.length = 0;
    change([...sides]);
  }

  const only = () =>
    h(
      "p",
      {},
      h("span", { class: "soft" }, "Only "),
      benchmarks.join(", "),
      " ",
      h("button", { type: "button", class: "quiet", onclick: all }, "all benchmarks"),
    );

  function adder() {
    const kind = /** @type {HTMLSelectElement} */ (
      h(
        "select",
        { "aria-label": "Kind", onchange: () => offerKind() },
        Object.entries(KINDS).map(([value, text]) => h("option", { value }, text)),
      )
    );
    const field = /** @type {HTMLInputElement} */ (
      h("input", { list: "sides", "aria-label": "What to compare", placeholder: "name or id" })
    );
    const add = () => {
      const text = field.value.trim();
      if (!text) return;
      const name = Object.keys(KINDS).some((one) => text.startsWith(`${one}:`)) ? text : `${kind.value}:${text}`;
      if (!sides.includes(name)) change([...sides, name]);
    };
    field.addEventListener("keydown", (event) => event.key === "Enter" && add());
    // A choice from the list is complete, without a button.
    field.addEventListener("input", (event) => {
      if (/** @type {InputEvent} */ (event).inputType === "insertReplacementText" || !("inputType" in event)) add();
    });
    return h("div", { class: "adder" }, kind, field, h("button", { type: "button", onclick: add }, "Add"));
  }

  function offerKind() {
    const kind = /** @type {HTMLSelectElement | null} */ (chooser.querySelector("select"))?.value ?? "contender";
    names.replaceChildren(...(known[kind] ?? []).map((value) => h("option", { value })));
  }

  /** @param {string[]} next */
  function change(next) {
    sides.splice(0, sides.length, ...next);
    keepAddress({ of: sides, benchmark: benchmarks, only: state.only || null });
    drawChooser();
    offerKind();
    chooser.querySelector("input")?.focus();
    begin();
  }

  function begin() {
    if (sides.length < 2) {
      load = null;
      place.replaceChildren(
        empty(
          "Choose 2–6 contenders, models, agents or runs",
          "A contender is a model with an agent. Suggestions appear as you type. A moment is a time, or now.",
          "benchmarks compare groq:qwen3 openai:gpt-4.1",
        ),
      );
      return ready();
    }
    if (load) return load({ fresh: true });
    load = follow(place, {
      path: "/api/compare",
      query: () => ({ of: sides, benchmark: benchmarks }),
      what: "The comparison",
      draw,
      signal,
    });
  }

  function draw(/** @type {any} */ data) {
    shown = data;
    if (place.firstChild !== board) place.replaceChildren(board);
    const pickable = data.rows.filter((/** @type {any} */ row) => runsOf(row).length >= 2);
    // The samples that are shown first are those of a difference that is more than noise.
    const telling = pickable.find((/** @type {any} */ row) => isSignificant(row)) ?? pickable[0];
    if (!pickable.some((/** @type {any} */ row) => keyOf(row) === state.row)) state.row = telling ? keyOf(telling) : "";
    drawBoard();
    return ready();
  }

  function drawBoard() {
    const data = shown;
    const row = data.rows.find((/** @type {any} */ one) => keyOf(one) === state.row);
    const runs = row ? runsOf(row) : [];
    keep(board, [
      ["tallies", [data.tallies, data.sides], () => tallies(data)],
      ["table", [data.rows, data.sides, data.spent, { ...state }], () => table(data)],
      ["unlike", data.unlike, () => unlike(data)],
      ["settings", runs, () => (runs.length >= 2 ? settingsPanel(runs, signal) : null)],
      ["samples", runs, () => drawSamples(row, runs)],
    ]);
  }

  /** @param {any} row @param {any[]} runs */
  function drawSamples(row, runs) {
    if (runs.length < 2) return null;
    samples = new SamplesSideBySide(runs, signal, {
      query: new URLSearchParams(location.hash.split("?")[1] ?? ""),
      keep: remember,
    });
    return panel(
      `Samples of ${row.task.benchmark_id}`,
      samples.element,
      h("span", { class: "soft" }, optionsText(row.task_options)),
      { class: "panel wide", id: "samples" },
    );
  }

  /** @param {any} data */
  function table(data) {
    const { sides: all, rows, level, matched_by: matched, spent } = data;
    const withSpent = state.spent ? state.spent === "1" : rows.length <= FEW_ROWS;
    const kept = state.only === "significant" ? rows.filter(isSignificant) : rows;
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "Benchmark"),
      all.map((/** @type {any} */ one, /** @type {number} */ at) =>
        h(
          "th",
          { scope: "col", class: `number ${at ? "" : "baseline"}`.trim() },
          h("span", { class: `letter side-${at}`, "aria-hidden": "true" }, letter(at)),
          h("span", { class: "side-name" }, one.name),
        ),
      ),
    );
    const tests = rows
      .flatMap((/** @type {any} */ row) => row.contrasts)
      .filter((/** @type {any} */ one) => one && one.p_value !== null).length;
    const body = kept.map((/** @type {any} */ row) =>
      rowsOf(row, spent[rows.indexOf(row)] ?? [], withSpent, matched.length > 0),
    );
    return panel(
      "Scores",
      [
        h(
          "div",
          { class: "table-tools", hidden: !rows.length },
          check(
            "Significant only",
            state.only === "significant",
            (on) => set("only", on ? "significant" : ""),
            `${count(rows.filter(isSignificant).length)} of ${count(rows.length)}`,
          ),
          check("Cost, time, tokens", withSpent, (on) => set("spent", on ? "1" : "0")),
        ),
        kept.length
          ? h(
              "div",
              { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores side by side" },
              h("table", { class: "dense compare" }, h("thead", {}, head), body),
            )
          : h(
              "p",
              { class: "soft" },
              rows.length ? "No difference is significant." : "The sides have no task in common.",
            ),
      ],
      h(
        "span",
        { class: "soft" },
        `bars: 95% intervals · significant at p < ${level}, Holm-corrected (${plural(tests, "test")})`,
      ),
      { class: "panel wide" },
    );
  }

  /** What tells apart two rows of a benchmark that have the same options: another version of it. @param {any} row */
  function version(row) {
    const { benchmark_id: benchmark, comparison_key: key } = row.task;
    const others = shown.rows.some(
      (/** @type {any} */ one) => one.task.benchmark_id === benchmark && one.task.comparison_key !== key,
    );
    return others ? `task ${key.slice(0, 8)}` : "";
  }

  /** @param {"only" | "spent" | "row"} name @param {string} value */
  function set(name, value) {
    state[name] = value;
    drawBoard();
    remember();
  }

  /** @param {string} text @param {boolean} on @param {(on: boolean) => void} act @param {string} [more] */
  const check = (text, on, act, more = "") =>
    h(
      "label",
      {},
      h("input", { type: "checkbox", checked: on, onchange: (/** @type {any} */ event) => act(event.target.checked) }),
      ` ${text} `,
      h("span", { class: "soft" }, more),
    );

  /** @param {any} row @param {any[]} spent @param {boolean} withSpent @param {boolean} matched */
  function rowsOf(row, spent, withSpent, matched) {
    const axis = axisOf(row.scores);
    const key = keyOf(row);
    const canPick = runsOf(row).length >= 2;
    const first = h(
      "tr",
      { class: key === state.row ? "chosen" : null },
      h(
        "th",
        { scope: "row" },
        h("a", { href: benchmarkLink(row.task.benchmark_id) }, row.task.benchmark_id),
        h(
          "span",
          { class: "soft options" },
          [
            optionsText(row.task_options) || version(row),
            unitText(row.task.unit) || row.task.unit,
            row.task.higher_is_better ? "" : "↓ lower is better",
          ]
            .filter(Boolean)
            .join(" · "),
        ),
        matched ? h("span", { class: "soft options" }, [row.agent, row.model].filter(Boolean).join(" · ")) : "",
        canPick && shown.rows.length > 1
          ? h(
              "button",
              {
                type: "button",
                class: "link",
                "aria-pressed": String(key === state.row),
                onclick: () => {
                  set("row", key);
                  document.getElementById("samples")?.scrollIntoView({ block: "start" });
                  announce(`Samples of ${row.task.benchmark_id}`);
                },
              },
              "samples ↓",
            )
          : "",
      ),
      row.scores.map((/** @type {any} */ found, /** @type {number} */ at) =>
        h(
          "td",
          { class: `number ${at ? "" : "baseline"}`.trim(), "data-label": letter(at) },
          found
            ? [
                h(
                  "a",
                  { href: runLink(found.run_ids.at(-1)) },
                  estimate(found.mean, found.stderr, found.low, found.high),
                ),
                axis ? intervalBar(found, axis, at && row.scores[0] ? row.scores[0].mean : undefined) : "",
                contrastOf(row.contrasts[at]),
                failed(row.attempts?.[at]),
              ]
            : h("span", { class: "soft" }, "no score"),
        ),
      ),
    );
    /** @type {[string, (one: any) => number | null, (value: number) => string][]} */
    const lines = [
      ["cost", (one) => one.cost_usd, (value) => cost(value)],
      ["time", (one) => one.seconds, (value) => duration(value)],
      ["tokens in", (one) => one.input_tokens, (value) => count(Math.round(value))],
      ["tokens out", (one) => one.output_tokens, (value) => count(Math.round(value))],
    ];
    const more = withSpent
      ? lines
          .filter(([, read]) => spent.some((one) => one && read(one) !== null))
          .map(([name, read, write]) =>
            h(
              "tr",
              { class: "spent" },
              h("th", { scope: "row" }, name),
              spent.map((one, at) => {
                const [value, base] = [one && read(one), spent[0] && read(spent[0])];
                return h(
                  "td",
                  { class: `number ${at ? "" : "baseline"}`.trim(), "data-label": letter(at) },
                  value === null || value === undefined ? h("span", { class: "soft" }, "—") : write(value),
                  at && value && base
                    ? h("span", { class: "soft times" }, ` ×${(value / base).toFixed(value / base < 10 ? 2 : 0)}`)
                    : "",
                );
              }),
            ),
          )
      : [];
    return h("tbody", {}, first, more);
  }

  begin();
}

const letter = (/** @type {number} */ at) => "ABCDEF"[at];

const isSignificant = (/** @type {any} */ row) =>
  row.contrasts.some((/** @type {any} */ one) => one && VERDICTS[one.verdict]);

/** The name of a row in the address. @param {any} row */
const keyOf = (row) =>
  [row.task.benchmark_id, row.task.comparison_key.slice(0, 8), row.agent, row.model].filter(Boolean).join(" ");

/** The newest run of each side that has a score, with the side's letter and name. @param {any} row */
const runsOf = (row) =>
  row.scores.flatMap((/** @type {any} */ found, /** @type {number} */ at) =>
    found ? [{ letter: letter(at), at, run_id: found.run_ids.at(-1) }] : [],
  );

/** The names of each kind, for suggestions. @param {AbortSignal} signal @returns {Promise<Record<string, string[]>>} */
async function offer(signal) {
  try {
    const [answer, runs] = await Promise.all([
      get("/api/leaderboard", { signal }),
      get("/api/runs", { query: { limit: 200, status: "succeeded" }, signal }),
    ]);
    const standings = answer?.value.standings ?? [];
    const rows = runs?.value.runs ?? [];
    const some = (/** @type {(one: any) => string} */ name) => [
      ...new Set(/** @type {string[]} */ (standings.map(name))),
    ];
    return {
      contender: some((one) => `${one.agent} with ${one.provider}:${one.model}`),
      model: some((one) => `${one.provider}:${one.model}`),
      agent: some((one) => one.agent),
      run: rows.map((/** @type {any} */ one) => one.run_id),
      group: [...new Set(/** @type {string[]} */ (rows.map((/** @type {any} */ one) => one.run_group_id)))].filter(
        Boolean,
      ),
      "as-of": ["now"],
    };
  } catch {
    return {}; // Names can still be typed.
  }
}

/** @param {any} data */
function tallies({ sides, tallies: found }) {
  const tile = (/** @type {number} */ at, /** @type {any} */ inside) =>
    h(
      "div",
      { class: "panel tile" },
      h(
        "span",
        { class: "name" },
        h("span", { class: `letter side-${at}`, "aria-hidden": "true" }, letter(at)),
        " ",
        sides[at].name,
      ),
      inside,
    );
  return h(
    "div",
    { class: "tiles" },
    tile(0, h("span", { class: "soft" }, `Baseline · ${plural(sides[0].runs, "run")}`)),
    found.map((/** @type {any} */ tally, /** @type {number} */ at) =>
      tile(
        at + 1,
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

/** How often a side failed. @param {any} attempts */
function failed(attempts) {
  const some = attempts ? attempts.own_failures + attempts.infrastructure_failures : 0;
  return some ? h("span", { class: "soft how" }, `${some} of ${attempts.attempts} failed`) : "";
}

/** @param {any} contrast */
function contrastOf(contrast) {
  if (!contrast) return "";
  const { delta, verdict, adjusted_p: adjusted, method, pairs, note, wins, losses, detectable } = contrast;
  const p = adjusted === null ? "" : adjusted < 0.001 ? "p < 0.001" : `p = ${adjusted.toFixed(3)}`;
  const known = VERDICTS[verdict];
  const text =
    verdict === "unknown" ? "error unknown" : known ? `${verdict}, ${p}` : `not significant${p ? `, ${p}` : ""}`;
  const how = [
    method && `${method} test`,
    pairs ? `${count(pairs)} pairs: ${wins} better, ${losses} worse` : "",
    !known && detectable ? `finds differences from ${signed(detectable).replace("+", "")}` : "",
    note,
  ].filter(Boolean);
  return h(
    "span",
    { class: "contrast" },
    h("span", { class: `delta ${known || "soft"}` }, signed(delta) || "±0"),
    " ",
    h("span", { class: "soft" }, text),
    how.length ? h("span", { class: "soft how" }, how.join("; ")) : "",
  );
}

/** What was not compared; benchmarks with one reason stand together. @param {any} data */
function unlike({ unlike: some, sides }) {
  if (!some.length) return null;
  const names = sides.map((/** @type {any} */ one) => one.name);
  /** @type {Map<string, string[]>} */
  const byReason = new Map();
  for (const { benchmark_id: benchmark, side, reason } of some) {
    const at = names.indexOf(side);
    const told = names.reduce(
      (/** @type {string} */ text, /** @type {string} */ name, /** @type {number} */ place) =>
        reason.startsWith(`only ${name} `) ? text.replace(`only ${name} `, `only ${letter(place)} `) : text,
      reason,
    );
    const key = `${letter(at)}|${told}`;
    byReason.set(key, [...(byReason.get(key) ?? []), benchmark]);
  }
  const lines = [...byReason].map(([key, found]) => {
    const [side, reason] = [key[0], key.slice(2)];
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, found.join(", ")),
      h("td", {}, "A and ", h("span", { class: `letter side-${"ABCDEF".indexOf(side)}` }, side)),
      h("td", { class: "why" }, reason),
    );
  });
  return panel(
    "Not compared",
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": "Not compared" },
      h(
        "table",
        { class: "dense" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            ["Benchmark", "Sides", "Reason"].map((title) => h("th", { scope: "col" }, title)),
          ),
        ),
        h("tbody", {}, lines),
      ),
    ),
    h("span", { class: "soft" }, plural(some.length, "gap")),
    { class: "panel wide" },
  );
}
