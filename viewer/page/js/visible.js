// Text of others made visible, as the commands do it (projections/render/visible.py).

const HIDDEN =
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|\u034f|\u17b4|\u17b5|\u180b|\u180c|\u180d|\u180f|\r(?!\n)|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

/** @param {string} found */
const number = (found) =>
  Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join("");

/** The text with every control and every invisible character written as its number; lines and tabs stay. @param {string} text */
export const visible = (text) => text.replace(HIDDEN, number);

/** Some data in which every text is visible. @template T @param {T} data @returns {T} */
export function visibleIn(data) {
  if (typeof data === "string") return /** @type {T} */ (visible(data));
  if (Array.isArray(data)) return /** @type {T} */ (data.map(visibleIn));
  if (typeof data !== "object" || data === null) return data;
  return /** @type {T} */ (
    Object.fromEntries(Object.entries(data).map(([name, value]) => [visible(name), visibleIn(value)]))
  );
}
