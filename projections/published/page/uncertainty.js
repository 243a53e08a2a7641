// How sure a score is, by the rules of projections/scores/uncertainty.py, which explains them and names its sources.

import { critical, Z_95 } from "./quantiles.js";

/** @typedef {{ score: number, samples: number | null, stderr: number | null }} Reported */
/** @typedef {{ mean: number, stderr: number | null, low: number | null, high: number | null, method: string | null }} Uncertainty */

/** @type {Record<string, [number, number]>} */
const BOUNDS = { ratio: [0, 1], percent: [0, 100], "%": [0, 100] };
const ROUNDED = 0.02;
const MIN_ERROR = 1e-9;
const Z_99 = 2.3263478740408408;

/** The mean; of equal values exactly that value. @param {number[]} values */
export function mean(values) {
  const sum = values.reduce((total, one) => total + one, 0);
  return values.every((one) => one === values[0]) ? values[0] : sum / values.length;
}

/** @param {string} unit @param {number[]} scores @returns {[number, number] | null} */
function boundsOf(unit, scores) {
  const bounds = Object.hasOwn(BOUNDS, unit) ? BOUNDS[unit] : null;
  return bounds && scores.every((one) => bounds[0] <= one && one <= bounds[1]) ? bounds : null;
}

/** The uncertainty of the mean of repetitions; at least one. @param {Reported[]} runs @param {string} unit @returns {Uncertainty} */
export function uncertaintyOf(runs, unit) {
  const scores = runs.map((run) => run.score);
  const [middle, count] = [mean(scores), runs.length];
  const bounds = boundsOf(unit, scores);
  const span = bounds ? bounds[1] - bounds[0] : 0;
  const size = runs.every((run) => run.samples !== null && run.samples > 0)
    ? Math.min(...runs.map((run) => run.samples ?? 0))
    : null;
  const errors = runs.map((run) => errorOf(run, bounds));
  let { error, source, freedom } = count > 1 ? ofRepeats(scores, errors) : ofOne(errors[0]);
  if (source === "samples" && size !== null) freedom = size - 1;
  const nothing = { mean: middle, stderr: null, low: null, high: null, method: null };
  if (!bounds) {
    const reach = critical(freedom) * error;
    if (!error || !Number.isFinite(middle - reach) || !Number.isFinite(middle + reach)) return nothing;
    return { mean: middle, stderr: error, low: middle - reach, high: middle + reach, method: "t" };
  }
  const share = (middle - bounds[0]) / span;
  let [trials, z] = [0, Z_95];
  if (error <= MIN_ERROR * span) {
    if (size === null || (share > 0 && share < 1)) return nothing;
    [trials, error] = [size, 0];
  } else {
    [trials, z] = [(Math.sqrt(share * (1 - share)) / (error / span)) ** 2 + 1, critical(freedom)];
    const isProportion = source === "samples" && runs.every((run, at) => isOfTrials(run, errors[at], bounds));
    if (isProportion && size !== null) [trials, z] = [count === 1 ? size : Math.min(trials, count * size), Z_95];
    else if (source === "samples" && size !== null && trials < size) z = critical(Math.max(1, trials - 1));
  }
  const [low, high] = wilson(Math.min(1, Math.max(0, share)), trials, z);
  return {
    mean: middle,
    stderr: error || null,
    low: bounds[0] + span * low,
    high: bounds[0] + span * high,
    method: "wilson",
  };
}

/** The score interval of a proportion of n trials (Wilson 1927). @param {number} share @param {number} n @param {number} z */
function wilson(share, n, z) {
  const scale = 1 + (z * z) / n;
  const middle = (share + (z * z) / (2 * n)) / scale;
  const reach = (z / scale) * Math.sqrt((share * (1 - share)) / n + (z / (2 * n)) ** 2);
  return [Math.min(share, Math.max(0, middle - reach)), Math.max(share, Math.min(1, middle + reach))];
}

/** @typedef {{ error: number, source: "samples" | "repeats" | null, freedom: number }} Spread */

/** @param {number | null} error @returns {Spread} */
const ofOne = (error) =>
  error === null
    ? { error: 0, source: null, freedom: Number.POSITIVE_INFINITY }
    : { error, source: "samples", freedom: Number.POSITIVE_INFINITY };

/** @param {number[]} scores @param {(number | null)[]} errors @returns {Spread} */
function ofRepeats(scores, errors) {
  const [count, middle] = [scores.length, mean(scores)];
  const scatter = Math.hypot(...scores.map((one) => one - middle)) / Math.sqrt(count * (count - 1));
  if (errors.every((one) => one !== null)) {
    const unit = Math.max(...errors, scatter, 1e-300);
    const within = errors.reduce((sum, one) => sum + (one / unit) ** 2, 0) / count;
    const between = count * (scatter / unit) ** 2;
    if (between <= within * explained(count)) {
      const rest = Math.max(within / count, within - (1 - 1 / count) * between);
      return { error: unit * Math.sqrt(rest), source: "samples", freedom: Number.POSITIVE_INFINITY };
    }
  }
  return scatter ? { error: scatter, source: "repeats", freedom: count - 1 } : ofOne(null);
}

/** χ²(0.99, k - 1) / (k - 1), by Wilson and Hilferty's approximation. @param {number} count */
function explained(count) {
  const spread = 2 / (9 * (count - 1));
  return (1 - spread + Z_99 * Math.sqrt(spread)) ** 3;
}

/** The standard error of a run: as reported, else that of a proportion. @param {Reported} run @param {[number, number] | null} bounds */
function errorOf(run, bounds) {
  const least = bounds ? MIN_ERROR * (bounds[1] - bounds[0]) : 0;
  if (run.stderr !== null && Number.isFinite(run.stderr) && run.stderr > least) return run.stderr;
  return bounds === null || run.samples === null || run.samples < 1 ? null : errorOfTrials(run, bounds);
}

/** sqrt(p(1-p)/(n-1)) in the unit of the score. @param {Reported} run @param {[number, number]} bounds */
function errorOfTrials(run, [least, most]) {
  const share = (run.score - least) / (most - least);
  return (most - least) * Math.sqrt(Math.max(0, share * (1 - share)) / Math.max(1, (run.samples || 1) - 1));
}

/** Whether a standard error is that of zeros and ones. @param {Reported} run @param {number | null} error @param {[number, number]} bounds */
function isOfTrials(run, error, bounds) {
  if (error === null || run.samples === null) return false;
  const expected = errorOfTrials(run, bounds);
  if (!expected || !error) return expected === error;
  return Math.abs((expected / error) ** 2 - 1) <= ROUNDED + 1.01 / Math.max(1, run.samples - 1);
}
