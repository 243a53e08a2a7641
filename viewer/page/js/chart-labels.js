// Names in charts: beside what they name, and not on each other.

const LINE = 15; // Pixels of a line of text.
const LETTER = 6.9; // Pixels of a letter, about.

/** A name, cut if it has more letters. @param {string} name @param {number} letters */
export const cut = (name, letters) => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name);

/** The room in pixels that the longest of some names takes. @param {string[]} names */
export const roomFor = (names) => Math.max(0, ...names.map((name) => name.length * LETTER)) + 14;

/**
 * Heights for labels of values on an axis, so that no two are closer than a line. They stay in order.
 *
 * @param {number[]} values
 * @param {[number, number]} domain of the axis
 * @param {number} height of the axis in pixels
 * @returns {number[]} in the units of the axis
 */
export function spreadOut(values, [min, max], height) {
  const line = (LINE * (max - min)) / height;
  const order = values.map((_, at) => at).sort((a, b) => values[a] - values[b]);
  const found = [...values];
  let last = -Infinity;
  for (const at of order) last = found[at] = Math.max(found[at], last + line);
  // Those that were pushed beyond the top push the ones below them down.
  let next = max + line;
  for (const at of order.reverse()) next = found[at] = Math.min(found[at], next - line);
  return found;
}

/** Layers of a text with a halo, so that it stays readable on lines. @param {Record<string, any>} mark @param {Record<string, any>} encoding */
export const text = (mark, encoding) => [
  {
    mark: { type: "text", style: "halo", ...mark },
    encoding: { ...encoding, opacity: { value: 1 }, color: undefined },
  },
  { mark: { type: "text", ...mark }, encoding },
];
