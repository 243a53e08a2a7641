// The table of runs: its headings, which sort, and the rows in sight.

import { runLink } from "./address.js";
import { h } from "./dom.js";
import { recall, remember, settled } from "./memory.js";
import { COLUMNS, UNSORTED } from "./runs-columns.js";
import { tip } from "./tip.js";
import { VirtualRows } from "./virtual-rows.js";

export class RunsTable {
  /** @type {string | undefined} */
  chosen = recall().chosen;
  /** @type {import("./runs-columns.js").Column[]} */
  #columns = [];

  /**
   * @param {import("./runs-list.js").RunsList} list
   * @param {(name: string, also: boolean) => void} sortBy
   * @param {() => void} moved called when other rows are in sight
   * @param {() => void} ticked called when other rows are selected
   */
  constructor(list, sortBy, moved, ticked) {
    this.list = list;
    this.sortBy = sortBy;
    this.ticked = ticked;
    /** The runs that are selected, by id. @type {Map<string, Record<string, any>>} */
    this.selected = new Map();
    this.columns = h("colgroup");
    this.headings = h("tr", { "aria-rowindex": "1" });
    this.body = /** @type {HTMLTableSectionElement} */ (
      h("tbody", { onfocusin: (/** @type {any} */ event) => this.#mark(event.target.closest("tr")), onclick: open })
    );
    this.table = h(
      "table",
      { class: "runs" },
      h("caption", { class: "visually-hidden" }, "Runs; a heading sorts, and with the shift key adds a sort key"),
      this.columns,
      h("thead", {}, this.headings),
      this.body,
    );
    this.element = h(
      "div",
      { class: "panel tall", tabindex: "0", role: "region", "aria-label": "Table of runs" },
      this.table,
    );
    const rememberScroll = settled(() => remember({ table: this.element.scrollTop }), 150);
    this.element.addEventListener("scroll", rememberScroll);
    this.forget = rememberScroll.cancel;
    this.rows = new VirtualRows(this.element, this.body, {
      row: (index) => list.row(index),
      name: (run) => run.run_id,
      make: (run) => this.#row(run),
      blank: () =>
        h("tr", { class: "blank" }, h("td", { colspan: this.#columns.length + 1 }, h("span", { class: "waiting" }))),
      moved,
    });
  }

  end() {
    this.forget();
    this.rows.end();
  }

  /** Shows other columns, or another order of the rows. @param {string[]} names @param {import("./runs-columns.js").SortKey[]} sort */
  setColumns(names, sort) {
    const columns = COLUMNS.filter(({ name }) => names.includes(name));
    if (columns.map(({ name }) => name).join() !== this.#columns.map(({ name }) => name).join()) {
      this.#columns = columns;
      const cols = columns.map(({ name, kind }) => h("col", { class: `${kind} c-${name}` }));
      this.columns.replaceChildren(h("col", { class: "pick" }), ...cols);
      const pick = h("td", { class: "pick" }, h("span", { class: "visually-hidden" }, "Selected"));
      this.headings.replaceChildren(pick, ...columns.map((column) => this.#heading(column)));
      this.rows.forget();
    }
    for (const cell of /** @type {Iterable<HTMLElement>} */ (this.headings.querySelectorAll("[data-column]"))) {
      const at = sort.findIndex(({ name }) => name === cell.dataset.column);
      const arrow = /** @type {HTMLElement | null} */ (cell.querySelector(".arrow"));
      if (arrow) arrow.textContent = at < 0 ? "" : `${sort[at].descending ? "↓" : "↑"}${sort.length > 1 ? at + 1 : ""}`;
      if (at === 0) cell.setAttribute("aria-sort", sort[0].descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
  }

  draw() {
    this.rows.count = this.list.total;
    this.table.setAttribute("aria-rowcount", String(this.list.total + 1));
    this.rows.draw();
    this.#mark(this.#rowOf(this.chosen));
  }

  /** Back to the last position, after the rows are there. */
  restore() {
    const { table = 0, chosen } = recall();
    this.element.scrollTop = table;
    this.rows.draw();
    this.#rowOf(chosen)?.querySelector("a")?.focus({ preventScroll: true });
  }

  toTop() {
    this.chosen = undefined;
    this.element.scrollTop = 0;
  }

  /** Selects the next row (1) or the previous one (-1). @param {number} by */
  step(by) {
    const at = this.list.indexOf(this.chosen);
    const index = at < 0 ? this.rows.inSight()[0] : Math.max(0, Math.min(this.list.total - 1, at + by));
    this.rows.reveal(index);
    const run = this.list.row(index);
    if (run) this.#rowOf(run.run_id)?.querySelector("a")?.focus({ preventScroll: true });
  }

  /** @param {Record<string, any>} run @param {boolean} is */
  #tick(run, is) {
    if (is) this.selected.set(run.run_id, run);
    else this.selected.delete(run.run_id);
    this.ticked();
  }

  /** Selects the row that has the focus, or not. */
  toggle() {
    /** @type {HTMLInputElement | null | undefined} */ (
      this.#rowOf(this.chosen)?.querySelector(".pick input")
    )?.click();
  }

  /** Selects no run. */
  untick() {
    this.selected.clear();
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.body.querySelectorAll(".pick input")))
      box.checked = false;
    this.ticked();
  }

  /** @param {HTMLElement | null | undefined} chosen */
  #mark(chosen) {
    for (const one of this.body.querySelectorAll(".chosen")) if (one !== chosen) one.classList.remove("chosen");
    if (!chosen?.dataset.run) return;
    chosen.classList.add("chosen");
    if (this.chosen !== chosen.dataset.run) remember({ chosen: chosen.dataset.run });
    this.chosen = chosen.dataset.run;
  }

  /** @param {string | undefined} runId */
  #rowOf(runId) {
    return runId ? [...this.body.rows].find((one) => one.dataset.run === runId) : undefined;
  }

  /** @param {import("./runs-columns.js").Column} column */
  #heading({ name, title, about, kind }) {
    if (UNSORTED.has(name))
      return h("th", { scope: "col", class: kind, "data-column": name }, about ? tip(title, about) : title);
    const act = (/** @type {MouseEvent} */ event) => this.sortBy(name, event.shiftKey);
    return h(
      "th",
      { scope: "col", class: kind, "data-column": name },
      h(
        "button",
        { type: "button", "data-sort": name, title: about || null, onclick: act },
        title,
        h("span", { class: "arrow", "aria-hidden": "true" }),
      ),
    );
  }

  /** @param {Record<string, any>} run */
  #row(run) {
    const cells = this.#columns.map(({ name, title, cell, kind }) => {
      const content = cell(run) ?? "";
      const more = {
        class: `${kind} c-${name}${content === "" ? " none" : ""}`,
        title: typeof content === "string" && content.length > 12 ? content : null,
      };
      if (kind === "first") return h("th", { scope: "row", ...more }, content);
      return h("td", { "data-label": title, ...more }, content);
    });
    const box = h("input", {
      type: "checkbox",
      "aria-label": `Select ${run.run_id}`,
      checked: this.selected.has(run.run_id),
      onchange: (/** @type {any} */ event) => this.#tick(run, event.target.checked),
    });
    const pick = h("td", { class: "pick" }, box);
    return h("tr", { "data-run": run.run_id, class: run.run_id === this.chosen ? "chosen" : null }, pick, cells);
  }
}

/** A click on a row opens its run, unless it is on a link or selects text. @param {MouseEvent} event */
function open(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const chosen = /** @type {HTMLElement | null} */ (target.closest("tr"));
  if (!chosen?.dataset.run || target.closest("a, button, .pick") || !getSelection()?.isCollapsed) return;
  location.hash = runLink(chosen.dataset.run);
}
