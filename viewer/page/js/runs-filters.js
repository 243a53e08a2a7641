// The filters of the table of runs: search, statuses, a sheet of values for each property, and a time.

import { announce, h, keep } from "./dom.js";
import { count, moment } from "./format.js";
import { dot } from "./parts.js";

const SHEETS = [
  ["benchmark", "Benchmark"],
  ["agent", "Agent"],
  ["model", "Model"],
  ["provider", "Provider"],
  ["reason", "Failure"],
  ["options", "Options"],
  ["kind", "Kind"],
  ["tag", "Tag"],
  ["group", "Campaign"],
];
const STATUSES = ["succeeded", "failed", "running"];
const SPANS = [
  ["any time", 0],
  ["the last hour", 1],
  ["the last 24 hours", 24],
  ["the last 7 days", 168],
  ["the last 30 days", 720],
];
const HOUR_MS = 3_600_000;
const MIN_SEARCHED = 10; // A sheet with this number of values or more can be searched.

/** The parameters of an address that keep runs. */
export const FILTERS = ["q", "status", ...SHEETS.map(([name]) => name), "since", "until"];

export class RunsFilters {
  /**
   * @param {URLSearchParams} query the page's state; filters are written into it
   * @param {(how?: { typed?: boolean }) => void} changed
   */
  constructor(query, changed) {
    this.query = query;
    this.changed = changed;
    this.search = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "search",
        placeholder: "Search runs",
        "aria-label": "Search runs",
        "aria-keyshortcuts": "/",
        value: query.get("q") ?? "",
        oninput: () => this.#set("q", this.search.value ? [this.search.value] : [], { typed: true }),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#searchKey(event),
      })
    );
    this.statuses = h("div", { class: "statuses", role: "group", "aria-label": "Status" });
    this.sheets = new Map(
      SHEETS.map(([name, title]) => [name, new Sheet(name, title, query, (values) => this.#set(name, values))]),
    );
    this.time = new TimeSheet(query, (since, until) => {
      this.#put("since", since);
      this.#put("until", until);
      this.changed();
    });
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Active filters", hidden: true });
    this.element = h(
      "div",
      { class: "filters", role: "search" },
      h(
        "div",
        { class: "line" },
        this.search,
        this.statuses,
        h(
          "div",
          { class: "menus" },
          [...this.sheets.values()].map((sheet) => sheet.element),
          this.time.element,
        ),
      ),
      this.chips,
    );
  }

  /** @param {Record<string, Record<string, number>>} facets @param {Record<string, number>} leftOut */
  draw(facets, leftOut) {
    const chosen = this.query.getAll("status");
    const known = [...new Set([...STATUSES, ...Object.keys(facets.status ?? {})])];
    keep(
      this.statuses,
      known.map((name) => [
        name,
        [chosen.includes(name), facets.status?.[name] ?? 0],
        () => this.#status(name, facets.status?.[name] ?? 0),
      ]),
    );
    for (const [name, sheet] of this.sheets) sheet.draw(facets[name] ?? {}, leftOut?.[name] ?? 0);
    this.time.draw();
    const set = FILTERS.filter((name) => name !== "q" && name !== "status").flatMap((name) =>
      this.query.getAll(name).map((value) => [name, value]),
    );
    /** @type {import("./dom.js").Part[]} */
    const parts = set.map(([name, value]) => [`${name} ${value}`, null, () => this.#chip(name, value)]);
    const any = FILTERS.some((name) => this.query.has(name));
    if (any)
      parts.push([
        "clear",
        null,
        () => h("button", { type: "button", class: "quiet chip", onclick: () => this.clear() }, "Clear filters"),
      ]);
    keep(this.chips, parts);
    this.chips.hidden = !any;
  }

  clear() {
    for (const name of FILTERS) this.query.delete(name);
    this.search.value = "";
    this.changed();
    this.search.focus(); // The button goes away, and the focus needs a place.
    announce("Filters cleared");
  }

  /** @param {string} name @param {number} number */
  #status(name, number) {
    // The other choices may change while this button stays.
    const toggle = () => {
      const chosen = this.query.getAll("status");
      this.#set("status", chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
    };
    return h(
      "button",
      {
        type: "button",
        class: `chip ${name}`,
        "aria-pressed": String(this.query.getAll("status").includes(name)),
        onclick: toggle,
      },
      dot(name),
      name,
      h("span", { class: "count" }, count(number)),
    );
  }

  /** @param {string} name @param {string} value */
  #chip(name, value) {
    const text = name === "since" || name === "until" ? moment(value) : value || "none";
    const without = () =>
      this.#set(
        name,
        this.query.getAll(name).filter((one) => one !== value),
      );
    return h(
      "button",
      { type: "button", class: "chip set", "aria-label": `Remove the filter ${name} ${text}`, onclick: without },
      h("span", { class: "value" }, `${name}: ${text}`),
      h("span", { "aria-hidden": "true" }, "✕"),
    );
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    if (this.search.value) {
      this.search.value = "";
      this.#set("q", []);
    } else this.search.blur();
  }

  /** @param {string} name @param {string[]} values @param {{ typed?: boolean }} [how] */
  #set(name, values, how) {
    this.query.delete(name);
    for (const value of values) this.query.append(name, value);
    this.changed(how);
  }

  /** @param {string} name @param {string | null} value */
  #put(name, value) {
    if (value) this.query.set(name, value);
    else this.query.delete(name);
  }
}

/** The values of one property, each with how many runs have it; several may be chosen. */
class Sheet {
  /** @type {Record<string, number>} */
  #counts = {};
  #leftOut = 0;

  /** @param {string} name @param {string} title @param {URLSearchParams} query @param {(values: string[]) => void} choose */
  constructor(name, title, query, choose) {
    Object.assign(this, { name, query, choose });
    this.name = name;
    this.query = query;
    this.choose = choose;
    this.search = /** @type {HTMLInputElement} */ (
      h("input", {
        type: "search",
        placeholder: `Find a ${title.toLowerCase()}`,
        "aria-label": `Find a ${title.toLowerCase()}`,
        hidden: true,
        oninput: () => this.#list(),
      })
    );
    this.list = h("div", { role: "group", "aria-label": title });
    this.more = h("p", { class: "soft", hidden: true });
    this.badge = h("span", {});
    this.element = h(
      "details",
      { class: "menu", "data-filter": name, ontoggle: () => this.#list() },
      h("summary", {}, title, this.badge),
      h("div", { class: "sheet" }, this.search, this.list, this.more),
    );
  }

  /** @param {Record<string, number>} counts @param {number} leftOut */
  draw(counts, leftOut) {
    const chosen = this.query.getAll(this.name);
    this.#counts = { ...Object.fromEntries(chosen.map((value) => [value, 0])), ...counts };
    this.#leftOut = leftOut;
    this.element.classList.toggle("set", chosen.length > 0);
    this.badge.textContent = chosen.length ? `· ${chosen.length}` : "";
    this.#list();
  }

  #list() {
    if (!(/** @type {HTMLDetailsElement} */ (this.element).open)) return; // Hundreds of values are made when the sheet opens.
    const values = Object.entries(this.#counts);
    const wanted = this.search.value.toLowerCase();
    this.search.hidden = values.length < MIN_SEARCHED;
    const chosen = this.query.getAll(this.name);
    const shown = values.filter(([value]) => value.toLowerCase().includes(wanted));
    // A choice stays the same element: one that is replaced between press and release gets no click.
    keep(
      this.list,
      shown.map(([value]) => [value, null, () => this.#choice(value)]),
    );
    shown.forEach(([value, number], place) => {
      const [input, , counted] = /** @type {NodeListOf<HTMLElement>} */ (this.list.children[place].childNodes);
      /** @type {HTMLInputElement} */ (input).checked = chosen.includes(value);
      counted.textContent = count(number);
    });
    this.more.hidden = shown.length > 0 && !this.#leftOut;
    this.more.textContent = shown.length
      ? `${count(this.#leftOut)} more are not listed; use the search above the table.`
      : "No matches.";
  }

  /** @param {string} value */
  #choice(value) {
    const toggle = () => {
      const chosen = this.query.getAll(this.name);
      this.choose(chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value]);
    };
    return h(
      "label",
      {},
      h("input", { type: "checkbox", onchange: toggle }),
      h("span", { class: "value", title: value }, value || "(none)"),
      h("span", { class: "soft" }),
    );
  }
}

/** The start of the runs. */
class TimeSheet {
  /** @param {URLSearchParams} query @param {(since: string | null, until: string | null) => void} choose */
  constructor(query, choose) {
    this.query = query;
    const field = (/** @type {string} */ label) =>
      /** @type {HTMLInputElement} */ (
        h("input", {
          type: "datetime-local",
          "aria-label": label,
          onchange: () => choose(iso(this.since), iso(this.until)),
        })
      );
    this.since = field("Started at or after, UTC");
    this.until = field("Started before, UTC");
    const span = (/** @type {any} */ [text, hours]) =>
      h(
        "button",
        {
          type: "button",
          class: "quiet",
          onclick: () =>
            choose(
              hours ? new Date(Math.floor(Date.now() / 60_000) * 60_000 - hours * HOUR_MS).toISOString() : null,
              null,
            ),
        },
        text,
      );
    this.element = h(
      "details",
      { class: "menu", "data-filter": "time" },
      h("summary", {}, "Time"),
      h(
        "div",
        { class: "sheet" },
        SPANS.map(span),
        h("label", { class: "field" }, "from", this.since),
        h("label", { class: "field" }, "until", this.until),
        h("p", { class: "soft" }, "The start of the runs, in UTC."),
      ),
    );
  }

  draw() {
    for (const [input, name] of /** @type {[HTMLInputElement, string][]} */ ([
      [this.since, "since"],
      [this.until, "until"],
    ])) {
      if (document.activeElement !== input) input.value = (this.query.get(name) ?? "").slice(0, 16);
    }
    this.element.classList.toggle("set", this.query.has("since") || this.query.has("until"));
  }
}

const iso = (/** @type {HTMLInputElement} */ input) => (input.value ? `${input.value}:00Z` : null);
