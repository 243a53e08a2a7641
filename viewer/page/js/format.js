// How values look.

import { visible } from "./visible.js";

/** @typedef {number | null | undefined} Value */

/** @type {Record<string, string>} */
const SHORT = { percent: "%", seconds: "s", milliseconds: "ms" };
const BARE = new Set(["ratio", "accuracy", "score"]);

const MAX_DIGITS = 6;

/** @param {number} value @param {number} digits */
const fixed = (value, digits) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** A value below a thousandth, with three significant digits. @param {number} value */
function tiny(value) {
  const rounded = Number(value.toPrecision(3));
  if (Math.abs(rounded) >= 0.0001) return String(rounded);
  const [figures, power] = rounded.toExponential().split("e-");
  return `${figures}e-${power.padStart(2, "0")}`;
}

const isTiny = (/** @type {number} */ value) => value !== 0 && Math.abs(value) < 0.001;

/**
 * A score as a number: 0.412, 67.7, 1.23e-05; with its standard error if it is known. The error has as many digits as
 * the score, and more if it would look like zero. The commands write it the same way (`projections/render/text.py`).
 *
 * @param {Value} value @param {Value} [stderr]
 */
export function score(value, stderr) {
  if (value === null || value === undefined) return "";
  const digits = Math.abs(value) < 10 ? 3 : Math.abs(value) < 1000 ? 1 : 0;
  const alone = (/** @type {number} */ number) => (isTiny(number) ? tiny(number) : fixed(number, digits));
  if (!stderr) return alone(value); // Scores that do not spread say nothing about their error.
  const needed = Math.max(digits, -Math.floor(Math.log10(Math.abs(stderr))));
  if (isTiny(value) || needed > MAX_DIGITS) return `${alone(value)} ± ${alone(stderr)}`;
  return `${fixed(value, needed)} ± ${fixed(stderr, needed)}`;
}

/** Whether ± would mislead: the scores do not spread, or one arm of the interval is more than twice the other. */
export function isSkewed(
  /** @type {number} */ value,
  /** @type {Value} */ stderr,
  /** @type {number} */ low,
  /** @type {number} */ high,
) {
  const arms = [value - low, high - value];
  return !stderr || Math.max(...arms) > 2 * Math.min(...arms);
}

/** A bound, with the digits that the width of its interval allows. */
function bound(/** @type {number} */ value, /** @type {number} */ width) {
  if (Number.isInteger(value)) return fixed(value, 0);
  if (isTiny(value)) return tiny(value);
  return fixed(value, Math.min(MAX_DIGITS, Math.max(0, 1 - Math.floor(Math.log10(width)))));
}

/** A 95% interval: [0, 0.28]; `""` if it is not known. @param {Value} low @param {Value} high */
export function interval(low, high) {
  if (low === null || low === undefined || high === null || high === undefined) return "";
  return `[${bound(low, high - low)}, ${bound(high, high - low)}]`;
}

/** The error of a score: ± its standard error, or its interval if ± would mislead; `""` if it is unknown. */
export function sureness(
  /** @type {Value} */ value,
  /** @type {Value} */ stderr,
  /** @type {Value} */ low,
  /** @type {Value} */ high,
) {
  if (value === null || value === undefined) return "";
  const known = low !== null && low !== undefined && high !== null && high !== undefined;
  if (known && isSkewed(value, stderr, low, high)) return interval(low, high);
  return stderr ? score(value, stderr).replace(/^.* ± /, "± ") : "";
}

/** A score with its error: 0.500 ± 0.050, or 0.000 [0, 0.28] if ± would mislead. */
export function estimate(
  /** @type {Value} */ value,
  /** @type {Value} */ stderr,
  /** @type {Value} */ low,
  /** @type {Value} */ high,
) {
  const sure = sureness(value, stderr, low, high);
  return sure.startsWith("[") ? `${score(value)} ${sure}` : score(value, stderr);
}

/** The name of a benchmark: its id, or the name that another program gave it if an id cannot hold it. @param {string} id @param {Record<string, any> | null | undefined} options */
export const benchmarkName = (id, options) =>
  visible(typeof options?.benchmark_name === "string" ? options.benchmark_name : id);

/** The unit to write after a score; a ratio has none. */
export const unitText = (/** @type {string | null | undefined} */ unit) =>
  !unit || BARE.has(unit) ? "" : (SHORT[unit] ?? unit);

/** A difference with its sign; zero has none. @param {Value} value */
export function signed(value) {
  if (value === null || value === undefined) return "";
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${score(Math.abs(value))}`;
}

/** Whether a delta is good news: "better", "worse" or "". @param {Value} delta @param {boolean | null | undefined} higherIsBetter */
export function direction(delta, higherIsBetter) {
  if (!delta) return "";
  return delta > 0 === (higherIsBetter !== false) ? "better" : "worse";
}

/** 1 run, 1,200 runs. @param {number} number @param {string} noun */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Options as text: seed=1 context=32000. @param {Record<string, any> | null | undefined} options */
export const optionsText = (options) =>
  Object.entries(options ?? {})
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");

/** The line of an error that says most: the last one that names an error, or else the first. @param {string | null | undefined} error */
export function messageOf(error) {
  const lines = (error ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return lines.findLast((line) => /\b[\w.]*(Error|Exception)\b/.test(line)) ?? lines[0] ?? "";
}

/** @param {Value} value */
export function count(value) {
  return value === null || value === undefined ? "" : value.toLocaleString("en");
}

/** 3.2 s, 4 min 5 s, 2 h 10 min; `whole`: without tenths, for a time that ticks. @param {number | null | undefined} seconds */
export function duration(seconds, { whole: ticks = false } = {}) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 59.95) return `${ticks ? Math.floor(seconds) : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return minutes < 48 * 60
    ? `${Math.floor(minutes / 60)} h ${minutes % 60} min`
    : `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** US dollars, with two digits, or more for a small amount. @param {Value} usd */
export function cost(usd) {
  if (usd === null || usd === undefined) return "";
  const digits = usd === 0 || usd >= 1 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(Math.abs(usd))) + 1);
  return `$${usd.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}

/** A share of a whole: 93 %, 0.4 %. @param {number} part @param {number} whole */
export function share(part, whole) {
  if (!whole) return "";
  const percent = (100 * part) / whole;
  return `${percent > 0 && percent < 1 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** @param {number} size */
export function bytes(size) {
  const units = ["B", "kB", "MB", "GB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit ? value.toFixed(1) : value} ${units[unit]}`;
}

/** How long ago a moment was. @param {string | null | undefined} iso */
export function ago(iso) {
  if (!iso) return "";
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  if (seconds < 45) return "just now";
  for (const [size, name] of /** @type {[number, string][]} */ ([
    [86400, "d"],
    [3600, "h"],
    [60, "min"],
  ])) {
    if (seconds >= size * 0.95) return `${count(Math.round(seconds / size))} ${name} ago`;
  }
  return "1 min ago";
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** A day as charts and tables write it: Nov 22. @param {string | null | undefined} iso */
export const day = (iso) => (iso ? `${MONTHS[Number(iso.slice(5, 7)) - 1]} ${iso.slice(8, 10)}` : "");

export const moment = (/** @type {string | null | undefined} */ iso) =>
  iso ? `${iso.slice(0, 19).replace("T", " ")} UTC` : "";
