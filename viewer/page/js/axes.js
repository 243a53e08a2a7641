// The axes of charts: domains that hold every value, and labels that say what they mean.

/** The least and the largest score of a unit, if it has them. @type {Record<string, [number, number]>} */
const BOUNDS = { ratio: [0, 1], accuracy: [0, 1], f1: [0, 1], percent: [0, 100] };
const DAY_MS = 86_400_000;

/** An axis that holds all values, with a margin; a single value stands in its middle. @param {number[]} values @param {string | null} unit */
export function domainOf(values, unit) {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const margin = max > min ? (max - min) * 0.08 : Math.abs(max) * 0.2 || 0.2;
  const [least, most] = BOUNDS[unit ?? ""] ?? [-Infinity, Infinity];
  const isWithin = least <= min && max <= most;
  return isWithin ? [Math.max(least, min - margin), Math.min(most, max + margin)] : [min - margin, max + margin];
}

/** A time axis with a margin, and labels that name the day. @param {string[]} times */
export function timeAxis(times) {
  const moments = times.map((time) => Date.parse(time)).filter((time) => !Number.isNaN(time));
  const [first, last] = [Math.min(...moments), Math.max(...moments)];
  const margin = Math.max((last - first) * 0.03, DAY_MS / 4);
  const span = last - first + 2 * margin;
  return {
    values: roundTimes(first - margin, last + margin).map((time) => new Date(time).toISOString()),
    domain: [first - margin, last + margin].map((time) => new Date(time).toISOString()),
    format: span < 3 * DAY_MS ? "%b %d, %H:%M" : span < 300 * DAY_MS ? "%b %d" : "%b %d, %Y",
  };
}

const STEPS_MS = [1, 2, 6, 12, 24, 48, 96, 168, 336, 672, 1344, 2688, 8760, 17520].map((hours) => hours * 3_600_000);

/** At most six round times, in milliseconds. @param {number} from @param {number} to */
export function roundTimes(from, to) {
  const step = STEPS_MS.find((one) => (to - from) / one <= 6) ?? (to - from) / 5;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.floor((to - first) / step) + 1 }, (_, at) => first + at * step);
}
