// One sample: what was asked, said and called, what was expected, and what each scorer says; beside the list it is in.

import { hash, heatMapLink, runLink } from "./address.js";
import { ApiError, get, runPath } from "./api.js";
import { contendersOf } from "./contenders.js";
import { diffView } from "./diff-view.js";
import { announce, h } from "./dom.js";
import { find } from "./find-text.js";
import { benchmarkName, cost, count, score } from "./format.js";
import { useKeys } from "./keys.js";
import { facts } from "./parts.js";
import { inLine, outcomeMark, pretty, sampleLink, sampleName } from "./sample.js";
import { SamplesTable } from "./samples-table.js";
import { failure, loading } from "./states.js";
import { folded, jsonView, milliseconds, transcriptView } from "./transcript.js";

const MAX_RAW = 300_000; // Characters of raw JSON that are shown at first.
const TABS = { transcript: "Transcript", output: "Output and expected", raw: "Raw JSON" };
const INPUTS = ["input", "question", "prompt", "instruction", "task"];
const OUTPUTS = ["output", "answer", "response", "completion", "prediction"];
const EXPECTED = ["expected", "target", "reference", "gold", "ideal"];
/** Fields that the header shows. */
const SHOWN = [
  "id",
  "correct",
  "score",
  "error",
  "explanation",
  "latency_ms",
  "input_tokens",
  "output_tokens",
  "cost_usd",
  "category",
  "scores",
  "judge",
];

/** @type {import("./routes.js").Show} */
export function show(main, { id, part, query }, context) {
  const runId = /** @type {string} */ (id);
  const { signal } = context;
  const path = runPath(runId);
  /** The sample that is shown. @type {{ id: string, line: number | null }} */
  let shown = { id: part ?? "", line: Number(query.get("line")) || null };
  let tab = query.get("tab") ?? "";
  let turn = 0;
  /** @type {any} */
  let now = null;
  /** Who made the run. @type {any} */
  let run = null;
  const others = h("p", { class: "others" });

  const place = h("div", { class: "sample-place" }, loading());
  const list = new SamplesTable(runId, path, signal, {
    query,
    narrow: true,
    keep: () => keep(),
    open: (row) => go({ id: row.id, line: row.is_repeated || !row.id ? row.line : null }),
  });
  const summary = h("summary", {}, "Samples of this run");
  const side = h(
    "details",
    { class: "panel samples-side", open: matchMedia("(min-width: 60rem)").matches },
    summary,
    h("div", { class: "side-tools" }, list.tabs, list.head),
    list.spread,
    list.message,
    list.scroller,
  );
  const who = h("span", {});
  const back = h("a", { href: runLink(runId), class: "back" }, "← Run");
  main.replaceChildren(
    h("p", { class: "crumbs" }, back, " ", who, " ", h("span", { class: "soft mono" }, runId)),
    h("div", { class: "sample-columns" }, side, place),
  );
  useKeys(
    [
      { keys: ["j", "ArrowRight"], about: "next sample", act: () => go(now?.next) },
      { keys: ["k", "ArrowLeft"], about: "previous sample", act: () => go(now?.previous) },
      {
        keys: ["/"],
        about: "search in this sample",
        act: () => /** @type {HTMLElement | null} */ (place.querySelector("input[type=search]"))?.focus(),
      },
      { keys: ["c"], about: "copy a link to this sample", act: () => copy() },
      { keys: ["Escape"], about: "back to the run", act: () => (location.hash = runLink(runId)) },
    ],
    signal,
  );

  const address = () => sampleLink(runId, shown, { ...Object.fromEntries(list.filters()), tab: tab || null });
  const keep = () => history.replaceState(history.state, "", address());

  /** Shows another sample. @param {{ id: string, line: number | null } | null | undefined} next */
  function go(next) {
    if (!next) return;
    shown = next;
    history.pushState({}, "", address());
    load();
  }

  async function load() {
    const mine = ++turn;
    context.title(`${sampleName(shown)} · ${runId}`);
    try {
      const asked = { id: shown.id, line: shown.line, ...Object.fromEntries(list.filters()) };
      const answer = await get(`${path}/sample`, { query: asked, signal });
      if (mine !== turn || !answer) return;
      now = answer.value;
      draw();
      list.mark(now.row?.line ?? null, now.index);
      announce(`Sample ${now.id}, ${now.row?.outcome ?? "trajectory"}`);
      await drawOthers(mine);
    } catch (problem) {
      if (mine !== turn || signal.aborted) return;
      fail(/** @type {Error} */ (problem).message);
    }
    context.ready();
  }

  /** @param {string} why */
  function fail(why) {
    place.replaceChildren(
      h("h1", { class: "visually-hidden" }, `Sample ${sampleName(shown)}`),
      failure("This sample cannot be shown", why, load),
    );
  }

  function draw() {
    const { sample, row, transcript, problem } = now;
    if (problem) return fail(`${problem}.`);
    const tabs = Object.keys(TABS).filter((name) => (name === "transcript" ? transcript : name === "raw" || sample));
    const current = tabs.includes(tab) ? tab : tabs[0];
    const body = h(
      "div",
      { role: "tabpanel", id: "sample-panel", "aria-labelledby": `tab-${current}`, class: "inside" },
      content(current),
    );
    const search = find(body);
    place.replaceChildren(
      h(
        "section",
        { class: "panel sample-head" },
        h(
          "div",
          { class: "sample-title" },
          h("h1", { class: "mono" }, sampleName({ id: now.id, line: row?.line })),
          row ? outcomeMark(row.outcome, { words: true }) : "",
          row?.excluded
            ? h("span", { class: "mark", title: "A correction has excluded it from the score" }, "excluded")
            : "",
          steps(),
        ),
        about(),
        sample?.error
          ? h("pre", { class: "log error", tabindex: "0", "aria-label": "Error" }, inLine(sample.error))
          : "",
        verdicts(),
        again(),
        others,
      ),
      h(
        "section",
        { class: "panel" },
        h(
          "div",
          { class: "sample-tabs" },
          h(
            "div",
            { class: "tabs", role: "tablist", "aria-label": "Views", onkeydown: arrows },
            tabs.map((name) =>
              h(
                "button",
                {
                  type: "button",
                  role: "tab",
                  id: `tab-${name}`,
                  "aria-selected": String(name === current),
                  "aria-controls": "sample-panel",
                  tabindex: name === current ? "0" : "-1",
                  onclick: () => choose(name),
                },
                TABS[/** @type {keyof TABS} */ (name)],
              ),
            ),
          ),
          search,
        ),
        body,
      ),
    );
    return undefined;
  }

  /** What other contenders came to, each beside this answer. @param {number} mine */
  async function drawOthers(mine) {
    others.replaceChildren();
    try {
      run ??= /** @type {any} */ (await get(path, { signal })).value.run;
      who.replaceChildren(
        benchmarkName(run.benchmark_id, run.extra_config),
        " · ",
        `${run.agent} with ${run.provider}:${run.model}`,
      );
      const { cells, isBinary, best } = await contendersOf(run, now.id, signal);
      const some = cells.filter((one) => one.run_id !== runId);
      if (mine !== turn || !some.length) return;
      others.replaceChildren(
        h("span", { class: "soft" }, "Others:"),
        ...some.map((one) => {
          const outcome = one.cell.is_error
            ? "error"
            : !isBinary
              ? "unscored"
              : one.cell.score === best
                ? "correct"
                : "incorrect";
          const text = isBinary || one.cell.is_error ? outcomeMark(outcome) : score(one.cell.score);
          return h(
            "a",
            { href: hash("/compare/sample", { a: runId, b: one.run_id, id: now.id }) },
            text,
            " ",
            one.name,
          );
        }),
        h("a", { href: heatMapLink(run.benchmark_id, { task: run.comparison_key }) }, "all samples"),
      );
    } catch (problem) {
      if (!signal.aborted && !(problem instanceof ApiError)) throw problem; // The sample stands without the others.
    }
  }

  function steps() {
    const { index, total, previous, next } = now;
    const step = (/** @type {any} */ there, /** @type {string} */ text, /** @type {string} */ label) =>
      h("button", { type: "button", disabled: !there, "aria-label": label, onclick: () => go(there) }, text);
    return h(
      "span",
      { class: "steps" },
      step(previous, "←", "Previous sample"),
      h("span", { class: "soft" }, index === null ? "" : `${count(index + 1)} of ${count(total)}`),
      step(next, "→", "Next sample"),
      h("button", { type: "button", "data-copy": "", onclick: () => copy() }, "Copy link"),
      h("a", { class: "button", href: hash("/compare/sample", { a: runId, id: now.id }) }, "Compare …"),
    );
  }

  async function copy() {
    const button = place.querySelector("[data-copy]");
    const text = location.href.replace(/#.*/, "") + address();
    try {
      await navigator.clipboard.writeText(text);
      if (button) button.textContent = "Copied";
      announce("The link is copied");
    } catch {
      prompt("The link to this sample", text);
    }
  }

  function about() {
    const { sample, row } = now;
    if (!row) return h("p", { class: "soft" }, `A trajectory in ${now.transcript_path}`);
    const tokens = [
      typeof sample.input_tokens === "number" && `${count(sample.input_tokens)} in`,
      typeof sample.output_tokens === "number" && `${count(sample.output_tokens)} out`,
    ].filter(Boolean);
    const told = [
      row.score !== null && ["score", score(row.score)],
      row.category && ["category", row.category],
      row.latency_ms !== null && ["latency", milliseconds(row.latency_ms)],
      row.tokens !== null && ["tokens", tokens.length ? tokens.join(", ") : count(row.tokens)],
      row.cost_usd !== null && ["cost", cost(row.cost_usd)],
      now.transcript && ["turns", count(now.transcript.turns.length + now.transcript.left_out)],
      now.transcript && ["format", now.transcript.shape],
    ].filter(Boolean);
    return h(
      "p",
      { class: "about" },
      told.map(([name, value]) => h("span", {}, h("span", { class: "soft" }, `${name} `), value)),
    );
  }

  function verdicts() {
    const { verdicts: some, sample } = now;
    const rows = some.map((/** @type {any} */ one) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, one.name),
        h(
          "td",
          {},
          outcomeMark(one.passed === null ? "unscored" : one.passed ? "correct" : "incorrect"),
          " ",
          typeof one.value === "boolean" ? "" : typeof one.value === "number" ? score(one.value) : inLine(one.value),
        ),
        h(
          "td",
          { class: "why" },
          one.explanation ? folded(one.explanation, `the explanation of ${one.name}`) : "",
          one.answer !== null && one.answer !== undefined
            ? h("div", { class: "soft" }, `answer: ${inLine(one.answer)}`)
            : "",
          Object.entries(one.more ?? {}).map(([name, value]) =>
            h("div", { class: "soft" }, `${name}: ${inLine(value)}`),
          ),
        ),
      ),
    );
    const own = sample?.explanation
      ? h("p", { class: "why" }, folded(inLine(sample.explanation), "the explanation"))
      : "";
    if (!rows.length) return own;
    return [
      own,
      h(
        "table",
        { class: "dense verdicts" },
        h("caption", { class: "visually-hidden" }, "Scorers"),
        h(
          "thead",
          { class: "visually-hidden" },
          h(
            "tr",
            {},
            ["Scorer", "Verdict", "Explanation"].map((title) => h("th", { scope: "col" }, title)),
          ),
        ),
        h("tbody", {}, rows),
      ),
    ];
  }

  /** The same question asked again. */
  function again() {
    if (now.lines.length < 2) return "";
    return h(
      "p",
      { class: "soft" },
      `Asked ${count(now.lines.length)} times: `,
      now.lines
        .slice(0, 50)
        .map((/** @type {number} */ line, /** @type {number} */ at) => [
          at ? " " : "",
          line === now.row.line
            ? h("strong", {}, `line ${line}`)
            : h("a", { href: sampleLink(runId, { id: now.id, line }) }, `line ${line}`),
        ]),
    );
  }

  /** @param {string} name */
  function content(name) {
    if (name === "raw") return rawView(now.sample ?? { transcript: now.transcript, ...now.transcript_more });
    if (name === "transcript")
      return [
        transcriptView(now.transcript),
        now.transcript_path ? h("p", { class: "soft" }, `From ${now.transcript_path}`) : "",
        more(now.transcript_more),
      ];
    return answers(now.sample, now.told_in);
  }

  /** @param {string} name */
  function choose(name) {
    tab = name;
    keep();
    draw();
    document.getElementById(`tab-${name}`)?.focus();
  }

  /** @param {KeyboardEvent} event */
  function arrows(event) {
    const tabs = /** @type {HTMLElement[]} */ ([...place.querySelectorAll("[role=tab]")]);
    const at = tabs.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (at < 0 || !by) return;
    event.preventDefault();
    event.stopPropagation();
    tabs[(at + by + tabs.length) % tabs.length].click();
  }

  (async () => {
    try {
      const answer = await list.load();
      side.hidden = Boolean(answer && list.isEmpty);
    } catch {
      side.hidden = true; // The sample may be a trajectory, and its page says what is wrong.
    }
    await load();
  })();
}

/** The first of some fields that has a value. @param {Record<string, any>} sample @param {string[]} names */
const fieldOf = (sample, names) =>
  names.find((name) => sample[name] !== undefined && sample[name] !== null && sample[name] !== "");

/** Input, output against expected, and every field that has no place of its own. @param {Record<string, any>} sample @param {string[]} told */
export function answers(sample, told) {
  const [input, output, expected] = [INPUTS, OUTPUTS, EXPECTED].map((names) => fieldOf(sample, names));
  const read = (/** @type {string | undefined} */ name) => (name === undefined ? undefined : sample[name]);
  const both = expected !== undefined && output !== undefined;
  const block = (/** @type {string} */ title, /** @type {string | undefined} */ name) =>
    name === undefined || told.includes(name)
      ? ""
      : h(
          "div",
          {},
          h("h2", {}, title),
          typeof sample[name] === "object" ? jsonView(sample[name]) : folded(inLine(sample[name]), title, "mono"),
        );
  const used = new Set([...SHOWN, input, output, expected, ...told]);
  const rest = Object.fromEntries(
    Object.entries(sample).filter(([name, value]) => !used.has(name) && value !== null && value !== ""),
  );
  return h(
    "div",
    { class: "answers" },
    block("Input", input),
    h("div", { class: both ? "columns even" : "" }, block("Expected", expected), block("Output", output)),
    both
      ? h(
          "div",
          {},
          h("h2", {}, "Difference"),
          diffView(pretty(read(expected)), pretty(read(output)), ["Expected", "Output"]),
        )
      : "",
    output === undefined && sample.error
      ? h("p", { class: "soft" }, "The sample ended in an error, without an output.")
      : "",
    more(rest),
  );
}

/** JSON as it was written; of megabytes only the beginning at first. @param {any} value */
function rawView(value) {
  const text = pretty(value);
  const body = h("pre", { class: "log mono", tabindex: "0", "aria-label": "Raw JSON" }, text.slice(0, MAX_RAW));
  if (text.length <= MAX_RAW) return body;
  const open = h("button", { type: "button", "data-unfold": "" }, `Show all ${count(text.length)} characters`);
  open.addEventListener("click", () => {
    body.replaceChildren(...h("pre", {}, text).childNodes);
    open.remove();
  });
  return [body, open];
}

/** @param {Record<string, any>} fields */
function more(fields) {
  const rows = Object.entries(fields ?? {});
  if (!rows.length) return "";
  return h(
    "div",
    { class: "more" },
    h("h2", {}, "More"),
    facts(
      rows.map(([name, value]) => [
        name,
        typeof value === "object" ? jsonView(value) : h("span", { class: "mono" }, inLine(value)),
      ]),
    ),
  );
}
