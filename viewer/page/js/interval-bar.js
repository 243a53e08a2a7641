// A score with its 95% interval as a small drawing, on an axis that the cells of a row share.

import { s } from "./dom.js";

const WIDTH = 100;
const HEIGHT = 12;

/** The ends of an axis that holds all of some scores. @param {any[]} scores each with `mean`, `low` and `high` @returns {[number, number] | null} */
export function axisOf(scores) {
  const ends = scores.filter(Boolean).flatMap(({ mean, low, high }) => [mean, low ?? mean, high ?? mean]);
  if (!ends.length) return null;
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const air = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return [low - air, high + air];
}

/** @param {{ mean: number, low: number | null, high: number | null }} score @param {[number, number]} axis @param {number} [beside] the mean of the baseline */
export function intervalBar({ mean, low, high }, [from, to], beside) {
  const x = (/** @type {number} */ value) => (WIDTH * (value - from)) / (to - from);
  return s(
    "svg",
    { class: "interval-bar", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    s("line", { class: "interval-axis", x1: 0, x2: WIDTH, y1: HEIGHT / 2, y2: HEIGHT / 2 }),
    beside !== undefined ? s("line", { class: "interval-base", x1: x(beside), x2: x(beside), y1: 0, y2: HEIGHT }) : "",
    low !== null && low !== undefined && high !== null && high !== undefined
      ? s("rect", {
          class: "interval-band",
          x: x(low),
          width: Math.max(1, x(high) - x(low)),
          y: 2,
          height: HEIGHT - 4,
          rx: 2,
        })
      : "",
    s("line", { class: "interval-mean", x1: x(mean), x2: x(mean), y1: 0, y2: HEIGHT }),
  );
}
