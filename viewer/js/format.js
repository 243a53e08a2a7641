// How values look.

/** @typedef {number | null | undefined} Value */

/** @type {Record<string, string>} */
const SYMBOLS = { running: "●", succeeded: "✓", failed: "✕" };

export const statusSymbol = (/** @type {string} */ status) => SYMBOLS[status] ?? "·";

const BARE = new Set(["ratio", "accuracy", "score"]);

/** A score as a number: 0.412, 67.7; with its standard error where there is one. @param {Value} value @param {Value} [stderr] */
export function score(value, stderr) {
  if (value === null || value === undefined) return "";
  const digits = Math.abs(value) < 10 ? 3 : Math.abs(value) < 1000 ? 1 : 0;
  const text = (/** @type {number} */ number) => number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return stderr === null || stderr === undefined ? text(value) : `${text(value)} ± ${text(stderr)}`;
}

/** The unit to write behind a score: none for a ratio, which is what a bare number means. */
export const unitText = (/** @type {string | null | undefined} */ unit) => (!unit || BARE.has(unit) ? "" : unit === "percent" ? "%" : unit);

/** A difference with its sign. @param {Value} value */
export function signed(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  const text = size > 0 && size < 0.0005 ? size.toPrecision(1) : score(size); // A difference is never written as none.
  return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${text}`;
}

/** Whether a delta is good news: "better", "worse" or "". @param {Value} delta @param {boolean | null | undefined} higherIsBetter */
export function direction(delta, higherIsBetter) {
  if (!delta) return "";
  return delta > 0 === (higherIsBetter !== false) ? "better" : "worse";
}

/** @param {Value} value */
export function count(value) {
  return value === null || value === undefined ? "" : value.toLocaleString("en");
}

/** 3.2 s, 4 min 5 s, 2 h 10 min; `whole`: without tenths, for what ticks. @param {number | null | undefined} seconds */
export function duration(seconds, { whole: ticks = false } = {}) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 59.95) return `${ticks ? Math.floor(seconds) : seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** Money: two digits, or as many as it takes to see something. @param {Value} usd */
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
  for (const [size, name] of /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "min"]])) {
    if (seconds >= size * 0.95) return `${count(Math.round(seconds / size))} ${name} ago`;
  }
  return "1 min ago";
}

export const moment = (/** @type {string | null | undefined} */ iso) => (iso ? iso.slice(0, 19).replace("T", " ") + " UTC" : "");
