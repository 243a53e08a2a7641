// What is read as what it is, and never in another order, or unseen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { visible, visibleIn } from "../../../viewer/page/js/visible.js";

test("controls, turned and invisible characters become their numbers", () => {
  assert.equal(visible("a\u001b]52;c;x\u0007b"), "a\\u001b]52;c;x\\u0007b");
  assert.equal(visible("gpt\u202e4\u2028x\u200b"), "gpt\\u202e4\\u2028x\\u200b");
  assert.equal(visible("half \ud83d, \udc00"), "half \\ud83d, \\udc00");
  assert.equal(visible("\u{e0041}"), "\\udb40\\udc41");
  assert.equal(visible("over\rwritten\r\n"), "over\\u000dwritten\r\n");
});

test("words of all languages stay as they are", () => {
  for (const text of ["Ünïcode", "שלום", "👩‍🔬 🙂", "a\tb\nc", "日本語"]) assert.equal(visible(text), text);
});

test("data stay data", () => {
  const date = [1, null, true, { "a\u202e": ["\u2066"] }];
  assert.deepEqual(visibleIn(date), [1, null, true, { "a\\u202e": ["\\u2066"] }]);
});
