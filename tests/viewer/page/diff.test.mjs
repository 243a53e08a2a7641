import assert from "node:assert/strict";
import { test } from "node:test";
import { diff, diffTexts, linesOf, wordsOf } from "../../../viewer/page/js/diff.js";

const without = (pieces, kind) =>
  pieces
    .filter((piece) => piece.kind !== kind)
    .flatMap(({ parts }) => parts)
    .join("");

test("the pieces make both texts, and only what differs is marked", () => {
  const pieces = diffTexts("The capital is Paris.", "The capital is Lyon.");
  assert.deepEqual(
    pieces.filter(({ kind }) => kind !== "same").map(({ kind, parts }) => [kind, parts.join("")]),
    [
      ["gone", "Paris"],
      ["new", "Lyon"],
    ],
  );
});

test("any two texts can be made from their difference", () => {
  let seed = 7;
  const dice = (most) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % most;
  };
  for (let round = 0; round < 300; round += 1) {
    const text = () => Array.from({ length: dice(40) }, () => ["a ", "b ", "c\n", "d", "\n"][dice(5)]).join("");
    const [a, b] = [text(), text()];
    const pieces = diffTexts(a, b);
    assert.equal(without(pieces, "new"), a);
    assert.equal(without(pieces, "gone"), b);
  }
});

test("few edits are found, and not the whole text replaced", () => {
  const lines = Array.from({ length: 2000 }, (_, at) => `line ${at}\n`);
  const changed = [...lines.slice(0, 500), "new\n", ...lines.slice(500, 1500), ...lines.slice(1501)];
  const pieces = diff(lines, changed);
  assert.equal(pieces.filter(({ kind }) => kind === "new").flatMap(({ parts }) => parts).length, 1);
  assert.equal(pieces.filter(({ kind }) => kind === "gone").flatMap(({ parts }) => parts).length, 1);
});

test("texts without anything in common are compared within bounds", () => {
  const a = Array.from({ length: 15_000 }, (_, at) => `a${at}`);
  const b = Array.from({ length: 15_000 }, (_, at) => `b${at}`);
  assert.deepEqual(
    diff(a, b).map(({ kind }) => kind),
    ["gone", "new"],
  );
});

test("words and lines lose nothing", () => {
  const text = "naïve  café—42%\n\n終わり\tend";
  assert.equal(wordsOf(text).join(""), text);
  assert.equal(linesOf(text).join(""), text);
});
