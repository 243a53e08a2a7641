// One run: it follows the run while it is running, and keeps what a reader has open.

import { hash, heatMapLink } from "./address.js";
import { get, runPath } from "./api.js";
import { ArtifactsPanel } from "./artifacts-panel.js";
import { correctionsPanel } from "./corrections.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { benchmarkName, duration, sureness, unitText } from "./format.js";
import { useKeys } from "./keys.js";
import { ledger } from "./ledger.js";
import { LogPanel } from "./log-panel.js";
import { elapsed, isStale, marks, scored, scoreOf, statusDot, when } from "./parts.js";
import { proofPanel } from "./proof-panel.js";
import {
  attemptsPanel,
  configPanel,
  errorPanel,
  factsPanel,
  metricsPanel,
  provenanceLine,
  provenancePanel,
} from "./run-panels.js";
import { sampleLink } from "./sample.js";
import { SamplesTable } from "./samples-table.js";
import { history, standingFacts } from "./standing.js";
import { Timeline } from "./timeline.js";
import { trajectoriesPanel } from "./trajectories-panel.js";

const LOG_MS = 1000; // A log grows without an event.

/** @type {import("./routes.js").Show} */
export function show(main, { id, query }, context) {
  const runId = /** @type {string} */ (id);
  const { signal } = context;
  const path = runPath(runId);
  const named = query.get("sample");
  if (named !== null) {
    location.replace(sampleLink(runId, { id: named }));
    return undefined;
  }
  // What the address keeps: the filters and the position of the samples, and a line of a log.
  const kept = { samples: new URLSearchParams(), log: query.get("log"), line: query.get("line") };
  const remember = () => {
    const state = new URLSearchParams(kept.samples);
    if (kept.log) state.set("log", kept.log);
    if (kept.line) state.set("line", kept.line);
    context.keep(state, { replace: true });
  };
  const log = new LogPanel(runId, signal, {
    log: query.get("log"),
    line: Number(query.get("line")) || null,
    keep: (name, line) => {
      Object.assign(kept, { log: name, line: line ? String(line) : null });
      remember();
    },
  });
  const samples = new SamplesTable(runId, path, signal, {
    query,
    keep: (filters, at) => {
      kept.samples = new URLSearchParams([...filters].filter(([, value]) => value));
      if (at) kept.samples.set("at", String(at));
      remember();
    },
  });
  kept.samples = new URLSearchParams(samples.filters());
  const others = h("span", {});
  const samplesPanel = h(
    "section",
    { class: "panel wide", hidden: true, "data-panel": "samples" },
    h("h2", {}, "Samples", samples.tabs, others),
    h("div", { class: "inside" }, samples.head, samples.spread, samples.message, samples.scroller),
  );
  const trajectories = trajectoriesPanel(runId, path, signal);
  const artifacts = new ArtifactsPanel(path, signal);
  const timeline = new Timeline();
  const corrections = correctionsPanel(path, () => void load());
  const [head, top, left, right, chart, place] = [h("div"), h("div"), h("div"), h("div"), h("div"), h("div")];
  top.className = "run-top";
  const columns = h("div", { class: "columns" }, left, right);
  const origin = h("div", { class: "columns" }, h("div"), h("div"));
  const originLine = h("span", { class: "soft" });
  const provenance = h(
    "details",
    { class: "panel provenance", "data-panel": "provenance" },
    h("summary", {}, h("h2", {}, "Provenance"), originLine),
    origin,
  );
  const files = h(
    "p",
    { class: "notice files", hidden: true },
    "Logs and files are shown as they are now: the ledger keeps their digests, not their earlier content.",
  );
  /** @type {Record<string, any> | null} */
  let run = null;

  const proof = proofPanel(runId, () => run, signal);

  // Until the name of the run is known, and if the run cannot be shown.
  const nameless = h("h1", { class: "visually-hidden" }, "Run");
  main.replaceChildren(
    h("button", { type: "button", class: "quiet back", onclick: context.leave }, "← Back"),
    nameless,
    place,
  );
  useKeys([{ keys: ["Escape"], about: "back to the list", act: context.leave }], signal);

  async function draw(/** @type {any} */ about) {
    const before = run;
    run = about.run;
    const events = await get(`${path}/events`, { signal });
    if (place.firstChild !== head) place.replaceChildren(head, files, top, columns, proof, provenance);
    nameless.remove();
    files.hidden = ledger.asOf === null;
    context.title(`${about.run.benchmark_id} · ${about.run.run_id}`);
    timeline.draw(/** @type {any} */ (events).value.events);
    await corrections.draw(about.run, /** @type {any} */ (events).value.events, ledger.asOf !== null);
    drawPanels(about);
    if (!before || samplesOf(before) !== samplesOf(about.run)) {
      const shown = [loadSamples(), trajectories.load(), artifacts.load(), drawHistory(about.run)];
      await Promise.all(shown);
    }
    // The reason of a failure usually stands in stderr.
    if (about.run.status === "failed" && about.logs.stderr > 1) log.prefer("stderr");
    await log.load();
    context.ready();
  }

  async function loadSamples() {
    try {
      const answer = await samples.load();
      if (!answer) return;
      samplesPanel.hidden = samples.isEmpty && !answer.unreadable && !answer.problem;
      samples.head.hidden = Boolean(answer.problem);
      samples.restore();
      others.replaceChildren(
        samples.isEmpty
          ? ""
          : h("a", { href: heatMapLink(run?.benchmark_id, { task: run?.comparison_key }) }, "all contenders"),
      );
    } catch (problem) {
      if (signal.aborted) return;
      samplesPanel.hidden = false;
      samples.message.hidden = false;
      samples.message.className = "error";
      samples.message.textContent = /** @type {Error} */ (problem).message;
    }
  }

  function drawPanels(/** @type {any} */ about) {
    const { run: shown, standing } = about;
    const marked = { ...shown, ...standing, stale: about.stale };
    keep(head, [
      [
        "head",
        [
          marked.status,
          marked.score,
          marked.progress,
          marked.retracted,
          marked.late,
          marked.recovered,
          isStale(marked),
          marked.last_seen_at,
          standing,
        ],
        () => headPanel(marked, standing, chart),
      ],
    ]);
    keep(top, [
      ["error", [shown.error, shown.retracted], () => errorPanel(shown)],
      ["corrections", null, () => corrections.element],
      ["samples", null, () => samplesPanel],
      ["trajectories", null, () => trajectories.element],
    ]);
    keep(left, [["log", null, () => log.element]]);
    keep(right, [
      [
        "metrics",
        [shown.metrics, shown.usage, shown.samples, shown.unit, standing.cost_usd],
        () => metricsPanel(shown, standing),
      ],
      ["attempts", about.attempts, () => attemptsPanel(about)],
      ["artifacts", null, () => artifacts.element],
    ]);
    originLine.replaceChildren(...provenanceLine(shown, timeline.state));
    const [first, second] = origin.children;
    keep(first, [
      ["timeline", null, () => timeline.element],
      ["config", [shown.command, shown.extra_config, shown.cwd], () => configPanel(shown)],
    ]);
    keep(second, [
      ["facts", { ...shown, progress: null, last_seen_at: null, last_seq: null }, () => factsPanel(shown)],
      ["provenance", [shown.provenance, shown.owner], () => provenancePanel(shown)],
    ]);
  }

  async function drawHistory(/** @type {Record<string, any>} */ shown) {
    try {
      chart.replaceChildren((await history(shown, signal)) ?? "");
    } catch {
      chart.replaceChildren(); // The score stands without its history.
    }
  }

  const load = follow(place, {
    path,
    what: "This run",
    draw,
    signal,
    concerns: ({ runs }) => runs.some((one) => one.run_id === runId),
  });
  const growing = setInterval(() => run?.status === "running" && !document.hidden && log.load(), LOG_MS);
  return () => clearInterval(growing);
}

/** What the samples of a run depend on: its end, and corrections after it. @param {Record<string, any>} run */
const samplesOf = ({ status, excluded, scorer }) => JSON.stringify([status, excluded, scorer]);

/** @param {Record<string, any>} run @param {Record<string, any>} standing @param {HTMLElement} chart */
function headPanel(run, standing, chart) {
  const running = run.status === "running";
  const times = running
    ? [
        h("span", {}, "for ", elapsed(run.started_at)),
        h("span", { class: isStale(run) ? "error" : "" }, "last heartbeat ", when(run.last_seen_at ?? run.started_at)),
      ]
    : [
        h("span", {}, when(run.started_at)),
        typeof run.duration_seconds === "number" && h("span", {}, "duration ", duration(run.duration_seconds)),
      ];
  const stands = run.score !== null && run.score !== undefined;
  return h(
    "section",
    { class: "panel run-head" },
    h(
      "div",
      {},
      h("h1", {}, benchmarkName(run.benchmark_id, run.extra_config)),
      h("div", { class: "id mono" }, run.run_id),
      h(
        "p",
        { class: "about" },
        h("span", { class: "badges" }, statusDot(run, { all: true }), marks(run)),
        h("span", {}, run.agent),
        h("span", {}, `${run.provider}:${run.model}`),
        times,
        stands && h("a", { href: hash("/compare", { of: `run:${run.run_id}` }) }, "Compare with …"),
      ),
    ),
    h(
      "div",
      { class: "run-score" },
      h("strong", {}, (running ? scoreOf(run) : scored(run.score, null, run.unit)) || "—"),
      stands && h("span", { class: "soft" }, sureness(run.score, standing.stderr, standing.low, standing.high)),
      !unitText(run.unit) && stands && h("span", { class: "soft" }, run.unit ?? ""),
    ),
    stands && h("div", { class: "standing" }, standingFacts(run, standing), chart),
  );
}
