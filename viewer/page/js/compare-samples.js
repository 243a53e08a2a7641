// Two runs, sample by sample: which of them answers correctly.

import { get } from "./api.js";
import { h } from "./dom.js";
import { count } from "./format.js";
import { panel } from "./parts.js";
import { outcomeMark, outcomeOf, questionOf, sampleDetails } from "./sample.js";
import { failure, loading } from "./states.js";

const PAGE = 20;
const MAX_IN_ROW = 200; // Characters of a question that can be seen in a row.
const OUTCOMES = [
  ["only_a", "only A correct"],
  ["only_b", "only B correct"],
  ["neither", "both incorrect"],
  ["both", "both correct"],
];

/** @param {any[]} runs two sides of a comparison @param {AbortSignal} signal */
export function samplesPanel(runs, signal) {
  const [a, b] = runs.map((one) => one.name);
  const inside = h("div", {});
  let show = "only_a";
  let offset = 0;

  async function load() {
    try {
      const answer = await get("/api/compare/samples", {
        query: { a, b, show, offset, limit: PAGE },
        past: false,
        signal,
      });
      if (answer) draw(answer.value);
    } catch (problem) {
      if (signal.aborted) return;
      inside.replaceChildren(failure("The samples cannot be compared", /** @type {Error} */ (problem).message, load));
    }
  }

  function draw(/** @type {any} */ { counts, total, samples, problem, notes }) {
    const paired = counts.both + counts.only_a + counts.only_b + counts.neither;
    if (problem) return inside.replaceChildren(h("p", { class: "error" }, `The samples are not compared: ${problem}.`));
    if (!paired)
      return inside.replaceChildren(
        h("p", { class: "soft" }, "No sample of both runs says whether its answer is correct."),
      );
    const tabs = h(
      "div",
      { class: "tabs", role: "group", "aria-label": "Which samples" },
      OUTCOMES.map(([name, text]) =>
        h(
          "button",
          { type: "button", "aria-pressed": String(name === show), onclick: () => choose(name) },
          `${text} ${count(counts[name])}`,
        ),
      ),
    );
    const left = counts.unpaired ? `${count(counts.unpaired)} samples are not in both runs, or not scored.` : "";
    inside.replaceChildren(
      tabs,
      samples.length ? h("div", {}, samples.map(pair)) : h("p", { class: "soft" }, "No samples."),
      total > PAGE ? pages(total) : "",
      ...[left, ...notes].filter(Boolean).map((text) => h("p", { class: "soft" }, text)),
    );
    return undefined;
  }

  const pages = (/** @type {number} */ total) =>
    h(
      "p",
      { class: "pages" },
      offset > 0 && h("button", { type: "button", onclick: () => go(-PAGE) }, "← Previous"),
      ` ${offset + 1}–${Math.min(offset + PAGE, total)} of ${count(total)} `,
      offset + PAGE < total && h("button", { type: "button", onclick: () => go(PAGE) }, "Next →"),
    );
  const choose = (/** @type {string} */ name) => {
    show = name;
    offset = 0;
    load();
  };
  const go = (/** @type {number} */ by) => {
    offset += by;
    load();
  };
  inside.replaceChildren(loading());
  load();
  return panel(
    "Sample by sample",
    inside,
    h("span", { class: "soft" }, "A is ", h("span", { class: "mono" }, a), ", B is ", h("span", { class: "mono" }, b)),
    { class: "panel wide" },
  );
}

/** @param {{ id: string, a: any, b: any }} sample */
function pair({ id, a, b }) {
  const whole = h("div", { class: "columns even" });
  const write = () => whole.firstChild || whole.append(answered("A", a), answered("B", b));
  return h(
    "details",
    { class: "pair", ontoggle: write },
    h(
      "summary",
      {},
      h("span", { class: "mono" }, id),
      h("span", { class: "soft" }, questionOf(a).slice(0, MAX_IN_ROW)),
    ),
    whole,
  );
}

/** @param {string} letter @param {any} sample */
const answered = (letter, sample) =>
  h("div", {}, h("h3", {}, letter, " ", outcomeMark(sample), " ", outcomeOf(sample)), sampleDetails(sample));
