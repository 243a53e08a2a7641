// The start page: running and finished runs, new bests, regressions, failures by reason.

import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { count } from "./format.js";
import { ledger } from "./ledger.js";
import {
  activityPanel,
  failuresPanel,
  finishedPanel,
  recordsPanel,
  regressionsPanel,
  runningPanel,
  tiles,
} from "./overview-panels.js";
import { empty } from "./states.js";

const SPANS = [
  ["1", "24 hours"],
  ["7", "7 days"],
  ["30", "30 days"],
  ["365", "a year"],
];
const FIRST_RUN = "benchmarks run --benchmarks context_recall --provider local --model smollm2-135m";

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  let days = SPANS.some(([value]) => value === query.get("days")) ? /** @type {string} */ (query.get("days")) : "7";
  const summary = h("p", {});
  const spans = h("span", { class: "tabs", role: "group", "aria-label": "Time span" });
  const place = h("div", {});
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Overview"), summary, spans), place);

  const board = {
    tiles: h("div", { class: "tiles" }),
    now: h("div", { class: "now" }),
    before: h("div", { class: "before" }),
    changes: h("div", { class: "changes" }),
  };
  const columns = h("div", { class: "columns" }, board.now, board.changes, board.before);

  function drawSpans() {
    const button = (/** @type {string[]} */ [value, text]) =>
      h("button", { type: "button", "aria-pressed": String(value === days), onclick: () => choose(value) }, text);
    keep(
      spans,
      SPANS.map((span) => [span[0], span[0] === days, () => button(span)]),
    );
  }

  function choose(/** @type {string} */ value) {
    days = value;
    keepAddress(value === "7" ? {} : { days: value });
    drawSpans();
    load({ fresh: true });
  }

  function draw(/** @type {any} */ data) {
    const { counts } = data;
    spans.hidden = !counts.runs;
    summary.textContent = counts.runs
      ? `${named(counts.runs, "run")} of ${named(counts.benchmarks, "benchmark")}, ${named(counts.agents, "agent")}, ${named(counts.models, "model")}`
      : "";
    if (!counts.runs) {
      place.replaceChildren(
        ledger.asOf === null
          ? empty("No runs yet", "The ledger is empty. This command makes a first run, without an API key:", FIRST_RUN)
          : empty("No runs yet", "At that moment the ledger had no runs."),
      );
      return ready();
    }
    if (place.firstChild !== board.tiles) place.replaceChildren(board.tiles, columns);
    keep(board.tiles, tiles(data));
    keep(board.now, [
      ["running", [data.running, [...ledger.stale], ledger.asOf === null], () => runningPanel(data.running, counts)],
      ["finished", data.finished, () => finishedPanel(data.finished)],
    ]);
    keep(board.before, [
      ["activity", data.activity, () => activityPanel(data.activity)],
      ["failures", data.failures, () => failuresPanel(data.failures, data.since)],
    ]);
    keep(board.changes, [
      ["records", [data.records, data.records_total], () => recordsPanel(data.records, data.records_total)],
      [
        "regressions",
        [data.regressions, data.regressions_total],
        () => regressionsPanel(data.regressions, data.regressions_total),
      ],
    ]);
    return ready();
  }

  drawSpans();
  const load = follow(place, { path: "/api/overview", query: () => ({ days }), what: "The overview", draw, signal });
}

const named = (/** @type {number} */ number, /** @type {string} */ noun) =>
  `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
