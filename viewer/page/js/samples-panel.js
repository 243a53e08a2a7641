// The samples of a run: all of them, those with one outcome, or those that contain a text.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { settled } from "./memory.js";
import { number } from "./run-panels.js";
import { answerOf, inLine, outcomeMark, sampleDetails } from "./sample.js";

const STEP = 100;
const TYPING_MS = 150;
const MAX_IN_ROW = 300; // Characters of a text that can be seen in a row.

/** Each tab: its name, its parameters for the server, and the count in the answer. @type {[string, Record<string, string>, string][]} */
const TABS = [
  ["all", {}, ""],
  ["correct", { correct: "1" }, "right"],
  ["incorrect", { correct: "0" }, "wrong"],
  ["errors", { outcome: "error" }, "errors"],
  ["unscored", { outcome: "unscored" }, "unscored"],
];

export class SamplesPanel {
  #tab = "all";
  #turn = 0;
  #offset = 0;

  /**
   * @param {string} path
   * @param {AbortSignal} signal
   * @param {{ id: string | null, keep: (id: string | null) => void }} address the sample that the page's address names
   */
  constructor(path, signal, address) {
    this.path = path;
    this.signal = signal;
    this.address = address;
    this.list = h("div", { class: "samples", tabindex: "0", role: "region", "aria-label": "Samples" });
    this.tabs = new Map(TABS.map(([name]) => [name, this.#button(name)]));
    const typed = settled(() => this.load(), TYPING_MS);
    this.search = /** @type {HTMLInputElement} */ (
      h("input", { type: "search", placeholder: "Search samples", "aria-label": "Search samples", oninput: typed })
    );
    this.tools = h("div", { class: "samples-tools" }, this.search);
    this.more = h(
      "button",
      { type: "button", class: "more", hidden: true, onclick: () => this.load({ further: true }) },
      "Show more samples",
    );
    this.message = h("p", { class: "error", hidden: true });
    this.head = h(
      "div",
      { class: "samples-head", "aria-hidden": "true" },
      ["", "Sample", "Expected", "Output", "Score"].map((title) => h("span", {}, title)),
    );
    this.element = h(
      "section",
      { class: "panel", hidden: true, "data-panel": "samples" },
      h(
        "h2",
        {},
        "Samples",
        h("span", { class: "tabs", role: "group", "aria-label": "Which samples" }, [...this.tabs.values()]),
      ),
      h("div", { class: "inside" }, this.tools, this.head, this.list, this.message, this.more),
    );
  }

  /** @param {string} name */
  #button(name) {
    return h(
      "button",
      { type: "button", "aria-pressed": String(name === this.#tab), onclick: () => this.#choose(name) },
      name,
      " ",
      h("span", { class: "count" }),
    );
  }

  /** The first samples, or the next ones. */
  async load({ further = false } = {}) {
    const mine = ++this.#turn;
    const offset = further ? this.#offset : 0;
    const [, filter] = /** @type {[string, Record<string, string>, string]} */ (
      TABS.find(([name]) => name === this.#tab)
    );
    const query = { limit: STEP, offset, ...filter, q: this.search.value || null };
    let answer;
    try {
      answer = await get(`${this.path}/samples`, { query, past: false, signal: this.signal });
    } catch (problem) {
      if (mine !== this.#turn || this.signal.aborted) return;
      this.#fail(/** @type {Error} */ (problem).message);
      return;
    }
    if (mine !== this.#turn || !answer) return;
    const { problem, ...page } = answer.value;
    if (problem) return this.#fail(`The samples are not shown: ${problem}.`);
    this.#draw(page, { further, offset });
    if (this.address.id !== null) await this.#reveal(this.address.id);
  }

  /** Opens the sample that the address names, once. @param {string} id */
  async #reveal(id) {
    this.address.id = null;
    let found = [...this.list.children].find((one) => /** @type {HTMLElement} */ (one).dataset.sample === id);
    if (!found) {
      const answer = await get(`${this.path}/samples`, { query: { id, limit: 1 }, past: false, signal: this.signal });
      const [sample] = answer?.value.samples ?? [];
      if (!sample) return this.#say(`This run has no sample ${id}.`, "error");
      found = this.#entry(sample);
      this.list.prepend(found);
    }
    /** @type {HTMLDetailsElement} */ (found).open = true;
    found.scrollIntoView({ block: "nearest" });
  }

  /** @param {any} page @param {{ further: boolean, offset: number }} how */
  #draw({ samples, total, unreadable, ...counts }, { further, offset }) {
    const all = counts.right + counts.wrong + counts.errors + counts.unscored;
    this.element.hidden = !all && !unreadable;
    if (!further) this.list.replaceChildren();
    this.list.append(...samples.map((/** @type {any} */ sample) => this.#entry(sample)));
    this.#offset = offset + samples.length;
    for (const [name, , counted] of TABS) {
      const button = /** @type {HTMLElement} */ (this.tabs.get(name));
      const found = counted ? counts[counted] : all;
      button.querySelector(".count")?.replaceChildren(count(found));
      // A tab that is empty, or that has all samples, filters nothing.
      button.hidden = name !== this.#tab && Boolean(counted) && (!found || found === all);
    }
    this.tools.hidden = false;
    this.head.hidden = !total;
    this.more.hidden = this.#offset >= total;
    this.more.textContent = `Show more samples (${count(total - this.#offset)})`;
    const lines = unreadable === 1 ? "1 line" : `${count(unreadable)} lines`;
    if (unreadable) this.#say(`${lines} of samples.jsonl cannot be read.`, "error");
    else this.#say(total ? "" : "No samples match.", "soft");
  }

  /** @param {string} text */
  #fail(text) {
    this.list.replaceChildren();
    this.tools.hidden = this.head.hidden = this.more.hidden = true;
    for (const button of this.tabs.values()) button.hidden = true;
    this.#say(text, "error");
    this.element.hidden = false;
  }

  /** @param {string} tab */
  #choose(tab) {
    this.#tab = tab;
    for (const [name, button] of this.tabs) button.setAttribute("aria-pressed", String(name === tab));
    return this.load();
  }

  /** @param {string} text @param {string} kind */
  #say(text, kind) {
    this.message.textContent = text;
    this.message.hidden = !text;
    this.message.className = kind;
  }

  /** @param {Record<string, any>} sample */
  #entry(sample) {
    const id = inLine(sample.id);
    const score = typeof sample.score === "number" ? number(sample.score) : "";
    const whole = h("div");
    // Thousands of long texts would make the page heavy, so the details are made when a reader opens them.
    const write = (/** @type {any} */ { target }) => {
      if (!whole.firstChild) whole.append(sampleDetails(sample));
      this.address.keep(target.open ? id : null);
    };
    return h(
      "details",
      { class: "sample", ontoggle: write, "data-sample": id },
      h(
        "summary",
        {},
        outcomeMark(sample),
        h("span", { class: "mono" }, id),
        h("span", { class: "soft" }, inLine(sample.expected).slice(0, MAX_IN_ROW)),
        h("span", {}, answerOf(sample).slice(0, MAX_IN_ROW)),
        h("span", { class: "number" }, score),
      ),
      whole,
    );
  }
}
