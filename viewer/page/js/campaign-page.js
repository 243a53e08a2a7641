// One campaign: how far it is, what it spent, and every cell of its matrix, also those that were not run.

import { runLink, runsLink } from "./address.js";
import { campaignName, countsText, progressBar } from "./campaigns.js";
import { command, dataTable } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { cost, count, duration, moment, optionsText, plural, score, share } from "./format.js";
import { facts, panel, when } from "./parts.js";
import { explained } from "./tip.js";
import { contender, contenderText } from "./who.js";

const FEW = 8; // A reason with more cells than these is folded.
/** @type {Record<string, string>} */
const SYMBOLS = {
  succeeded: "",
  failed: "✕ failed",
  running: "● running",
  skipped: "skipped",
  incompatible: "incompatible",
};
const CLASSES = { succeeded: "good", failed: "bad", running: "live", skipped: "", incompatible: "warn" };

/** @type {import("./routes.js").Show} */
export function show(main, { id }, { signal, ready, leave, title }) {
  const group = /** @type {string} */ (id);
  const heading = h("h1", {}, "Campaign");
  const about = h("p", { class: "mono id" }, group);
  const place = h("div", {});
  const board = h("div", { class: "stack" });
  main.replaceChildren(
    h("button", { type: "button", class: "quiet back", onclick: leave }, "← Back"),
    h("div", { class: "intro" }, heading, about, h("a", { href: runsLink({ group }) }, "its runs")),
    place,
  );

  follow(place, {
    path: `/api/campaigns/${encodeURIComponent(group)}`,
    what: "This campaign",
    signal,
    concerns: ({ runs }) => runs.some((run) => run.run_group_id === group),
    draw: (data) => {
      heading.textContent = campaignName(data.campaign);
      title(campaignName(data.campaign));
      if (place.firstChild !== board) place.replaceChildren(board);
      keep(board, [
        ["head", { ...data, cells: null }, () => head(data)],
        ["commands", data.commands, () => retry(data.commands)],
        ["matrix", data.cells, () => matrix(data.cells)],
        ["undone", data.cells, () => undone(data.cells)],
        ["request", data.request, () => request(data.request)],
      ]);
      return ready();
    },
  });
}

/** @param {any} data */
function head({ campaign, planned, eta_seconds: eta, notes, last_at: last }) {
  const { limits, cost_usd: spent, tokens } = campaign;
  const seconds = (Date.parse(campaign.finished_at ?? last) - Date.parse(campaign.created_at)) / 1000;
  const spend = (/** @type {string} */ text, /** @type {number} */ value, /** @type {number} */ limit) => [
    text,
    limit
      ? [
          " ",
          h("progress", { value: Math.min(value, limit), max: limit, "aria-label": "of the limit" }),
          ` ${share(value, limit)}`,
        ]
      : "",
  ];
  return h(
    "section",
    { class: "panel campaign-head" },
    h(
      "p",
      { class: "line" },
      h("span", { class: `dot ${campaign.finished_at ? (campaign.counts.failed ? "warn" : "good") : "live"}` }),
      h("strong", {}, campaign.finished_at ? countsText(campaign) : `running: ${countsText(campaign)}`),
    ),
    !campaign.finished_at && progressBar(campaign, planned, eta),
    notes.map((/** @type {string} */ text) => h("p", { class: "error" }, text)),
    facts([
      ["began", [when(campaign.created_at), h("span", { class: "soft" }, ` ${moment(campaign.created_at)}`)]],
      ["duration", duration(seconds)],
      ["runs", count(campaign.runs)],
      [
        "spend",
        spent === null
          ? "unknown"
          : spend(limits.max_cost ? `${cost(spent)} of ${cost(limits.max_cost)}` : cost(spent), spent, limits.max_cost),
      ],
      ["cost unknown", campaign.unpriced ? plural(campaign.unpriced, "run") : ""],
      [
        "tokens",
        tokens === null
          ? ""
          : spend(
              limits.max_tokens ? `${count(tokens)} of ${count(limits.max_tokens)}` : count(tokens),
              tokens,
              limits.max_tokens,
            ),
      ],
      ["time limit", limits.max_minutes ? `${count(limits.max_minutes)} min` : ""],
    ]),
  );
}

/** @param {string[]} commands */
const retry = (commands) => (commands.length ? panel("Run failed cells again", commands.map(command)) : null);

/** A row for each contender, a column for each benchmark with its options. @param {any[]} cells */
function matrix(cells) {
  // What was not run has no options: it stands in the column of its benchmark, if that is one.
  const texts = cells.map((cell) => [cell.benchmark_id, optionsText(cell.options)]);
  /** @type {Map<string, Set<string>>} */
  const options = new Map();
  for (const [name, text] of texts) options.set(name, new Set([...(options.get(name) ?? []), ...(text ? [text] : [])]));
  const columnOf = (/** @type {any} */ cell) => {
    const several = /** @type {Set<string>} */ (options.get(cell.benchmark_id)).size > 1;
    return several && cell.options ? `${cell.benchmark_id} ${optionsText(cell.options)}` : cell.benchmark_id;
  };
  const names = [...new Set(cells.map(columnOf))].sort();
  /** @type {Map<string, any[]>} */
  const rows = new Map();
  for (const cell of cells) rows.set(contenderText(cell), [...(rows.get(contenderText(cell)) ?? []), cell]);
  return panel(
    "Matrix",
    dataTable({
      caption: "Cells of the campaign",
      kind: "cells",
      rows: [...rows.values()],
      columns: [
        { key: "contender", title: "Model and agent", cell: (some) => contender(some[0]), kind: "name" },
        ...names.map((name) => ({
          key: name,
          title: name,
          cell: (/** @type {any[]} */ some) => some.filter((cell) => columnOf(cell) === name).map(cellOf),
        })),
      ],
    }),
  );
}

/** @param {any} cell */
function cellOf(cell) {
  const { state, run_ids: ids, why } = cell;
  const text =
    state === "succeeded"
      ? score(cell.score) || "✓"
      : state === "running" && cell.total
        ? `${count(cell.done)} of ${count(cell.total)}`
        : SYMBOLS[state];
  const words = [
    state,
    ids.length > 1 && state !== "skipped" ? plural(ids.length, "attempt") : "",
    cell.repeat === "1" ? "" : `repeat ${cell.repeat}`,
    why,
  ]
    .filter(Boolean)
    .join(" · ");
  const inside = [h("span", { class: `dot ${CLASSES[/** @type {keyof CLASSES} */ (state)]}` }), text];
  const run = ids.at(-1);
  return h(
    "div",
    {},
    explained(
      run
        ? h("a", { class: "cell", href: runLink(run) }, inside)
        : h("button", { type: "button", class: "tip cell" }, inside),
      words,
    ),
  );
}

/** Why cells were not run: those with one reason together. @param {any[]} cells */
function undone(cells) {
  const some = cells.filter((cell) => cell.state === "skipped" || cell.state === "incompatible");
  if (!some.length) return null;
  /** @type {Map<string, any[]>} */
  const reasons = new Map();
  for (const cell of some) {
    const key = `${cell.state}: ${cell.why}`;
    reasons.set(key, [...(reasons.get(key) ?? []), cell]);
  }
  const rows = [...reasons].map(([why, them]) =>
    h(
      "li",
      {},
      h(
        "details",
        { open: them.length <= FEW },
        h("summary", {}, h("strong", {}, why), ` (${plural(them.length, "cell")})`),
        h(
          "ul",
          { class: "plain soft" },
          them.map((cell) =>
            h(
              "li",
              {},
              `${cell.benchmark_id} · ${contenderText(cell)} `,
              cell.run_ids[0] && h("a", { href: runLink(cell.run_ids[0]) }, "its run"),
            ),
          ),
        ),
      ),
    ),
  );
  return panel("Not run", h("ul", { class: "plain items" }, rows));
}

/** @param {any} asked */
const request = (asked) =>
  h(
    "details",
    { class: "panel folded" },
    h("summary", {}, "Request"),
    h("pre", { class: "log", tabindex: 0, "aria-label": "Request" }, JSON.stringify(asked, null, 2)),
  );
