// Runs sample by sample: which of them solves it, those on which they differ first.

import { hash } from "./address.js";
import { get } from "./api.js";
import { BLOCK, Blocks } from "./blocks.js";
import { h } from "./dom.js";
import { count, score } from "./format.js";
import { settled } from "./memory.js";
import { outcomeMark, sampleName } from "./sample.js";
import { failure, loading } from "./states.js";
import { VirtualRows } from "./virtual-rows.js";
import { visible } from "./visible.js";

const TYPING_MS = 150;
/** @typedef {{ letter: string, at: number, run_id: string }} Side */

export class SamplesSideBySide {
  #blocks = new Blocks((offset) => this.#ask(offset));

  /**
   * @param {Side[]} runs
   * @param {AbortSignal} signal
   * @param {{ query: URLSearchParams, keep: () => void }} address
   */
  constructor(runs, signal, { query, keep }) {
    this.runs = runs;
    this.signal = signal;
    this.keep = keep;
    this.show = query.get("show") ?? "";
    this.category = query.get("category") ?? "";
    this.tabs = h("div", { class: "tabs", role: "group", "aria-label": "Which samples" });
    this.menu = h("span", {});
    const typed = settled(() => this.#change(), TYPING_MS);
    this.search = /** @type {HTMLInputElement} */ (
      h("input", { type: "search", placeholder: "Search ids", "aria-label": "Search ids", oninput: typed })
    );
    this.body = /** @type {HTMLTableSectionElement} */ (h("tbody", {}));
    this.table = h(
      "table",
      { class: "samples paired" },
      h("caption", { class: "visually-hidden" }, "Samples side by side"),
      h(
        "colgroup",
        {},
        h("col", { class: "first" }),
        h("col", { class: "text" }),
        runs.map(() => h("col", { class: "wide" })),
      ),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Sample"),
          h("th", { scope: "col", class: "c-category" }, "Category"),
          runs.map(({ letter, at }) => h("th", { scope: "col" }, h("span", { class: `letter side-${at}` }, letter))),
        ),
      ),
      this.body,
    );
    this.scroller = h(
      "div",
      { class: "tall samples-place", tabindex: "0", role: "region", "aria-label": "Samples side by side" },
      this.table,
    );
    this.message = h("p", { class: "soft" });
    this.element = h("div", {}, loading(3));
    this.rows = new VirtualRows(this.scroller, this.body, {
      row: (index) => this.#blocks.row(index),
      name: (row) => row.id,
      make: (row) => this.#make(row),
      blank: () => h("tr", { class: "blank" }, h("td", { colspan: runs.length + 2 }, h("span", { class: "waiting" }))),
      moved: () => this.#fill(),
    });
    signal.addEventListener("abort", () => this.rows.end());
    this.load();
  }

  /** What the address has to keep. */
  state() {
    return { show: this.show || null, category: this.category || null };
  }

  async #ask(/** @type {number} */ offset) {
    const [a, b, ...more] = this.runs.map((/** @type {Side} */ one) => one.run_id);
    const query = {
      a,
      b,
      more,
      brief: 1,
      sort: "different",
      show: this.show || null,
      category: this.category || null,
      q: this.search.value || null,
      offset,
      limit: BLOCK,
    };
    return /** @type {any} */ (await get("/api/compare/samples", { query, signal: this.signal })).value;
  }

  async load() {
    try {
      const answer = await this.#blocks.renew();
      if (answer) this.#draw(answer);
    } catch (problem) {
      if (this.signal.aborted) return;
      this.element.replaceChildren(
        failure("The samples cannot be compared", /** @type {Error} */ (problem).message, () => this.load()),
      );
    }
  }

  async #fill() {
    if (await this.#blocks.fill(this.rows.inSight())) this.rows.draw();
  }

  /** @param {any} answer */
  #draw({ counts, categories, problem, notes, total }) {
    if (problem)
      return this.element.replaceChildren(h("p", { class: "error" }, `The samples are not compared: ${problem}.`));
    const [a, b] = this.runs.map((/** @type {Side} */ one) => one.letter);
    /** @type {[string, string, number | null][]} */
    const all = [
      ["", "all", null],
      ["different", "different", counts.different],
      ["only_a", `only ${a} correct`, counts.only_a],
      ["only_b", `only ${b} correct`, counts.only_b],
      ["neither", "both incorrect", counts.neither],
      ["both", "both correct", counts.both],
      ["missing", "not in all", counts.missing],
    ];
    this.tabs.replaceChildren(
      ...all
        .filter(([name, , many]) => many === null || many || name === this.show)
        .map(([name, text, many]) =>
          h(
            "button",
            { type: "button", "aria-pressed": String(name === this.show), onclick: () => this.#change({ show: name }) },
            text,
            many === null ? "" : " ",
            many === null ? "" : h("span", { class: "count" }, count(many)),
          ),
        ),
    );
    const names = Object.entries(categories ?? {});
    this.menu.replaceChildren(
      names.length > 1 || this.category
        ? h(
            "select",
            {
              "aria-label": "category",
              onchange: (/** @type {any} */ event) => this.#change({ category: event.target.value }),
            },
            [["", 0], ...names].map(([name, many]) =>
              h(
                "option",
                { value: name, selected: name === this.category },
                name ? `${name} (${count(Number(many))})` : "any category",
              ),
            ),
          )
        : "",
    );
    if (this.element.firstChild !== this.tabs)
      this.element.replaceChildren(
        h("div", { class: "samples-tools" }, this.tabs, this.search, this.menu),
        this.message,
        this.scroller,
      );
    this.element.prepend(this.tabs);
    this.table.classList.toggle("no-category", !names.length);
    this.message.textContent = visible(total ? notes.join(" ") : "No samples match.");
    this.message.hidden = !this.message.textContent;
    this.scroller.hidden = !total;
    this.rows.count = total;
    this.table.setAttribute("aria-rowcount", String(total + 1));
    this.rows.forget();
    this.rows.draw();
    return this.#fill();
  }

  /** @param {{ show?: string, category?: string }} [next] */
  #change(next = {}) {
    Object.assign(this, next);
    this.scroller.scrollTop = 0;
    this.keep();
    return this.load();
  }

  /** @param {any} row */
  #make({ id, category, is_different: differs, sides }) {
    const there = sides.flatMap((/** @type {any} */ side, /** @type {number} */ at) =>
      side ? [this.runs[at].run_id] : [],
    );
    const [a, b] = there.length > 1 ? there : this.runs.map((/** @type {Side} */ one) => one.run_id);
    return h(
      "tr",
      { class: differs ? "differs" : null },
      h(
        "th",
        { scope: "row", class: "first", title: id },
        differs ? h("span", { class: "not-equal", title: "different" }, "≠ ") : "",
        h("a", { class: "mono", href: hash("/compare/sample", { a, b, id }) }, sampleName({ id })),
      ),
      h("td", { class: "c-category" }, category),
      sides.map((/** @type {any} */ side, /** @type {number} */ at) =>
        h(
          "td",
          { "data-label": this.runs[at].letter },
          side
            ? [
                outcomeMark(side.outcome),
                " ",
                side.outcome === "unscored" && side.score !== null ? `${score(side.score)} ` : "",
                h("span", { class: side.error ? "error" : "soft" }, side.error || side.output),
              ]
            : h("span", { class: "soft" }, "not in this run"),
        ),
      ),
    );
  }
}
