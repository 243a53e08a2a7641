// The ranks of rows, and those that noise allows, by the rules of projections/scores/ranks.py.

import { normalQuantile, Z_95 } from "./quantiles.js";

/** @typedef {Record<string, any>} Row */
/** @typedef {{ rank: number, rank_low: number, rank_high: number }} Place */
/** @typedef {{ value: number, low: number | null, high: number | null }} Placed */

const MAX_PAIRS_OF = 200;

/** The place of each row among the rows of its task, in the order given. @param {Row[]} rows @returns {Place[]} */
export function placesOf(rows) {
  /** @type {Map<string, number[]>} */
  const tasks = new Map();
  rows.forEach((row, at) => {
    const task = JSON.stringify([row.benchmark_id, row.comparison_key, row.unit, row.higher_is_better]);
    tasks.set(task, [...(tasks.get(task) ?? []), at]);
  });
  /** @type {Place[]} */
  const places = [];
  for (const members of tasks.values()) {
    const placed = members.map((at) => turned(rows[at]));
    const rounded = placed.map(({ value }) => Number(value.toPrecision(12)));
    const intervals = intervalsOf(placed);
    members.forEach((at, number) => {
      const [rank_low, rank_high] = intervals[number];
      places[at] = { rank: 1 + rounded.filter((one) => one > rounded[number]).length, rank_low, rank_high };
    });
  }
  return places;
}

/** A score and its bounds, turned so that more is better. @param {Row} row @returns {Placed} */
function turned({ score, low, high, higher_is_better }) {
  if (low === null || high === null) return { value: higher_is_better ? score : -score, low: null, high: null };
  return higher_is_better ? { value: score, low, high } : { value: -score, low: -high, high: -low };
}

/** @param {Placed[]} placed @returns {[number, number][]} */
function intervalsOf(placed) {
  const n = placed.length;
  const pairs = Math.max(1, Math.floor((n * (n - 1)) / 2));
  const factor = normalQuantile(1 - (1 - 0.95) / (2 * pairs)) / Z_95;
  const known = /** @type {{ value: number, low: number, high: number }[]} */ (
    placed.filter((one) => one.low !== null && one.high !== null)
  );
  const unit = known.reduce((most, one) => Math.max(most, ...Object.values(one).map(Math.abs)), 0) || 1;
  const isAbove = n > MAX_PAIRS_OF ? isApart(factor) : isAboveNoise(factor / unit, unit);
  return placed.map((one) => {
    if (one.low === null || one.high === null) return [1, n];
    const mine = /** @type {{ value: number, low: number, high: number }} */ (one);
    const better = known.filter((other) => isAbove(other, mine)).length;
    const worse = known.filter((other) => isAbove(mine, other)).length;
    return [1 + better, n - worse];
  });
}

/** @typedef {{ value: number, low: number, high: number }} Sure */

/** Whether the difference is larger than the arms together. @param {number} scale @param {number} unit */
const isAboveNoise = (scale, unit) => (/** @type {Sure} */ better, /** @type {Sure} */ worse) => {
  const difference = better.value / unit - worse.value / unit;
  const arms = (scale * (better.value - better.low)) ** 2 + (scale * (worse.high - worse.value)) ** 2;
  return difference > 0 && difference ** 2 > arms;
};

/** The same of many rows: whether the widened intervals are apart. @param {number} factor */
const isApart = (factor) => (/** @type {Sure} */ better, /** @type {Sure} */ worse) =>
  better.value - factor * (better.value - better.low) > worse.value + factor * (worse.high - worse.value);
