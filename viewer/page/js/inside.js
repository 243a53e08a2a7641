// The data of a page without a server: the history now, and as it was at some earlier moments.

/**
 * @typedef {{ position: number, hash: string, at: string, past: boolean, note?: string }} Head with a `note` if the
 *   file has not the moment that was asked for
 *
 * @typedef {object} State the history at a moment
 * @property {any[]} runs every row, the newest first
 * @property {Record<string, any>} answers by address
 * @property {Record<string, any>} about everything about the newest runs
 * @property {Head} head
 *
 * @typedef {{ position: number, at: string, until: string, head: Head, state: any }} Moment from `at` up to `until`
 */

/** What an element holds, compressed. @param {string} id @returns {Promise<Blob | null>} */
export async function unpacked(id) {
  const text = document.getElementById(id)?.textContent;
  if (!text) return null;
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
}

/** @type {{ shapes: string[][], values: any[], root: any }} */
const pool = JSON.parse(await /** @type {Blob} */ (await unpacked("data")).text());
/** The values that were made, by their place in the pool. @type {any[]} */
const made = [];

/** The value that an item stands for: see `viewer/offline/shared.py`. @param {any} item @returns {any} */
function shared(item) {
  if (!Array.isArray(item)) return item;
  made[item[0]] ??= make(pool.values[item[0]]);
  return made[item[0]];
}

/** @param {any} entry */
function make(entry) {
  if (!Array.isArray(entry)) return entry;
  const [shape, ...items] = entry;
  if (shape < 0) return items.map(shared);
  return Object.fromEntries(pool.shapes[shape].map((name, place) => [name, shared(items[place])]));
}

/** @type {{ head: Head, now: any, moments: Moment[], events: Record<string, any>, samples: Record<string, any> }} */
export const inside = shared(pool.root);

/** @type {State} */
export const now = { ...inside.now, head: inside.head };

/** An answer with the head of its state. @param {any} found @param {State} state */
export const withHead = (found, { head }) => found && { ...found, head };

/**
 * The state of a moment as `as_of` names it: a position or a time. Null if it is before what the file has.
 *
 * @param {string | null} asOf
 * @returns {State | null}
 */
export function stateAt(asOf) {
  if (asOf === null) return now;
  const isPosition = /^\d+$/.test(asOf);
  const time = isPosition ? Number.NaN : Date.parse(asOf);
  const isNow = isPosition ? Number(asOf) >= inside.head.position : time >= Date.parse(inside.head.at);
  if (isNow) return now;
  const found = inside.moments.findLast((one) =>
    isPosition ? one.position <= Number(asOf) : !one.at || Date.parse(one.at) <= time,
  );
  if (!found) return null;
  const isExact = isPosition ? found.position === Number(asOf) : time < Date.parse(found.until);
  const note = `this file has no state of ${isPosition ? `event ${asOf}` : asOf}, and shows the one before it`;
  return { ...found.state, head: isExact ? found.head : { ...found.head, note } };
}
