// Elements, made from data. Text only ever becomes text, and visible: nothing here reads HTML.

import { visible } from "./visible.js";

/** Attributes with text for people. */
const READ = new Set(["title", "aria-label", "placeholder", "alt", "label"]);

/**
 * An element: h("a", {href, class: …, onclick: …}, child, …); children are elements, text, lists of them, or nothing.
 *
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  return dress(document.createElement(name), attributes, children);
}

/** An element of a drawing (SVG). @param {string} name @param {Record<string, any>} [attributes] @param {...any} children @returns {SVGElement} */
export function s(name, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** @template {Element} E @param {E} element @param {Record<string, any>} attributes @param {any[]} children @returns {E} */
function dress(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : READ.has(key) ? visible(String(value)) : String(value));
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
      .map((child) => (child instanceof Node ? child : visible(String(child)))),
  );
  return element;
}

/** A name that may break after its punctuation, and not within its words. @param {string} name */
export const breakable = (name) => name.split(/(?<=[_/:.-])/).flatMap((part, at) => (at ? [h("wbr"), part] : [part]));

/** Announces a text to screen readers, once. @param {string} text */
export function announce(text) {
  const status = /** @type {HTMLElement} */ (document.getElementById("status"));
  const shown = visible(text);
  if (status.textContent !== shown) status.textContent = shown;
}

/** @typedef {[name: string, data: any, make: () => Element | null]} Part */

/** @type {WeakMap<Element, Map<string, { data: any, element: Element }>>} */
const drawn = new WeakMap();

/**
 * Fills a container with parts [name, data, make]. A part with the same data stays the same element, with its focus, its
 * scroll position and its open details.
 *
 * @param {Element} container
 * @param {Part[]} parts
 */
export function keep(container, parts) {
  const before = drawn.get(container) ?? new Map();
  const after = new Map();
  let focusOn;
  for (const [name, data, make] of parts) {
    const old = before.get(name);
    if (old && (old.data === data || JSON.stringify(old.data) === JSON.stringify(data))) {
      old.data = data;
      after.set(name, old);
      continue;
    }
    const element = make();
    if (!element) continue;
    if (old?.element.contains(document.activeElement)) focusOn = element;
    // Replaced in place: an empty container would lose its scroll position.
    old?.element.replaceWith(element);
    after.set(name, { data, element });
  }
  const elements = [...after.values()].map((part) => part.element);
  const staying = new Set(elements);
  for (const element of [...container.children]) if (!staying.has(element)) element.remove();
  let place = container.firstElementChild;
  for (const element of elements) {
    if (element === place) place = place?.nextElementSibling ?? null;
    else container.insertBefore(element, place);
  }
  drawn.set(container, after);
  /** @type {HTMLElement | null | undefined} */ (focusOn?.querySelector("a, button, summary, input"))?.focus({
    preventScroll: true,
  });
}
