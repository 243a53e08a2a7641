// The table itself: its columns, its rows, and which row is chosen.

import { h, keep } from "./dom.js";
import { count, duration, score } from "./format.js";
import { recall, remember, settled } from "./memory.js";
import { delta, marks, runLink, scoreOf, statusBadge, when } from "./parts.js";

const column = (name, cell, kind = "") => ({ name, cell, kind });

/** The columns, in their order; `kind` says how a cell looks. A column's name is also the name to sort by. */
export const COLUMNS = [
  column("benchmark", (run) => h("a", { href: runLink(run.run_id) }, run.benchmark_id), "first"),
  column("status", (run) => [statusBadge(run), ...marks(run)], "wraps"),
  column("score", scoreOf, "number"),
  column("high_score", (run) => score(run.high_score_value), "number"),
  column("delta", (run) => (run.delta_to_high_score === null ? "" : delta(run)), "number"),
  column("agent", (run) => run.agent),
  column("provider", (run) => run.provider),
  column("model", (run) => run.model, "long"),
  column("started", (run) => when(run.started_at)),
  column("duration", (run) => duration(run.duration_seconds), "number"),
  column("samples", (run) => count(run.samples), "number"),
  column("tokens", (run) => count(run.total_tokens), "number"),
  column("run_id", (run) => run.run_id, "id"),
  column("group", (run) => h("a", { href: `#/?group=${encodeURIComponent(run.run_group_id)}` }, run.run_group_id), "id"),
];

/** Whether the first click on a heading sorts downwards: best, largest and newest first. */
export const startsDescending = (name) => name === "started" || COLUMNS.find((known) => known.name === name)?.kind === "number";

/** A table that is drawn again and again without losing focus, scroll position or the chosen row. */
export class RunsTable {
  constructor({ sortBy }) {
    this.runs = [];
    this.headings = new Map(COLUMNS.map(({ name, kind }) => [name, heading(name, kind, () => sortBy(name))]));
    this.body = h("tbody", { onfocusin: (event) => this.mark(event.target.closest("tr")), onclick: (event) => open(event) });
    const table = h(
      "table",
      { class: "as-cards" },
      h("caption", { class: "visually-hidden" }, "Runs; the headings sort"),
      h("thead", {}, h("tr", {}, [...this.headings.values()])),
      this.body,
    );
    const rememberScroll = settled(() => remember({ table: this.element.scrollTop }), 150);
    this.element = h("div", { class: "panel scroll tall", tabindex: "0", role: "region", "aria-label": "Table of runs", onscroll: rememberScroll }, table);
    this.forget = rememberScroll.cancel;
  }

  draw(runs, sorted, descending) {
    this.runs = runs;
    for (const [name, cell] of this.headings) {
      cell.querySelector(".arrow").textContent = name === sorted ? (descending ? "↓" : "↑") : "";
      if (name === sorted) cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    keep(this.body, runs.map((run) => [run.run_id, run, () => row(run)]));
    this.mark(this.rowOf(this.chosen));
  }

  /** Back to where one was, once the rows are there. */
  restore() {
    const { table = 0, chosen } = recall();
    this.element.scrollTop = table;
    this.rowOf(chosen)?.querySelector("a").focus({ preventScroll: true });
  }

  /** Choose the next row (1) or the one before (-1). */
  step(by) {
    const rows = [...this.body.rows];
    const at = rows.findIndex((one) => one.dataset.run === this.chosen);
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    next?.querySelector("a").focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  mark(chosen) {
    for (const one of this.body.querySelectorAll(".chosen")) one.classList.remove("chosen");
    if (!chosen) return;
    chosen.classList.add("chosen");
    if (this.chosen !== chosen.dataset.run) remember({ chosen: chosen.dataset.run });
    this.chosen = chosen.dataset.run;
  }

  rowOf(runId) {
    return runId && [...this.body.rows].find((one) => one.dataset.run === runId);
  }
}

function heading(name, kind, onclick) {
  return h(
    "th",
    { scope: "col", class: kind || null },
    h("button", { type: "button", "data-sort": name, onclick }, name, h("span", { class: "arrow", "aria-hidden": "true" })),
  );
}

function row(run) {
  const cells = COLUMNS.map(({ name, cell, kind }) => {
    const content = cell(run);
    if (kind === "first") return h("th", { scope: "row", class: kind }, content);
    const kinds = [kind, content === "" && "blank"].filter(Boolean).join(" ");
    return h("td", { "data-label": name, class: kinds || null, title: kind === "long" ? content : null }, content);
  });
  return h("tr", { "data-run": run.run_id }, cells);
}

/** A click anywhere on a row opens its run, unless it meant a link or marks text to copy. */
function open(event) {
  const chosen = event.target.closest("tr");
  if (!chosen || event.target.closest("a") || !getSelection().isCollapsed) return;
  location.hash = runLink(chosen.dataset.run);
}
