// A search within a part of the page: it opens what is folded, counts what it finds, and leads from one to the next.

import { h } from "./dom.js";
import { count } from "./format.js";
import { settled } from "./memory.js";

const TYPING_MS = 150;
const MAX_FOUND = 2_000;

/** A field that searches in `body`. @param {HTMLElement} body */
export function find(body) {
  const found = h("span", { class: "soft", role: "status" });
  /** @type {Range[]} */
  let ranges = [];
  let at = 0;
  const typed = settled(() => search(), TYPING_MS);
  const input = /** @type {HTMLInputElement} */ (
    h("input", {
      type: "search",
      placeholder: "Search in this sample",
      "aria-label": "Search in this sample",
      oninput: typed,
      onkeydown: step,
    })
  );

  function search() {
    const wanted = input.value.toLowerCase();
    ranges = [];
    at = 0;
    if (wanted) {
      for (const button of /** @type {Iterable<HTMLElement>} */ (body.querySelectorAll("[data-unfold]")))
        button.click();
      ranges = places(body, wanted);
    }
    found.textContent = wanted ? (ranges.length ? `1 of ${count(ranges.length)}` : "no matches") : "";
    reveal();
  }

  /** @param {KeyboardEvent} event */
  function step(event) {
    if (event.key !== "Enter" || !ranges.length) return;
    at = (at + (event.shiftKey ? -1 : 1) + ranges.length) % ranges.length;
    found.textContent = `${count(at + 1)} of ${count(ranges.length)}`;
    reveal();
  }

  function reveal() {
    mark("found", ranges);
    mark("found-now", ranges.slice(at, at + 1));
    const element = ranges[at]?.startContainer.parentElement;
    for (let around = element; around && around !== body; around = around.parentElement)
      if (around instanceof HTMLDetailsElement) around.open = true;
    element?.scrollIntoView({ block: "center" });
  }

  return h("span", { class: "find" }, input, found);
}

/** @param {HTMLElement} body @param {string} wanted */
function places(body, wanted) {
  const ranges = [];
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node && ranges.length < MAX_FOUND; node = texts.nextNode()) {
    const text = (node.textContent ?? "").toLowerCase();
    for (let from = text.indexOf(wanted); from >= 0; from = text.indexOf(wanted, from + wanted.length)) {
      const range = document.createRange();
      range.setStart(node, from);
      range.setEnd(node, Math.min(from + wanted.length, node.textContent?.length ?? 0));
      ranges.push(range);
    }
  }
  return ranges;
}

/** Marks ranges without a change of the document, in browsers that can. @param {string} name @param {Range[]} ranges */
function mark(name, ranges) {
  const css = /** @type {any} */ (CSS);
  if (css.highlights) css.highlights.set(name, new /** @type {any} */ (window).Highlight(...ranges));
}
