// Terminal output: colours become classes, every other sequence goes.

import assert from "node:assert/strict";
import test from "node:test";
import { bare, colour, PLAIN, settle } from "../../../viewer/page/js/ansi.js";

const text = (/** @type {string} */ given) =>
  colour(given, PLAIN)
    .pieces.map((piece) => piece.text)
    .join("");

test("a colour reaches to its reset", () => {
  const { pieces } = colour("a\u001b[31mred\u001b[0mb", PLAIN);
  assert.deepEqual(
    pieces.map(({ text, classes }) => [text, classes]),
    [
      ["a", ""],
      ["red", "ansi-fg-1"],
      ["b", ""],
    ],
  );
});

test("a style goes on in the next piece of a log", () => {
  const first = colour("\u001b[1mbold", PLAIN);
  assert.equal(colour("still", first.style).pieces[0].classes, "ansi-bold");
});

for (const [name, sequence] of [
  ["a title", "\u001b]0;title\u0007"],
  ["the clipboard", "\u001b]52;c;c2VjcmV0\u0007"],
  ["a cleared screen", "\u001b[2J"],
  ["a moved cursor", "\u001b[10;10H"],
  ["a bell", "\u0007"],
]) {
  test(`${name} leaves nothing`, () => assert.equal(text(`a${sequence}b`), "ab"));
}

test("a progress bar shows what stood there last", () => assert.equal(settle("1 %\r50 %\r100 %\ndone"), "100 %\ndone"));
test("a sequence that is cut off at the end waits", () => assert.equal(settle("text\u001b[3"), "text"));
test("text without any sequence", () => assert.equal(bare("\u001b[32mok\u001b[0m"), "ok"));
