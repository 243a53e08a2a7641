// The difference of two texts, by lines and then by words (Myers 1986), within bounds.

const MAX_PARTS = 20_000; // Beyond it, only the common beginning and end are found.
const MAX_EDITS = 1_500; // Texts that differ more have nothing to show side by side.

/** @typedef {{ kind: "same" | "gone" | "new", parts: string[] }} Piece */

/**
 * What to keep, to remove from `a` and to add from `b`, in order.
 *
 * @param {string[]} a
 * @param {string[]} b
 * @returns {Piece[]}
 */
export function diff(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const left = a.slice(start, a.length - end);
  const right = b.slice(start, b.length - end);
  /** @type {Piece[]} */
  const all = [
    { kind: "same", parts: a.slice(0, start) },
    ...between(left, right),
    { kind: "same", parts: a.slice(a.length - end) },
  ];
  return all.filter(({ parts }) => parts.length);
}

/** @param {string[]} a @param {string[]} b @returns {Piece[]} */
function between(a, b) {
  const whole = /** @type {Piece[]} */ ([
    { kind: "gone", parts: a },
    { kind: "new", parts: b },
  ]);
  if (!a.length || !b.length || a.length + b.length > MAX_PARTS) return whole;
  const steps = trace(a, b);
  if (!steps) return whole;
  /** @type {Piece[]} */
  const pieces = [];
  const put = (/** @type {Piece["kind"]} */ kind, /** @type {string} */ part) => {
    if (pieces[0]?.kind === kind) pieces[0].parts.unshift(part);
    else pieces.unshift({ kind, parts: [part] });
  };
  let [x, y] = [a.length, b.length];
  for (let edits = steps.length - 1; edits >= 0; edits -= 1) {
    const at = (/** @type {number} */ on) => steps[edits][on + edits + 1];
    const line = x - y;
    const down = line === -edits || (line !== edits && at(line - 1) < at(line + 1));
    const before = down ? line + 1 : line - 1;
    const fromX = edits ? at(before) : 0;
    const fromY = edits ? fromX - before : 0;
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      put("same", a[x]);
    }
    if (!edits) break;
    if (down) put("new", b[--y]);
    else put("gone", a[--x]);
  }
  return ordered(pieces);
}

/**
 * How far each number of edits comes on each diagonal, as it was before that edit; null if there are too many. The value
 * of diagonal `line` is at `line + edits + 1`.
 *
 * @param {string[]} a
 * @param {string[]} b
 */
function trace(a, b) {
  const most = Math.min(MAX_EDITS, a.length + b.length);
  const middle = most + 1;
  const far = new Int32Array(2 * most + 3).fill(-1);
  far[middle + 1] = 0;
  const steps = [];
  for (let edits = 0; edits <= most; edits += 1) {
    steps.push(far.slice(middle - edits - 1, middle + edits + 2));
    for (let line = -edits; line <= edits; line += 2) {
      const place = middle + line;
      const down = line === -edits || (line !== edits && far[place - 1] < far[place + 1]);
      let x = down ? far[place + 1] : far[place - 1] + 1;
      while (x < a.length && x - line < b.length && a[x] === b[x - line]) x += 1;
      far[place] = x;
      if (x >= a.length && x - line >= b.length) return steps;
    }
  }
  return null;
}

/** What is gone before what is new, where both meet. @param {Piece[]} pieces */
function ordered(pieces) {
  /** @type {Piece[]} */
  const found = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    const before = found.at(-2);
    if (piece.kind === "gone" && last?.kind === "new") {
      if (before?.kind === "gone") before.parts.push(...piece.parts);
      else found.splice(-1, 0, piece);
    } else if (piece.kind === "new" && last?.kind === "new") last.parts.push(...piece.parts);
    else found.push(piece);
  }
  return found;
}

/** The words of a text, with the spaces and the signs between them. @param {string} text */
export const wordsOf = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];

/** The lines of a text, each with its end. @param {string} text */
export const linesOf = (text) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];

/** By lines if there are many, else by words. Lines that were changed are compared word by word. @param {string} a @param {string} b @returns {Piece[]} */
export function diffTexts(a, b) {
  if (Math.max(linesOf(a).length, linesOf(b).length) <= 3) return diff(wordsOf(a), wordsOf(b));
  const pieces = diff(linesOf(a), linesOf(b));
  return pieces.flatMap((piece, index) => {
    const next = pieces[index + 1];
    if (piece.kind === "gone" && next?.kind === "new")
      return diff(wordsOf(piece.parts.join("")), wordsOf(next.parts.join("")));
    if (piece.kind === "new" && pieces[index - 1]?.kind === "gone") return [];
    return [piece];
  });
}
