// The samples of a run: all, or the right or the wrong ones, or those in which some words stand.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { settled } from "./memory.js";
import { facts } from "./parts.js";
import { number } from "./run-panels.js";

const STEP = 100;
const TYPING_MS = 150;
const SEEN = 300; // Characters of a text that can be seen in a row.
const CHOICES = [
  ["", "all"],
  ["1", "right"],
  ["0", "wrong"],
];

export class SamplesPanel {
  #only = "";
  #turn = 0;
  #offset = 0;

  /** @param {string} path @param {AbortSignal} signal */
  constructor(path, signal) {
    this.path = path;
    this.signal = signal;
    this.list = h("div", { class: "samples", tabindex: "0", role: "region", "aria-label": "Samples" });
    this.buttons = CHOICES.map(([value, text]) =>
      h(
        "button",
        {
          type: "button",
          "data-only": value,
          "aria-pressed": String(value === ""),
          onclick: () => this.#choose(value),
        },
        text,
        " ",
        h("span", { class: "count" }),
      ),
    );
    const typed = settled(() => this.load(), TYPING_MS);
    this.search = /** @type {HTMLInputElement} */ (
      h("input", { type: "search", placeholder: "Search samples", "aria-label": "Search samples", oninput: typed })
    );
    this.more = h(
      "button",
      { type: "button", class: "more", hidden: true, onclick: () => this.load({ further: true }) },
      "Show more samples",
    );
    this.problem = h("p", { class: "error", hidden: true });
    this.head = h(
      "div",
      { class: "samples-head", "aria-hidden": "true" },
      h("span"),
      h("span", {}, "Sample"),
      h("span", {}, "Expected"),
      h("span", {}, "Output"),
      h("span", {}, "Score"),
    );
    this.element = h(
      "section",
      { class: "panel", hidden: true, "data-panel": "samples" },
      h("h2", {}, "Samples", h("span", { class: "tabs", role: "group", "aria-label": "Which samples" }, this.buttons)),
      h(
        "div",
        { class: "inside" },
        h("div", { class: "samples-tools" }, this.search),
        this.head,
        this.list,
        this.problem,
        this.more,
      ),
    );
  }

  /** The first samples, or those behind the ones that are shown. */
  async load({ further = false } = {}) {
    const mine = ++this.#turn;
    const offset = further ? this.#offset : 0;
    const query = { limit: STEP, offset, correct: this.#only || null, q: this.search.value || null };
    let answer;
    try {
      answer = await get(`${this.path}/samples`, { query, past: false, signal: this.signal });
    } catch (problem) {
      if (mine !== this.#turn || this.signal.aborted) return;
      this.head.hidden = true;
      this.#tell(/** @type {Error} */ (problem).message, "error");
      this.element.hidden = false;
      return;
    }
    if (mine !== this.#turn || !answer) return;
    const { samples, total, right, wrong, unreadable, gone } = answer.value;
    if (!further) this.list.replaceChildren();
    this.list.append(...samples.map(entry));
    this.#offset = offset + samples.length;
    if (!query.correct && !query.q) {
      this.element.hidden = !total && !unreadable && !gone;
      this.buttons[0].querySelector(".count")?.replaceChildren(count(total));
    }
    this.buttons[1].querySelector(".count")?.replaceChildren(count(right));
    this.buttons[2].querySelector(".count")?.replaceChildren(count(wrong));
    this.head.hidden = !total;
    this.more.hidden = this.#offset >= total;
    this.more.textContent = `Show more samples (${count(total - this.#offset)})`;
    if (gone) this.#tell(`${gone} was recorded, but is not in the run's folder any more.`, "soft");
    else if (unreadable) this.#tell(`${count(unreadable)} lines of samples.jsonl cannot be read.`, "error");
    else this.#tell(total ? "" : "No sample is like that.", "soft");
  }

  /** @param {string} value */
  #choose(value) {
    this.#only = value;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.only === value));
    return this.load();
  }

  /** @param {string} text @param {string} kind */
  #tell(text, kind) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    this.problem.className = kind;
  }
}

/** @type {Map<any, [kind: string, symbol: string, word: string]>} */
const VERDICTS = new Map([
  [true, ["better", "✓", "right"]],
  [false, ["worse", "✕", "wrong"]],
]);

/** @param {Record<string, any>} sample */
function entry(sample) {
  const [kind, symbol, word] = VERDICTS.get(sample.correct) ?? ["soft", "·", "not judged"];
  const score = typeof sample.score === "number" ? number(sample.score) : "";
  const whole = h("div");
  // Thousands of long texts would make the page heavy: they are made when somebody opens one.
  const write = () => whole.firstChild || whole.append(details(sample, score));
  return h(
    "details",
    { class: "sample", ontoggle: write },
    h(
      "summary",
      {},
      h("span", { class: kind }, symbol, h("span", { class: "visually-hidden" }, word)),
      h("span", { class: "mono" }, String(sample.id ?? "")),
      h("span", { class: "soft" }, text(sample.expected).slice(0, SEEN)),
      h("span", {}, (text(sample.output) || text(sample.error)).slice(0, SEEN)),
      h("span", { class: "number" }, score),
    ),
    whole,
  );
}

/** @param {Record<string, any>} sample @param {string} score */
const details = (sample, score) =>
  facts([
    ["input", written(sample.input)],
    ["expected", written(sample.expected)],
    ["output", written(sample.output)],
    ["score", score],
    ["error", sample.error && h("span", { class: "error" }, text(sample.error))],
    [
      "tokens",
      sample.input_tokens === undefined ? "" : `${count(sample.input_tokens)} in, ${count(sample.output_tokens)} out`,
    ],
    ["latency", typeof sample.latency_ms === "number" ? `${count(Math.round(sample.latency_ms))} ms` : ""],
  ]);

const text = (/** @type {any} */ value) =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
const written = (/** @type {any} */ value) =>
  value === undefined ? "" : h("span", { class: "mono written" }, text(value));
