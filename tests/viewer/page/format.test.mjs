// How values look: the same numbers as the command line prints (`projections/render/text.py`).

import assert from "node:assert/strict";
import test from "node:test";
import {
  ago,
  bytes,
  cost,
  count,
  direction,
  duration,
  estimate,
  moment,
  score,
  share,
  signed,
  sureness,
  unitText,
} from "../../../viewer/page/js/format.js";

/** @type {[string, Function, any[], string][]} */
const CASES = [
  ["no score", score, [null], ""],
  ["a ratio has three digits", score, [0.41234], "0.412"],
  ["ten or more has one digit", score, [67.66], "67.7"],
  ["a thousand or more has none", score, [12345.6], "12,346"],
  ["a small score keeps three digits that say something", score, [0.0000123456], "1.23e-05"],
  ["a standard error has as many digits as the score", score, [0.5, 0.1234], "0.500 ± 0.123"],
  ["a small standard error is not written as zero", score, [0.5, 0.0004], "0.5000 ± 0.0004"],
  ["a standard error of zero says nothing", score, [0.5, 0], "0.500"],
  ["no right answer of ten", estimate, [0, null, 0, 0.2775], "0.000 [0, 0.28]"],
  ["all right", estimate, [1, null, 0.7225, 1], "1.000 [0.72, 1]"],
  ["plus-minus would end beyond 1", estimate, [5 / 6, 1 / 6, 0.4365, 0.9699], "0.833 [0.44, 0.97]"],
  ["a symmetric interval", estimate, [0.5, 0.05, 0.4038, 0.5962], "0.500 ± 0.050"],
  ["an error without an interval", estimate, [0.5, 0.05, null, null], "0.500 ± 0.050"],
  ["percent", estimate, [100, null, 72.25, 100], "100.0 [72, 100]"],
  ["only how sure it is", sureness, [0.5, 0.05, 0.4, 0.6], "± 0.050"],
  ["a negative score", score, [-1.5], "-1.500"],
  ["a gain has a plus sign", signed, [0.25], "+0.250"],
  ["a loss has a minus sign", signed, [-0.25], "−0.250"],
  ["no difference", signed, [0], "0.000"],
  ["an unknown difference", signed, [undefined], ""],
  ["a ratio has no unit", unitText, ["ratio"], ""],
  ["percent is a sign", unitText, ["percent"], "%"],
  ["another unit is named", unitText, ["ms"], "ms"],
  ["more is better", direction, [0.1, true], "better"],
  ["more is worse", direction, [0.1, false], "worse"],
  ["an unknown direction counts as higher is better", direction, [-0.1, null], "worse"],
  ["no change has no direction", direction, [0, true], ""],
  ["seconds", duration, [3.21], "3.2 s"],
  ["just below a minute is not 60.0 s", duration, [59.96], "1 min 0 s"],
  ["minutes", duration, [245], "4 min 5 s"],
  ["hours", duration, [7800], "2 h 10 min"],
  ["days", duration, [200000], "2 d 7 h"],
  ["ticking seconds are whole", duration, [3.9, { whole: true }], "3 s"],
  ["cents", cost, [1.239], "$1.24"],
  ["a small cost keeps three digits that say something", cost, [0.001234], "$0.00123"],
  ["nothing spent", cost, [0], "$0.00"],
  ["an unknown cost", cost, [null], ""],
  ["a share", share, [93, 100], "93 %"],
  ["a small share is not written as zero", share, [4, 1000], "0.4 %"],
  ["a share of nothing", share, [0, 0], ""],
  ["bytes", bytes, [999], "999 B"],
  ["kilobytes", bytes, [1500], "1.5 kB"],
  ["the largest unit", bytes, [5e13], "50000.0 GB"],
  ["a large count", count, [1234567], "1,234,567"],
  ["a moment", moment, ["2026-11-23T07:29:16.123456Z"], "2026-11-23 07:29:16 UTC"],
];

for (const [name, format, given, shown] of CASES) {
  test(`${format.name}: ${name}`, () => assert.equal(format(...given), shown));
}

test("ago: the largest unit that fits", () => {
  const before = (/** @type {number} */ seconds) => ago(new Date(Date.now() - seconds * 1000).toISOString());
  assert.deepEqual(
    [before(5), before(50), before(600), before(7200), before(3 * 86400)],
    ["just now", "1 min ago", "10 min ago", "2 h ago", "3 d ago"],
  );
});
