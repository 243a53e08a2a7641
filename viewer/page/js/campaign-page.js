// One campaign: how far it is, what it spent, and every cell of its matrix, also those that were not run.

import { runLink, runsLink } from "./address.js";
import { campaignName, countsText, progressBar } from "./campaigns.js";
import { command, dataTable } from "./data-table.js";
import { h, keep } from "./dom.js";
import { follow } from "./follow.js";
import { cost, count, duration, moment, optionsText, plural, score, share } from "./format.js";
import { facts, panel, reasonText, when } from "./parts.js";
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
        ["head", [{ ...data, cells: null }, excludedOf(data)], () => head({ ...data, excluded: excludedOf(data) })],
        ["failures", data.failures, () => failures(data)],
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
function head({ campaign, attempts, excluded, eta_seconds: eta, notes, last_at: last }) {
  const { limits, cost_usd: spent, tokens } = campaign;
  const begun =
    campaign.counts.succeeded + campaign.counts.failed + campaign.counts.skipped + campaign.counts.incompatible;
  const left = campaign.finished_at && campaign.planned !== null ? campaign.planned - begun : 0;
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
    !campaign.finished_at && progressBar(campaign, eta),
    left > 0 && h("p", { class: "soft" }, `${plural(left, "cell")} of ${count(campaign.planned)} did not begin.`),
    excluded > 0 &&
      h(
        "p",
        { class: "soft" },
        `${plural(excluded, "score")} of this campaign ${excluded === 1 ? "is" : "are"} without samples that a person excluded.`,
      ),
    notes.map((/** @type {string} */ text) => h("p", { class: "error" }, text)),
    facts([
      ["began", [when(campaign.created_at), h("span", { class: "soft" }, ` ${moment(campaign.created_at)}`)]],
      ["duration", duration(seconds)],
      ["runs", campaign.runs ? outOf(attempts) : "none"],
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

/** The number of scores from which samples were taken. @param {any} data */
const excludedOf = ({ cells }) => cells.filter((/** @type {any} */ cell) => cell.excluded).length;

/** How attempts ended. @param {any} attempts */
function outOf({ attempts, running, successes, own_failures: own, infrastructure_failures: infrastructure }) {
  const failed = own + infrastructure;
  return [
    failed ? `${count(failed)} of ${count(attempts - running)} failed` : `${count(successes)} succeeded`,
    own && infrastructure
      ? ` (${count(own)} by the benchmark or model, ${count(infrastructure)} by the infrastructure)`
      : "",
    running ? `, ${count(running)} running` : "",
  ].join("");
}

/** Which attempts failed, by reason, and what they took. @param {any} data */
function failures({ failures: some, attempts }) {
  if (!some.length) return null;
  const ended = attempts.attempts - attempts.running;
  return panel(
    "Failures",
    dataTable({
      caption: `Failed attempts by reason, of ${count(ended)} that ended`,
      rows: some,
      columns: [
        { key: "reason", title: "Reason", cell: (one) => reasonText(one) || "unknown" },
        {
          key: "kind",
          title: "By",
          about: "The infrastructure: the work could not be done, or was cut off. Else the benchmark or the model",
          cell: (one) => (one.kind === "own" ? "benchmark or model" : "infrastructure"),
        },
        { key: "runs", title: "Attempts", number: true, cell: (one) => `${count(one.runs)} of ${count(ended)}` },
        {
          key: "open",
          title: "Still failed",
          about: "Cells whose newest attempt failed for this reason",
          number: true,
          cell: (one) => plural(one.open_cells, "cell"),
        },
        { key: "seconds", title: "Time lost", number: true, cell: (one) => duration(one.seconds) },
        { key: "cost", title: "Cost lost", number: true, cell: spentOn },
      ],
    }),
  );
}

/** What attempts cost, and of how many that is not known. @param {{ cost_usd: number | null, unpriced: number }} some */
const spentOn = ({ cost_usd: spent, unpriced }) =>
  spent === null ? "unknown" : `${cost(spent)}${unpriced ? ` + ${count(unpriced)} unknown` : ""}`;

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
  const failed = Object.entries(cell.failures).map(([reason, runs]) => {
    const text = reasonText({ reason }) || "failed";
    return cell.attempts.attempts > 1 ? `${count(runs)} × ${text}` : text;
  });
  const words = [
    state,
    cell.attempts?.attempts > 1 ? plural(cell.attempts.attempts, "attempt") : "",
    failed.length ? `failed: ${failed.join(", ")}` : "",
    cell.repeat === "1" ? "" : `repeat ${cell.repeat}`,
    cell.excluded ? `${plural(cell.excluded, "sample")} excluded from the score` : "",
    why,
  ]
    .filter(Boolean)
    .join(" · ");
  const inside = [h("span", { class: `dot ${CLASSES[/** @type {keyof CLASSES} */ (state)]}` }), text];
  const run = ids.at(-1);
  const beside = [
    cell.cost_usd === null ? "" : spentOn(cell),
    failed.join(", "),
    cell.excluded ? `${plural(cell.excluded, "sample")} excluded` : "",
  ].filter(Boolean);
  return h(
    "div",
    {},
    explained(
      run
        ? h("a", { class: "cell", href: runLink(run) }, inside)
        : h("button", { type: "button", class: "tip cell" }, inside),
      words,
    ),
    beside.length ? h("div", { class: "beside" }, beside.join(" · ")) : "",
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
