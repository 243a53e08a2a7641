// Small drawings in tables: a score with its 95% interval on a scale, and bars.

import { s } from "./dom.js";

/** @typedef {{ mean: number, low: number | null, high: number | null }} Scored */

/** The range of some scores with their intervals. @param {Scored[]} scores @returns {[number, number]} */
export function rangeOf(scores) {
  const values = scores.flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean]);
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return max > min ? [min, max] : [min - 1, max + 1];
}

/** A score as a tick on its 95% interval; the number beside it says the same. @param {Scored} score @param {[number, number]} range */
export function band({ mean, low, high }, [min, max]) {
  const x = (/** @type {number} */ value) => 2 + (96 * (value - min)) / (max - min);
  return s(
    "svg",
    { class: "band", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    s("line", { x1: 0, x2: 100, y1: 3, y2: 3, class: "track" }),
    low !== null &&
      high !== null &&
      s("rect", { x: x(low), width: Math.max(1, x(high) - x(low)), y: 1.5, height: 3, class: "interval" }),
    s("rect", { x: x(mean) - 0.9, width: 1.8, y: 0, height: 6, class: "mean" }),
  );
}
