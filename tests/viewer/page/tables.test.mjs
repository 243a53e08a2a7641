// Tables as files, the line of contenders that no other beats, ticks, and the line of an error that says most.

import assert from "node:assert/strict";
import test from "node:test";

// Modules that make elements listen to the page when they are loaded.
Object.assign(globalThis, {
  document: { addEventListener() {}, getElementById: () => null },
  window: { addEventListener() {} },
  location: { search: "", hash: "", pathname: "/" },
});
const { csv, markdown, sorted } = await import("../../../viewer/page/js/data-table.js");
const { pareto, spread } = await import("../../../viewer/page/js/leaderboard-scatter.js");
const { timeAxis } = await import("../../../viewer/page/js/axes.js");
const { rangeOf } = await import("../../../viewer/page/js/bands.js");
const { messageOf } = await import("../../../viewer/page/js/format.js");

test("CSV quotes what a reader of CSV would split, and disarms formulas", () => {
  const text = csv({
    names: ["a", "b"],
    lines: [
      ["x,y", '"'],
      ["=1+1", null],
      [-2, { c: 1 }],
    ],
  });
  assert.equal(text, 'a,b\n"x,y",""""\n\'=1+1,\n-2,"{""c"":1}"\n');
});

test("Markdown keeps cells in their columns", () => {
  assert.equal(markdown({ names: ["a"], lines: [["x|y\nz"]] }), "| a |\n| --- |\n| x\\|y z |\n");
});

test("rows without a value come last in both directions", () => {
  const columns = [{ key: "n", title: "", cell: () => "", value: (/** @type {any} */ row) => row }];
  assert.deepEqual(sorted([2, null, 3], columns, "n"), [2, 3, null]);
  assert.deepEqual(sorted([2, null, 3], columns, "-n"), [3, 2, null]);
  assert.deepEqual(sorted([2, null, 3], columns, "unknown"), [2, null, 3]);
});

test("the line has those that no other beats in both, whichever direction is better", () => {
  const points = () => [
    { x: 3, y: 0.9, who: "dear" },
    { x: 1, y: 0.5, who: "cheap" },
    { x: 2, y: 0.9, who: "best" },
    { x: 2, y: 0.4, who: "beaten" },
  ];
  assert.deepEqual(
    pareto(points(), true).map(({ who }) => who),
    ["cheap", "best"],
  );
  assert.deepEqual(
    pareto(points(), false).map(({ who }) => who),
    ["cheap", "beaten"],
  );
});

test("a logarithmic axis has at most six ticks, and one with zero is linear", () => {
  const { scale, axis } = spread([0.0001, 250]);
  assert.equal(scale.type, "log");
  assert.ok(axis.values.length <= 6 && axis.values.every((/** @type {number} */ value) => value > 0));
  assert.equal(spread([0, 1]).scale.type, undefined);
});

test("a time axis has at most six ticks, from an hour to years", () => {
  for (const hours of [0, 1, 30, 24 * 28, 24 * 900]) {
    const { values, domain } = timeAxis(["2026-11-01T00:00:00Z", new Date(Date.UTC(2026, 10, 1, hours)).toISOString()]);
    assert.ok(values.length >= 1 && values.length <= 7, `${hours}: ${values}`);
    assert.ok(values.every((one) => domain[0] <= one && one <= domain[1]));
  }
});

test("scores that all agree still have a range", () => {
  assert.deepEqual(rangeOf([{ mean: 0.5, low: null, high: null }]), [-0.5, 1.5]);
});

test("the line of an error that says most is the last that names an error", () => {
  const error = "exit code 1; the last of stderr:\n  at x\nRateLimitError: 429 after 5 tries";
  assert.equal(messageOf(error), "RateLimitError: 429 after 5 tries");
  assert.equal(messageOf("no end after 3600 s"), "no end after 3600 s");
  assert.equal(messageOf(null), "");
});
