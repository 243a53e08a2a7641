// The samples of a run as a table of any length, with its filters, its order, and the address of both.

import { get } from "./api.js";
import { BLOCK, Blocks } from "./blocks.js";
import { h } from "./dom.js";
import { cost, count, plural, score, share } from "./format.js";
import { settled } from "./memory.js";
import { outcomeMark, sampleLink, sampleName } from "./sample.js";
import { milliseconds } from "./transcript.js";
import { VirtualRows } from "./virtual-rows.js";
import { visible } from "./visible.js";

const TYPING_MS = 150;
const PLACE_MS = 250;
/** Filters of a list, by their names in the address and for the server. */
export const FILTERS = ["outcome", "category", "error", "scorer", "lowest", "highest", "q", "sort"];
const OUTCOMES = ["incorrect", "error", "correct", "unscored"];
/** @type {[string, string][]} */
const SORTS = [
  ["failed", "failed first"],
  ["file", "as written"],
  ["id", "by name"],
  ["score", "lowest score"],
  ["-score", "highest score"],
  ["-latency", "slowest"],
  ["-tokens", "most tokens"],
  ["-cost", "most expensive"],
];
/** @typedef {Record<string, any> & { id: string, line: number }} Row a row of /api/runs/{run_id}/samples */
/** @typedef {{ name: string, title: string, kind: string, sort?: string, cell: (row: Row) => any, has?: (row: Row) => any }} Column */

/** @type {Column[]} */
const COLUMNS = [
  { name: "category", title: "Category", kind: "text", cell: (row) => row.category, has: (row) => row.category },
  { name: "input", title: "Input", kind: "wide", cell: (row) => row.input, has: (row) => row.input },
  { name: "expected", title: "Expected", kind: "text", cell: (row) => row.expected, has: (row) => row.expected },
  {
    name: "output",
    title: "Output",
    kind: "wide",
    cell: (row) => (row.error ? h("span", { class: "error" }, row.error) : row.output),
    has: (row) => row.error || row.output,
  },
  {
    name: "score",
    title: "Score",
    kind: "number",
    sort: "score",
    cell: (row) => score(row.score),
    has: (row) => typeof row.score === "number",
  },
  {
    name: "latency",
    title: "Latency",
    kind: "number",
    sort: "latency",
    cell: (row) => (row.latency_ms === null ? "" : milliseconds(row.latency_ms)),
    has: (row) => row.latency_ms !== null,
  },
  {
    name: "tokens",
    title: "Tokens",
    kind: "number",
    sort: "tokens",
    cell: (row) => count(row.tokens),
    has: (row) => row.tokens !== null,
  },
  {
    name: "cost",
    title: "Cost",
    kind: "number",
    sort: "cost",
    cell: (row) => cost(row.cost_usd),
    has: (row) => row.cost_usd !== null,
  },
];

export class SamplesTable {
  #blocks = new Blocks((offset, isFirst) => this.#ask(offset, isFirst));
  #all = 0;
  /** Whether scores are more than right and wrong. */
  #isGraded = false;
  /** @type {Column[]} */
  #columns = [];
  /** @type {URLSearchParams} the filters */
  query;

  /**
   * @param {string} runId
   * @param {string} path of the run in the API
   * @param {AbortSignal} signal
   * @param {object} how
   * @param {URLSearchParams} how.query the filters that the address has
   * @param {(query: URLSearchParams, at: number) => void} how.keep writes filters and position into the address
   * @param {boolean} [how.narrow] a list beside a sample, and not a table
   * @param {(row: Row) => void} [how.open] shows a sample without leaving the page
   */
  constructor(runId, path, signal, { query, keep, narrow = false, open }) {
    this.runId = runId;
    this.path = path;
    this.signal = signal;
    this.keep = keep;
    this.narrow = narrow;
    this.open = open;
    this.query = new URLSearchParams([...query].filter(([name]) => FILTERS.includes(name)));
    /** The sample that is shown beside the list. @type {number | null} */
    this.current = null;
    this.first = Math.max(0, Number.parseInt(query.get("at") ?? "0", 10) || 0);
    this.tabs = h("span", { class: "tabs", role: "group", "aria-label": "Which samples" });
    this.menus = h("span", { class: "menus" });
    const typed = settled(() => this.#change("q", this.search.value), TYPING_MS);
    this.search = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "search",
        placeholder: "Search samples",
        "aria-label": "Search samples",
        value: this.query.get("q") ?? "",
        oninput: typed,
      })
    );
    this.headings = h("tr", {});
    this.columns = h("colgroup");
    this.body = /** @type {HTMLTableSectionElement} */ (
      h("tbody", { onclick: (/** @type {MouseEvent} */ event) => this.#clicked(event) })
    );
    this.table = h(
      "table",
      { class: `samples ${narrow ? "narrow" : ""}`.trim() },
      h("caption", { class: "visually-hidden" }, "Samples"),
      this.columns,
      h("thead", { hidden: narrow }, this.headings),
      this.body,
    );
    this.scroller = h(
      "div",
      { class: "tall samples-place", tabindex: "0", role: "region", "aria-label": "Samples" },
      this.table,
    );
    this.message = h("p", { class: "soft", hidden: true });
    this.spread = h("div", {});
    this.head = h("div", { class: "samples-tools" }, this.search, this.menus);
    const place = settled(() => this.keep(this.query, this.rows.inSight()[0]), PLACE_MS);
    this.rows = new VirtualRows(this.scroller, this.body, {
      row: (index) => this.#blocks.row(index),
      name: (row) => `${row.line}`,
      make: (row) => this.#make(row),
      blank: () =>
        h("tr", { class: "blank" }, h("td", { colspan: this.#columns.length + 2 }, h("span", { class: "waiting" }))),
      moved: () => {
        this.#fill();
        place();
      },
    });
    signal.addEventListener("abort", () => {
      place.cancel();
      this.rows.end();
    });
  }

  /** Loads the samples that the filters keep. Returns the first answer; null if another call has replaced it. */
  async load() {
    const answer = await this.#blocks.renew(this.first);
    if (!answer || this.signal.aborted) return null;
    this.#all = answer.right + answer.wrong + answer.errors + answer.unscored;
    this.#isGraded = Boolean(answer.spread);
    this.#choose(answer.rows ?? []);
    this.#controls(answer);
    this.#draw();
    const lines = answer.unreadable === 1 ? "1 line" : `${count(answer.unreadable)} lines`;
    this.message.className = answer.unreadable || answer.problem ? "error" : "soft";
    this.message.textContent = answer.problem
      ? visible(`The samples are not shown: ${answer.problem}.`)
      : answer.unreadable
        ? `${lines} of samples.jsonl cannot be read.`
        : this.#blocks.total
          ? ""
          : "No samples match.";
    this.message.hidden = !this.message.textContent;
    this.scroller.hidden = !this.#blocks.total;
    return answer;
  }

  #draw() {
    this.rows.count = this.#blocks.total;
    this.table.setAttribute("aria-rowcount", String(this.#blocks.total + 1));
    this.rows.draw();
    this.#fill();
  }

  /** Goes to the position that the address has: the table must be in sight. */
  restore() {
    this.rows.draw();
    if (this.first) {
      this.rows.reveal(Math.max(0, this.#blocks.total - 1));
      this.rows.reveal(Math.min(this.first, this.#blocks.total - 1));
    }
    return this.#fill();
  }

  async #fill() {
    if (await this.#blocks.fill(this.rows.inSight())) this.rows.draw();
  }

  /** @param {number} offset @param {boolean} facets */
  async #ask(offset, facets) {
    const query = new URLSearchParams(this.query);
    for (const [name, value] of Object.entries({ brief: 1, limit: BLOCK, offset, facets: facets ? 1 : 0 }))
      query.set(name, String(value));
    const answer = await get(`${this.path}/samples`, { query, signal: this.signal });
    return /** @type {any} */ (answer).value;
  }

  /** Columns that have something to show. @param {Row[]} rows */
  #choose(rows) {
    this.#columns = this.narrow
      ? []
      : COLUMNS.filter(({ name, has }) => (name !== "score" || this.#isGraded) && rows.some((row) => has?.(row)));
    this.columns.replaceChildren(
      ...["outcome-col", "first", ...this.#columns.map(({ kind, name }) => `${kind} c-${name}`)].map((kind) =>
        h("col", { class: kind }),
      ),
    );
    const sort = this.query.get("sort") ?? "failed";
    this.headings.replaceChildren(
      h("th", { scope: "col" }, h("span", { class: "visually-hidden" }, "Outcome")),
      this.#heading({ name: "id", title: "Sample", kind: "", sort: "id", cell: () => "" }, sort),
      ...this.#columns.map((column) => this.#heading(column, sort)),
    );
    this.rows.forget();
  }

  /** @param {Column} column @param {string} sort */
  #heading({ name, title, kind, sort: by }, sort) {
    if (!by) return h("th", { scope: "col", class: `${kind} c-${name}` }, title);
    const down = sort === `-${by}`;
    const on = down || sort === by;
    return h(
      "th",
      { scope: "col", class: `${kind} c-${name}`, "aria-sort": on ? (down ? "descending" : "ascending") : null },
      h(
        "button",
        {
          type: "button",
          onclick: () => this.#change("sort", on && down ? by : on || by === "id" ? (on ? `-${by}` : by) : `-${by}`),
        },
        title,
        h("span", { class: "arrow", "aria-hidden": "true" }, on ? (down ? "↓" : "↑") : ""),
      ),
    );
  }

  /** @param {Row} row */
  #make(row) {
    const about = row.error || row.output || row.input;
    const small = this.#isGraded ? score(row.score) : "";
    return h(
      "tr",
      {
        "data-sample": row.id,
        "data-line": row.line,
        class: row.line === this.current ? "chosen" : null,
        "aria-current": row.line === this.current ? "true" : null,
      },
      h("td", { class: "mark-cell" }, outcomeMark(row.outcome)),
      h(
        "th",
        { scope: "row", class: "first", title: row.id },
        h("a", { href: this.link(row), class: "mono" }, sampleName(row)),
        row.excluded ? h("span", { class: "mark" }, "excluded") : "",
        this.narrow
          ? h(
              "span",
              { class: `soft about ${row.error ? "error" : ""}`.trim() },
              small,
              small && about ? " · " : "",
              about,
            )
          : "",
      ),
      this.#columns.map(({ name, title, kind, cell }) =>
        h("td", { class: `${kind} c-${name}`, "data-label": title }, cell(row) ?? ""),
      ),
    );
  }

  /** @param {Row} row */
  link(row) {
    return sampleLink(
      this.runId,
      { id: row.id, line: row.is_repeated || !row.id ? row.line : null },
      Object.fromEntries(this.filters()),
    );
  }

  /** The filters that are set, for an address. */
  filters() {
    return [...this.query].filter(([, value]) => value);
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const chosen = /** @type {HTMLElement | null} */ (target.closest("tr[data-line]"));
    if (!chosen || event.ctrlKey || event.metaKey || event.shiftKey || !getSelection()?.isCollapsed) return;
    const row = this.#blocks.find(({ line }) => String(line) === chosen.dataset.line);
    if (!row) return;
    event.preventDefault();
    if (this.open) this.open(row);
    else location.hash = this.link(row);
  }

  /** Marks the sample that is shown. @param {number | null} line @param {number | null} index */
  mark(line, index) {
    this.current = line;
    this.rows.forget();
    if (index !== null && index < this.#blocks.total) this.rows.reveal(index);
    else this.rows.draw();
    this.#fill();
  }

  /** @param {string} name @param {string} value */
  #change(name, value) {
    if (value) this.query.set(name, value);
    else this.query.delete(name);
    this.first = 0;
    this.scroller.scrollTop = 0;
    this.keep(this.query, 0);
    return this.load();
  }

  /** @param {any} answer */
  #controls({ facets, spread, categories }) {
    const { outcome = {}, ...others } = facets ?? {};
    const chosen = this.query.get("outcome");
    const found = OUTCOMES.filter((name) => outcome[name] || name === chosen);
    const sum = OUTCOMES.reduce((total, name) => total + (outcome[name] ?? 0), 0);
    const tab = (/** @type {string} */ name, /** @type {string} */ text, /** @type {number} */ many) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String((chosen ?? "") === name),
          onclick: () => this.#change("outcome", name),
        },
        name ? outcomeMark(name) : "",
        ` ${text} `,
        h("span", { class: "count" }, count(many)),
      );
    const word = (/** @type {string} */ name) => (name === "error" ? (outcome[name] === 1 ? "error" : "errors") : name);
    // One kind alone filters nothing.
    this.tabs.replaceChildren(
      ...(found.length > 1 || chosen
        ? [tab("", "all", sum), ...found.map((name) => tab(name, word(name), outcome[name] ?? 0))]
        : [h("span", { class: "soft" }, plural(sum, "sample"))]),
    );
    const menus = Object.entries(others).flatMap(([name, counts]) => this.#menu(name, counts));
    const sort = this.query.get("sort") ?? "failed";
    const known = SORTS.some(([value]) => value === sort)
      ? SORTS
      : [...SORTS, /** @type {[string, string]} */ ([sort, sort])];
    this.menus.replaceChildren(...menus, this.#select("sort", "Order", known, sort));
    this.spread.replaceChildren(
      spread ? this.#histogram(spread) : "",
      categories?.length > 1 && !this.narrow ? this.#categories(categories) : "",
    );
  }

  /** @param {string} name @param {Record<string, number>} counts */
  #menu(name, counts) {
    const chosen = this.query.get(name) ?? "";
    const names = Object.entries(counts).filter(([, many]) => many || name !== "scorer");
    if (!names.length && !chosen) return [];
    const text = { category: "any category", error: "any error", scorer: "any scorer" }[name] ?? name;
    /** @type {[string, string][]} */
    const choices = [
      ["", text],
      ...names.map(
        ([one, many]) =>
          /** @type {[string, string]} */ ([one, `${name === "scorer" ? `failed by ${one}` : one} (${count(many)})`]),
      ),
    ];
    if (chosen && !counts[chosen]) choices.push([chosen, chosen]);
    return [this.#select(name, name, choices, chosen)];
  }

  /** @param {string} name @param {string} label @param {[string, string][]} choices @param {string} chosen */
  #select(name, label, choices, chosen) {
    return h(
      "select",
      {
        "aria-label": label,
        "data-filter": name,
        onchange: (/** @type {any} */ event) => this.#change(name, event.target.value),
      },
      choices.map(([value, text]) => h("option", { value, selected: value === chosen }, text)),
    );
  }

  /** How scores are spread; a bar shows its samples. @param {{ low: number, high: number, counts: number[] }} spread */
  #histogram({ low, high, counts }) {
    const most = Math.max(...counts);
    const width = (high - low) / counts.length;
    const [from, to] = [this.query.get("lowest"), this.query.get("highest")];
    const set = (/** @type {string} */ a, /** @type {string} */ b) => {
      if (a) this.query.set("lowest", a);
      else this.query.delete("lowest");
      return this.#change("highest", b);
    };
    return h(
      "div",
      { class: "histogram", role: "group", "aria-label": "How scores are spread" },
      h(
        "div",
        { class: "bars" },
        counts.map((many, at) => {
          const [a, b] = [low + at * width, at === counts.length - 1 ? high : low + (at + 1) * width];
          return h(
            "button",
            {
              type: "button",
              style: null,
              "aria-label": `${plural(many, "sample")} from ${score(a)} to ${score(b)}`,
              title: `${plural(many, "sample")} from ${score(a)} to ${score(b)}`,
              "aria-pressed": String(from !== null && Number(from) <= a && Number(to) >= b),
              onclick: () => set(String(a), String(b)),
            },
            bar(many / most),
          );
        }),
      ),
      h("span", { class: "soft" }, score(low)),
      from !== null
        ? h("button", { type: "button", class: "quiet", onclick: () => set("", "") }, "all scores")
        : h("span", { class: "soft" }, "score"),
      h("span", { class: "soft" }, score(high)),
    );
  }

  /** @param {any[]} categories */
  #categories(categories) {
    const scored = categories.some((one) => one.correct + one.incorrect);
    return h(
      "details",
      { class: "by-category" },
      h("summary", {}, `By category (${count(categories.length)})`),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "By category" },
        h(
          "table",
          { class: "dense" },
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              ["Category", "Samples", ...(scored ? ["Correct", "Incorrect"] : []), "Errors", "Mean score"].map(
                (title, at) => h("th", { scope: "col", class: at ? "number" : "" }, title),
              ),
            ),
          ),
          h(
            "tbody",
            {},
            categories.map((one) =>
              h(
                "tr",
                {},
                h(
                  "th",
                  { scope: "row" },
                  h(
                    "button",
                    { type: "button", class: "link", onclick: () => this.#change("category", one.name) },
                    one.name || "(none)",
                  ),
                ),
                h("td", { class: "number" }, count(one.total)),
                scored
                  ? [
                      h(
                        "td",
                        { class: "number" },
                        `${count(one.correct)} · ${share(one.correct, one.correct + one.incorrect)}`,
                      ),
                      h("td", { class: "number" }, count(one.incorrect)),
                    ]
                  : "",
                h("td", { class: "number" }, one.error ? count(one.error) : ""),
                h("td", { class: "number" }, score(one.score)),
              ),
            ),
          ),
        ),
      ),
    );
  }

  get isEmpty() {
    return !this.#all;
  }
}

/** A bar of some height, as a drawing: the policy of the page allows no styles in attributes. @param {number} part */
function bar(part) {
  const box = h("i");
  box.style.height = `${Math.round(100 * part)}%`;
  return box;
}
