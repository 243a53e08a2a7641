// Terminal output as pieces of text with the styles of its escape sequences (SGR, ECMA-48).

/** @typedef {{ fg: number | null, looks: ReadonlySet<string> }} Style */
/** @typedef {{ text: string, classes: string }} Piece */

/** @type {Style} */
export const PLAIN = { fg: null, looks: new Set() };

// Colours and other sequences of terminals (cursor, titles), and control characters except white space.
// eslint-disable-next-line no-control-regex
const SEQUENCE =
  /\u001b\[([0-9;:]*)m|\u001b\[[0-9;?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_]|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

// An unfinished sequence, at the end of a piece of a growing log.
// eslint-disable-next-line no-control-regex
const UNFINISHED = /\u001b(\[[0-9;:?]*[ -/]*|\][^\u0007\u001b]*)?$/;

const ON = new Map([
  [1, "bold"],
  [2, "dim"],
  [3, "italic"],
  [4, "underline"],
  [7, "inverse"],
  [9, "strike"],
]);
/** @type {Map<number, string[]>} */
const OFF = new Map([
  [22, ["bold", "dim"]],
  [23, ["italic"]],
  [24, ["underline"]],
  [27, ["inverse"]],
  [29, ["strike"]],
]);

/** Keeps the last text of lines that were overwritten, as by progress bars, and drops an unfinished sequence. */
export const settle = (/** @type {string} */ text) =>
  text
    .replace(UNFINISHED, "")
    .replace(/\r+(?=\n|$)/g, "")
    .replace(/[^\n]*\r/g, "");

/**
 * The pieces of some text that begins in `style`, and the style that what follows begins in.
 *
 * @param {string} text
 * @param {Style} style
 * @returns {{ pieces: Piece[], style: Style }}
 */
export function colour(text, style) {
  /** @type {Piece[]} */
  const pieces = [];
  let from = 0;
  const add = (/** @type {number} */ to) => {
    if (to > from) pieces.push({ text: text.slice(from, to), classes: classes(style) });
  };
  for (const found of text.matchAll(SEQUENCE)) {
    add(found.index);
    from = found.index + found[0].length;
    if (found[1] !== undefined) style = after(style, found[1]);
  }
  add(text.length);
  return { pieces, style };
}

/** The text without sequences. */
export const bare = (/** @type {string} */ text) => settle(text).replace(SEQUENCE, "");

/** @param {Style} style */
function classes({ fg, looks }) {
  const names = [...looks].map((look) => `ansi-${look}`);
  if (fg !== null) names.push(`ansi-fg-${fg}`);
  return names.join(" ");
}

/** @param {Style} style @param {string} parameters @returns {Style} */
function after(style, parameters) {
  const codes = parameters.split(/[;:]/).map(Number);
  let { fg } = style;
  let looks = new Set(style.looks);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    const on = ON.get(code);
    if (code === 0) [fg, looks] = [null, new Set()];
    else if (on) looks.add(on);
    else if (OFF.has(code)) for (const look of OFF.get(code) ?? []) looks.delete(look);
    else if (code >= 30 && code <= 37) fg = code - 30;
    else if (code >= 90 && code <= 97) fg = code - 90;
    else if (code === 39) fg = null;
    else if (code === 38 || code === 48) {
      const [used, colour] = wide(codes.slice(at + 1));
      if (code === 38) fg = colour;
      at += used;
    }
  }
  return { fg, looks };
}

/** A colour of 256 or of 16 million as the nearest of eight that are readable in both themes, and the number of its codes. @param {number[]} codes @returns {[number, number | null]} */
function wide([kind, ...more]) {
  if (kind === 2) return [4, nearest(more[0] ?? 0, more[1] ?? 0, more[2] ?? 0)];
  if (kind !== 5) return [0, null];
  const index = more[0] ?? 0;
  if (index < 16) return [2, index % 8];
  if (index > 231) return [2, 7];
  const level = (/** @type {number} */ by) => (Math.floor((index - 16) / by) % 6) * 51;
  return [2, nearest(level(36), level(6), level(1))];
}

/** @param {...number} parts red, green and blue, up to 255 */
function nearest(...parts) {
  const most = Math.max(...parts);
  if (most < 60) return 0;
  const bits = parts.map((part) => (part > most * 0.6 ? 1 : 0));
  return bits[0] + 2 * bits[1] + 4 * bits[2];
}
