// The samples of a run: all, or the right or the wrong ones.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { facts, number } from "./run-panels.js";

const STEP = 100;
const CHOICES = [["", "all"], ["1", "right"], ["0", "wrong"]];

export class SamplesPanel {
  constructor(path) {
    this.path = path;
    this.only = "";
    this.list = h("div", {});
    this.buttons = CHOICES.map(([value, text]) =>
      h("button", { type: "button", "data-only": value, "aria-pressed": String(value === ""), onclick: () => this.choose(value) }, text),
    );
    this.count = h("span", { class: "soft" });
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.load({ further: true }) }, "Show more samples");
    this.problem = h("p", { class: "error", hidden: true });
    this.element = h(
      "section",
      { class: "panel", hidden: true },
      h("h2", {}, h("span", {}, "Samples ", this.count), h("span", { class: "tabs" }, this.buttons)),
      h("div", { class: "inside" }, this.problem, this.list, this.more),
    );
  }

  choose(value) {
    this.only = value;
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button.dataset.only === value));
    return this.load();
  }

  /** The first samples, or those behind the ones that are shown. */
  async load({ further = false } = {}) {
    const { only } = this;
    const offset = further ? this.list.childElementCount : 0;
    let answer;
    try {
      answer = await get(`${this.path}/samples`, { query: { limit: STEP, offset, correct: only || null }, past: false });
    } catch (problem) {
      this.tell(problem.message);
      this.element.hidden = false;
      return;
    }
    if (only !== this.only) return;
    const { samples, total, unreadable } = answer.value;
    if (!further) this.list.replaceChildren();
    this.list.append(...samples.map(entry));
    if (!only) this.element.hidden = !total && !unreadable;
    this.count.textContent = count(total);
    this.more.hidden = offset + samples.length >= total;
    this.tell(unreadable ? `${count(unreadable)} lines of samples.jsonl cannot be read.` : total ? "" : "None.");
  }

  tell(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
    this.problem.className = text === "None." ? "soft" : "error";
  }
}

const VERDICTS = new Map([
  [true, ["better", "✓", "right"]],
  [false, ["worse", "✕", "wrong"]],
]);

function entry(sample) {
  const [kind, symbol, word] = VERDICTS.get(sample.correct) ?? ["soft", "·", "not judged"];
  return h(
    "details",
    { class: "sample" },
    h("summary", {}, h("span", { class: kind }, symbol, h("span", { class: "visually-hidden" }, word)), h("span", { class: "mono id" }, String(sample.id ?? "")), h("span", { class: "text" }, text(sample.output).slice(0, 300))),
    facts([
      ["input", written(sample.input)],
      ["expected", written(sample.expected)],
      ["output", written(sample.output)],
      ["score", typeof sample.score === "number" ? number(sample.score) : ""],
      ["error", sample.error && text(sample.error)],
      ["tokens", sample.input_tokens === undefined ? "" : `${sample.input_tokens} in, ${sample.output_tokens} out`],
      ["latency", typeof sample.latency_ms === "number" ? `${Math.round(sample.latency_ms)} ms` : ""],
    ]),
  );
}

const text = (value) => (value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value));
const written = (value) => (value === undefined ? "" : h("span", { class: "mono written" }, text(value)));
