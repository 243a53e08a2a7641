// The table of runs: sorted, filtered and searched by the server; its state stands in the address.

import { get } from "./api.js";
import { announce, h, message } from "./dom.js";
import { count, duration, score } from "./format.js";
import { delta, marks, runLink, scoreOf, statusBadge, when } from "./parts.js";

const PAGE = 100;
const REFRESH_MS = 4000;
const IDS = new Set(["run_id", "group"]);
const FACETS = [
  ["benchmark", "All benchmarks"],
  ["status", "All statuses"],
  ["agent", "All agents"],
  ["model", "All models"],
];
// [sort name, heading, cell, is a number]
const COLUMNS = [
  ["benchmark", "benchmark", null, false],
  ["status", "status", (run) => [statusBadge(run), ...marks(run)], false],
  ["score", "score", (run) => scoreOf(run), true],
  ["high_score", "high_score", (run) => score(run.high_score_value), true],
  ["delta", "delta", (run) => (run.delta_to_high_score === null ? "" : delta(run)), true],
  ["agent", "agent", (run) => run.agent, false],
  ["provider", "provider", (run) => run.provider, false],
  ["model", "model", (run) => run.model, false],
  ["tokens", "tokens", (run) => count(run.total_tokens), true],
  ["duration", "duration", (run) => duration(run.duration_seconds), true],
  ["started", "started", (run) => when(run.started_at), false],
  ["samples", "samples", (run) => count(run.samples), true],
  ["run_id", "run_id", (run) => run.run_id, false],
  ["group", "group", (run) => run.run_group_id, false],
];

/** Shows the page in `main`; returns what ends it. */
export function showRuns(main, parameters) {
  const page = new RunsPage(main, parameters);
  page.start();
  return () => page.end();
}

class RunsPage {
  constructor(main, parameters) {
    this.main = main;
    this.query = new URLSearchParams(parameters);
    this.shown = PAGE;
    this.chosen = -1;
    this.tag = null;
    this.controller = new AbortController();
  }

  start() {
    this.search = h("input", {
      type: "search",
      placeholder: "Search runs ( / )",
      "aria-label": "Search runs",
      value: this.query.get("q") ?? "",
      oninput: () => this.change("q", this.search.value, { soon: true }),
    });
    this.selects = new Map(
      FACETS.map(([name, all]) => [
        name,
        h("select", { "aria-label": all.replace("All", "Filter by"), onchange: (event) => this.change(name, event.target.value) }),
      ]),
    );
    this.clear = h("button", { type: "button", class: "quiet", onclick: () => this.reset() }, "Clear filters");
    this.summary = h("p", {});
    this.place = h("div", {});
    this.main.replaceChildren(
      h("div", { class: "intro" }, h("h1", {}, "Runs"), this.summary),
      h("div", { class: "filters", role: "search" }, this.search, ...this.selects.values(), this.clear),
      this.place,
    );
    document.addEventListener("keydown", (event) => this.key(event), { signal: this.controller.signal });
    this.timer = setInterval(() => document.hidden || this.load(), REFRESH_MS);
    this.load();
  }

  end() {
    clearInterval(this.timer);
    clearTimeout(this.pending);
    this.controller.abort();
  }

  change(name, value, { soon = false } = {}) {
    if (value) this.query.set(name, value);
    else this.query.delete(name);
    this.shown = PAGE;
    this.chosen = -1;
    clearTimeout(this.pending);
    this.pending = setTimeout(() => this.renew(), soon ? 150 : 0);
  }

  reset() {
    for (const name of ["q", ...FACETS.map(([facet]) => facet), "provider", "group"]) this.query.delete(name);
    this.search.value = "";
    this.renew();
  }

  sortBy(name) {
    const same = (this.query.get("sort") ?? "started") === name;
    const descending = same ? !this.descending() : COLUMNS.find(([column]) => column === name)[3] || name === "started";
    this.query.set("sort", name);
    this.query.set("desc", descending ? "1" : "0");
    this.renew();
  }

  descending() {
    return (this.query.get("desc") ?? (this.query.has("sort") ? "0" : "1")) === "1";
  }

  /** The state has changed: put it into the address, and ask anew. */
  renew() {
    const text = this.query.toString();
    history.replaceState(null, "", `#/${text ? `?${text}` : ""}`);
    this.tag = null;
    this.load();
  }

  async load() {
    const asked = new URLSearchParams(this.query);
    asked.set("limit", String(Math.min(this.shown, 1000)));
    const ticket = (this.ticket = {});
    try {
      const answer = await get(`/api/runs?${asked}`, { known: this.tag });
      if (this.controller.signal.aborted || ticket !== this.ticket || answer === null) return;
      this.tag = answer.tag;
      this.draw(answer.value);
    } catch (problem) {
      if (this.controller.signal.aborted || ticket !== this.ticket) return;
      this.tag = null;
      this.place.replaceChildren(message("The runs cannot be shown", problem.message));
    }
  }

  draw({ runs, total, all, facets, head }) {
    document.dispatchEvent(new CustomEvent("head", { detail: head }));
    for (const [name, heading] of FACETS) this.drawFacet(name, heading, facets[name]);
    this.clear.hidden = ![...this.query.keys()].some((name) => name !== "sort" && name !== "desc");
    this.summary.textContent = total === all ? `${count(all)} in the ledger` : `${count(total)} of ${count(all)}`;
    announce(`${total} runs`);
    this.runs = runs;
    if (!all) {
      const command = "benchmarks run --benchmarks context_recall --provider local --model smollm2-135m";
      this.place.replaceChildren(message("No runs yet", "The ledger is empty. This command makes a first run, without any key:", command));
    } else if (!total) {
      this.place.replaceChildren(message("No run matches", "No run has all of these properties; take a filter away."));
    } else {
      this.drawTable(runs, total);
    }
  }

  drawFacet(name, heading, counts) {
    const chosen = this.query.get(name) ?? "";
    const values = Object.entries(counts);
    if (chosen && !(chosen in counts)) values.push([chosen, 0]);
    const options = [h("option", { value: "" }, heading)];
    for (const [value, number] of values) options.push(h("option", { value }, `${value} (${number})`));
    const select = this.selects.get(name);
    if (document.activeElement === select) return; // Not under somebody's hand.
    select.replaceChildren(...options);
    select.value = chosen;
  }

  drawTable(runs, total) {
    const focused = document.activeElement?.dataset?.sort;
    const body = h("tbody", {}, runs.map((run, index) => this.row(run, index)));
    const table = h(
      "table",
      { class: "as-cards" },
      h("caption", { class: "visually-hidden" }, "Runs; the headings sort"),
      h("thead", {}, h("tr", {}, COLUMNS.map((column) => this.heading(column)))),
      body,
    );
    const more = total > runs.length && h("button", { type: "button", class: "more", onclick: () => this.more() }, `Show more (${count(total - runs.length)})`);
    const scrolled = this.place.querySelector(".scroll")?.scrollLeft ?? 0;
    const scroll = h("div", { class: "panel scroll", tabindex: "0", role: "region", "aria-label": "Table of runs" }, table);
    this.place.replaceChildren(scroll, ...(more ? [more] : []));
    scroll.scrollLeft = scrolled;
    if (focused) this.place.querySelector(`[data-sort="${focused}"]`)?.focus();
  }

  heading([name, text, , number]) {
    const sorted = (this.query.get("sort") ?? "started") === name;
    const arrow = sorted ? (this.descending() ? "↓" : "↑") : "";
    return h(
      "th",
      { scope: "col", class: number ? "number" : "", "aria-sort": sorted && (this.descending() ? "descending" : "ascending") },
      h("button", { type: "button", "data-sort": name, onclick: () => this.sortBy(name) }, text, h("span", { "aria-hidden": "true" }, arrow)),
    );
  }

  row(run, index) {
    const cells = COLUMNS.map(([name, label, cell, number]) => {
      if (!cell) return h("th", { scope: "row" }, h("a", { href: runLink(run.run_id) }, run.benchmark_id));
      const content = cell(run);
      const kind = [number && "number", name === "model" && "long", IDS.has(name) && "id", content === "" && "blank"];
      return h("td", { "data-label": label, class: kind.filter(Boolean).join(" ") || null, title: kind.includes("long") ? content : null }, content);
    });
    return h("tr", { class: index === this.chosen ? "chosen" : null }, cells);
  }

  more() {
    this.shown = Math.min(this.shown + PAGE, 1000);
    if (this.runs.length >= 1000) return announce("Filter or search to see more than 1000 runs");
    this.tag = null;
    return this.load();
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
    } else if ((event.key === "j" || event.key === "k") && this.runs?.length) {
      const step = event.key === "j" ? 1 : -1;
      this.chosen = Math.max(0, Math.min(this.runs.length - 1, this.chosen + step));
      const rows = [...this.place.querySelectorAll("tbody tr")];
      rows.forEach((row, index) => row.classList.toggle("chosen", index === this.chosen));
      rows[this.chosen].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && this.chosen >= 0 && !event.target.matches("a, button")) {
      location.hash = runLink(this.runs[this.chosen].run_id);
    }
  }
}
