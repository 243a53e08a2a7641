// The start page: who leads, what needs a person, what is running, what it cost, and when runs ran.

import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { plural } from "./format.js";
import { ledger } from "./ledger.js";
import { attentionPanel } from "./start-attention.js";
import { campaignsPanel, finishedPanel, leadersPanel, spendPanel } from "./start-panels.js";
import { empty } from "./states.js";
import { timelinePanel } from "./timeline-lanes.js";

const SPANS = [
  ["1", "24 hours"],
  ["7", "7 days"],
  ["30", "30 days"],
  ["365", "a year"],
];
const spanText = (/** @type {string} */ days) =>
  `in the last ${days === "365" ? "year" : SPANS.find(([value]) => value === days)?.[1]}`;
const FIRST_RUN = "benchmarks run --benchmarks context_recall --provider local --model smollm2-135m";

/** A heartbeat of a run changes neither scores nor spend. @param {{ runs: any[] }} change */
const hasEnded = ({ runs }) => runs.some((run) => run.status !== "running");

/** @type {import("./routes.js").Show} */
export function show(main, { query }, { signal, ready, keep: keepAddress }) {
  let days = SPANS.some(([value]) => value === query.get("days")) ? /** @type {string} */ (query.get("days")) : "7";
  const summary = h("p", {});
  const spans = h("span", { class: "tabs", role: "group", "aria-label": "Time span" });
  const place = h("div", {});
  main.replaceChildren(h("div", { class: "intro" }, h("h1", {}, "Start"), summary, spans), place);
  const slot = (/** @type {string} */ name) => h("div", { class: `slot ${name}` });
  const board = {
    leaders: slot("leaders"),
    attention: slot("attention"),
    campaigns: slot("campaigns"),
    spend: slot("spend"),
    timeline: slot("wide"),
    finished: slot("wide"),
  };
  const columns = h(
    "div",
    { class: "start" },
    h("div", { class: "stack" }, board.leaders, board.campaigns),
    h("div", { class: "stack" }, board.attention, board.spend),
    board.timeline,
    board.finished,
  );
  let parts = false;

  function drawSpans() {
    keep(
      spans,
      SPANS.map(([value, text]) => [
        value,
        value === days,
        () =>
          h("button", { type: "button", "aria-pressed": String(value === days), onclick: () => choose(value) }, text),
      ]),
    );
  }

  function choose(/** @type {string} */ value) {
    days = value;
    keepAddress(value === "7" ? {} : { days: value });
    drawSpans();
    for (const load of loads) load({ fresh: true });
  }

  /** @type {((how?: { fresh?: boolean }) => Promise<void>)[]} */
  const loads = [];
  /** @param {HTMLElement} where @param {string} path @param {string} what @param {(data: any) => HTMLElement} make @param {() => any} [parameters] @param {(change: any) => boolean} [concerns] */
  const part = (where, path, what, make, parameters = () => ({ days }), concerns = hasEnded) =>
    loads.push(
      follow(where, {
        path,
        concerns,
        query: parameters,
        what,
        signal,
        draw: (data) => keep(where, [["panel", [data, ledger.asOf === null], () => make(data)]]),
      }),
    );

  function draw(/** @type {any} */ data) {
    const { counts } = data;
    spans.hidden = !counts.runs;
    summary.textContent = counts.runs
      ? `${plural(counts.runs, "run")} of ${plural(counts.benchmarks, "benchmark")}, ${plural(counts.agents, "agent")}, ${plural(counts.models, "model")}`
      : "";
    if (!counts.runs) {
      place.replaceChildren(
        ledger.asOf === null
          ? empty("No runs yet", "The ledger is empty. This command makes a first run, without an API key:", FIRST_RUN)
          : empty("No runs yet", "At that moment the ledger had no runs."),
      );
      return ready();
    }
    if (place.firstChild !== columns) place.replaceChildren(columns);
    if (!parts) {
      parts = true;
      part(board.attention, "/api/attention", "What needs attention", (found) => attentionPanel(found, spanText(days)));
      part(board.leaders, "/api/leaders", "The leaders", (found) => leadersPanel(found, days));
      part(
        board.campaigns,
        "/api/campaigns",
        "The campaigns",
        campaignsPanel,
        () => ({ limit: 6 }),
        () => true,
      );
      part(board.spend, "/api/attention", "The spend", (found) => spendPanel(found, spanText(days)));
      part(board.timeline, "/api/timeline", "The timeline", (found) => timelinePanel(found, spanText(days)));
    }
    keep(board.finished, [
      ["finished", [data.running, data.finished, [...ledger.stale]], () => finishedPanel(data.running, data.finished)],
    ]);
    return ready();
  }

  drawSpans();
  loads.push(follow(place, { path: "/api/overview", query: () => ({ days }), what: "The start page", draw, signal }));
}
