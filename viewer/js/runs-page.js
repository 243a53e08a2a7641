// The page of all runs: sorted, filtered and searched by the server; its state stands in the address.

import { get } from "./api.js";
import { announce, h, message } from "./dom.js";
import { count } from "./format.js";
import { recall, remember } from "./memory.js";
import { COLUMNS, RunsTable, startsDescending } from "./runs-table.js";

const STEP = 100;
const MOST = 1000; // What the server gives at once; what follows has a page of its own.
const REFRESH_MS = 4000;
const FIRST_RUN = "benchmarks run --benchmarks context_recall --provider local --model smollm2-135m";
const FACETS = [
  ["benchmark", "All benchmarks"],
  ["status", "All statuses"],
  ["agent", "All agents"],
  ["model", "All models"],
];
const CHIPS = ["provider", "group"];
const FILTERS = ["q", ...FACETS.map(([name]) => name), ...CHIPS];

/** Shows the page in `main`; returns what ends it. */
export function showRuns(main, parameters, { ready, moved }) {
  const page = new RunsPage(main, parameters, ready, moved);
  page.start();
  return () => page.end();
}

class RunsPage {
  constructor(main, parameters, ready, moved) {
    Object.assign(this, { main, ready, moved });
    this.query = new URLSearchParams(parameters);
    this.shown = recall().shown ?? STEP;
    this.tag = null;
    this.total = 0;
    this.controller = new AbortController();
  }

  start() {
    this.table = new RunsTable({ sortBy: (name) => this.sortBy(name) });
    this.search = h("input", {
      type: "search",
      placeholder: "Search runs ( / )",
      "aria-label": "Search runs",
      "aria-keyshortcuts": "/",
      value: this.query.get("q") ?? "",
      oninput: () => this.change("q", this.search.value, { soon: true }),
    });
    this.selects = new Map(
      FACETS.map(([name, all]) => [
        name,
        h("select", { "aria-label": all.replace("All", "Filter by"), onchange: (event) => this.change(name, event.target.value) }),
      ]),
    );
    this.sorting = h("select", { class: "narrow", "aria-label": "Sort by", onchange: () => this.sortBy(this.sorting.value) }, COLUMNS.map(({ name }) => h("option", { value: name }, `by ${name}`)));
    this.turn = h("button", { type: "button", class: "narrow", onclick: () => this.sortBy(this.sorted()) });
    this.chips = h("span", { class: "chips" });
    this.clear = h("button", { type: "button", class: "quiet", hidden: true, onclick: () => this.reset() }, "Clear filters");
    this.summary = h("p", {});
    this.notice = h("p", { class: "notice", role: "alert", hidden: true });
    this.place = h("div", {}, h("p", { class: "panel message" }, "Loading …"));
    this.before = h("button", { type: "button", onclick: () => this.turnTo(this.offset() - MOST) }, "Previous");
    this.more = h("button", { type: "button", onclick: () => this.showMore() });
    this.pager = h("div", { class: "pager", hidden: true }, this.before, this.more);
    this.main.replaceChildren(
      h("div", { class: "intro" }, h("h1", {}, "Runs"), this.summary),
      (this.filters = h("div", { class: "filters", role: "search" }, this.search, ...this.selects.values(), this.sorting, this.turn, this.chips, this.clear)),
      this.notice,
      this.place,
      this.pager,
    );
    document.addEventListener("keydown", (event) => this.key(event), { signal: this.controller.signal });
    this.timer = setInterval(() => document.hidden || this.load(), REFRESH_MS);
    this.load();
  }

  end() {
    clearInterval(this.timer);
    clearTimeout(this.pending);
    this.table.forget();
    this.controller.abort();
  }

  sorted = () => this.query.get("sort") ?? "started";
  descending = () => (this.query.get("desc") ?? (this.query.has("sort") ? "0" : "1")) === "1";
  offset = () => Math.max(0, Math.trunc(Number(this.query.get("offset")) || 0));

  change(name, value, { soon = false } = {}) {
    if (value) this.query.set(name, value);
    else this.query.delete(name);
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.renew({ typed: soon }), soon ? 150 : 0);
  }

  reset() {
    for (const name of FILTERS) this.query.delete(name);
    this.search.value = "";
    this.renew();
    this.main.focus({ preventScroll: true }); // The button goes away: whoever pressed it by key must be somewhere.
  }

  sortBy(name) {
    const descending = this.sorted() === name ? !this.descending() : startsDescending(name);
    this.query.set("sort", name);
    this.query.set("desc", descending ? "1" : "0");
    this.renew();
  }

  turnTo(offset) {
    if (offset > 0) this.query.set("offset", String(offset));
    else this.query.delete("offset");
    this.renew({ offset: true });
  }

  /** The question has changed: put it into the address, and ask anew. Each letter typed is no step to go back to. */
  renew({ typed = false, offset = false } = {}) {
    if (!offset) this.query.delete("offset");
    this.shown = STEP;
    this.table.chosen = undefined;
    this.table.element.scrollTop = 0;
    const text = this.query.toString();
    const address = `#/${text ? `?${text}` : ""}`;
    if (typed) history.replaceState({}, "", address);
    else history.pushState({}, "", address);
    this.moved(address);
    this.tag = null;
    this.load();
  }

  showMore() {
    if (this.shown >= MOST) return this.turnTo(this.offset() + MOST);
    this.shown = Math.min(this.shown + STEP, MOST);
    remember({ shown: this.shown });
    this.tag = null;
    return this.load();
  }

  async load() {
    const asked = new URLSearchParams(this.query);
    asked.set("limit", String(this.shown));
    const ticket = (this.ticket = {});
    const outdated = () => this.controller.signal.aborted || ticket !== this.ticket;
    try {
      const answer = await get(`/api/runs?${asked}`, { known: this.tag });
      if (outdated()) return;
      this.notice.hidden = true;
      if (answer === null) return;
      this.tag = answer.tag;
      this.draw(answer.value);
    } catch (problem) {
      if (outdated()) return;
      if (this.tag) this.complain(problem.message);
      else this.replace(message("The runs cannot be shown", problem.message));
      this.ready = null;
    }
  }

  /** What is shown stays, with the word that it is not of now. */
  complain(text) {
    this.notice.textContent = `Not up to date: ${text}`;
    this.notice.hidden = false;
  }

  draw({ runs, total, all, facets, head }) {
    document.dispatchEvent(new CustomEvent("head", { detail: head }));
    for (const [name, heading] of FACETS) this.drawFacet(name, heading, facets[name]);
    this.drawChips();
    this.sorting.value = this.sorted();
    this.filters.hidden = !all; // Nothing to look for.
    this.turn.textContent = this.descending() ? "↓ descending" : "↑ ascending";
    this.clear.hidden = !FILTERS.some((name) => this.query.has(name));
    const range = this.offset() ? `${count(this.offset() + 1)} to ${count(this.offset() + runs.length)} of ` : "";
    this.summary.textContent = range + (total === all ? `${count(all)} in the ledger` : `${count(total)} of ${count(all)}`);
    announce(`${count(total)} runs`);
    if (!all) this.replace(message("No runs yet", "The ledger is empty. This command makes a first run, without any key:", FIRST_RUN));
    else if (!total) this.replace(message("No run matches", "No run has all of these properties; take a filter away."));
    else if (!runs.length) this.replace(message("No more runs", `There are ${count(total)}; this page begins behind the last.`));
    else {
      this.table.draw(runs, this.sorted(), this.descending());
      this.replace(this.table.element);
    }
    this.drawPager(runs.length, total);
    if (this.ready) {
      this.table.restore();
      this.ready();
      this.ready = null;
    }
  }

  replace(element) {
    if (this.place.firstChild !== element) this.place.replaceChildren(element);
  }

  drawFacet(name, heading, counts) {
    const chosen = this.query.get(name) ?? "";
    const values = Object.entries(counts);
    if (chosen && !(chosen in counts)) values.push([chosen, 0]);
    const options = [h("option", { value: "" }, heading)];
    for (const [value, number] of values) if (value) options.push(h("option", { value }, `${value} (${count(number)})`));
    const select = this.selects.get(name);
    select.classList.toggle("set", Boolean(chosen));
    if (document.activeElement === select && select.value === chosen) return; // Not under somebody's hand.
    select.replaceChildren(...options);
    select.value = chosen;
  }

  drawChips() {
    const set = CHIPS.filter((name) => this.query.has(name));
    const chip = (name) => h("button", { type: "button", class: "chip", "aria-label": `Remove the filter ${name}`, onclick: () => this.change(name, "") }, `${name}: ${this.query.get(name)} ✕`);
    if (this.chips.dataset.set === String(set.map((name) => this.query.get(name)))) return;
    this.chips.dataset.set = String(set.map((name) => this.query.get(name)));
    this.chips.replaceChildren(...set.map(chip));
  }

  drawPager(here, total) {
    const left = Math.max(0, total - this.offset() - here);
    this.before.hidden = !this.offset();
    this.more.hidden = !left;
    this.more.textContent = this.shown >= MOST ? `Next ${count(Math.min(MOST, left))}` : `Show more (${count(left)})`;
    this.pager.hidden = this.before.hidden && this.more.hidden;
  }

  key(event) {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && event.target === this.search) {
      this.search.value = "";
      this.change("q", "");
      this.search.blur();
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      this.search.focus();
    } else if (event.key === "j") {
      this.table.step(1);
    } else if (event.key === "k") {
      this.table.step(-1);
    }
  }
}
