// The page of all runs: sorted, filtered and searched by the server; its state stands in the address.

import { hash } from "./address.js";
import { address } from "./api.js";
import { copy } from "./data-table.js";
import { announce, h, keep } from "./dom.js";
import { count, plural } from "./format.js";
import { useKeys } from "./keys.js";
import { ledger } from "./ledger.js";
import { settled } from "./memory.js";
import { COLUMNS, columnOf, sortedBy, sortOf, sortText, UNSORTED, USUAL } from "./runs-columns.js";
import { FILTERS, RunsFilters } from "./runs-filters.js";
import { RunsList } from "./runs-list.js";
import { RunsTable } from "./runs-table.js";
import { empty, failure, loading } from "./states.js";

const TYPING_MS = 50;
const FILL_MS = 40; // Rows that scroll past quickly are not fetched.
const PAUSE_MS = 400; // Between two requests while the ledger grows.
const MAX_COMPARED = 6;
const FIRST_RUN = "benchmarks run --benchmarks context_recall --provider local --model smollm2-135m";

/** @type {import("./routes.js").Show} */
export function show(main, { query }, context) {
  const page = new RunsPage(main, query, context);
  return () => page.end();
}

class RunsPage {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waiting;
  #shown = false;

  /** @param {HTMLElement} main @param {URLSearchParams} query @param {import("./routes.js").Context} context */
  constructor(main, query, context) {
    this.main = main;
    this.query = query;
    this.context = context;
    this.list = new RunsList(() => this.#question());
    this.table = new RunsTable(
      this.list,
      (name, also) => this.#sort(sortedBy(sortOf(query), name, also)),
      settled(() => this.#fill(), FILL_MS),
      () => this.#drawActions(),
    );
    this.actions = h("div", { class: "action-bar", role: "group", "aria-label": "Selected runs", hidden: true });
    const typed = settled(() => this.#load({ fresh: true }), TYPING_MS);
    this.filters = new RunsFilters(query, (how) => {
      this.#keep(how);
      if (how?.typed) typed();
      else this.#load({ fresh: true });
    });
    this.summary = h("p", {});
    this.sorting = /** @type {HTMLSelectElement} */ (
      h(
        "select",
        { "aria-label": "Sort by", onchange: () => this.#sort(sortedBy([], this.sorting.value, false)) },
        COLUMNS.filter(({ name }) => !UNSORTED.has(name)).map(({ name, title }) => h("option", { value: name }, title)),
      )
    );
    this.turn = h("button", {
      type: "button",
      onclick: () => this.#sort(sortOf(query).map((key) => ({ ...key, descending: !key.descending }))),
    });
    this.chooser = h("div", { class: "sheet" });
    this.downloads = h("div", { class: "sheet" });
    this.place = h("div", { class: "place" }, loading(12));
    main.replaceChildren(
      h(
        "div",
        { class: "intro" },
        h("h1", {}, "Runs"),
        this.summary,
        h(
          "div",
          { class: "actions" },
          h("span", { class: "narrow" }, this.sorting, this.turn),
          h("details", { class: "menu right columns-menu" }, h("summary", {}, "Columns"), this.chooser),
          h("details", { class: "menu right downloads" }, h("summary", {}, "Download"), this.downloads),
        ),
      ),
      this.filters.element,
      this.place,
      this.actions,
    );
    useKeys(
      [
        { keys: ["/"], about: "search", act: () => this.filters.search.focus() },
        { keys: ["j"], about: "next run", act: () => this.table.step(1) },
        { keys: ["k"], about: "previous run", act: () => this.table.step(-1) },
        { keys: ["x"], about: "select the run for a comparison", act: () => this.table.toggle() },
        { keys: ["Enter"], about: "open the selected run" },
        { keys: ["Esc"], about: "clear the search; from a run, back to the list" },
      ],
      context.signal,
    );
    ledger.addEventListener(
      "changed",
      () => (this.#waiting ??= setTimeout(() => this.#load(), ledger.asOf === null ? PAUSE_MS : 0)),
      { signal: context.signal },
    );
    this.#drawControls();
    this.#load({ fresh: true, first: true });
  }

  end() {
    clearTimeout(this.#waiting);
    this.list.end();
    this.table.end();
  }

  #columns() {
    const named = (this.query.get("columns") ?? "").split(",").filter(columnOf);
    return named.length ? ["benchmark", ...named] : USUAL;
  }

  #question() {
    const asked = new URLSearchParams([...this.query].filter(([name]) => FILTERS.includes(name)));
    asked.set("sort", sortText(sortOf(this.query)));
    return asked;
  }

  /** @param {import("./runs-columns.js").SortKey[]} keys */
  #sort(keys) {
    this.query.delete("desc");
    this.query.set("sort", sortText(keys));
    this.#keep();
    this.#load({ fresh: true });
  }

  /** A letter typed is not a step to go back to. @param {{ typed?: boolean }} [how] */
  #keep({ typed = false } = {}) {
    this.context.keep(this.query, { replace: typed });
    this.#drawControls();
  }

  /** @param {{ fresh?: boolean, first?: boolean }} [how] `fresh`: the filters or the order changed, so the first rows are needed */
  async #load({ fresh = false, first = false } = {}) {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
    const [from, to] = fresh ? [0, 1] : this.table.rows.inSight();
    const top = this.list.row(from)?.run_id;
    try {
      if (!(await this.list.renew(from, to))) return;
    } catch (problem) {
      if (/** @type {Error} */ (problem).name === "AbortError" || this.context.signal.aborted) return;
      this.#fail(/** @type {Error & { status?: number }} */ (problem));
      return;
    }
    if (fresh && !first) this.table.toTop();
    this.#draw();
    if (first) {
      this.table.restore();
      this.context.ready();
    }
    // New rows above the rows in sight move them down: the scroll position follows.
    const now = fresh || !from ? from : this.list.indexOf(top);
    if (now >= 0 && now !== from) this.table.rows.shift(now - from);
    this.#fill();
  }

  async #fill() {
    try {
      const came = await this.list.fill(...this.table.rows.inSight());
      if (came) this.table.draw();
      if (came === "moved") this.#waiting ??= setTimeout(() => this.#load(), PAUSE_MS);
    } catch {
      // The header says that the server does not answer; the rows are fetched when it is back.
    }
  }

  /** @param {Error & { status?: number }} problem */
  #fail(problem) {
    if (this.#shown && !problem.status) return; // The rows stay; the header says that the server does not answer.
    this.#shown = false;
    this.#replace(failure("The runs cannot be shown", problem.message, () => this.#load({ fresh: true })));
  }

  #draw() {
    const { total, all, facets, leftOut } = this.list;
    this.#shown = true;
    this.filters.draw(facets, leftOut);
    this.filters.element.hidden = !all; // There is nothing to find.
    this.summary.textContent = total === all ? plural(all, "run") : `${count(total)} of ${count(all)}`;
    announce(`${count(total)} runs`);
    if (!all && ledger.asOf !== null) this.#replace(empty("No runs yet", "At that moment the ledger had no runs."));
    else if (!all)
      this.#replace(
        empty("No runs yet", "The ledger is empty. This command makes a first run, without an API key:", FIRST_RUN),
      );
    else if (!total) this.#replace(empty("No runs match", "No run has all of these properties. Remove a filter."));
    else {
      this.#replace(this.table.element);
      this.table.draw();
    }
  }

  /** What can be done with the selected runs. */
  #drawActions() {
    const ids = [...this.table.selected.keys()];
    const list = ids.map((id) => `'${id.replaceAll("'", "''")}'`).join(", ");
    const sql = `SELECT * FROM runs WHERE run_id IN (${list})`;
    this.actions.hidden = !ids.length;
    this.actions.replaceChildren(
      h("span", {}, `${count(ids.length)} selected`),
      ids.length > 1 && ids.length <= MAX_COMPARED
        ? h("a", { class: "button primary", href: hash("/compare", { of: ids }) }, "Compare")
        : h(
            "span",
            { class: "soft" },
            ids.length > 1 ? `at most ${MAX_COMPARED} can be compared` : "select one more to compare",
          ),
      h("a", { class: "button", href: hash("/ask", { sql }) }, "Open in SQL"),
      h("button", { type: "button", onclick: () => copy(`benchmarks compare ${ids.join(" ")}`) }, "Copy command"),
      h("button", { type: "button", class: "quiet", onclick: () => this.table.untick() }, "Clear"),
    );
  }

  /** @param {HTMLElement} element */
  #replace(element) {
    if (this.place.firstChild !== element) this.place.replaceChildren(element);
  }

  /** The controls, which depend on the address only. */
  #drawControls() {
    const sort = sortOf(this.query);
    const columns = this.#columns();
    this.table.setColumns(columns, sort);
    this.sorting.value = sort[0]?.name ?? "started";
    this.turn.textContent = sort[0]?.descending ? "↓ descending" : "↑ ascending";
    keep(
      this.chooser,
      COLUMNS.slice(1).map((column) => [
        column.name,
        columns.includes(column.name),
        () => this.#choice(column, columns.includes(column.name)),
      ]),
    );
    const link = (/** @type {string} */ format) =>
      h(
        "a",
        {
          class: "button",
          href: address("/api/runs", addressed(this.#question(), format)),
          download: `runs.${format}`,
        },
        format.toUpperCase(),
      );
    this.downloads.replaceChildren(
      h("p", { class: "soft" }, "All runs that match the filters, in this order"),
      link("csv"),
      link("json"),
    );
  }

  /** @param {import("./runs-columns.js").Column} column @param {boolean} checked */
  #choice({ name, title, about }, checked) {
    const toggle = () => {
      const shown = this.#columns();
      const wanted = COLUMNS.map((column) => column.name).filter(
        (other) => (other === name ? !shown.includes(name) : shown.includes(other)) && other !== "benchmark",
      );
      if (wanted.join() === USUAL.filter((other) => other !== "benchmark").join()) this.query.delete("columns");
      else this.query.set("columns", wanted.join());
      this.#keep({ typed: true });
      this.table.draw();
    };
    return h(
      "label",
      { title: about || null },
      h("input", { type: "checkbox", checked, onchange: toggle }),
      h("span", { class: "value" }, title),
    );
  }
}

/** @param {URLSearchParams} question @param {string} format */
function addressed(question, format) {
  question.set("format", format);
  return question;
}
