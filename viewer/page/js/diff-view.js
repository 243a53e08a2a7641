// Two texts with what differs between them marked.

import { diffTexts } from "./diff.js";
import { h } from "./dom.js";
import { visible } from "./visible.js";

const CONTEXT = 3; // Lines that are kept around a change.
const MAX_CHARACTERS = 200_000;

/**
 * What was changed from `a` to `b`; null if they are equal.
 *
 * @param {string} a
 * @param {string} b
 * @param {[string, string]} names what the texts are called
 */
export function diffView(a, b, names) {
  if (a === b) return h("p", { class: "soft" }, `${names[0]} and ${names[1].toLowerCase()} are equal.`);
  const [left, right] = [a.slice(0, MAX_CHARACTERS), b.slice(0, MAX_CHARACTERS)];
  const pieces = diffTexts(left, right);
  const same = pieces.filter(({ kind }) => kind === "same").reduce((sum, { parts }) => sum + parts.join("").length, 0);
  const body = pieces.map(({ kind, parts }, at) => {
    const text = parts.join("");
    if (kind === "gone") return h("del", {}, text);
    if (kind === "new") return h("ins", {}, text);
    return shortened(text, at > 0, at < pieces.length - 1);
  });
  return h(
    "figure",
    { class: "diff" },
    h(
      "figcaption",
      { class: "soft" },
      h("del", {}, names[0]),
      " ",
      h("ins", {}, names[1]),
      ` · ${Math.min(99, Math.round((100 * same) / Math.max(left.length, right.length)))} % in common`,
      left.length + right.length < a.length + b.length ? " · only the beginnings are compared" : "",
    ),
    h("pre", { tabindex: "0", "aria-label": `${names[0]} and ${names[1].toLowerCase()}` }, body),
  );
}

/** A long part that both have, without its middle. @param {string} text @param {boolean} hasBefore @param {boolean} hasAfter */
function shortened(text, hasBefore, hasAfter) {
  const lines = text.split("\n");
  const [first, last] = [hasBefore ? CONTEXT : 0, hasAfter ? CONTEXT : 0];
  if (lines.length <= first + last + 4) return text;
  const middle = lines.slice(first, lines.length - last).join("\n");
  const button = h(
    "button",
    { type: "button", class: "unchanged", onclick: () => button.replaceWith(visible(middle)) },
    `${lines.length - first - last} unchanged lines`,
  );
  return [
    lines.slice(0, first).join("\n"),
    first ? "\n" : "",
    button,
    last ? "\n" : "",
    lines.slice(lines.length - last).join("\n"),
  ];
}
